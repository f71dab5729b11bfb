use primitives::{CreditsDelta, EntryId};
use std::fmt;
use std::str::FromStr;

/// Where a page of movements begins: behind this entry, with the balance that was there before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) before: EntryId,
    /// Absent when the account moved at every reading of the first page.
    pub(crate) balance: Option<CreditsDelta>,
}

/// The text is no cursor of an earlier page.
pub(crate) struct NotACursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.balance {
            Some(balance) => write!(f, "{}.{balance}", self.before),
            None => write!(f, "{}", self.before),
        }
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Cursor, NotACursor> {
        let (before, balance) = match text.split_once('.') {
            Some((before, balance)) => (before, Some(balance)),
            None => (text, None),
        };
        let balance = balance.map(|text| text.parse().map_err(|_| NotACursor)).transpose()?;
        // A balance outside the ledger's range was never ours; without one the movements are shown all the same.
        let balance = balance.and_then(|units| CreditsDelta::new(units).ok());
        Ok(Cursor { before: before.parse().map_err(|_| NotACursor)?, balance })
    }
}
