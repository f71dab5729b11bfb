use crate::ceilings::{Ceilings, day_of, end_of_day};
use crate::items::ended_mark;
use crate::{Hold, Nonce};
use primitives::{AccountId, CostCents, Credits, CreditsDelta, Fingerprint, Overflow, RunId, Timestamp};
use std::time::Duration;

/// The holder of a balance, as read from the store.
///
/// Invariant, at every moment: available + reserved - debt = sum of the ledger's entries, where a hold whose run
/// is already decided as charged counts as spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whose it is.
    pub id: AccountId,
    /// What new runs can spend.
    pub available: Credits,
    /// What a reversal could not take back; it blocks runs until it is covered.
    pub debt: Credits,
    /// Open reservations, in any order.
    pub holds: Vec<Hold>,
    /// `None`: it may spend.
    pub block: Option<Block>,
    /// Opened without the welcome credit because nothing was decided about it yet.
    pub awaits_welcome: bool,
    /// Runs started in the minute written beside it (Unix minutes).
    pub(crate) run_counts: Vec<(u64, u32)>,
    /// What runs that were given back cost us on the day written beside it (UTC days since 1970).
    pub(crate) losses: Vec<(u64, CostCents)>,
    /// The share of what was paid in up to which such losses are borne in a day; zero for an account that never paid.
    pub(crate) loss_budget: CostCents,
    /// What was paid in, less what was taken back of it.
    pub(crate) paid: CreditsDelta,
    /// Ends of the ids of runs that ended in the minute written beside them (minutes since 1970).
    pub(crate) ended: Vec<(u64, Vec<String>)>,
    /// When the sweep looks at this account, if it is marked at all (Unix seconds).
    pub(crate) due: Option<u64>,
}

/// Why an account can't spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// By an operator, who may lift it.
    Suspended,
    /// The person was deleted. It is never lifted: neither a suspension nor a late event opens the account again.
    Closed,
}

/// What the owner sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// What new runs can spend, in ledger units.
    pub available: Credits,
    /// The sum of the open holds, in ledger units.
    pub reserved: Credits,
    /// What is owed since a reversal, in ledger units.
    pub debt: Credits,
}

/// A wish to hold credit for one run.
#[derive(Debug, Clone)]
pub struct Reservation {
    /// Who pays.
    pub account: AccountId,
    /// What for; one hold per run id.
    pub run: RunId,
    /// What is held, in ledger units.
    pub price: Credits,
    /// Tool and option, e.g. `script/chat`.
    pub tool: String,
    /// Of the run's input.
    pub fingerprint: Fingerprint,
    /// How long it is held: the ledger's usual time, or longer for work that takes longer.
    pub lifetime: Duration,
}

/// Why nothing was reserved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It was never opened.
    NoAccount,
    /// A hold with this run id is open already.
    Running(Box<Hold>),
    /// The person was deleted.
    Closed,
    /// An operator has suspended it.
    Suspended,
    /// A reversal left a debt that is not covered yet.
    DebtOutstanding {
        /// In ledger units.
        debt: Credits,
    },
    /// Runs that were given back have cost us as much as is borne for this account in a day.
    LossesUsedUp {
        /// The end of the UTC day, when such losses count anew.
        until: Timestamp,
        /// How long that is from now.
        retry_after: Duration,
    },
    /// As many runs go on as one account may have.
    TooManyOpenRuns {
        /// How many go on.
        open: usize,
    },
    /// As many runs were started this minute as one account may start.
    TooManyRunsThisMinute {
        /// How long the minute still lasts.
        retry_after: Duration,
    },
    /// Less is available than the price.
    InsufficientCredit {
        /// What is available, in ledger units.
        available: Credits,
    },
}

impl Block {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Block::Suspended => "suspended",
            Block::Closed => "closed",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Block> {
        [Block::Suspended, Block::Closed].into_iter().find(|block| block.as_str() == text)
    }
}

impl Reservation {
    pub(crate) fn hold(&self, nonce: Nonce, now: Timestamp) -> Hold {
        Hold {
            run: self.run,
            amount: self.price,
            expires_at: Timestamp::from_seconds(now.after(self.lifetime).seconds()),
            fingerprint: self.fingerprint,
            nonce,
            tool: self.tool.clone(),
        }
    }
}

impl Account {
    /// Available, reserved and owed, in ledger units; an error if the holds' sum leaves the range.
    pub fn balance(&self) -> Result<Balance, Overflow> {
        let mut reserved = Credits::ZERO;
        for hold in &self.holds {
            reserved = reserved.checked_add(hold.amount)?;
        }
        Ok(Balance { available: self.available, reserved, debt: self.debt })
    }

    /// available + reserved - debt.
    pub fn sum(&self) -> Result<CreditsDelta, Overflow> {
        let Balance { available, reserved, debt } = self.balance()?;
        available.gained().checked_add(reserved.gained())?.checked_add(debt.spent())
    }

    /// The run's open hold.
    pub fn hold(&self, run: RunId) -> Option<&Hold> {
        self.holds.iter().find(|hold| hold.run == run)
    }

    /// Holds that anybody may release: older than their expiry and the grace that a late settle is given.
    pub fn overdue(&self, now: Timestamp, grace: Duration) -> Vec<Hold> {
        self.holds.iter().filter(|hold| hold.expires_at.after(grace) <= now).cloned().collect()
    }

    /// Why the store refused this reservation, judged on the item it refused it for.
    ///
    /// `None`: the hold is there and bears one of the nonces of `ours`, because an earlier attempt's reply was
    /// lost.
    pub(crate) fn refusal(
        &self,
        wish: &Reservation,
        ours: &[Nonce],
        now: Timestamp,
        ceilings: &Ceilings,
    ) -> Option<Refusal> {
        let held = self.hold(wish.run);
        if held.is_some_and(|hold| ours.contains(&hold.nonce)) {
            return None;
        }
        // A deleted person is not told of a run that goes on either.
        if self.block == Some(Block::Closed) {
            return Some(Refusal::Closed);
        }
        if let Some(hold) = held {
            return Some(Refusal::Running(Box::new(hold.clone())));
        }
        let minute = now.seconds() / 60;
        let started = self.run_counts.iter().find(|(counted, _)| *counted == minute);
        Some(match self.block {
            Some(Block::Closed) => Refusal::Closed,
            Some(Block::Suspended) => Refusal::Suspended,
            None if !self.debt.is_zero() => Refusal::DebtOutstanding { debt: self.debt },
            None if self.has_used_up_losses(now, ceilings) => {
                let until = end_of_day(now);
                Refusal::LossesUsedUp { until, retry_after: until.since(now) }
            }
            None if self.holds.len() >= self.open_holds_max(ceilings) as usize => {
                Refusal::TooManyOpenRuns { open: self.holds.len() }
            }
            None if started.is_some_and(|(_, count)| *count >= ceilings.runs_per_minute) => {
                let retry_after = Duration::from_secs((minute + 1) * 60 - now.seconds());
                Refusal::TooManyRunsThisMinute { retry_after }
            }
            None => Refusal::InsufficientCredit { available: self.available },
        })
    }

    /// Counters of minutes gone by, which the next write may drop; other instances' clocks may lag a little.
    pub(crate) fn stale_minutes(&self, now: Timestamp) -> Vec<u64> {
        let minute = now.seconds() / 60;
        self.run_counts.iter().map(|(counted, _)| *counted).filter(|counted| counted + 1 < minute).collect()
    }

    /// The same for the minutes in which runs ended.
    pub(crate) fn stale_ended(&self, now: Timestamp) -> Vec<u64> {
        let minute = now.seconds() / 60;
        self.ended.iter().map(|(ended, _)| *ended).filter(|ended| ended + 1 < minute).collect()
    }

    /// Whether a run of this id, or of one much like it, ended in the last minutes.
    pub(crate) fn has_lately_ended(&self, run: RunId) -> bool {
        let mark = ended_mark(run);
        self.ended.iter().any(|(_, marks)| marks.contains(&mark))
    }

    /// The same for the days of losses.
    pub(crate) fn stale_days(&self, now: Timestamp) -> Vec<u64> {
        let day = day_of(now);
        self.losses.iter().map(|(counted, _)| *counted).filter(|counted| counted + 1 < day).collect()
    }
}

impl Balance {
    /// What the ledger's entries must add up to.
    pub fn total(&self) -> Result<CreditsDelta, Overflow> {
        self.available.gained().checked_add(self.reserved.gained())?.checked_add(self.debt.spent())
    }
}
