use crate::{Account, Limits};
use primitives::{CostCents, CreditsDelta, Timestamp, Unit};

pub(crate) const DAY_SECONDS: u64 = 86_400;

/// How much an account may have under way, start in a minute, and cost us in a day without paying for it.
#[derive(Debug, Clone)]
pub(crate) struct Ceilings {
    open_holds: u32,
    unpaid_open_holds: u32,
    pub(crate) runs_per_minute: u32,
    losses: CostCents,
    losses_max: CostCents,
    losses_percent_of_paid: u32,
    unit: Unit,
}

impl Ceilings {
    pub(crate) fn of(limits: &Limits, unit: Unit) -> Ceilings {
        Ceilings {
            open_holds: limits.open_holds_max,
            unpaid_open_holds: limits.unpaid_open_holds_max.min(limits.open_holds_max),
            runs_per_minute: limits.runs_per_minute_max,
            losses: limits.given_back_day_cents,
            losses_max: limits.given_back_day_cents_max.max(limits.given_back_day_cents),
            losses_percent_of_paid: limits.given_back_percent_of_paid,
            unit,
        }
    }

    /// The losses of a day that are borne for an account into which `paid` was paid, taken back already deducted; none
    /// where more was taken back than paid in.
    pub(crate) fn budget_of(&self, paid: CreditsDelta) -> CostCents {
        if paid <= CreditsDelta::ZERO {
            return CostCents::ZERO;
        }
        let whole = u128::from(self.unit.cost_paid_by(paid.magnitude()).micro_cents());
        let share = whole * u128::from(self.losses_percent_of_paid) / 100;
        CostCents::from_micro_cents(u64::try_from(share).unwrap_or(u64::MAX))
    }

    /// For an account that never paid, and for one that did.
    pub(crate) fn open_holds(&self) -> (u32, u32) {
        (self.unpaid_open_holds, self.open_holds)
    }

    /// What is borne for every account, and for one that paid at most.
    pub(crate) fn losses(&self) -> (CostCents, CostCents) {
        (self.losses, self.losses_max)
    }
}

impl Account {
    /// Whether more was paid in than was taken back.
    pub(crate) fn has_paid(&self) -> bool {
        self.paid > CreditsDelta::ZERO
    }

    pub(crate) fn open_holds_max(&self, ceilings: &Ceilings) -> u32 {
        let (unpaid, paid) = ceilings.open_holds();
        if self.has_paid() { paid } else { unpaid }
    }

    /// Whether runs that were given back have cost us as much today as is borne for this account.
    pub(crate) fn has_used_up_losses(&self, now: Timestamp, ceilings: &Ceilings) -> bool {
        let (base, most) = ceilings.losses();
        let borne = base.max(self.loss_budget.min(most));
        let today = self.losses.iter().find(|(day, _)| *day == day_of(now));
        today.is_some_and(|(_, lost)| *lost >= borne)
    }
}

/// UTC days since 1970.
pub(crate) fn day_of(now: Timestamp) -> u64 {
    now.seconds() / DAY_SECONDS
}

/// When the UTC day of `now` is over.
pub(crate) fn end_of_day(now: Timestamp) -> Timestamp {
    Timestamp::from_seconds((day_of(now) + 1) * DAY_SECONDS)
}
