//! What a call to TronGrid asks for.

use std::collections::HashMap;

use crate::chain::transfer::Transfer;

const LIMIT_USUAL: usize = 20;
const LIMIT_MAX: usize = 200;

/// The parameters of one call.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) limit: usize,
    pub(super) oldest_first: bool,
    account: String,
    contract: Option<String>,
    only_to: bool,
    only_from: bool,
    only_confirmed: bool,
    only_unconfirmed: bool,
    first_ms: Option<u64>,
    last_ms: Option<u64>,
}

impl Filter {
    pub(super) fn read(account: &str, query: &HashMap<String, String>) -> Filter {
        let text = |name: &str| query.get(name).map(String::as_str);
        let number = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
        let flag = |name: &str| text(name) == Some("true");
        let limit = number("limit").and_then(|limit| usize::try_from(limit).ok());
        Filter {
            limit: limit.filter(|limit| *limit > 0).unwrap_or(LIMIT_USUAL).min(LIMIT_MAX),
            oldest_first: text("order_by") == Some("block_timestamp,asc"),
            account: account.to_owned(),
            contract: text("contract_address").map(str::to_owned),
            only_to: flag("only_to"),
            only_from: flag("only_from"),
            only_confirmed: flag("only_confirmed"),
            only_unconfirmed: flag("only_unconfirmed"),
            first_ms: number("min_timestamp"),
            last_ms: number("max_timestamp"),
        }
    }

    /// The blocks asked for, both ends included.
    pub(super) fn window(&self) -> (u64, u64) {
        (self.first_ms.unwrap_or(0), self.last_ms.unwrap_or(u64::MAX))
    }

    pub(super) fn fits(&self, row: &Transfer, now_ms: u64) -> bool {
        self.is_about_the_account(row)
            && self.contract.as_deref().is_none_or(|contract| *row.contract == *contract)
            && row.has_happened()
            && row.is_listed_by("trongrid")
            && row.is_indexed(now_ms)
            && (!self.only_confirmed || row.is_final(now_ms))
            && (!self.only_unconfirmed || !row.is_final(now_ms))
    }

    fn is_about_the_account(&self, row: &Transfer) -> bool {
        let (comes_in, goes_out) = (*row.to == *self.account, *row.from == *self.account);
        match (self.only_to, self.only_from) {
            (false, false) => comes_in || goes_out,
            (true, false) => comes_in,
            (false, true) => goes_out,
            (true, true) => comes_in && goes_out,
        }
    }

    /// The same for two calls that a cursor may go between: all but the size of the page.
    pub(super) fn name(&self) -> String {
        let Filter { limit: _, oldest_first, account, contract, .. } = self;
        let flags = [self.only_to, self.only_from, self.only_confirmed, self.only_unconfirmed];
        let window = (self.first_ms, self.last_ms);
        format!("{account} {contract:?} {oldest_first} {flags:?} {window:?}")
    }
}
