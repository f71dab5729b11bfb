use crate::Block;
use crate::items::{ACCOUNTS, account_key, read_block};
use platform::{Platform, StoreError};
use primitives::AccountId;

/// What an account's person may still do here, read without the rest of the account.
///
/// Reading costs half a unit, or a whole one when it must not be out of date.
#[derive(Clone)]
pub struct Standings {
    platform: Platform,
    accounts: String,
}

/// How old an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// What was written before the question is in the answer.
    Consistent,
    /// A write of the last second may be missing.
    Eventual,
}

impl Standings {
    /// Needs no rule of the profile. Calls no store.
    pub fn new(platform: &Platform) -> Standings {
        Standings { platform: platform.clone(), accounts: platform.table(&ACCOUNTS) }
    }

    /// `None`: nothing speaks against the person, or the account has not been opened yet.
    pub async fn block(
        &self,
        account: &AccountId,
        freshness: Freshness,
    ) -> Result<Option<Block>, StoreError> {
        let get = self.platform.dynamo().get_item().table_name(&self.accounts);
        let answer = get
            .set_key(Some(account_key(account)))
            .projection_expression("blocked")
            .consistent_read(freshness == Freshness::Consistent)
            .send()
            .await
            .map_err(StoreError::of_sdk)?;
        answer.item().map_or(Ok(None), read_block)
    }
}
