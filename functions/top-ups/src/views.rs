use crate::closed_sets::{PaymentMethod, TopUpStatus};
use payments::{PayBy, Payment, Rail, TopUp, TopUpPage, TopUps};
use primitives::{Amounts, Credits, CreditsView, EntryId, Language, MoneyView, Timestamp, TopUpId, Unit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder};

/// What you want to pay in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopUpRequest {
    #[schema(value_type = PaymentMethod, example = "viet_qr")]
    pub(crate) method: String,
    #[schema(schema_with = offered_credits)]
    pub(crate) credits: CreditsView,
}

fn offered_credits() -> Object {
    let offered = ObjectBuilder::from(CreditsView::within(500, 50_000, 100));
    offered.description(Some("The credit that you want; `GET /v1/top-ups/methods` lists the amounts")).build()
}

/// What can be paid in.
#[derive(Serialize, ToSchema)]
pub(crate) struct MethodsView {
    /// The amounts that a page offers first
    tiers: Vec<CreditsView>,
    /// The least that can be ordered
    credits_min: CreditsView,
    /// The most that can be ordered
    credits_max: CreditsView,
    /// Amounts between the two go in whole steps of this
    credits_step: CreditsView,
    methods: Vec<MethodView>,
}

#[derive(Serialize, ToSchema)]
struct MethodView {
    #[schema(value_type = PaymentMethod)]
    method: String,
    /// What is paid: `VND` or `USDT`
    currency: String,
    is_available: bool,
}

/// An order and what came of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct TopUpView {
    #[schema(value_type = String)]
    id: TopUpId,
    #[schema(value_type = PaymentMethod)]
    method: String,
    #[schema(value_type = TopUpStatus)]
    status: String,
    /// The credit that the exact payment brings
    credits: CreditsView,
    /// What to pay, exactly. In USDT it is up to one USDT more than ordered, because the amount is how the payment is
    /// recognised; all of it becomes credit.
    amount_due: MoneyView,
    /// How your payment is recognised: the transfer's code, SePay's invoice number, or the exact amount
    reference: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<RateView>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Pay before this
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// A transfer that comes later than `expires_at` but before this is still credited to this order
    #[schema(value_type = String, format = DateTime)]
    accepted_until: Timestamp,
    /// What has arrived
    amount_received: MoneyView,
    /// What has not arrived of what is due
    amount_remaining: MoneyView,
    /// Credit that came of it
    credited: CreditsView,
    /// Credit of it that was taken back
    reversed: CreditsView,
    payments: Vec<PaymentView>,
    /// How to pay; only while the order waits for it. After a bank transfer of a part it asks for the rest
    #[serde(skip_serializing_if = "Option::is_none")]
    pay: Option<PayView>,
}

/// The exchange rate the order was made at.
#[derive(Serialize, ToSchema)]
struct RateView {
    /// Dong for one US dollar
    #[schema(example = "26270")]
    vnd_per_usd: String,
    /// Who published it, and which side of it was taken
    source: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// One arrival.
#[derive(Serialize, ToSchema)]
struct PaymentView {
    /// Name it to support
    id: String,
    /// What arrived
    amount: MoneyView,
    /// Credit that came of it
    credits: CreditsView,
    /// Credit of it that was taken back
    reversed: CreditsView,
    #[schema(value_type = String, format = DateTime)]
    paid_at: Timestamp,
    /// The ledger entry it led to
    #[schema(value_type = String)]
    entry_id: EntryId,
    /// A card as its owner knows it: brand, last four digits, expiry
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<String>,
}

/// How to pay.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum PayView {
    /// Open `page_url`, or post the fields to `action` in this order from a form of your own.
    Card { page_url: String, action: String, fields: Vec<FieldView> },
    /// Scan the QR, or transfer by hand with exactly this memo.
    BankTransfer {
        /// What to transfer, in dong
        amount: MoneyView,
        bank: String,
        bank_bin: String,
        account: String,
        account_name: String,
        memo: String,
        qr_payload: String,
        qr_svg_url: String,
        qr_png_url: String,
    },
    /// Send exactly this amount over the TRON network (TRC-20): the amount is how it is recognised.
    Usdt {
        network: String,
        address: String,
        contract: String,
        /// What to send, in USDT: its `decimal`, digit by digit
        amount: MoneyView,
        /// What you ordered, in USDT
        #[serde(skip_serializing_if = "Option::is_none")]
        amount_ordered: Option<MoneyView>,
        /// What `amount` is above that: the digits by which your payment is recognised. They are paid and credited too.
        #[serde(skip_serializing_if = "Option::is_none")]
        amount_added: Option<MoneyView>,
        /// The credit that exactly this amount brings
        credits: CreditsView,
        /// The same in words
        note: String,
    },
}

#[derive(Serialize, ToSchema)]
struct FieldView {
    name: String,
    value: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TopUpListView {
    top_ups: Vec<TopUpView>,
    /// Send it as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl MethodsView {
    pub(crate) fn of(top_ups: &TopUps) -> MethodsView {
        let rules = top_ups.rules();
        let shown = |amount| CreditsView::new(amount, top_ups.unit());
        let method = |rail: Rail| MethodView {
            method: rail.to_string(),
            currency: rail.currency().to_string(),
            is_available: top_ups.methods().offers(rail),
        };
        MethodsView {
            tiers: rules.tiers.iter().copied().map(shown).collect(),
            credits_min: shown(rules.amount_min),
            credits_max: shown(rules.amount_max),
            credits_step: shown(rules.amount_step),
            methods: rules.methods.iter().copied().map(method).collect(),
        }
    }
}

impl TopUpListView {
    pub(crate) fn of(
        page: &TopUpPage,
        top_ups: &TopUps,
        now: Timestamp,
        language: Language,
    ) -> TopUpListView {
        TopUpListView {
            top_ups: page.items.iter().map(|order| TopUpView::of(order, top_ups, now, language)).collect(),
            next_cursor: page.next.map(|id| id.to_string()),
        }
    }
}

impl TopUpView {
    pub(crate) fn is_to_be_paid(&self) -> bool {
        self.pay.is_some()
    }

    pub(crate) fn of(order: &TopUp, top_ups: &TopUps, now: Timestamp, language: Language) -> TopUpView {
        let shown = Amounts { unit: top_ups.unit(), language };
        let sum = |part: fn(&Payment) -> Credits| {
            let parts = order.payments.iter().map(part);
            parts.fold(Credits::ZERO, |sum, part| sum.checked_add(part).unwrap_or(Credits::MAX))
        };
        TopUpView {
            id: order.id,
            method: order.rail.to_string(),
            status: order.status(now).as_str().to_owned(),
            credits: shown.credits(order.credits),
            amount_due: shown.money(order.price),
            reference: order.reference.clone(),
            rate: order.rate.as_ref().map(|fixed| RateView {
                vnd_per_usd: fixed.rate.to_string(),
                source: fixed.source.clone(),
                at: fixed.at,
            }),
            created_at: order.created_at,
            expires_at: order.expires_at,
            accepted_until: order.grace_ends(top_ups.rules().grace()),
            amount_received: shown.money(order.received_amount()),
            amount_remaining: shown.money(order.remaining_amount()),
            credited: shown.credits(sum(|payment| payment.credits)),
            reversed: shown.credits(sum(|payment| payment.reversed)),
            payments: order.payments.iter().map(|payment| PaymentView::of(payment, shown)).collect(),
            pay: order.to_pay(now, top_ups.rules(), shown.unit).and_then(|order| pay(&order, top_ups, shown)),
        }
    }
}

impl PaymentView {
    fn of(payment: &Payment, shown: Amounts) -> PaymentView {
        PaymentView {
            id: payment.key.to_string(),
            amount: shown.money(payment.amount),
            credits: shown.credits(payment.credits),
            reversed: shown.credits(payment.reversed),
            paid_at: payment.paid_at,
            entry_id: payment.entry,
            card: payment.shown_as.clone(),
        }
    }
}

/// Tells the payer that a USDT order asks for up to one USDT more than was ordered, and why.
fn usdt_note(order: &TopUp, unit: Unit) -> String {
    let due = order.price;
    let parts = match (order.ordered_amount(unit), order.added_amount(unit)) {
        (Some(ordered), Some(added)) => {
            format!(" That is {ordered} as ordered and {added} more, by which we recognise your payment.")
        }
        _ => String::new(),
    };
    let credits = unit.in_words(order.credits);
    format!(
        "Send exactly {due} USDT: every digit counts.{parts} All of it is credited, {credits}; a part of one is cut \
         off. Add your wallet's or exchange's fee on top, so that {due} arrives."
    )
}

fn pay(order: &TopUp, top_ups: &TopUps, shown: Amounts) -> Option<PayView> {
    let link = |page: &str| {
        let key = order.page_key.expose();
        format!("{}/v1/top-ups/{}/{page}?key={}.{key}", top_ups.methods().api_url(), order.id, order.account)
    };
    Some(match top_ups.methods().pay_by(order)? {
        PayBy::Card(form) => PayView::Card {
            page_url: link("checkout"),
            action: form.action.clone(),
            fields: form
                .fields
                .iter()
                .map(|field| FieldView { name: field.name.to_owned(), value: field.value.clone() })
                .collect(),
        },
        PayBy::Transfer { bank, bin, account, holder, payload } => PayView::BankTransfer {
            amount: shown.money(order.price),
            bank,
            bank_bin: bin,
            account,
            account_name: holder,
            memo: order.reference.clone(),
            qr_payload: payload.as_str().to_owned(),
            qr_svg_url: link("qr.svg"),
            qr_png_url: link("qr.png"),
        },
        PayBy::Usdt { wallet, contract } => PayView::Usdt {
            network: "TRON (TRC-20)".to_owned(),
            address: wallet,
            contract,
            amount: shown.money(order.price),
            amount_ordered: order.ordered_amount(shown.unit).map(|amount| shown.money(amount)),
            amount_added: order.added_amount(shown.unit).map(|amount| shown.money(amount)),
            credits: shown.credits(order.credits),
            note: usdt_note(order, shown.unit),
        },
    })
}
