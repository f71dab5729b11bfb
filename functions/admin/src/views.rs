use crate::closed_sets::{
    HeardVia, Likeness, NotCredited, PaymentMethod, PaymentState, ReversalCause, ReversalWish,
};
use edge::{Problem, ProblemCode, Wording};
use payments::{AuditRow, Cause, DeliveryRow, Dossier, Fact, FactState, InboxPage, LikelyOrder, ReversalRow};
use primitives::{
    AccountId, Amounts, Credits, CreditsView, EntryId, MoneyView, Timestamp, TopUpId, Unit, typed,
    typed_pattern,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

const NOTE_CHARS_MAX: usize = 1_000;
const CASE_CHARS_MAX: usize = 100;

/// To whom a payment belongs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssignRequest {
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    account_id: String,
    /// One of the person's orders; its rate then counts
    #[schema(pattern = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    top_up_id: Option<String>,
    /// Absent: what arrived, at the order's rate or today's
    #[schema(schema_with = some_credits, required = false)]
    credits: Option<CreditsView>,
    #[schema(schema_with = note_schema)]
    note: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DismissRequest {
    #[schema(schema_with = note_schema)]
    note: String,
}

/// Why credit is taken back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReverseRequest {
    #[schema(value_type = ReversalWish)]
    cause: String,
    #[schema(schema_with = case_schema)]
    case: String,
    /// Absent: all that is left of the payment
    #[schema(schema_with = some_credits, required = false)]
    credits: Option<CreditsView>,
    #[schema(schema_with = note_schema)]
    note: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReinstateRequest {
    /// The `entry_id` of the reversal
    #[schema(pattern = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    reversal_entry_id: String,
    #[schema(schema_with = note_schema)]
    note: String,
}

/// At least one unit.
fn some_credits() -> Object {
    CreditsView::within(1, Credits::MAX.get(), 1)
}

fn note_schema() -> Object {
    typed_schema(NOTE_CHARS_MAX, "Why; kept in the audit row. Something of it must show.")
}

fn case_schema() -> Object {
    typed_schema(CASE_CHARS_MAX, "The bank's or processor's name of the case: the same case takes back once")
}

fn typed_schema(chars_max: usize, description: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(chars_max))
        .pattern(Some(typed_pattern()))
        .description(Some(description))
        .build()
}

#[derive(Serialize, ToSchema)]
pub(crate) struct EntryView {
    #[schema(value_type = String)]
    pub(crate) entry_id: EntryId,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PaymentListView {
    payments: Vec<InboxPaymentView>,
    /// Send it as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// One payment as a processor told it, and what became of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct InboxPaymentView {
    id: String,
    #[schema(value_type = PaymentMethod)]
    rail: String,
    #[schema(value_type = PaymentState)]
    state: String,
    amount: MoneyView,
    #[schema(value_type = String, format = DateTime)]
    paid_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    heard_at: Timestamp,
    #[schema(value_type = HeardVia)]
    via: String,
    /// The bank's, chain's or processor's own reference
    trace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<NotCredited>)]
    why: Option<String>,
    /// Whose it is, or may be
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_up_id: Option<String>,
    /// Credit that came of it
    #[serde(skip_serializing_if = "Option::is_none")]
    credits: Option<CreditsView>,
    /// Credit of it that was taken back
    #[serde(skip_serializing_if = "Option::is_none")]
    reversed: Option<CreditsView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_id: Option<String>,
    /// The payment that this one probably tells again, under another id: equal in amount, reference, account and time.
    /// `account_id` and `top_up_id` are then those of the first. Assign it only if it is really a second payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat_of: Option<String>,
    /// Orders that it may have meant, the likeliest first. A hint: nothing follows from it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    likely_orders: Vec<LikelyOrderView>,
    /// Everyone who says that it is theirs, the first one first
    #[serde(skip_serializing_if = "Vec::is_empty")]
    claimant_ids: Vec<String>,
    /// Then a `claimed` payment becomes the claimant's credit by itself, unless it is assigned or dismissed before, or
    /// claimed by another person
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    claimed_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deliveries: Vec<DeliveryView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reversals: Vec<ReversalView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    audit: Vec<AuditView>,
}

/// An order that a waiting payment may have meant.
#[derive(Serialize, ToSchema)]
struct LikelyOrderView {
    account_id: String,
    #[schema(value_type = String)]
    top_up_id: TopUpId,
    /// What the order asked for
    amount_due: MoneyView,
    #[schema(value_type = Likeness)]
    why: String,
}

/// One notification as it came.
#[derive(Serialize, ToSchema)]
struct DeliveryView {
    key: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[schema(value_type = HeardVia)]
    via: String,
    /// Absent when it can't be opened any more
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct ReversalView {
    #[schema(value_type = String)]
    entry_id: EntryId,
    #[schema(value_type = ReversalCause)]
    cause: String,
    case: String,
    credits: CreditsView,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    reinstated_by: Option<EntryId>,
}

#[derive(Serialize, ToSchema)]
struct AuditView {
    who: String,
    what: String,
    note: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl AssignRequest {
    pub(crate) fn parse(
        self,
        ledger: Unit,
    ) -> Result<(AccountId, Option<TopUpId>, Option<Credits>, String), Problem> {
        let account = self
            .account_id
            .parse()
            .map_err(|_| invalid("/account_id", "must be an account's id", "phải là mã của một tài khoản"))?;
        let order = self.top_up_id.map(|id| id.parse()).transpose();
        let order = order
            .map_err(|_| invalid("/top_up_id", "must be a top-up's id", "phải là mã của một lần nạp tiền"))?;
        Ok((account, order, credits(self.credits, ledger)?, note(&self.note)?))
    }
}

impl DismissRequest {
    pub(crate) fn parse(self) -> Result<String, Problem> {
        note(&self.note)
    }
}

impl ReverseRequest {
    pub(crate) fn parse(self, ledger: Unit) -> Result<(Cause, String, Option<Credits>, String), Problem> {
        let cause = match self.cause.as_str() {
            "return" => Cause::Return,
            "chargeback" => Cause::Chargeback,
            "misassigned" => Cause::Misassigned,
            _ => {
                let names = "return, chargeback, misassigned";
                let (english, vietnamese) =
                    (format!("choose one of {names}"), format!("hãy chọn một trong: {names}"));
                return Err(invalid("/cause", english, vietnamese));
            }
        };
        let case = typed(&self.case, CASE_CHARS_MAX).filter(|case| *case != "void");
        let case = case.ok_or_else(|| {
            invalid(
                "/case",
                "name the case, with 1 to 100 characters",
                "hãy ghi tên vụ việc, từ 1 đến 100 ký tự",
            )
        })?;
        let case = case.to_owned();
        Ok((cause, case, credits(self.credits, ledger)?, note(&self.note)?))
    }
}

impl ReinstateRequest {
    pub(crate) fn parse(self) -> Result<(EntryId, String), Problem> {
        let entry = self.reversal_entry_id.parse();
        let entry = entry.map_err(|_| {
            invalid("/reversal_entry_id", "must be a ledger entry's id", "phải là mã của một bút toán")
        })?;
        Ok((entry, note(&self.note)?))
    }
}

/// An administrator does not move credit without saying why.
fn note(text: &str) -> Result<String, Problem> {
    let written = typed(text, NOTE_CHARS_MAX).map(str::to_owned);
    written.ok_or_else(|| {
        invalid("/note", "say why, with 1 to 1000 characters", "hãy ghi lý do, từ 1 đến 1000 ký tự")
    })
}

fn credits(wish: Option<CreditsView>, ledger: Unit) -> Result<Option<Credits>, Problem> {
    match wish.map(|wish| wish.amount_in(ledger)) {
        Some(credits) if credits.is_zero() => Err(invalid(
            "/credits/amount",
            "must be a whole number of ledger units above 0",
            "phải là số nguyên lớn hơn 0, theo đơn vị của sổ",
        )),
        credits => Ok(credits),
    }
}

pub(crate) fn invalid(
    pointer: &'static str,
    english: impl Into<Cow<'static, str>>,
    vietnamese: impl Into<Cow<'static, str>>,
) -> Problem {
    Problem::new(ProblemCode::InvalidInput).pointer(pointer, Wording::new(english, vietnamese))
}

impl PaymentListView {
    pub(crate) fn of(page: &InboxPage, shown: Amounts) -> PaymentListView {
        PaymentListView {
            payments: page.items.iter().map(|fact| InboxPaymentView::of(fact, shown)).collect(),
            next_cursor: page.next.as_ref().map(ToString::to_string),
        }
    }
}

impl InboxPaymentView {
    fn of(fact: &Fact, shown: Amounts) -> InboxPaymentView {
        let mut view = InboxPaymentView {
            id: fact.key.to_string(),
            rail: fact.key.rail().to_string(),
            state: fact.state.as_str().to_owned(),
            amount: shown.money(fact.amount),
            paid_at: fact.paid_at,
            heard_at: fact.heard_at,
            via: fact.via.as_str().to_owned(),
            trace: fact.trace.clone(),
            why: None,
            account_id: None,
            top_up_id: None,
            credits: None,
            reversed: None,
            entry_id: None,
            repeat_of: fact.repeats.as_ref().map(ToString::to_string),
            likely_orders: fact.likely.iter().map(|likely| LikelyOrderView::of(likely, shown)).collect(),
            claimant_ids: fact.claimants.iter().map(ToString::to_string).collect(),
            claimed_until: None,
            deliveries: Vec::new(),
            reversals: Vec::new(),
            audit: Vec::new(),
        };
        match &fact.state {
            FactState::Credited(credited) => {
                view.account_id = Some(credited.account.to_string());
                view.top_up_id = credited.order.map(|order| order.to_string());
                view.credits = Some(shown.credits(credited.credits));
                view.reversed = Some(shown.credits(credited.reversed));
                view.entry_id = Some(credited.entry.to_string());
            }
            FactState::Unmatched { why, near } => {
                view.why = Some(why.as_str().to_owned());
                view.account_id = near.as_ref().map(|(account, _)| account.to_string());
                view.top_up_id = near.as_ref().map(|(_, order)| order.to_string());
            }
            FactState::Claimed(claim) => {
                view.account_id = Some(claim.account.to_string());
                view.top_up_id = Some(claim.order.to_string());
                view.claimed_until = Some(claim.until);
            }
            FactState::Ignored(why) => view.why = Some(why.as_str().to_owned()),
            FactState::Dismissed { why } => view.why = Some(why.as_str().to_owned()),
            FactState::Voided => {}
        }
        view
    }

    pub(crate) fn of_dossier(dossier: &Dossier, shown: Amounts) -> InboxPaymentView {
        InboxPaymentView {
            deliveries: dossier.deliveries.iter().map(DeliveryView::of).collect(),
            reversals: dossier.reversals.iter().map(|row| ReversalView::of(row, shown)).collect(),
            audit: dossier.audit.iter().map(AuditView::of).collect(),
            ..InboxPaymentView::of(&dossier.fact, shown)
        }
    }
}

impl LikelyOrderView {
    fn of(likely: &LikelyOrder, shown: Amounts) -> LikelyOrderView {
        LikelyOrderView {
            account_id: likely.account.to_string(),
            top_up_id: likely.order,
            amount_due: shown.money(likely.price),
            why: likely.why.as_str().to_owned(),
        }
    }
}

impl DeliveryView {
    fn of(row: &DeliveryRow) -> DeliveryView {
        DeliveryView {
            key: row.key.clone(),
            at: row.at,
            via: row.via.clone(),
            body: row.body.as_ref().map(|body| body.expose().clone()),
        }
    }
}

impl ReversalView {
    fn of(row: &ReversalRow, shown: Amounts) -> ReversalView {
        ReversalView {
            entry_id: row.entry,
            cause: row.cause.clone(),
            case: row.case.clone(),
            credits: shown.credits(row.credits),
            at: row.at,
            reinstated_by: row.reinstated,
        }
    }
}

impl AuditView {
    fn of(row: &AuditRow) -> AuditView {
        AuditView { who: row.who.clone(), what: row.what.clone(), note: row.note.clone(), at: row.at }
    }
}
