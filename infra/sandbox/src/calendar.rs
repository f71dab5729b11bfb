//! Vietnam's calendar: SePay writes its dates as `YYYY-MM-DD HH:MM:SS` at UTC+7, without saying so.

const OFFSET_SECONDS: u64 = 7 * 3_600;
const DAY_SECONDS: u64 = 86_400;

/// Unix seconds as the clock on a wall in Hanoi shows them.
pub(crate) fn text(unix: u64) -> String {
    let (days, second) = local(unix);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

/// The Unix seconds of such a text; `None` for anything else, also for a 30 February.
pub(crate) fn unix(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let days = days(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let second = number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    let unix = (days * DAY_SECONDS + second).checked_sub(OFFSET_SECONDS)?;
    (self::text(unix) == text).then_some(unix)
}

/// Days since 1 January 1970 and the second of that day, in Vietnam.
pub(crate) fn local(unix: u64) -> (u64, u64) {
    let local = unix.saturating_add(OFFSET_SECONDS);
    (local / DAY_SECONDS, local % DAY_SECONDS)
}

/// Monday is 0; the count of days began on a Thursday.
pub(crate) fn weekday(days: u64) -> u64 {
    (days + 3) % 7
}

/// Year, month and day, after Howard Hinnant's `civil_from_days`: years begin in March, so leap days come last.
pub(crate) fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// The inverse of `date`, Hinnant's `days_from_civil`; `None` before 1970 and for months that do not exist.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1970 {
        return None;
    }
    let march_year = if month <= 2 { year - 1 } else { year };
    let march_month = if month > 2 { month - 3 } else { month + 9 };
    let (era, year_of_era) = (march_year / 400, march_year % 400);
    let of_year = (153 * march_month + 2) / 5 + day - 1;
    (era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year).checked_sub(719_468)
}
