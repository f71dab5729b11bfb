//! Calendar dates of the sandbox's clock.

use crate::calendar;

/// A moment taken apart, in the offset it was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
}

/// Vietnam has had no other offset since 1975.
const VIETNAM_SECONDS: u64 = 7 * 3_600;

impl Civil {
    /// The date and time in UTC.
    pub(crate) fn utc(unix_seconds: u64) -> Civil {
        let (year, month, day) = calendar::date(unix_seconds / 86_400);
        let second = unix_seconds % 86_400;
        Civil { year, month, day, hour: second / 3_600, minute: second / 60 % 60, second: second % 60 }
    }

    /// The date and time in Vietnam (UTC+7).
    pub(crate) fn vietnam(unix_seconds: u64) -> Civil {
        Civil::utc(unix_seconds.saturating_add(VIETNAM_SECONDS))
    }

    /// `2026-11-20`
    pub(crate) fn iso_date(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// `2026-11-20T14:42:34.000Z`, for a moment in UTC.
    pub(crate) fn iso_text(self) -> String {
        let Civil { hour, minute, second, .. } = self;
        format!("{}T{hour:02}:{minute:02}:{second:02}.000Z", self.iso_date())
    }

    /// `11/20/2026 2:42:34 PM`
    pub(crate) fn us_text(self) -> String {
        let Civil { year, month, day, hour, minute, second } = self;
        let half = if hour < 12 { "AM" } else { "PM" };
        let hour = (hour + 11) % 12 + 1;
        format!("{month}/{day}/{year} {hour}:{minute:02}:{second:02} {half}")
    }
}

/// The Unix seconds of `2026-11-20T14:42:34Z`, with or without a fraction; `None` for another offset or no date.
pub(crate) fn unix_of_iso(text: &str) -> Option<u64> {
    let (whole, rest) = text.split_at_checked(19)?;
    let zone = rest.trim_start_matches(|letter: char| letter == '.' || letter.is_ascii_digit());
    if !matches!(zone, "Z" | "z" | "+00:00" | "") {
        return None;
    }
    // The calendar reads Vietnam's wall clock.
    calendar::unix(&whole.replace('T', " ")).map(|unix| unix.saturating_add(VIETNAM_SECONDS))
}
