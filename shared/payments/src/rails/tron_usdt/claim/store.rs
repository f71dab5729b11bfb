//! Claims as they are stored: the audit rows of those that wait, and what a person claimed today.

use crate::TopUpRules;
use crate::items::{ClaimTally, OPEN_INDEX, PAYMENT_INBOX, TALLY, claimed_fact, due_mark};
use crate::store::{Store, When};
use crate::{ClaimError, FactKey, PaymentsError};
use aws_sdk_dynamodb::types::TransactWriteItem;
use platform::{Attributes, Item, Key, StoreError, key, number, text, unless_condition_failed};
use primitives::{AccountId, Credits, Overflow, Timestamp};
use std::time::Duration;

const DAY_SECONDS: u64 = 86_400;

/// The audit row of a claim whose wait is over.
#[derive(Debug, Clone)]
pub(crate) struct DueClaim {
    pub(crate) fact: FactKey,
    row: Key,
    /// The end of the wait, in milliseconds.
    until: u64,
}

/// A day's tally before and after one more claim.
pub(crate) struct Counted {
    before: Option<ClaimTally>,
    after: ClaimTally,
}

impl Store {
    /// Claims whose wait ended by `now`, the longest ago first.
    pub(crate) async fn due_claims(&self, now: Timestamp, limit: i32) -> Result<Vec<DueClaim>, StoreError> {
        let query = self
            .dynamo
            .query()
            .table_name(&self.inbox)
            .index_name(OPEN_INDEX)
            .key_condition_expression("#open = :due AND heard_at <= :now")
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":due", text(due_mark()))
            .expression_attribute_values(":now", number(now.millis()))
            .limit(limit);
        let answer = query.send().await.map_err(StoreError::of_sdk)?;
        answer.items().iter().map(DueClaim::read).collect()
    }

    /// Takes a decided claim out of those that wait. Its audit row stays. False: another poll did it before.
    pub(crate) async fn clear_due(&self, due: &DueClaim) -> Result<bool, StoreError> {
        let Some(mut item) = self.get(&self.inbox, due.row.clone()).await? else { return Ok(false) };
        item.remove("open");
        item.remove("heard_at");
        platform::retry_conflicts(|| async {
            let put = self
                .dynamo
                .put_item()
                .table_name(&self.inbox)
                .set_item(Some(item.clone()))
                .condition_expression("#open = :due AND heard_at = :until")
                .expression_attribute_names("#open", "open")
                .expression_attribute_values(":due", text(due_mark()))
                .expression_attribute_values(":until", number(due.until));
            // Refused: another poll cleared it at the same moment.
            Ok(unless_condition_failed(put.send().await)?.is_some())
        })
        .await
    }

    /// The account's tally of today with one more claim, worth `credits` without a person's look.
    ///
    /// # Errors
    /// `TooManyClaims` when the account has named `claims_max` transfers today.
    pub(crate) async fn count_claim(
        &self,
        account: &AccountId,
        credits: Credits,
        claims_max: u32,
        now: Timestamp,
    ) -> Result<Counted, PaymentsError> {
        let row = key([("account", account.as_str()), ("id", TALLY)]);
        let before = self.get(&self.top_ups, row).await?.as_ref().map(ClaimTally::read).transpose()?;
        let today = before.clone().filter(|tally| tally.day == now.date());
        let (claims, sum) = today.map_or((0, Credits::ZERO), |tally| (tally.claims, tally.credits));
        if claims >= claims_max {
            let left = DAY_SECONDS - now.seconds() % DAY_SECONDS;
            return Err(ClaimError::TooMany { retry_after: Duration::from_secs(left) }.into());
        }
        let after = ClaimTally { day: now.date(), claims: claims + 1, credits: sum.checked_add(credits)? };
        Ok(Counted { before, after })
    }

    /// Refused when another claim of the account was counted meanwhile.
    pub(crate) fn put_tally(
        &self,
        account: &AccountId,
        counted: &Counted,
    ) -> Result<TransactWriteItem, StoreError> {
        let when = match &counted.before {
            None => When::If("attribute_not_exists(#id)", Vec::new()),
            Some(seen) => When::If(
                "#day = :day AND #claims = :claims",
                vec![(":day", text(&seen.day)), (":claims", number(seen.claims))],
            ),
        };
        self.put(&self.top_ups, counted.after.item(account), when)
    }
}

impl Counted {
    /// Whether the day's sum stays within what is granted without a person's look.
    pub(crate) fn is_within(&self, rules: &TopUpRules) -> bool {
        self.after.credits <= rules.claim_credits_day_max
    }

    /// The same claim, counted without its sum.
    pub(crate) fn without(mut self, credits: Credits) -> Result<Counted, Overflow> {
        self.after.credits = self.after.credits.checked_sub(credits)?;
        Ok(self)
    }
}

impl DueClaim {
    fn read(attributes: &Attributes) -> Result<DueClaim, StoreError> {
        let item = Item::new(PAYMENT_INBOX.name, attributes);
        let (source, part) = (item.text("source")?, item.text("part")?);
        let fact = claimed_fact(source, part).ok_or_else(|| item.corrupt("part"))?;
        Ok(DueClaim { fact, row: key([("source", source), ("part", part)]), until: item.number("heard_at")? })
    }
}
