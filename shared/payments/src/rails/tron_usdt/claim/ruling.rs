//! Whose a claimed transfer may be: pure, decided at the claim and once more when its wait is over.

use crate::items::ReferenceRow;
use primitives::{AccountId, Timestamp};
use rails::UsdtMicros;
use std::time::Duration;

/// A transfer and the person who names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claimed<'a> {
    pub(crate) account: &'a AccountId,
    pub(crate) amount: UsdtMicros,
    pub(crate) paid_at: Timestamp,
}

/// What the amounts that are or were given out say about a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClaimRuling {
    /// The exact amount was last given to this order of the claimant, before the transfer: proof enough.
    Own(ReferenceRow),
    /// The amount was nobody's, and near to these orders of the claimant, the nearest first: no proof.
    Near(Vec<ReferenceRow>),
    /// A person decides.
    Unclear,
}

/// Blocks are timed in whole seconds, orders are not.
const CLOCK_STEP: Duration = Duration::from_secs(1);
/// Exchanges keep a fee of up to this from what is sent.
const FEE_MAX_MICROS: u64 = 5_000_000;
/// A payer who rounds up sends at most this more.
const EXTRA_MAX_MICROS: u64 = 1_000_000;
const USDT: u64 = 1_000_000;

/// `exact` is the row of the transfer's own amount, also after its quarantine; `held` are the rows of all amounts at
/// our wallet that were given out around the time of the transfer.
///
/// The chain is public, so naming a transfer proves nothing, and an amount that another account was given is never the
/// claimant's. Of other people's orders only those near the amount speak against a claim: an order for far more could
/// otherwise be made by anyone to send every claim to a person.
pub(crate) fn judge_claim(
    claimed: Claimed<'_>,
    exact: Option<&ReferenceRow>,
    held: &[ReferenceRow],
) -> ClaimRuling {
    if let Some(row) = exact {
        let is_own = row.account == *claimed.account && was_made_before(row, claimed.paid_at);
        return if is_own { ClaimRuling::Own(row.clone()) } else { ClaimRuling::Unclear };
    }
    let near = held.iter().filter(|row| {
        row.covers(claimed.paid_at) && row.minor().is_some_and(|due| is_near(due, claimed.amount.get()))
    });
    let (own, others): (Vec<&ReferenceRow>, Vec<&ReferenceRow>) =
        near.partition(|row| row.account == *claimed.account);
    let mut own: Vec<&ReferenceRow> =
        own.into_iter().filter(|row| was_made_before(row, claimed.paid_at)).collect();
    // A fee of whole USDT leaves the digits behind the dot, and those were drawn by lot.
    let has_its_suffix =
        |row: &&ReferenceRow| row.minor().is_some_and(|due| due % USDT == claimed.amount.get() % USDT);
    if others.iter().any(has_its_suffix) {
        return ClaimRuling::Unclear;
    }
    if !others.is_empty() {
        own.retain(has_its_suffix);
    }
    own.sort_by_key(|row| row.minor().map(|due| due.abs_diff(claimed.amount.get())));
    match own.is_empty() {
        false => ClaimRuling::Near(own.into_iter().cloned().collect()),
        true => ClaimRuling::Unclear,
    }
}

/// An order made after its maker could have seen the transfer gives no claim to it.
fn was_made_before(row: &ReferenceRow, paid_at: Timestamp) -> bool {
    row.held.is_some_and(|(from, _)| from.before(CLOCK_STEP) <= paid_at)
}

/// Whether a person who was to send `due` may have sent this: a fee less, or rounded up.
fn is_near(due: u64, sent: u64) -> bool {
    sent <= due.saturating_add(EXTRA_MAX_MICROS)
        && sent >= due.saturating_sub(FEE_MAX_MICROS)
        && sent >= due.div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rail;
    use crate::items::amount_name;
    use primitives::TopUpId;

    const HOUR: u64 = 3600;

    fn micros(units: u64) -> UsdtMicros {
        UsdtMicros::new(units).unwrap()
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 + seconds)
    }

    /// An amount given to `account` at `made`, until a day later.
    fn row(account: &str, due: u64, made: u64) -> ReferenceRow {
        ReferenceRow {
            name: amount_name(Rail::TronUsdt, "wallet", micros(due).into()),
            account: account.parse().unwrap(),
            order: TopUpId::mint(at(made)),
            held: Some((at(made), at(made + 25 * HOUR))),
        }
    }

    /// Who of Ann's orders is meant by a claim of hers, at one hour.
    fn ruled(sent: u64, exact: Option<ReferenceRow>, held: &[ReferenceRow]) -> Option<(bool, Vec<u64>)> {
        let ann: AccountId = "ann".parse().unwrap();
        let claimed = Claimed { account: &ann, amount: micros(sent), paid_at: at(HOUR) };
        let dues = |rows: &[ReferenceRow]| rows.iter().map(|row| row.minor().unwrap()).collect();
        match judge_claim(claimed, exact.as_ref(), held) {
            ClaimRuling::Own(row) => Some((true, dues(&[row]))),
            ClaimRuling::Near(rows) => Some((false, dues(&rows))),
            ClaimRuling::Unclear => None,
        }
    }

    #[test]
    fn an_amount_that_another_account_was_given_is_never_the_claimants() {
        let own = row("ann", 20_123_000, 0);
        assert_eq!(ruled(20_456_000, Some(row("bob", 20_456_000, 0)), std::slice::from_ref(&own)), None);
        // Also long after, also when it was given away only later.
        let late = ReferenceRow { held: Some((at(0), at(60))), ..row("bob", 20_456_000, 0) };
        assert_eq!(ruled(20_456_000, Some(late), std::slice::from_ref(&own)), None);
        assert_eq!(ruled(20_456_000, Some(row("bob", 20_456_000, 2 * HOUR)), &[own]), None);
    }

    #[test]
    fn the_own_exact_amount_is_proof_unless_it_was_drawn_after_the_transfer() {
        let late = ReferenceRow { held: Some((at(0), at(60))), ..row("ann", 20_456_000, 0) };
        assert_eq!(ruled(20_456_000, Some(late), &[]), Some((true, vec![20_456_000])));
        let rival = [row("bob", 20_460_000, 0)];
        assert_eq!(
            ruled(20_456_000, Some(row("ann", 20_456_000, 0)), &rival),
            Some((true, vec![20_456_000]))
        );
        assert_eq!(ruled(20_456_000, Some(row("ann", 20_456_000, HOUR + 2)), &[]), None);
    }

    #[test]
    fn a_far_order_of_another_account_speaks_against_no_claim_and_a_near_one_does() {
        let own = row("ann", 20_123_000, 0);
        let near = Some((false, vec![20_123_000]));
        assert_eq!(ruled(20_000_000, None, std::slice::from_ref(&own)), near);
        for far in [500_999_000, 25_200_000, 18_900_000, 5_001_000] {
            assert_eq!(ruled(20_000_000, None, &[own.clone(), row("bob", far, 0)]), near, "{far}");
        }
        for rival in [20_999_000, 24_900_000, 19_001_000] {
            assert_eq!(ruled(20_000_000, None, &[own.clone(), row("bob", rival, 0)]), None, "{rival}");
        }
        assert_eq!(ruled(20_000_000, None, &[row("bob", 20_123_000, 0)]), None, "no order of her own");
        assert_eq!(ruled(20_000_000, None, &[row("ann", 20_123_000, HOUR + 2)]), None, "made afterwards");
        assert_eq!(ruled(20_000_000, None, &[]), None);
    }

    #[test]
    fn digits_that_a_fee_left_tell_an_order_from_others_near_it() {
        let (own, other) = (row("ann", 20_123_000, 0), row("bob", 20_456_000, 0));
        let held = [own.clone(), other, row("ann", 22_500_000, 0)];
        assert_eq!(ruled(19_123_000, None, &held), Some((false, vec![20_123_000])));
        assert_eq!(ruled(19_456_000, None, &held), None, "they are another's");
        assert_eq!(ruled(19_323_000, None, &held), None, "they are lost");
        assert_eq!(ruled(19_123_000, None, &[own, row("bob", 21_123_000, 0)]), None, "they are two people's");
    }

    #[test]
    fn of_several_own_orders_the_nearest_comes_first() {
        let held = [row("ann", 23_500_000, 0), row("ann", 20_123_000, 0), row("ann", 50_123_000, 0)];
        assert_eq!(ruled(19_900_000, None, &held), Some((false, vec![20_123_000, 23_500_000])));
    }

    #[test]
    fn a_fee_less_or_a_little_more_is_near_and_half_is_not() {
        let due = 20_123_000;
        for (sent, expected) in [
            (20_123_000, true),
            (19_123_000, true),
            (15_123_000, true),
            (15_122_999, false),
            (21_123_000, true),
            (21_123_001, false),
        ] {
            assert_eq!(is_near(due, sent), expected, "{sent}");
        }
        assert!(is_near(5_123_000, 2_561_500) && !is_near(5_123_000, 2_561_499));
    }
}
