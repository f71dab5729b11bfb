//! What Clerk's webhooks change. Events come late, twice, in any order, or never.

use crate::items::{Change, USERS, new_user};
use crate::svix::MessageId;
use crate::users::{Updated, Users};
use crate::{ClerkUser, UserEvent, UserState, VerifiedEmail, Welcome, WelcomeRefused};
use platform::{ItemBuilder, StoreError, key};
use primitives::UserId;
use std::time::Duration;

/// Longer than Svix retries (about a day) and than somebody is likely to replay by hand (three days).
const MESSAGE_REMEMBERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

const NO_EMAIL: Welcome = Welcome::Refused(WelcomeRefused::NoVerifiedEmail);

/// What an event came to. All of them are a success for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    Created,
    Updated,
    Deleted,
    /// Older than what we know.
    Stale,
    /// About somebody who was deleted; they stay deleted.
    Dropped,
    /// This message was handled before.
    Repeated,
    Ignored,
}

impl Users {
    /// The effect may happen twice without harm, so the message is remembered after it: killed in between,
    /// the sender's retry finishes the work.
    pub async fn apply(&self, message: &MessageId, event: UserEvent) -> Result<Applied, StoreError> {
        if self.is_remembered(message).await? {
            return Ok(Applied::Repeated);
        }
        let applied = match event {
            UserEvent::Changed(user) => self.apply_change(&user).await?,
            UserEvent::Deleted(user) => self.apply_deletion(&user).await?,
            UserEvent::Ignored(_) => return Ok(Applied::Ignored),
        };
        self.remember(message).await?;
        Ok(applied)
    }

    async fn apply_change(&self, clerk: &ClerkUser) -> Result<Applied, StoreError> {
        let found = self.get(&clerk.id).await?;
        if found.as_ref().is_some_and(|user| user.state == UserState::Deleted) {
            return Ok(Applied::Dropped);
        }
        if let VerifiedEmail::Address(email) = &clerk.email {
            // The person who already has it keeps it; the decision on the welcome will find that out.
            self.take_email(&clerk.id, email.expose()).await?;
        }
        let row = new_user(&clerk.id, Some(clerk), None, Welcome::Undecided, self.platform.now());
        if self.put_new(row).await? {
            return Ok(Applied::Created);
        }
        let condition = "#state = :active AND \
            (attribute_not_exists(#clerk_updated_at) OR #clerk_updated_at < :clerk_updated_at)";
        let (applied, welcome) =
            match self.update(&clerk.id, Change::default().of_clerk(clerk), Some(condition)).await? {
                Updated::Done(user) => (Applied::Updated, Some(user.welcome)),
                Updated::ConditionFailed(Some(UserState::Deleted)) => return Ok(Applied::Dropped),
                Updated::ConditionFailed(_) => (Applied::Stale, found.map(|user| user.welcome)),
            };
        if welcome == Some(NO_EMAIL) && matches!(clerk.email, VerifiedEmail::Address(_)) {
            self.reopen_welcome(&clerk.id).await?;
        }
        Ok(applied)
    }

    /// The address that was missing has come, so the next request decides. Killed before this, the sender's retry finds
    /// the row as stale, and its welcome still refused.
    async fn reopen_welcome(&self, user: &UserId) -> Result<(), StoreError> {
        let refused = platform::text(NO_EMAIL.as_str().unwrap_or_default());
        let change = Change::default().remove("welcome").compare("no_email", refused);
        self.update(user, change, Some("#state = :active AND #welcome = :no_email")).await?;
        Ok(())
    }

    /// Leaves a tombstone, also of somebody we have never seen: their creation may still be under way.
    async fn apply_deletion(&self, user: &UserId) -> Result<Applied, StoreError> {
        self.update(user, Change::to_tombstone(user, self.platform.now()), None).await?;
        Ok(Applied::Deleted)
    }

    async fn is_remembered(&self, message: &MessageId) -> Result<bool, StoreError> {
        let get = self.platform.dynamo().get_item().table_name(&self.table);
        let id = message_row(message);
        let get = get.set_key(Some(key([(USERS.partition_key, &id)]))).consistent_read(true);
        let answer = get.send().await.map_err(StoreError::of_sdk)?;
        // A row past its time still says the truth: the message was handled.
        Ok(answer.item().is_some())
    }

    async fn remember(&self, message: &MessageId) -> Result<(), StoreError> {
        let row = ItemBuilder::default()
            .text("id", message_row(message))
            .number("ttl", self.platform.now().after(MESSAGE_REMEMBERED).seconds())
            .build();
        self.put_new(row).await.map(drop)
    }
}

fn message_row(message: &MessageId) -> String {
    format!("svix#{message}")
}
