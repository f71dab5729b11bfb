//! The question to Clerk who a person is: asked by one request at a time, and again later while it has no answer.

use crate::clerk_api::{AGAIN, Shown};
use crate::items::Change;
use crate::user::Question;
use crate::users::{Updated, Users};
use crate::{User, UserState, VerifiedEmail, Welcome};
use aws_sdk_dynamodb::types::AttributeValue;
use platform::{StoreError, number, text};
use primitives::{Timestamp, times};
use std::time::Duration;

/// How often, and how many times, a request that waits for another's question looks for its end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS_MAX: u32 = 25;

/// As long as a question may take; behind that its asker counts as killed.
fn question_lasts() -> Duration {
    times::SIGN_IN_CALL.limit + Duration::from_millis(500)
}

/// What asking came to.
pub(crate) enum Answer {
    /// The row says something else than before.
    Learned,
    /// Clerk has not told yet; the user as they are.
    NotYet(Box<User>),
}

/// What a row says while a request asks Clerk about its person.
pub(crate) fn question_columns(now: Timestamp) -> [(String, AttributeValue); 2] {
    let until = now.after(question_lasts());
    [("ask_at".to_owned(), number(until.millis())), ("is_asked".to_owned(), text("now"))]
}

impl Users {
    /// Asks Clerk, or waits for the request that does. `is_new`: this request has made the row, which says that it asks.
    pub(crate) async fn ask(&self, user: User, is_new: bool) -> Result<Answer, StoreError> {
        let is_due = user.question.is_none_or(|question| question.next_at <= self.platform.now());
        if is_new {
            return self.ask_clerk(&user).await;
        }
        if is_due {
            return self.take_up_and_ask(&user).await;
        }
        match user.question {
            Some(question) if question.is_under_way => self.wait_for_answer(user).await,
            _ => Ok(Answer::NotYet(Box::new(user))),
        }
    }

    /// Lost to another request: it has asked since the row was read, so what was read tells nothing any more.
    async fn take_up_and_ask(&self, user: &User) -> Result<Answer, StoreError> {
        if self.take_up(user).await? { self.ask_clerk(user).await } else { Ok(Answer::Learned) }
    }

    async fn ask_clerk(&self, user: &User) -> Result<Answer, StoreError> {
        let updated = match self.clerk.show(&user.id).await? {
            Shown::User(clerk) => {
                let is_silent = matches!(clerk.email, VerifiedEmail::NotTold);
                let again_at = is_silent.then(|| self.platform.now().after(AGAIN));
                let change = Change::default().of_clerk(&clerk).asked(again_at);
                // A webhook that was faster may have told more.
                let condition = "#state = :active AND \
                    (attribute_not_exists(#clerk_updated_at) OR #clerk_updated_at <= :clerk_updated_at)";
                self.update(&user.id, change, Some(condition)).await?
            }
            Shown::Later(again_at) => {
                let change = Change::default().asked(Some(again_at));
                self.update(&user.id, change, Some("#state = :active")).await?
            }
        };
        Ok(match updated {
            Updated::Done(user) if is_unknown(&user) => Answer::NotYet(user),
            Updated::Done(_) | Updated::ConditionFailed(_) => Answer::Learned,
        })
    }

    /// Looks until the other request has its answer. If it never has, it was killed, and this one asks.
    async fn wait_for_answer(&self, mut user: User) -> Result<Answer, StoreError> {
        for _ in 0..LOOKS_MAX {
            tokio::time::sleep(LOOK_EVERY).await;
            let Some(now) = self.get(&user.id).await? else { return Ok(Answer::Learned) };
            if !is_unknown(&now) {
                return Ok(Answer::Learned);
            }
            user = now;
            if !user.question.is_some_and(|question| question.is_under_way) {
                return Ok(Answer::NotYet(Box::new(user)));
            }
        }
        self.take_up_and_ask(&user).await
    }

    /// True: the question is this request's, unless another took it since the row was read.
    async fn take_up(&self, user: &User) -> Result<bool, StoreError> {
        let until = self.platform.now().after(question_lasts());
        let change = Change::default().set("ask_at", number(until.millis())).set_text("is_asked", "now");
        let (change, condition) = match user.question {
            Some(Question { next_at, .. }) => {
                (change.compare("seen", number(next_at.millis())), "#state = :active AND #ask_at = :seen")
            }
            None => (change, "#state = :active AND attribute_not_exists(#ask_at)"),
        };
        Ok(matches!(self.update(&user.id, change, Some(condition)).await?, Updated::Done(_)))
    }
}

/// Whether only Clerk can help with this person's welcome.
fn is_unknown(user: &User) -> bool {
    let is_open = user.state == UserState::Active && user.welcome == Welcome::Undecided;
    is_open && user.email.is_none() && !user.has_no_email
}
