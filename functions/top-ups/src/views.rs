use crate::closed_sets::{PaymentMethod, TopUpStatus};
use payments::{PayBy, Payment, Rail, TopUp, TopUpPage, TopUps};
use primitives::{Credits, EntryId, Timestamp, TopUpId, Unit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What you want to pay in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopUpRequest {
    #[schema(value_type = PaymentMethod, example = "viet_qr")]
    pub(crate) method: String,
    /// US cents; `GET /v1/top-ups/methods` lists the amounts
    #[schema(example = 500, minimum = 500, maximum = 50000, multiple_of = 100)]
    #[serde(rename = "amount_cents")]
    pub(crate) credits: u64,
}

/// What can be paid in.
#[derive(Serialize, ToSchema)]
pub(crate) struct MethodsView {
    /// US cents; what the page offers
    #[schema(value_type = Vec<u64>)]
    tiers_cents: Vec<Credits>,
    /// Any amount from here
    #[schema(value_type = u64)]
    amount_min_cents: Credits,
    /// to here
    #[schema(value_type = u64)]
    amount_max_cents: Credits,
    /// in whole steps of this
    #[schema(value_type = u64)]
    amount_step_cents: Credits,
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
    #[schema(value_type = u64)]
    credits: Credits,
    /// What to pay, exactly, in `currency`. In USDT it is up to one USDT more than ordered, because the amount is how
    /// the payment is recognised; all of it becomes credit.
    #[schema(example = "131350")]
    amount_due: String,
    /// `VND` or `USDT`
    currency: String,
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
    /// What has arrived, in `currency`
    amount_received: String,
    /// What has not arrived of what is due, in `currency`
    amount_remaining: String,
    /// Credit that came of it
    #[schema(value_type = u64)]
    credited: Credits,
    /// Credit of it that was taken back
    #[schema(value_type = u64)]
    reversed: Credits,
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
    amount: String,
    currency: String,
    #[schema(value_type = u64)]
    credits: Credits,
    #[schema(value_type = u64)]
    reversed: Credits,
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
        #[schema(example = "131350")]
        amount: String,
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
        /// What to send, in USDT
        #[schema(example = "20.123")]
        amount: String,
        /// What you ordered, in USDT
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(example = "20.00")]
        amount_ordered: Option<String>,
        /// What `amount` is above that: the digits by which your payment is recognised. They are paid and credited too.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(example = "0.123")]
        amount_added: Option<String>,
        /// The credit that exactly this amount brings
        #[schema(value_type = u64, example = 2012)]
        credits: Credits,
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
        let method = |rail: Rail| MethodView {
            method: rail.to_string(),
            currency: rail.currency().to_string(),
            is_available: top_ups.methods().offers(rail),
        };
        MethodsView {
            tiers_cents: rules.tiers.clone(),
            amount_min_cents: rules.amount_min,
            amount_max_cents: rules.amount_max,
            amount_step_cents: rules.amount_step,
            methods: rules.methods.iter().copied().map(method).collect(),
        }
    }
}

impl TopUpListView {
    pub(crate) fn of(page: &TopUpPage, top_ups: &TopUps, now: Timestamp) -> TopUpListView {
        TopUpListView {
            top_ups: page.top_ups.iter().map(|order| TopUpView::of(order, top_ups, now)).collect(),
            next_cursor: page.next.map(|id| id.to_string()),
        }
    }
}

impl TopUpView {
    pub(crate) fn is_to_be_paid(&self) -> bool {
        self.pay.is_some()
    }

    pub(crate) fn of(order: &TopUp, top_ups: &TopUps, now: Timestamp) -> TopUpView {
        let sum = |part: fn(&Payment) -> Credits| {
            let parts = order.payments.iter().map(part);
            parts.fold(Credits::ZERO, |sum, part| sum.checked_add(part).unwrap_or(Credits::MAX))
        };
        TopUpView {
            id: order.id,
            method: order.rail.to_string(),
            status: order.status(now).as_str().to_owned(),
            credits: order.credits,
            amount_due: order.price.to_string(),
            currency: order.price.currency().to_string(),
            reference: order.reference.clone(),
            rate: order.rate.as_ref().map(|fixed| RateView {
                vnd_per_usd: fixed.rate.to_string(),
                source: fixed.source.clone(),
                at: fixed.at,
            }),
            created_at: order.created_at,
            expires_at: order.expires_at,
            accepted_until: order.grace_ends(top_ups.rules().grace()),
            amount_received: order.received_amount().to_string(),
            amount_remaining: order.remaining_amount().to_string(),
            credited: sum(|payment| payment.credits),
            reversed: sum(|payment| payment.reversed),
            payments: order.payments.iter().map(PaymentView::of).collect(),
            pay: order.to_pay(now, top_ups.rules(), top_ups.unit()).and_then(|order| pay(&order, top_ups)),
        }
    }
}

impl PaymentView {
    fn of(payment: &Payment) -> PaymentView {
        PaymentView {
            id: payment.key.to_string(),
            amount: payment.amount.to_string(),
            currency: payment.amount.currency().to_string(),
            credits: payment.credits,
            reversed: payment.reversed,
            paid_at: payment.paid_at,
            entry_id: payment.entry,
            card: payment.shown_as.clone(),
        }
    }
}

/// A USDT order asks for up to one USDT more than was ordered; that is said where it is asked for.
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

fn pay(order: &TopUp, top_ups: &TopUps) -> Option<PayView> {
    let link = |page: &str| {
        let key = order.page_key.expose();
        format!("{}/v1/top-ups/{}/{page}?key={}.{key}", top_ups.methods().api_url(), order.id, order.account)
    };
    let unit = top_ups.unit();
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
            amount: order.price.to_string(),
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
            amount: order.price.to_string(),
            amount_ordered: order.ordered_amount(unit).map(|amount| amount.to_string()),
            amount_added: order.added_amount(unit).map(|amount| amount.to_string()),
            credits: order.credits,
            note: usdt_note(order, unit),
        },
    })
}
