use crate::amount::{usdt_cents_down, usdt_of_cents};
use crate::order::{FixedRate, TopUp};
use crate::settings::{BankSettings, CardSettings, ChainSettings, code_prefix};
use crate::{Amount, DongRate, PaymentsError, Rail, TopUpError};
use platform::{InvalidSettings, Platform, Settings};
use primitives::{Credits, Overflow, Timestamp, TopUpId, random_bytes};
use rails::sepay_card::{CheckoutForm, CheckoutOrder, InvoiceNumber, PaymentMethod, checkout_form};
use rails::viet_qr::{CodePrefix, Payload, ReferenceCode};
use rails::{UsdtMicros, Vnd};
use rates::Rates;

/// What each rail asks of a payer.
#[derive(Clone)]
pub struct Methods {
    brand: String,
    /// `API_URL`: where links in an order begin; absent: they are paths
    api_url: String,
    prefix: CodePrefix,
    card: Option<CardSettings>,
    bank: Option<BankSettings>,
    chain: Option<ChainSettings>,
}

/// What an amount of credit costs by a rail, before the order has its own reference.
pub(crate) struct Priced {
    pub(crate) credits: Credits,
    pub(crate) due: Amount,
    pub(crate) rate: Option<FixedRate>,
}

/// What makes one order's payment different from all others.
pub(crate) struct Drawn {
    pub(crate) credits: Credits,
    pub(crate) due: Amount,
    pub(crate) reference: String,
}

/// What the payer needs; for display, none of it is secret.
#[derive(Debug, Clone)]
pub enum PayBy {
    /// A form that the browser posts to SePay, fields in this order.
    Card(CheckoutForm),
    Transfer {
        bank: String,
        bin: String,
        account: String,
        holder: String,
        payload: Payload,
    },
    Usdt {
        wallet: String,
        contract: String,
    },
}

/// Short amounts end in thousandths of a USDT, long ones in ten-thousandths: some wallets show few decimals.
const SHORT_STEP_MICROS: u64 = 1_000;
const LONG_STEP_MICROS: u64 = 100;
/// The suffix stays below one USDT.
const SUFFIX_BELOW_MICROS: u64 = 1_000_000;

impl Methods {
    pub(crate) fn new(platform: &Platform) -> Result<Methods, InvalidSettings> {
        let profile = platform.profile();
        platform.env().section(|settings| {
            let methods = Methods {
                brand: profile.brand.clone(),
                api_url: settings.text_or("API_URL", "").trim_end_matches('/').to_owned(),
                prefix: code_prefix(settings, &profile.top_ups.reference_prefix),
                card: CardSettings::read(settings),
                bank: BankSettings::read(settings),
                chain: ChainSettings::read(settings),
            };
            methods.require_what_payers_need(settings);
            methods
        })
    }

    /// A payer must not be sent to a page that is not there, nor asked to pay a nameless account.
    fn require_what_payers_need(&self, settings: &mut Settings<'_>) {
        if self.card.is_some() && settings.optional("SITE_URL").is_none() {
            settings.complain(
                "SITE_URL",
                "is missing beside SEPAY_MERCHANT_ID: the checkout would lead back nowhere",
            );
        }
        if self.bank.as_ref().is_some_and(|bank| bank.holder.is_empty()) {
            settings.complain("BANK_ACCOUNT_NAME", "is missing beside BANK_ACCOUNT: payers compare it");
        }
    }

    /// Without a slash at its end; empty when it is not set.
    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// Whether the rail's settings are there.
    pub fn offers(&self, rail: Rail) -> bool {
        match rail {
            Rail::SepayCard => self.card.is_some(),
            Rail::VietQr => self.bank.is_some(),
            Rail::TronUsdt => self.chain.is_some(),
        }
    }

    pub(crate) async fn price(
        &self,
        rail: Rail,
        credits: Credits,
        rates: &Rates,
        now: Timestamp,
    ) -> Result<Priced, PaymentsError> {
        if !self.offers(rail) {
            return Err(TopUpError::RailNotOffered.into());
        }
        if rail == Rail::TronUsdt {
            return Ok(Priced { credits, due: Amount::Usdt(usdt_of_cents(credits)?), rate: None });
        }
        let quote = rates.vnd_for_orders(now).await.map_err(TopUpError::NoRate)?;
        let rate = DongRate::new(quote.rate.micros()).ok_or(Overflow)?;
        let source = format!("{} {}", quote.source.as_str(), quote.side.as_str());
        let due = Amount::Vnd(rate.dong_half_up(credits)?);
        Ok(Priced { credits, due, rate: Some(FixedRate { rate, source, at: quote.feed_at }) })
    }

    /// Draws the reference by lot; the store says whether it was free.
    pub(crate) fn draw(
        &self,
        rail: Rail,
        id: TopUpId,
        priced: &Priced,
        is_short: bool,
    ) -> Result<Drawn, PaymentsError> {
        let (credits, due) = (priced.credits, priced.due);
        Ok(match due {
            Amount::Vnd(_) if rail == Rail::SepayCard => {
                Drawn { credits, due, reference: format!("{}-{id}", self.prefix) }
            }
            Amount::Vnd(_) => Drawn { credits, due, reference: ReferenceCode::mint(self.prefix).to_string() },
            Amount::Usdt(price) => {
                let micros = price.get().checked_add(suffix(is_short)).ok_or(Overflow)?;
                let exact = UsdtMicros::new(micros).map_err(|_| Overflow)?;
                // Whatever is sent is credited, the suffix too.
                Drawn {
                    credits: usdt_cents_down(exact)?,
                    due: Amount::Usdt(exact),
                    reference: exact.to_string(),
                }
            }
        })
    }

    /// `None` when the rail is not configured any more.
    pub fn pay_by(&self, order: &TopUp) -> Option<PayBy> {
        match (order.rail, order.due) {
            (Rail::SepayCard, Amount::Vnd(amount)) => self.checkout(order, amount).map(PayBy::Card),
            (Rail::VietQr, Amount::Vnd(amount)) => {
                let bank = self.bank.as_ref()?;
                let payload = Payload::new(&bank.beneficiary, amount, &order.reference).ok()?;
                Some(PayBy::Transfer {
                    bank: bank.bank.clone(),
                    bin: bank.beneficiary.bin().to_owned(),
                    account: bank.account.clone(),
                    holder: bank.holder.clone(),
                    payload,
                })
            }
            (Rail::TronUsdt, Amount::Usdt(_)) => {
                let watch = self.chain.as_ref()?.watch;
                Some(PayBy::Usdt { wallet: watch.wallet.to_string(), contract: watch.contract.to_string() })
            }
            _ => None,
        }
    }

    fn checkout(&self, order: &TopUp, amount: Vnd) -> Option<CheckoutForm> {
        let card = self.card.as_ref()?;
        let back = |outcome: &str| format!("{}/billing?top_up={}&outcome={outcome}", card.site_url, order.id);
        let dollars = format!("{}.{:02}", order.credits.get() / 100, order.credits.get() % 100);
        let wish = CheckoutOrder {
            amount,
            invoice: order.reference.parse::<InvoiceNumber>().ok()?,
            description: format!("{} credit {dollars} USD", self.brand),
            // SePay needs no name of ours for the person.
            customer_id: None,
            payment_method: Some(PaymentMethod::Card),
            success_url: back("success"),
            error_url: back("error"),
            cancel_url: back("cancelled"),
        };
        Some(checkout_form(&card.merchant, &card.checkout_url, &wish))
    }

    pub(crate) fn wallet(&self) -> Option<String> {
        self.chain.as_ref().map(|chain| chain.watch.wallet.to_string())
    }
}

/// Never zero, so that a round amount is nobody's.
fn suffix(is_short: bool) -> u64 {
    let step = if is_short { SHORT_STEP_MICROS } else { LONG_STEP_MICROS };
    let steps = SUFFIX_BELOW_MICROS / step - 1;
    (u64::from_be_bytes(random_bytes()) % steps + 1) * step
}
