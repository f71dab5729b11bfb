use primitives::{CostCents, Timestamp};
use providers::{Attempt, FailureClass};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What an attempt that served is called where the others have their failure.
pub(crate) const SERVED: &str = "served";
/// Longer ids of a provider's are cut.
const ID_CHARS_MAX: usize = 36;

/// One attempt at a run, as receipt and usage log keep it.
///
/// Stored as `deepseek broken_stream 12 280000 123456 chatcmpl-1`: who, how it ended, milliseconds from the reservation
/// to its start, milliseconds it took, what it cost us in millionths of a cent, the provider's own name for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub by: String,
    /// `None`: it served the run.
    pub failure: Option<String>,
    pub after_ms: u64,
    pub ms: u64,
    /// What it costs us, also when it failed.
    pub cost: CostCents,
    /// For asking at the provider.
    pub id: Option<String>,
}

impl Tried {
    /// An attempt whose process was killed in it. The provider's cost is unknown, so `cost` is the most that it may be.
    pub(crate) fn lost(by: &str, cost: CostCents, reserved_at: Timestamp, now: Timestamp) -> Tried {
        Tried {
            by: by.to_owned(),
            failure: Some(FailureClass::BrokenStream.as_str().to_owned()),
            after_ms: millis(now.since(reserved_at)),
            ms: 0,
            cost,
            id: None,
        }
    }

    pub(crate) fn all(attempts: &[Attempt], reserved_at: Timestamp) -> Vec<Tried> {
        attempts.iter().map(|attempt| Tried::of(attempt, reserved_at)).collect()
    }

    fn of(attempt: &Attempt, reserved_at: Timestamp) -> Tried {
        let id = attempt.provider_request_id.as_deref().map(plain).filter(|id| !id.is_empty());
        Tried {
            by: attempt.provider.as_str().to_owned(),
            failure: attempt.failure.map(|class| class.as_str().to_owned()),
            after_ms: millis(attempt.started_at.since(reserved_at)),
            ms: attempt.millis,
            cost: attempt.cost,
            id,
        }
    }

    /// What all of `tried` cost us that did not serve.
    pub(crate) fn failed_cost(tried: &[Tried]) -> CostCents {
        let failed = tried.iter().filter(|tried| tried.failure.is_some());
        failed.fold(CostCents::ZERO, |sum, tried| sum.saturating_add(tried.cost))
    }

    pub(crate) fn started_at(&self, reserved_at: Timestamp) -> Timestamp {
        reserved_at.after(Duration::from_millis(self.after_ms))
    }

    pub(crate) fn outcome(&self) -> &str {
        self.failure.as_deref().unwrap_or(SERVED)
    }
}

/// An id without anything that could be taken for the end of a part, or for content.
fn plain(id: &str) -> String {
    id.chars().filter(char::is_ascii_graphic).take(ID_CHARS_MAX).collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tried { by, after_ms, ms, cost, id, .. } = self;
        write!(f, "{by} {} {after_ms} {ms} {}", self.outcome(), cost.micro_cents())?;
        id.as_ref().map_or(Ok(()), |id| write!(f, " {id}"))
    }
}

impl FromStr for Tried {
    type Err = MalformedAttempt;

    fn from_str(text: &str) -> Result<Tried, MalformedAttempt> {
        let mut parts = text.split(' ');
        let mut next = || parts.next().ok_or(MalformedAttempt);
        let (by, outcome) = (next()?.to_owned(), next()?.to_owned());
        let mut number = || next()?.parse::<u64>().map_err(|_| MalformedAttempt);
        let (after_ms, ms, micro_cents) = (number()?, number()?, number()?);
        Ok(Tried {
            by,
            failure: Some(outcome).filter(|outcome| outcome != SERVED),
            after_ms,
            ms,
            cost: CostCents::from_micro_cents(micro_cents),
            id: parts.next().map(str::to_owned),
        })
    }
}

/// The text is not that of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the text of an attempt")]
pub struct MalformedAttempt;

impl Serialize for Tried {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Tried {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tried, D::Error> {
        match Stored::deserialize(deserializer)? {
            Stored::Text(text) => text.parse().map_err(D::Error::custom),
            Stored::Older { by, why, ms, cost, id } => {
                Ok(Tried { by, failure: Some(why), after_ms: 0, ms, cost, id })
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Text(String),
    /// As receipts were written before they named every attempt.
    Older {
        by: String,
        why: String,
        ms: u64,
        #[serde(default)]
        cost: CostCents,
        #[serde(default)]
        id: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_attempt_as_it_was_stored_before_is_still_read() {
        let older = r#"{"by":"fal","why":"unavailable","ms":7,"cost":"2.5","id":"r-1"}"#;
        let read: Tried = serde_json::from_str(older).unwrap();
        assert_eq!(read.to_string(), "fal unavailable 0 7 2500000 r-1");
        let shortest: Tried = serde_json::from_str(r#"{"by":"fal","why":"auth","ms":7}"#).unwrap();
        assert_eq!(shortest.to_string(), "fal auth 0 7 0");
    }

    #[test]
    fn what_is_no_attempt_is_not_read() {
        for text in
            ["", "fal", "fal served 1 2", "fal served 1 2 x", "fal served -1 2 3", "fal served 1 2 0.5"]
        {
            assert_eq!(text.parse::<Tried>(), Err(MalformedAttempt), "{text}");
        }
    }

    #[test]
    fn an_id_with_anything_in_it_stays_one_word() {
        assert_eq!(plain("req 1\n\u{1F3AC}é\"x"), "req1\"x");
        assert_eq!(plain(&"x".repeat(50)).len(), ID_CHARS_MAX);
    }

    proptest! {
        #[test]
        fn an_attempt_is_read_back_as_it_was_written(
            after_ms in any::<u64>(), ms in any::<u64>(), micro in any::<u64>(), id in "[!-~]{0,50}", failed in any::<bool>(),
        ) {
            let tried = Tried {
                by: "deepseek".to_owned(),
                failure: failed.then(|| "rate_limited".to_owned()),
                after_ms,
                ms,
                cost: CostCents::from_micro_cents(micro),
                id: Some(plain(&id)).filter(|id| !id.is_empty()),
            };
            let json = serde_json::to_string(&tried).unwrap();
            prop_assert_eq!(serde_json::from_str::<Tried>(&json).unwrap(), tried);
        }
    }
}
