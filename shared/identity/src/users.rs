use crate::clerk_api::ClerkApi;
use crate::items::{Change, USERS, new_user, read_user, user_key};
use crate::question::{Answer, question_columns};
use crate::{
    ClerkSettings, DisplayName, IdentityError, PreferencesChange, Pseudonyms, User, UserState, Welcome,
    WelcomeRules,
};
use aws_sdk_dynamodb::types::ReturnValue;
use platform::{Attributes, InvalidSettings, Platform, StoreError, unless_condition_failed};
use primitives::{Credits, UserId};
use serde::Deserialize;

/// The people of this deployment: created once, corrected by themselves, followed by Clerk's webhooks.
#[derive(Clone)]
pub struct Users {
    pub(crate) platform: Platform,
    pub(crate) clerk: ClerkApi,
    pub(crate) pseudonyms: Pseudonyms,
    pub(crate) welcome: WelcomeRules,
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
        let pseudonyms = platform.env().section(Pseudonyms::read)?;
        Ok(Users {
            platform: platform.clone(),
            clerk: ClerkApi::new(platform, &settings),
            pseudonyms,
            welcome: platform.rules(WelcomeRules::read)?,
            table: platform.table(&USERS),
        })
    }

    /// What a new person is given once.
    pub fn welcome(&self) -> Credits {
        self.welcome.credits
    }

    /// A tombstone is a user too; see [`User::state`].
    pub async fn get(&self, user: &UserId) -> Result<Option<User>, StoreError> {
        let get = self.platform.dynamo().get_item().table_name(&self.table).set_key(Some(user_key(user)));
        let answer = get.consistent_read(true).send().await.map_err(StoreError::of_sdk)?;
        answer.item().map(read_user).transpose()
    }

    /// The user, created if need be, with the welcome decided if their address is known. Among parallel calls one creates,
    /// one asks Clerk, and all see the same.
    pub async fn ensure(&self, sight: FirstSight<'_>) -> Result<User, IdentityError> {
        // Lost at creation, at the question, at the decision, and once to a webhook: more only if the store misbehaves.
        for _ in 0..6 {
            let (user, is_new) = match self.get(sight.user).await? {
                Some(user) => (user, false),
                None => match self.create(&sight).await? {
                    Some(user) => (user, true),
                    None => continue,
                },
            };
            match (user.state, user.welcome) {
                (UserState::Deleted, _) => return Err(IdentityError::Deleted),
                (UserState::Active, Welcome::Undecided) => {}
                (UserState::Active, _) => return Ok(user),
            }
            let decided = match (&user.email, user.has_no_email) {
                (Some(address), _) => self.decide(&sight, Some(address.expose())).await?,
                (None, true) => self.decide(&sight, None).await?,
                (None, false) if !self.clerk.can_ask() => return Ok(user),
                (None, false) => match self.ask(user, is_new).await? {
                    Answer::Learned => None,
                    Answer::NotYet(user) => return Ok(*user),
                },
            };
            if let Some(user) = decided {
                return Ok(user);
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

    /// `None` when another call was faster. The row says that its creator asks Clerk.
    async fn create(&self, sight: &FirstSight<'_>) -> Result<Option<User>, StoreError> {
        let now = self.platform.now();
        let mut row = new_user(sight.user, None, sight.country, Welcome::Undecided, now);
        if self.clerk.can_ask() {
            row.extend(question_columns(now));
        }
        let user = read_user(&row)?;
        if !self.put_new(row).await? {
            return Ok(None);
        }
        tracing::info!(user.id = %sight.user, "a user was created at the first request");
        Ok(Some(user))
    }

    /// `None` when the row has changed meanwhile: what it says now decides. What [`Users::decide_welcome`] takes comes
    /// first; killed behind it, the next call takes the same again.
    async fn decide(
        &self,
        sight: &FirstSight<'_>,
        address: Option<&str>,
    ) -> Result<Option<User>, StoreError> {
        let welcome = self.decide_welcome(sight, address).await?;
        let change = Change::default()
            .set_if_some("welcome", welcome.as_str())
            .set_if_some("country", sight.country)
            .asked(None);
        // Decided for exactly the address that is on record.
        let (change, condition) = match address {
            Some(address) => (
                change.compare("address", platform::text(address)),
                "#state = :active AND attribute_not_exists(#welcome) AND email = :address",
            ),
            None => (
                change,
                "#state = :active AND attribute_not_exists(#welcome) AND attribute_not_exists(email)",
            ),
        };
        match self.update(sight.user, change, Some(condition)).await? {
            Updated::Done(user) => {
                tracing::info!(user.id = %sight.user, ?welcome, "the welcome of a user was decided");
                Ok(Some(*user))
            }
            Updated::ConditionFailed(_) => Ok(None),
        }
    }

    async fn change_active(&self, user: &UserId, change: Change) -> Result<User, IdentityError> {
        if change.is_empty() {
            let found = self.get(user).await?.ok_or(IdentityError::Unknown)?;
            return if found.state == UserState::Active { Ok(found) } else { Err(IdentityError::Deleted) };
        }
        match self.update(user, change, Some("#state = :active")).await? {
            Updated::Done(changed) => Ok(*changed),
            Updated::ConditionFailed(Some(_)) => Err(IdentityError::Deleted),
            Updated::ConditionFailed(None) => Err(IdentityError::Unknown),
        }
    }

    /// False when somebody was faster.
    pub(crate) async fn put_new(&self, row: Attributes) -> Result<bool, StoreError> {
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
            None => Ok(Updated::ConditionFailed(self.get(user).await?.map(|user| user.state))),
        }
    }
}

/// How a conditional update ended.
pub(crate) enum Updated {
    Done(Box<User>),
    /// The condition did not hold; what the row is now.
    ConditionFailed(Option<UserState>),
}
