use serde::{Deserialize, Serialize, de};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment: whole milliseconds since 1970 UTC. Written as RFC 3339 where people read it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last moment RFC 3339 can write, 9999-12-31T23:59:59.999Z; later ones are cut to it.
    const MAX: u64 = 253_402_300_799_999;

    /// Milliseconds since 1970 in UTC; later than the year 9999 is cut to its end.
    pub fn from_millis(millis: u64) -> Timestamp {
        Timestamp(millis.min(Self::MAX))
    }

    /// Seconds since 1970 in UTC; later than the year 9999 is cut to its end.
    pub fn from_seconds(seconds: u64) -> Timestamp {
        Self::from_millis(seconds.saturating_mul(1000))
    }

    /// Milliseconds since 1970 in UTC.
    pub fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970 in UTC, rounded down.
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// So much later; at most the end of the year 9999.
    pub fn after(self, duration: Duration) -> Timestamp {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// So much earlier; at least the beginning of 1970.
    pub fn before(self, duration: Duration) -> Timestamp {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Timestamp(self.0.saturating_sub(millis))
    }

    /// Time gone by since `earlier`; zero when `earlier` lies ahead.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// `2026-11-22`, in UTC.
    pub fn date(self) -> String {
        self.to_string().chars().take(10).collect()
    }
}

/// Always to the millisecond, so that times compare as texts do.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.seconds()).map_err(|_| fmt::Error)?;
        let moment = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| fmt::Error)?;
        let written = moment.format(&Rfc3339).map_err(|_| fmt::Error)?;
        write!(f, "{}.{:03}Z", written.trim_end_matches('Z'), self.0 % 1000)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        let moment = OffsetDateTime::parse(&text, &Rfc3339).map_err(de::Error::custom)?;
        let millis = u64::try_from(moment.unix_timestamp_nanos() / 1_000_000);
        millis.map(Timestamp::from_millis).map_err(de::Error::custom)
    }
}

/// Where "now" comes from: the machine, or a test that moves it by hand.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicU64>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Clock {
        Clock(None)
    }

    /// A clock that stands still until it is moved; its copies move with it.
    pub fn manual(start: Timestamp) -> Clock {
        Clock(Some(Arc::new(AtomicU64::new(start.millis()))))
    }

    /// The moment it is. A machine whose clock stands before 1970 tells the beginning of 1970.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Some(millis) => Timestamp(millis.load(Ordering::SeqCst)),
            None => {
                let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
            }
        }
    }

    /// Moves a manual clock forward; the machine's clock can't be moved and stays as it is.
    pub fn advance(&self, duration: Duration) {
        if let Some(millis) = &self.0 {
            let step = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            millis.fetch_add(step, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_to_the_millisecond_and_read_back() {
        for (millis, text) in
            [(1_800_000_000_000, "2027-01-15T08:00:00.000Z"), (1_800_000_000_120, "2027-01-15T08:00:00.120Z")]
        {
            let moment = Timestamp::from_millis(millis);
            let written = serde_json::to_string(&moment).unwrap();
            assert_eq!(
                (moment.to_string(), written.as_str()),
                (text.to_owned(), format!("\"{text}\"").as_str())
            );
            assert_eq!(serde_json::from_str::<Timestamp>(&written).unwrap(), moment);
        }
    }
}
