//! When a card payment becomes final (SePay, "Void transaction"): paid before 16:00 it settles on the next working
//! day, later on T+2, and after 16:00 on a Friday on the next Monday. Public holidays are not imitated.

use crate::calendar;

const CUT_OFF_SECOND: u64 = 16 * 3_600;
const FRIDAY: u64 = 4;

/// Whether a payment of `paid_at` is settled at `now` (Unix seconds both).
pub(super) fn is_settled(paid_at: u64, now: u64) -> bool {
    calendar::local(now).0 >= settles_on(paid_at)
}

/// The day of the settlement.
fn settles_on(paid_at: u64) -> u64 {
    let (day, second) = calendar::local(paid_at);
    match second < CUT_OFF_SECOND {
        true => working_day_from(day + 1),
        false if calendar::weekday(day) == FRIDAY => day + 3,
        false => working_day_from(day + 2),
    }
}

fn working_day_from(day: u64) -> u64 {
    match calendar::weekday(day) {
        weekday if weekday > FRIDAY => day + 7 - weekday,
        _ => day,
    }
}
