use credits::{Account, Entry, Kind, Origin};
use edge::{Problem, ProblemCode, Wording};
use identity::{DisplayName, PreferencesChange, ProfileChange, StorageProvider, Theme, User, Welcome};
use platform::Profile;
use primitives::{
    CreditsDelta, CreditsDeltaView, CreditsView, Currency, EntryId, Language, Private, Timestamp, TopUpId,
    Unit,
};
use rates::{Quote, Rates, Reference};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

/// The account and what we keep about its owner.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountView {
    id: String,
    /// What new runs can spend.
    available: CreditsView,
    /// What is available in your display currency, for reference only; absent for USD and without a rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<Reference>,
    /// Held by runs that are going on.
    reserved: CreditsView,
    /// Owed after a payment was taken back; new credit covers it first.
    debt: CreditsView,
    status: AccountStatus,
    welcome: WelcomeStatus,
    email: Option<String>,
    name: Option<String>,
    avatar_url: Option<String>,
    country: Option<String>,
    preferences: PreferencesView,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum AccountStatus {
    Active,
    Suspended,
}

/// What became of the welcome credit; `undecided` while your e-mail address is not known here yet.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum WelcomeStatus {
    Granted,
    NotGranted,
    Undecided,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PreferencesView {
    #[schema(schema_with = theme_schema)]
    theme: String,
    #[schema(schema_with = language_schema)]
    language: String,
    /// For display only; amounts are always in the ledger's unit.
    display_currency: String,
    #[schema(schema_with = storage_provider_schema)]
    storage_provider: String,
}

/// What shall be different; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountChange {
    #[schema(schema_with = name_schema, required = false)]
    name: Option<Private<String>>,
    #[schema(schema_with = theme_schema, required = false)]
    theme: Option<String>,
    #[schema(schema_with = language_schema, required = false)]
    language: Option<String>,
    /// ISO 4217
    #[schema(pattern = "^[A-Z]{3}$")]
    display_currency: Option<String>,
    #[schema(schema_with = storage_provider_schema, required = false)]
    storage_provider: Option<String>,
}

fn theme_schema() -> Object {
    one_of_these(Theme::ALL.iter().map(|theme| theme.as_str()))
}

fn language_schema() -> Object {
    one_of_these(identity::Language::ALL.iter().map(|language| language.as_str()))
}

fn storage_provider_schema() -> Object {
    one_of_these(StorageProvider::ALL.iter().map(|provider| provider.as_str()))
}

fn one_of_these(names: impl Iterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build()
}

fn name_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .min_length(Some(1))
        .max_length(Some(DisplayName::CHARS_MAX))
        .pattern(Some(DisplayName::pattern()))
        .description(Some(
            "As others may see it, without control and direction characters; something of it must show.",
        ))
        .build()
}

/// One movement.
#[derive(Serialize, ToSchema)]
pub(crate) struct Transaction {
    #[schema(value_type = String)]
    id: EntryId,
    kind: TransactionKind,
    /// Positive: credit came in.
    credits: CreditsDeltaView,
    /// What all entries up to this one sum up to: available + reserved - debt. Absent when the account moved again and again
    /// while it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    balance_after: Option<CreditsDeltaView>,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Where granted credit came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<GrantOrigin>,
    /// The run that was charged or refunded.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    /// The top-up that the credit came of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    top_up_id: Option<TopUpId>,
    /// The code of the outside fact behind it, e.g. a payment's.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TransactionKind {
    Grant,
    Charge,
    Refund,
    Reversal,
    Reinstatement,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum GrantOrigin {
    Welcome,
    TopUp,
    Allowance,
    Manual,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TransactionPage {
    pub(crate) transactions: Vec<Transaction>,
    /// Send it as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
}

impl AccountView {
    /// `rate` is that of the owner's display currency.
    pub(crate) fn of(
        user: &User,
        account: &Account,
        profile: &Profile,
        rate: Option<Quote>,
        language: Language,
    ) -> Result<AccountView, Problem> {
        let balance = account.balance().map_err(|_| Problem::new(ProblemCode::Internal))?;
        let welcome = match user.welcome {
            Welcome::Eligible => WelcomeStatus::Granted,
            Welcome::Undecided => WelcomeStatus::Undecided,
            Welcome::Refused(_) => WelcomeStatus::NotGranted,
        };
        let own = |text: &Option<Private<String>>| text.as_ref().map(|text| text.expose().clone());
        let unit = profile.unit;
        let shown = |amount| CreditsView::new(amount, unit);
        Ok(AccountView {
            id: account.id.to_string(),
            available: shown(balance.available),
            reference: rate.and_then(|rate| rate.reference(unit, balance.available, language)),
            reserved: shown(balance.reserved),
            debt: shown(balance.debt),
            status: if account.block.is_some() { AccountStatus::Suspended } else { AccountStatus::Active },
            welcome,
            email: own(&user.email),
            name: own(&user.name),
            avatar_url: own(&user.avatar_url),
            country: user.country.clone(),
            preferences: PreferencesView {
                theme: user.preferences.theme.to_string(),
                language: user.preferences.language.to_string(),
                display_currency: user.preferences.display_currency.to_string(),
                storage_provider: user.preferences.storage_provider.to_string(),
            },
            created_at: user.created_at,
        })
    }
}

impl AccountChange {
    /// All complaints at once, none of them repeating what was sent.
    pub(crate) fn parse(self) -> Result<(ProfileChange, PreferencesChange), Problem> {
        let mut complaints = Vec::new();
        let name = self.name.map(|name| DisplayName::try_from(name.into_inner())).transpose();
        let name = name.unwrap_or_else(|invalid| {
            let vietnamese = "tên gồm 1 đến 80 ký tự, không có ký tự điều khiển hay ký tự đổi hướng chữ";
            complaints.push(("/name", Wording::new(invalid.to_string(), vietnamese)));
            None
        });
        let display_currency = self.display_currency.map(|code| shown_currency(&code)).transpose();
        let display_currency = display_currency.unwrap_or_else(|()| {
            let why = Wording::new(
                "choose a currency such as USD or VND",
                "hãy chọn một loại tiền, ví dụ USD hoặc VND",
            );
            complaints.push(("/display_currency", why));
            None
        });
        let preferences = PreferencesChange {
            theme: one_of("/theme", self.theme, "system, light, dark", &mut complaints),
            language: one_of("/language", self.language, "en, vi", &mut complaints),
            display_currency,
            storage_provider: one_of(
                "/storage_provider",
                self.storage_provider,
                "none, google_drive, dropbox",
                &mut complaints,
            ),
        };
        if complaints.is_empty() {
            return Ok((ProfileChange { name }, preferences));
        }
        let problem = Problem::new(ProblemCode::InvalidInput);
        Err(complaints.into_iter().fold(problem, |problem, (pointer, why)| problem.pointer(pointer, why)))
    }
}

/// A currency that amounts can be shown in.
fn shown_currency(code: &str) -> Result<Currency, ()> {
    Currency::of_iso(code).ok().filter(|currency| Rates::can_show(*currency)).ok_or(())
}

fn one_of<T: FromStr>(
    pointer: &'static str,
    text: Option<String>,
    names: &str,
    complaints: &mut Vec<(&'static str, Wording)>,
) -> Option<T> {
    let parsed = text.map(|text| text.parse::<T>()).transpose();
    parsed.unwrap_or_else(|_| {
        let why = Wording::new(format!("choose one of {names}"), format!("hãy chọn một trong: {names}"));
        complaints.push((pointer, why));
        None
    })
}

impl GrantOrigin {
    fn of(origin: Origin) -> GrantOrigin {
        match origin {
            Origin::Welcome => GrantOrigin::Welcome,
            Origin::TopUp => GrantOrigin::TopUp,
            Origin::Allowance => GrantOrigin::Allowance,
            Origin::Manual => GrantOrigin::Manual,
        }
    }
}

impl Transaction {
    pub(crate) fn of(entry: &Entry, balance_after: Option<CreditsDelta>, unit: Unit) -> Transaction {
        let top_up_id = match &entry.kind {
            Kind::Grant { top_up, .. } => *top_up,
            _ => None,
        };
        let (kind, origin, run_id, reference) = match &entry.kind {
            Kind::Grant { origin, key, .. } => {
                let reference = key.as_str().to_owned();
                (TransactionKind::Grant, Some(GrantOrigin::of(*origin)), None, Some(reference))
            }
            Kind::Run(_) => (TransactionKind::Charge, None, Some(entry.id.to_string()), None),
            Kind::Refund { run, .. } => (TransactionKind::Refund, None, Some(run.to_string()), None),
            Kind::Reversal { of, .. } => (TransactionKind::Reversal, None, None, Some(of.to_string())),
            Kind::Reinstatement { of, .. } => {
                (TransactionKind::Reinstatement, None, None, Some(of.to_string()))
            }
        };
        Transaction {
            id: entry.id,
            kind,
            credits: CreditsDeltaView::new(entry.amount, unit),
            balance_after: balance_after.map(|balance| CreditsDeltaView::new(balance, unit)),
            at: entry.at,
            origin,
            run_id,
            top_up_id,
            reference,
        }
    }
}
