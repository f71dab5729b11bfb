use super::dollars;
use crate::lenient;
use primitives::{CostCents, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// The largest description of a run that is read.
pub(super) const BYTES_MAX: usize = 256 * 1024;

/// A run of an actor's, as `GET /actor-runs/{id}` and lists have it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ActorRun {
    pub(super) id: String,
    pub(super) state: State,
    /// The store of its rows.
    pub(super) dataset: Option<String>,
    /// The store of its input.
    pub(super) store: Option<String>,
    pub(super) started_at: Option<Timestamp>,
    /// Absent as long as Apify has not summed it up: null, and in some places 0.
    pub(super) cost: Option<CostCents>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    /// And what may come that is not known here.
    Running,
    /// It is being ended, by its time or by us.
    Ending,
    Succeeded,
    /// `FAILED`, `TIMED-OUT`, `ABORTED`.
    Failed,
}

impl State {
    pub(super) fn is_over(self) -> bool {
        matches!(self, State::Succeeded | State::Failed)
    }

    /// Statuses have hyphens, the events about them underscores.
    fn of(status: &str) -> State {
        match status.to_ascii_uppercase().replace('_', "-").as_str() {
            "READY" => State::Ready,
            "SUCCEEDED" => State::Succeeded,
            "FAILED" | "TIMED-OUT" | "ABORTED" => State::Failed,
            "TIMING-OUT" | "ABORTING" => State::Ending,
            _ => State::Running,
        }
    }
}

impl ActorRun {
    /// Of an answer `{"data": run}`. `None`: it shows no run.
    pub(super) fn of(body: &[u8]) -> Option<ActorRun> {
        let document = lenient::document(body)?;
        let run = ActorRun::listed(&document["data"])?;
        Some(ActorRun { cost: cost(body), ..run })
    }

    /// An entry of a list, which does not tell the cost reliably.
    pub(super) fn listed(run: &Value) -> Option<ActorRun> {
        let id = |name: &str| lenient::text(&run[name]).filter(|id| is_id(id)).map(str::to_owned);
        Some(ActorRun {
            id: id("id")?,
            state: State::of(lenient::text(&run["status"])?),
            dataset: id("defaultDatasetId"),
            store: id("defaultKeyValueStoreId"),
            started_at: Timestamp::deserialize(&run["startedAt"]).ok(),
            cost: None,
        })
    }
}

/// Letters and digits, seventeen of them as far as is known: it becomes a part of an address.
pub(super) fn is_id(text: &str) -> bool {
    const LENGTH_MAX: usize = 64;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LENGTH_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// The number as it is written: it passes through no float.
fn cost(body: &[u8]) -> Option<CostCents> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        data: Run<'a>,
    }
    #[derive(Deserialize)]
    struct Run<'a> {
        #[serde(borrow, default, rename = "usageTotalUsd")]
        usage_total_usd: Option<&'a RawValue>,
    }
    let answer: Answer<'_> = serde_json::from_slice(body).ok()?;
    dollars::of(answer.data.usage_total_usd?.get()).filter(|cost| *cost > CostCents::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &str) -> Option<ActorRun> {
        ActorRun::of(format!("{{\"data\":{{{fields}}}}}").as_bytes())
    }

    #[test]
    fn a_run_is_shown_by_its_id_and_status_and_the_rest_may_be_missing() {
        let run = read(r#""id":"HG7ML7M8z78YcAPEB","status":"READY","usageTotalUsd":null,"startedAt":null"#);
        let run = run.unwrap();
        assert_eq!((run.id.as_str(), run.state, run.cost), ("HG7ML7M8z78YcAPEB", State::Ready, None));
        for fields in [
            "",
            r#""id":"abc""#,
            r#""status":"READY""#,
            r#""id":null,"status":"READY""#,
            r#""id":"../users/me","status":"READY""#,
            r#""id":"a b","status":"READY""#,
            r#""id":7,"status":"READY""#,
        ] {
            assert_eq!(read(fields), None, "{fields}");
        }
        for body in ["", "<html>", "[]", "{}", r#"{"data":null}"#, r#"{"data":[]}"#] {
            assert_eq!(ActorRun::of(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn states_are_known_in_both_spellings_and_unknown_ones_go_on() {
        let table = [
            ("READY", State::Ready),
            ("RUNNING", State::Running),
            ("SUCCEEDED", State::Succeeded),
            ("FAILED", State::Failed),
            ("TIMED-OUT", State::Failed),
            ("TIMED_OUT", State::Failed),
            ("ABORTED", State::Failed),
            ("TIMING-OUT", State::Ending),
            ("ABORTING", State::Ending),
            ("MIGRATING", State::Running),
        ];
        for (status, state) in table {
            assert_eq!(State::of(status), state, "{status}");
        }
    }

    #[test]
    fn a_cost_is_a_number_above_zero() {
        let cost = |value: &str| {
            read(&format!(r#""id":"a","status":"READY","usageTotalUsd":{value}"#)).unwrap().cost
        };
        assert_eq!(cost("0.01505"), Some("1.505".parse().unwrap()));
        assert_eq!(cost("0.015050000000000001"), Some("1.505".parse().unwrap()));
        for value in ["null", "0", "0.0", "-1", "\"0.5\"", "[]", "true"] {
            assert_eq!(cost(value), None, "{value}");
        }
    }
}
