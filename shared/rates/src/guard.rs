//! Which quote may replace the last good one. A feed's mistake must not become a price.

use crate::Quote;
use primitives::{Rate, Timestamp};
use std::time::Duration;

/// Further apart than this, one of two sources is wrong. They never agree exactly: one quotes a bank's own price,
/// the other the middle of several.
const SOURCES_APART_MAX_PERCENT: u32 = 5;

/// A feed's clock or its time zone may be off by this.
const AHEAD_MAX: Duration = Duration::from_secs(24 * 3600);

/// What a quote must keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The least and the greatest rate that can be; `None`: any.
    pub range: Option<(Rate, Rate)>,
    /// How far a rate may be from the last good one, in percent of that.
    pub step_max_percent: u32,
    /// How old the feed may be.
    pub age_max: Duration,
    /// Whether a last good quote older than `age_max` still limits the step. For orders it does, until a person
    /// decides; a rate that is only shown finds its way back by itself.
    pub holds_to_an_old_one: bool,
}

/// Why a quote does not become the last good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Implausible {
    #[error("a rate of {rate} can't be, {min} to {max} can")]
    OutOfRange { rate: Rate, min: Rate, max: Rate },
    #[error("{rate} is too far from the last good rate, {last_good}")]
    Step { rate: Rate, last_good: Rate },
    #[error("the feed is of {feed_at}, which is too long ago")]
    TooOld { feed_at: Timestamp },
    #[error("the feed is of {feed_at}, which is yet to come")]
    FromTheFuture { feed_at: Timestamp },
    #[error("{rate} is too far from the second source's {second}")]
    SourcesDisagree { rate: Rate, second: Rate },
}

/// Decides on a new quote. (Zero needs no rule: it is no [`Rate`].)
pub fn judge(
    new: &Quote,
    last_good: Option<&Quote>,
    now: Timestamp,
    bounds: &Bounds,
) -> Result<(), Implausible> {
    if now.since(new.feed_at) > bounds.age_max {
        return Err(Implausible::TooOld { feed_at: new.feed_at });
    }
    if new.feed_at.since(now) > AHEAD_MAX {
        return Err(Implausible::FromTheFuture { feed_at: new.feed_at });
    }
    if let Some((min, max)) = bounds.range
        && !(min..=max).contains(&new.rate)
    {
        return Err(Implausible::OutOfRange { rate: new.rate, min, max });
    }
    let binds = |last: &&Quote| bounds.holds_to_an_old_one || now.since(last.feed_at) <= bounds.age_max;
    match last_good.filter(binds) {
        Some(last) if new.rate.is_apart(last.rate, bounds.step_max_percent) => {
            Err(Implausible::Step { rate: new.rate, last_good: last.rate })
        }
        _ => Ok(()),
    }
}

/// Whether a second source, if it says anything, says about the same.
pub fn agree(rate: Rate, second: Option<Rate>) -> Result<(), Implausible> {
    match second {
        Some(second) if rate.is_apart(second, SOURCES_APART_MAX_PERCENT) => {
            Err(Implausible::SourcesDisagree { rate, second })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{now, quote, rate};

    const HOUR: Duration = Duration::from_secs(3600);

    fn bounds() -> Bounds {
        Bounds {
            range: Some((rate("20000"), rate("35000"))),
            step_max_percent: 3,
            age_max: 120 * HOUR,
            holds_to_an_old_one: true,
        }
    }

    fn vnd(text: &str) -> Quote {
        quote("VND", text)
    }

    #[test]
    fn only_a_rate_within_the_range_can_be() {
        let (min, max) = (rate("20000"), rate("35000"));
        for (text, is_good) in [
            ("19999.999999", false),
            ("20000", true),
            ("26270", true),
            ("35000", true),
            ("35000.000001", false),
            // A lost or moved separator.
            ("26.27", false),
            ("262700", false),
        ] {
            let judged = judge(&vnd(text), None, now(), &bounds());
            let refused = Err(Implausible::OutOfRange { rate: rate(text), min, max });
            assert_eq!(judged, if is_good { Ok(()) } else { refused }, "{text}");
        }
        let anything = Bounds { range: None, ..bounds() };
        assert_eq!(judge(&quote("EUR", "0.91"), None, now(), &anything), Ok(()));
    }

    #[test]
    fn a_rate_may_step_three_percent_and_no_further() {
        let last = vnd("26000");
        for (text, is_good) in [
            ("26000", true),
            ("26780", true),
            ("26780.000001", false),
            ("25220", true),
            ("25219.999999", false),
        ] {
            let judged = judge(&vnd(text), Some(&last), now(), &bounds());
            let refused = Err(Implausible::Step { rate: rate(text), last_good: last.rate });
            assert_eq!(judged, if is_good { Ok(()) } else { refused }, "{text}");
        }
        let wider = Bounds { step_max_percent: 10, ..bounds() };
        assert_eq!(judge(&vnd("28000"), Some(&last), now(), &wider), Ok(()));
    }

    #[test]
    fn an_old_last_good_one_limits_the_step_for_orders_and_not_for_display() {
        let last = Quote { feed_at: now().before(121 * HOUR), ..vnd("26000") };
        let jump = vnd("27000");
        assert!(matches!(judge(&jump, Some(&last), now(), &bounds()), Err(Implausible::Step { .. })));
        let shown = Bounds { holds_to_an_old_one: false, ..bounds() };
        assert_eq!(judge(&jump, Some(&last), now(), &shown), Ok(()));
        let fresh = Quote { feed_at: now().before(120 * HOUR), ..last };
        assert!(matches!(judge(&jump, Some(&fresh), now(), &shown), Err(Implausible::Step { .. })));
    }

    #[test]
    fn a_feed_is_at_most_five_days_old_and_a_day_ahead() {
        let at = |feed_at: Timestamp| judge(&Quote { feed_at, ..vnd("26270") }, None, now(), &bounds());
        let instant = Duration::from_millis(1);
        for good in [now(), now().before(120 * HOUR), now().after(24 * HOUR)] {
            assert_eq!(at(good), Ok(()), "{good}");
        }
        let old = now().before(120 * HOUR + instant);
        assert_eq!(at(old), Err(Implausible::TooOld { feed_at: old }));
        let ahead = now().after(24 * HOUR + instant);
        assert_eq!(at(ahead), Err(Implausible::FromTheFuture { feed_at: ahead }));
    }

    #[test]
    fn two_sources_may_be_five_percent_apart_and_one_may_be_silent() {
        let second = rate("26000");
        for (text, is_good) in
            [("26000", true), ("27300", true), ("27300.000001", false), ("24700", true), ("24699", false)]
        {
            let refused = Err(Implausible::SourcesDisagree { rate: rate(text), second });
            assert_eq!(agree(rate(text), Some(second)), if is_good { Ok(()) } else { refused }, "{text}");
        }
        assert_eq!(agree(rate("1"), None), Ok(()));
    }
}
