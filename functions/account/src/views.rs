use credits::{Account, Entry, Kind};
use edge::{Problem, ProblemCode};
use identity::{DisplayName, PreferencesChange, ProfileChange, User, Welcome};
use platform::Profile;
use primitives::{Credits, CreditsDelta, Currency, EntryId, Private, Timestamp};
use rates::{Quote, Reference};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

/// The account and what we keep about its owner.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountView {
    id: String,
    /// What one unit is, e.g. `USD cent`.
    unit: String,
    /// What new runs can spend.
    #[schema(value_type = u64)]
    available: Credits,
    /// What is available in your display currency, for reference only; absent for USD and without a rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<Reference>,
    /// Held by runs that are going on.
    #[schema(value_type = u64)]
    reserved: Credits,
    /// Owed after a payment was taken back; new credit covers it first.
    #[schema(value_type = u64)]
    debt: Credits,
    /// `active` or `suspended`
    status: String,
    /// The welcome credit: `granted`, `not_granted`, or `undecided` while your e-mail address is not known here yet
    welcome: String,
    email: Option<String>,
    name: Option<String>,
    avatar_url: Option<String>,
    country: Option<String>,
    preferences: PreferencesView,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PreferencesView {
    /// `system`, `light` or `dark`
    theme: String,
    /// `en` or `vi`
    language: String,
    /// For display only; amounts are always in the ledger's unit.
    display_currency: String,
    /// `none`, `google_drive` or `dropbox`
    storage_provider: String,
}

/// What shall be different; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountChange {
    #[schema(schema_with = name_schema, required = false)]
    name: Option<Private<String>>,
    /// `system`, `light` or `dark`
    #[schema(pattern = "^(system|light|dark)$")]
    theme: Option<String>,
    /// `en` or `vi`
    #[schema(pattern = "^(en|vi)$")]
    language: Option<String>,
    /// ISO 4217
    #[schema(pattern = "^[A-Z]{3}$")]
    display_currency: Option<String>,
    /// `none`, `google_drive` or `dropbox`
    #[schema(pattern = "^(none|google_drive|dropbox)$")]
    storage_provider: Option<String>,
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
    /// `grant`, `charge`, `refund`, `reversal` or `reinstatement`
    kind: String,
    /// Positive: credit came in.
    #[schema(value_type = i64)]
    amount: CreditsDelta,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// For a grant: `welcome`, `top_up`, `allowance` or `manual`
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    /// The run that was charged or refunded.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    /// The code of the outside fact behind it, e.g. a payment's.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
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
    ) -> Result<AccountView, Problem> {
        let balance = account.balance().map_err(|_| Problem::new(ProblemCode::Internal))?;
        let welcome = match user.welcome {
            Welcome::Eligible => "granted",
            Welcome::Undecided => "undecided",
            Welcome::Refused(_) => "not_granted",
        };
        let own = |text: &Option<Private<String>>| text.as_ref().map(|text| text.expose().clone());
        Ok(AccountView {
            id: account.id.to_string(),
            unit: profile.ledger.unit.to_string(),
            available: balance.available,
            reference: rate.and_then(|rate| rate.reference(profile.ledger.unit, balance.available)),
            reserved: balance.reserved,
            debt: balance.debt,
            status: if account.block.is_some() { "suspended" } else { "active" }.to_owned(),
            welcome: welcome.to_owned(),
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
            complaints.push(("/name", invalid.to_string()));
            None
        });
        let display_currency = self.display_currency.map(|code| Currency::of_iso(&code)).transpose();
        let display_currency = display_currency.unwrap_or_else(|_| {
            complaints.push(("/display_currency", "choose a currency such as USD or VND".to_owned()));
            None
        });
        let preferences = PreferencesChange {
            theme: one_of("/theme", self.theme, "system, light or dark", &mut complaints),
            language: one_of("/language", self.language, "en or vi", &mut complaints),
            display_currency,
            storage_provider: one_of(
                "/storage_provider",
                self.storage_provider,
                "none, google_drive or dropbox",
                &mut complaints,
            ),
        };
        if complaints.is_empty() {
            return Ok((ProfileChange { name }, preferences));
        }
        let problem = Problem::new(ProblemCode::InvalidInput);
        Err(complaints
            .into_iter()
            .fold(problem, |problem, (pointer, detail)| problem.pointer(pointer, detail)))
    }
}

fn one_of<T: FromStr>(
    pointer: &'static str,
    text: Option<String>,
    expected: &str,
    complaints: &mut Vec<(&'static str, String)>,
) -> Option<T> {
    let parsed = text.map(|text| text.parse::<T>()).transpose();
    parsed.unwrap_or_else(|_| {
        complaints.push((pointer, format!("choose {expected}")));
        None
    })
}

impl Transaction {
    pub(crate) fn of(entry: &Entry) -> Transaction {
        let (origin, run_id, reference) = match &entry.kind {
            Kind::Grant { origin, key } => (Some(origin.as_str()), None, Some(key.as_str().to_owned())),
            Kind::Run(_) => (None, Some(entry.id.to_string()), None),
            Kind::Refund { run, .. } => (None, Some(run.to_string()), None),
            Kind::Reversal { of, .. } | Kind::Reinstatement { of, .. } => (None, None, Some(of.to_string())),
        };
        Transaction {
            id: entry.id,
            kind: entry.kind.as_str().to_owned(),
            amount: entry.amount,
            at: entry.at,
            origin: origin.map(str::to_owned),
            run_id,
            reference,
        }
    }
}
