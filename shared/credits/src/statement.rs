//! Where the balance stands beside the newest entries of an account, so that each movement can show the balance after it.

use crate::{Account, CreditsError, Entry, Ledger, RunOutcome, Verdict};
use platform::Page;
use primitives::{AccountId, Credits, CreditsDelta, EntryId, RunId};
use std::collections::BTreeSet;

/// An account may move while its entries are read; after so many readings the balance is left out.
const READINGS_MAX: usize = 3;

/// All that a movement changes of an account. (Its parts are read in no order.)
fn amounts(account: &Account) -> (Credits, Credits, BTreeSet<(RunId, String)>) {
    let holds = account.holds.iter().map(|hold| (hold.run, hold.nonce.encode())).collect();
    (account.available, account.debt, holds)
}

impl Ledger {
    /// The newest entries, and what all entries of the account sum up to; `None` when it moved at every reading.
    pub async fn newest_entries(
        &self,
        id: &AccountId,
        limit: u32,
    ) -> Result<(Page<Entry, EntryId>, Option<CreditsDelta>), CreditsError> {
        for _ in 1..READINGS_MAX {
            let before = self.account(id).await?;
            let page = self.entries(id, limit, None).await?;
            let Some(account) = &before else { return Ok((page, Some(CreditsDelta::ZERO))) };
            let sum = self.sum_beside(account, &page).await?;
            let after = self.account(id).await?;
            if after.is_some_and(|after| amounts(&after) == amounts(account)) {
                return Ok((page, Some(sum)));
            }
        }
        Ok((self.entries(id, limit, None).await?, None))
    }

    /// What the account's item says, less the charges that are decided and not taken from it yet.
    async fn sum_beside(
        &self,
        account: &Account,
        page: &Page<Entry, EntryId>,
    ) -> Result<CreditsDelta, CreditsError> {
        let mut sum = account.sum()?;
        for hold in &account.holds {
            let id = EntryId::from(hold.run);
            let outcome = match page.items.iter().find(|entry| entry.id == id) {
                Some(entry) => Some(entry.clone()),
                None if page.next.is_some_and(|next| id < next) => {
                    self.outcome(&account.id, hold.run).await?
                }
                None => None,
            };
            let decided = outcome.as_ref().and_then(Entry::run).filter(|run| run.nonce == hold.nonce);
            if let Some(RunOutcome { verdict: Verdict::Charged(amount), .. }) = decided {
                sum = sum.checked_add(amount.spent())?;
            }
        }
        Ok(sum)
    }
}
