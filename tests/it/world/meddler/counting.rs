//! What the requests that passed cost, in the providers' units.

use super::{StoreCall, is_write};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::Sub;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What some requests cost together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Write units of the tables; a transaction's count twice, as it is charged.
    pub(crate) table_units: u64,
    pub(crate) index_units: u64,
    /// Of both, what was written by transactions.
    pub(crate) transactional_units: u64,
    /// Half read units: an eventually consistent read of up to 4 KB is one.
    pub(crate) read_halves: u64,
    /// How often the stores were waited for, what goes out at once counted once.
    pub(crate) rounds: u64,
    pub(crate) puts: u64,
    pub(crate) gets: u64,
    pub(crate) put_bytes: u64,
}

impl Tally {
    pub(crate) fn of(calls: &[StoreCall]) -> Tally {
        let mut tally = Tally::default();
        for call in calls {
            tally.table_units += call.table_units;
            tally.index_units += call.index_units;
            if call.operation == "TransactWriteItems" {
                tally.transactional_units += call.table_units + call.index_units;
            }
            tally.read_halves += call.read_halves;
            tally.rounds += u64::from(call.begins_round);
            match &call.object {
                Some(object) if object.is_put => {
                    tally.puts += 1;
                    tally.put_bytes += object.bytes;
                }
                Some(_) => tally.gets += 1,
                None => {}
            }
        }
        tally
    }
}

/// What is left of the first without the second; never below nothing.
impl Sub for Tally {
    type Output = Tally;

    fn sub(self, other: Tally) -> Tally {
        Tally {
            table_units: self.table_units.saturating_sub(other.table_units),
            index_units: self.index_units.saturating_sub(other.index_units),
            transactional_units: self.transactional_units.saturating_sub(other.transactional_units),
            read_halves: self.read_halves.saturating_sub(other.read_halves),
            rounds: self.rounds.saturating_sub(other.rounds),
            puts: self.puts.saturating_sub(other.puts),
            gets: self.gets.saturating_sub(other.gets),
            put_bytes: self.put_bytes.saturating_sub(other.put_bytes),
        }
    }
}

/// A request about an object of the bucket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ObjectCall {
    /// Otherwise it only reads.
    pub(crate) is_put: bool,
    /// The request's body.
    pub(crate) bytes: u64,
}

/// One request that is on its way.
pub(super) struct Underway(Arc<AtomicUsize>);

impl Underway {
    /// True beside it: no other was.
    pub(super) fn begin(count: &Arc<AtomicUsize>) -> (Underway, bool) {
        let others = count.fetch_add(1, Ordering::SeqCst);
        (Underway(count.clone()), others == 0)
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What an answer of DynamoDB says it cost.
#[derive(Default)]
pub(super) struct Consumed {
    pub(super) table_units: u64,
    pub(super) index_units: u64,
    pub(super) read_halves: u64,
}

impl Consumed {
    pub(super) fn of(response: &HttpResponse, operation: &str) -> Consumed {
        let body = response.body().bytes().and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        let consumed = body.map(|body| body["ConsumedCapacity"].clone()).unwrap_or_default();
        let each = match consumed {
            Value::Array(each) => each,
            Value::Object(_) => vec![consumed],
            // A refused condition costs a unit at least and does not say so.
            _ => return Consumed { table_units: u64::from(is_write(operation)), ..Consumed::default() },
        };
        let mut sum = Consumed::default();
        for one in &each {
            // A transaction repeated by its token is charged as a read.
            let is_read = !is_write(operation) || !one["ReadCapacityUnits"].is_null();
            if is_read {
                sum.read_halves += halves(&one["CapacityUnits"]);
                continue;
            }
            sum.table_units += halves(&one["Table"]["CapacityUnits"]) / 2;
            let indexes = one["GlobalSecondaryIndexes"].as_object();
            let units = indexes.into_iter().flatten().map(|(_, index)| halves(&index["CapacityUnits"]) / 2);
            sum.index_units += units.sum::<u64>();
        }
        sum
    }
}

/// Capacity is written as a float that is a whole number or a half.
fn halves(units: &Value) -> u64 {
    let text = units.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    whole.parse::<u64>().map_or(0, |whole| whole * 2 + u64::from(part.starts_with('5')))
}
