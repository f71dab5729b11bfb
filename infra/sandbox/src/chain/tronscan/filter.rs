//! What a call to TronScan asks for. A parameter that cannot be read is ignored, as there ("Common Errors").

use std::collections::HashMap;

use super::REACH;
use crate::chain::address::is_address;
use crate::chain::transfer::{State, Transfer};

const LIMIT_USUAL: usize = 10;
/// A higher limit is cut without a word.
const LIMIT_MAX: usize = 50;

/// The readable parameters of one call.
#[derive(Debug)]
pub(super) struct Filter {
    /// Rows to leave out at the front.
    pub(super) start: usize,
    pub(super) limit: usize,
    pub(super) oldest_first: bool,
    contract: Option<String>,
    from: Option<String>,
    to: Option<String>,
    related: Option<String>,
    direction: Direction,
    first_ms: Option<u64>,
    last_ms: Option<u64>,
    state: Option<State>,
    block: Option<u64>,
}

/// Seen from the related address.
#[derive(Debug, PartialEq, Eq)]
enum Direction {
    In,
    Out,
    All,
}

impl Filter {
    pub(super) fn read(query: &HashMap<String, String>) -> Filter {
        let text = |name: &str| query.get(name).map(String::as_str);
        let number = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
        let size = |name: &str| number(name).and_then(|number| usize::try_from(number).ok());
        let address = |name: &str| text(name).filter(|text| is_address(text)).map(str::to_owned);

        let limit = size("limit").filter(|limit| *limit > 0).unwrap_or(LIMIT_USUAL).min(LIMIT_MAX);
        let start = size("start").unwrap_or(0);
        Filter {
            // Beyond its reach TronScan answers 200 with rows that are not the ones asked for.
            start: if start.saturating_add(limit) > REACH { 0 } else { start },
            limit,
            oldest_first: text("sort") == Some("timestamp"),
            contract: address("contract_address"),
            from: address("fromAddress"),
            to: address("toAddress"),
            related: address("relatedAddress"),
            direction: match text("direction") {
                Some("in") => Direction::In,
                Some("out") => Direction::Out,
                _ => Direction::All,
            },
            first_ms: number("start_timestamp"),
            last_ms: number("end_timestamp"),
            state: match text("confirm") {
                Some("0") => Some(State::Confirmed),
                Some("1") => Some(State::Unconfirmed),
                Some("2") => Some(State::Reverted),
                _ => None,
            },
            block: number("block"),
        }
    }

    /// The blocks asked for, both ends included.
    pub(super) fn window(&self) -> (u64, u64) {
        (self.first_ms.unwrap_or(0), self.last_ms.unwrap_or(u64::MAX))
    }

    pub(super) fn fits(&self, row: &Transfer, now_ms: u64) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|text| text == found);
        is(&self.to, &row.to)
            && is(&self.from, &row.from)
            && is(&self.contract, &row.contract)
            && self.is_related(row)
            && row.is_indexed(now_ms)
            && row.is_listed_by("tronscan")
            && self.block.is_none_or(|block| block == row.block())
            && self.state.is_none_or(|state| state == row.state(now_ms))
    }

    fn is_related(&self, row: &Transfer) -> bool {
        let Some(related) = self.related.as_deref() else { return true };
        let (comes_in, goes_out) = (*row.to == *related, *row.from == *related);
        match self.direction {
            Direction::In => comes_in,
            Direction::Out => goes_out,
            Direction::All => comes_in || goes_out,
        }
    }
}
