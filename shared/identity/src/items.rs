use crate::user::Question;
use crate::{ClerkUser, Preferences, User, UserState, VerifiedEmail, Welcome};
use aws_sdk_dynamodb::types::AttributeValue;
use platform::{Attributes, Item, ItemBuilder, Key, StoreError, TableSpec, key, text};
use primitives::{Private, Timestamp, UserId};
use std::collections::HashMap;
use std::fmt::Write;

/// Everything about people. The kinds of rows, by how their `id` begins:
/// `user#<user id>`, `email#<hmac>`, `net#<hmac>`, `svix#<message id>`, `clerk#<window of ten seconds>`.
pub const USERS: TableSpec =
    TableSpec { name: "users", partition_key: "id", sort_key: None, indexes: &[], ttl: Some("ttl") };

/// The tables this crate owns.
pub const TABLES: &[TableSpec] = &[USERS];

/// What a tombstone no longer has.
const PERSONAL: &[&str] = &[
    "email",
    "name",
    "own_name",
    "avatar_url",
    "country",
    "theme",
    "language",
    "display_currency",
    "storage_provider",
    "clerk_updated_at",
    "has_no_email",
    "ask_at",
    "is_asked",
];

pub(crate) fn user_key(user: &UserId) -> Key {
    key([("id", &format!("user#{user}"))])
}

/// A user row at its creation; preferences are stored once they are chosen.
pub(crate) fn new_user(
    user: &UserId,
    clerk: Option<&ClerkUser>,
    country: Option<&str>,
    welcome: Welcome,
    now: Timestamp,
) -> Attributes {
    let item = ItemBuilder::default()
        .text("id", format!("user#{user}"))
        .text("user_id", user)
        .text("state", "active")
        .number("created_at", now.millis())
        .maybe_text("country", country)
        .maybe_text("welcome", welcome.as_str());
    let Some(clerk) = clerk else { return item.build() };
    let (email, none) = email_columns(&clerk.email);
    item.maybe_text("email", email)
        .maybe_text("has_no_email", none)
        .maybe_text("name", clerk.name.as_ref().map(|name| name.expose()))
        .maybe_text("avatar_url", clerk.avatar_url.as_ref())
        .number("clerk_updated_at", clerk.updated_at.millis())
        .build()
}

/// How the address, and the knowledge that there is none, are stored.
fn email_columns(email: &VerifiedEmail) -> (Option<&str>, Option<&'static str>) {
    match email {
        VerifiedEmail::Address(address) => (Some(address.expose()), None),
        VerifiedEmail::None => (None, Some("told")),
        VerifiedEmail::NotTold => (None, None),
    }
}

pub(crate) fn read_user(attributes: &Attributes) -> Result<User, StoreError> {
    let item = Item::new(USERS.name, attributes);
    let country = item.maybe_text("country")?.map(str::to_owned);
    let private = |name| item.maybe_text(name).map(|text| text.map(|text| Private::new(text.to_owned())));
    let is_under_way = item.maybe_text("is_asked")?.is_some();
    let question = item.maybe_time("ask_at")?.map(|next_at| Question { next_at, is_under_way });
    Ok(User {
        id: item.parsed("user_id")?,
        state: state(&item)?,
        email: private("email")?,
        has_no_email: item.maybe_text("has_no_email")?.is_some(),
        question,
        name: private("own_name")?.or(private("name")?),
        avatar_url: private("avatar_url")?,
        preferences: preferences(&item, country.as_deref())?,
        country,
        welcome: item.maybe_parsed("welcome")?.unwrap_or(Welcome::Undecided),
        // Of somebody who was gone before we saw them, only the end is known.
        created_at: item.maybe_time("created_at")?.map_or_else(|| item.time("deleted_at"), Ok)?,
    })
}

fn state(item: &Item<'_>) -> Result<UserState, StoreError> {
    match item.text("state")? {
        "active" => Ok(UserState::Active),
        "deleted" => Ok(UserState::Deleted),
        _ => Err(item.corrupt("state")),
    }
}

fn preferences(item: &Item<'_>, country: Option<&str>) -> Result<Preferences, StoreError> {
    let usual = Preferences::of_country(country);
    Ok(Preferences {
        theme: item.maybe_parsed("theme")?.unwrap_or(usual.theme),
        language: item.maybe_parsed("language")?.unwrap_or(usual.language),
        display_currency: item.maybe_parsed("display_currency")?.unwrap_or(usual.display_currency),
        storage_provider: item.maybe_parsed("storage_provider")?.unwrap_or(usual.storage_provider),
    })
}

/// Attributes to set and to remove, written as one update expression (`#name`, `:name`).
#[derive(Default)]
pub(crate) struct Change {
    sets: Vec<(&'static str, AttributeValue)>,
    removes: Vec<&'static str>,
    compared: Vec<(&'static str, AttributeValue)>,
}

impl Change {
    pub(crate) fn set(mut self, name: &'static str, value: AttributeValue) -> Change {
        self.sets.push((name, value));
        self
    }

    pub(crate) fn set_text(self, name: &'static str, value: impl ToString) -> Change {
        self.set(name, text(value))
    }

    pub(crate) fn set_if_some(self, name: &'static str, value: Option<impl ToString>) -> Change {
        match value {
            Some(value) => self.set_text(name, value),
            None => self,
        }
    }

    pub(crate) fn remove(mut self, name: &'static str) -> Change {
        self.removes.push(name);
        self
    }

    /// A value that the condition needs, under a name that the change does not set.
    pub(crate) fn compare(mut self, name: &'static str, value: AttributeValue) -> Change {
        self.compared.push((name, value));
        self
    }

    /// What Clerk says now, also that something is gone.
    pub(crate) fn of_clerk(self, clerk: &ClerkUser) -> Change {
        let (email, none) = email_columns(&clerk.email);
        let mut facts = vec![
            ("name", clerk.name.as_ref().map(|name| name.expose())),
            ("avatar_url", clerk.avatar_url.as_deref()),
        ];
        // An event that says nothing of addresses leaves the one we know.
        if !matches!(clerk.email, VerifiedEmail::NotTold) {
            facts.extend([("email", email), ("has_no_email", none)]);
        }
        let change = self.set("clerk_updated_at", platform::number(clerk.updated_at.millis()));
        facts.into_iter().fold(change, |change, (name, value)| match value {
            Some(value) => change.set_text(name, value),
            None => change.remove(name),
        })
    }

    /// The question about a person has been answered, or is due again then.
    pub(crate) fn asked(self, again_at: Option<Timestamp>) -> Change {
        let change = self.remove("is_asked");
        match again_at {
            Some(again_at) => change.set("ask_at", platform::number(again_at.millis())),
            None => change.remove("ask_at"),
        }
    }

    /// What makes a row a tombstone.
    pub(crate) fn to_tombstone(user: &UserId, now: Timestamp) -> Change {
        let change = Change { removes: PERSONAL.to_vec(), ..Change::default() };
        change
            .set_text("state", "deleted")
            .set_text("user_id", user)
            .set("deleted_at", platform::number(now.millis()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.removes.is_empty()
    }

    /// `SET #a = :a REMOVE #b`
    pub(crate) fn expression(&self) -> String {
        let mut expression = String::new();
        for (position, (name, _)) in self.sets.iter().enumerate() {
            let _ = write!(expression, "{} #{name} = :{name}", if position == 0 { "SET" } else { "," });
        }
        for (position, name) in self.removes.iter().enumerate() {
            let _ = write!(expression, "{} #{name}", if position == 0 { " REMOVE" } else { "," });
        }
        expression
    }

    pub(crate) fn names(&self) -> HashMap<String, String> {
        let names = self.sets.iter().map(|(name, _)| *name).chain(self.removes.iter().copied());
        names.map(|name| (format!("#{name}"), name.to_owned())).collect()
    }

    pub(crate) fn values(self) -> Attributes {
        let values = self.sets.into_iter().chain(self.compared);
        values.map(|(name, value)| (format!(":{name}"), value)).collect()
    }
}
