use crate::items::{Change, USERS, new_user, read_user, unless_condition_failed, user_key};
use crate::welcome::KnownEmail;
use crate::{
    ClerkSettings, DisplayName, IdentityError, PreferencesChange, Pseudonyms, User, UserState, Welcome,
    clerk_api,
};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use platform::{InvalidSettings, Platform, StoreError};
use primitives::{Private, UserId};
use serde::Deserialize;
use std::collections::HashMap;

/// The people of this deployment: created once, corrected by themselves, followed by Clerk's webhooks.
#[derive(Clone)]
pub struct Users {
    pub(crate) platform: Platform,
    pub(crate) settings: ClerkSettings,
    pub(crate) pseudonyms: Pseudonyms,
    pub(crate) table: String,
}

/// What the first request tells about a person.
#[derive(Clone, Copy)]
pub struct FirstSight<'a> {
    pub user: &'a UserId,
    pub country: Option<&'a str>,
    /// Already cut to a network; it is hashed before it is stored.
    pub network: Option<&'a str>,
}

/// What a person corrects about themselves; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileChange {
    /// From now on Clerk's name no longer counts.
    pub name: Option<DisplayName>,
}

impl Users {
    pub fn new(platform: &Platform) -> Result<Users, InvalidSettings> {
        let settings = platform.env().section(ClerkSettings::read)?;
        let pseudonyms = Pseudonyms::new(&settings.pepper);
        Ok(Users { platform: platform.clone(), settings, pseudonyms, table: platform.table(&USERS) })
    }

    /// A tombstone is a user too; see [`User::state`].
    pub async fn get(&self, user: &UserId) -> Result<Option<User>, IdentityError> {
        Ok(self.read(user).await?)
    }

    /// The user, created and with the welcome decided; among parallel calls one creates and all see the same.
    pub async fn ensure(&self, sight: FirstSight<'_>) -> Result<User, IdentityError> {
        // Lost at creation, lost at the decision, read: no fourth round is possible unless the store misbehaves.
        for _ in 0..4 {
            match self.get(sight.user).await? {
                Some(user) if user.state == UserState::Deleted => return Err(IdentityError::Deleted),
                Some(user) if user.welcome != Welcome::Undecided => return Ok(user),
                Some(user) => self.decide(&sight, &user).await?,
                None => self.create(&sight).await?,
            }
        }
        Err(StoreError::Conflict.into())
    }

    pub async fn update_preferences(
        &self,
        user: &UserId,
        wanted: &PreferencesChange,
    ) -> Result<User, IdentityError> {
        let change = Change::default()
            .set_if_some("theme", wanted.theme)
            .set_if_some("language", wanted.language)
            .set_if_some("display_currency", wanted.display_currency)
            .set_if_some("storage_provider", wanted.storage_provider);
        self.change_active(user, change).await
    }

    pub async fn update_profile(&self, user: &UserId, wanted: &ProfileChange) -> Result<User, IdentityError> {
        let name = wanted.name.as_ref().map(DisplayName::expose);
        self.change_active(user, Change::default().set_if_some("own_name", name)).await
    }

    /// The claims of [`Users::decide_welcome`] come first: killed in between, the next call passes them again.
    async fn create(&self, sight: &FirstSight<'_>) -> Result<(), IdentityError> {
        let clerk = clerk_api::fetch_user(&self.platform, &self.settings, sight.user).await;
        let email = match &clerk {
            Some(clerk) => clerk.email.as_ref().map_or(KnownEmail::None, address),
            None => KnownEmail::Unknown,
        };
        let welcome = self.decide_welcome(sight, email).await?;
        let now = self.platform.now();
        let is_new = self.put_new(new_user(sight.user, clerk.as_ref(), sight.country, welcome, now)).await?;
        if is_new {
            tracing::info!(user.id = %sight.user, ?welcome, "a user was created at the first request");
        }
        Ok(())
    }

    /// For a row the webhook wrote; it has told us of the e-mail, or that there is none.
    async fn decide(&self, sight: &FirstSight<'_>, user: &User) -> Result<(), IdentityError> {
        let email = user.email.as_ref().map_or(KnownEmail::None, address);
        let welcome = self.decide_welcome(sight, email).await?;
        let change =
            Change::default().set_if_some("welcome", welcome.as_str()).set_if_some("country", sight.country);
        let condition = "#state = :active AND attribute_not_exists(#welcome)";
        let decided = self.update(sight.user, change, Some(condition)).await?;
        if matches!(decided, Updated::Done(_)) {
            tracing::info!(user.id = %sight.user, ?welcome, "the welcome of a user was decided");
        }
        Ok(())
    }

    async fn change_active(&self, user: &UserId, change: Change) -> Result<User, IdentityError> {
        if change.is_empty() {
            let found = self.get(user).await?.ok_or(IdentityError::Unknown)?;
            return if found.state == UserState::Active { Ok(found) } else { Err(IdentityError::Deleted) };
        }
        match self.update(user, change, Some("#state = :active")).await? {
            Updated::Done(changed) => Ok(*changed),
            Updated::Refused(Some(_)) => Err(IdentityError::Deleted),
            Updated::Refused(None) => Err(IdentityError::Unknown),
        }
    }

    /// False when somebody was faster.
    pub(crate) async fn put_new(&self, row: HashMap<String, AttributeValue>) -> Result<bool, StoreError> {
        let put = self.platform.dynamo().put_item().table_name(&self.table).set_item(Some(row));
        let answer = put.condition_expression("attribute_not_exists(id)").send().await;
        Ok(unless_condition_failed(answer)?.is_some())
    }

    /// `condition` may use `:active` and the names the change sets, and must use `#state` if anything else.
    pub(crate) async fn update(
        &self,
        user: &UserId,
        change: Change,
        condition: Option<&str>,
    ) -> Result<Updated, StoreError> {
        let mut names = change.names();
        let expression = change.expression();
        let mut values = change.values();
        if condition.is_some() {
            names.insert("#state".to_owned(), "state".to_owned());
            values.insert(":active".to_owned(), platform::text("active"));
        }
        let update = self.platform.dynamo().update_item().table_name(&self.table);
        let answer = update
            .set_key(Some(user_key(user)))
            .update_expression(expression)
            .set_condition_expression(condition.map(str::to_owned))
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match unless_condition_failed(answer)? {
            Some(done) => {
                let row = done.attributes.unwrap_or_default();
                Ok(Updated::Done(Box::new(read_user(&row)?)))
            }
            None => Ok(Updated::Refused(self.read(user).await?.map(|user| user.state))),
        }
    }

    async fn read(&self, user: &UserId) -> Result<Option<User>, StoreError> {
        let get = self.platform.dynamo().get_item().table_name(&self.table).set_key(Some(user_key(user)));
        let answer = get.consistent_read(true).send().await.map_err(StoreError::of_sdk)?;
        answer.item().map(read_user).transpose()
    }
}

/// How a conditional update ended.
pub(crate) enum Updated {
    Done(Box<User>),
    /// The condition did not hold; what the row is now.
    Refused(Option<UserState>),
}

fn address(email: &Private<String>) -> KnownEmail<'_> {
    KnownEmail::Address(email.expose())
}
