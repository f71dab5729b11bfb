use crate::{ExceedsReservation, Hold, Nonce};
use primitives::{AccountId, CostCents, Credits, CreditsDelta, EntryId, Overflow, RunId, Timestamp, TopUpId};
use std::fmt;

/// One immutable entry of `credit_transactions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Sorts by time; of a run, its id.
    pub id: EntryId,
    /// Whose balance it moved.
    pub account: AccountId,
    /// What it is, and what caused it.
    pub kind: Kind,
    /// What it does to the balance; 0 for a run that was given back.
    pub amount: CreditsDelta,
    /// When it was written.
    pub at: Timestamp,
}

/// What an entry is, with what caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Credit came in.
    Grant {
        /// Where from.
        origin: Origin,
        /// The outside fact, which is granted for once.
        key: OnceKey,
        /// The order that was paid; absent for other credit, and in entries of older versions.
        top_up: Option<TopUpId>,
    },
    /// A run's outcome: charged, or released with amount 0.
    Run(RunOutcome),
    /// A charge was given back.
    Refund {
        /// The run that was charged.
        run: RunId,
        /// Why it was given back.
        reason: String,
    },
    /// Taken back from the lot that `of` granted; `debt` is the part that was spent already.
    Reversal {
        /// The grant.
        of: EntryId,
        /// In ledger units.
        debt: Credits,
        /// The outside fact, which takes back once.
        key: OnceKey,
    },
    /// A won dispute gives back what the reversal of `of` took.
    Reinstatement {
        /// The grant whose reversal is undone.
        of: EntryId,
        /// The reversal, which is undone once.
        key: OnceKey,
    },
}

/// The terminal state of one run, written once by whoever comes first.
pub type Outcome = Entry;

/// How a run ended, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOutcome {
    /// Charged or given back.
    pub verdict: Verdict,
    /// The hold it was decided for.
    pub nonce: Nonce,
    /// What `runs` keeps with it: the receipt, as JSON text without any content.
    pub receipt: String,
}

/// What became of a run's hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// So many ledger units were taken; the rest of the hold went back.
    Charged(Credits),
    /// Given back; `reason` is a stable code such as `unavailable` or `expired`, `lost` what the run cost us, `counted`
    /// what of it counts against what is borne for the account in a day.
    Released {
        /// A stable code.
        reason: String,
        /// In US cents.
        lost: CostCents,
        /// In US cents.
        counted: CostCents,
    },
}

/// Where granted credit came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Given once to a new person.
    Welcome,
    /// A payment brought it.
    TopUp,
    /// A plan brings it again and again.
    Allowance,
    /// An administrator gave it.
    Manual,
}

/// The name of the outside fact a posting stands for. The ledger accepts each name once, for ever.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OnceKey(String);

/// Of a run whose end was not seen, this part of its price counts: so small that all runs which an account can have open
/// use up less than what is borne for it, when one fault of ours ends them all.
const UNSEEN_PART: u64 = 20;

/// What shall become of a hold. Only its constructors make one.
#[derive(Debug, Clone)]
pub struct Decision {
    pub(crate) hold: Hold,
    pub(crate) verdict: Verdict,
    pub(crate) receipt: String,
}

impl Decision {
    /// Takes `amount` and gives the rest of the hold back. Never more than was reserved.
    pub fn charge(hold: &Hold, amount: Credits, receipt: String) -> Result<Decision, ExceedsReservation> {
        if amount > hold.amount {
            return Err(ExceedsReservation { amount, reserved: hold.amount });
        }
        Ok(Decision { hold: hold.clone(), verdict: Verdict::Charged(amount), receipt })
    }

    /// Gives the whole hold back of a run that its input or its provider ended, although it cost us `lost`: all of that
    /// counts against what is borne for the account in a day.
    pub fn release(hold: &Hold, reason: &str, lost: CostCents, receipt: String) -> Decision {
        Decision::released(hold, reason, (lost, lost), receipt)
    }

    /// Gives the whole hold back of a run that we failed: what it cost us does not count against its account.
    pub fn release_for_our_fault(hold: &Hold, reason: &str, lost: CostCents, receipt: String) -> Decision {
        Decision::released(hold, reason, (lost, CostCents::ZERO), receipt)
    }

    /// Gives the whole hold back of a run whose end was not seen. Its cost is not known; no run may cost more than its
    /// price pays for: so much is `lost`. Mostly it is our fault, but an input might bring it about: a small part counts.
    pub fn release_unseen(hold: &Hold, reason: &str, lost: CostCents, receipt: String) -> Decision {
        let counted = CostCents::from_micro_cents(lost.micro_cents() / UNSEEN_PART);
        Decision::released(hold, reason, (lost, counted), receipt)
    }

    fn released(
        hold: &Hold,
        reason: &str,
        (lost, counted): (CostCents, CostCents),
        receipt: String,
    ) -> Decision {
        let verdict = Verdict::Released { reason: reason.to_owned(), lost, counted };
        Decision { hold: hold.clone(), verdict, receipt }
    }
}

impl Entry {
    pub(crate) fn of_decision(account: &AccountId, decision: &Decision, now: Timestamp) -> Entry {
        let amount = match &decision.verdict {
            Verdict::Charged(amount) => amount.spent(),
            Verdict::Released { .. } => CreditsDelta::ZERO,
        };
        let outcome = RunOutcome {
            verdict: decision.verdict.clone(),
            nonce: decision.hold.nonce,
            receipt: decision.receipt.clone(),
        };
        Entry {
            id: decision.hold.run.into(),
            account: account.clone(),
            kind: Kind::Run(outcome),
            amount,
            at: now,
        }
    }

    /// The run's outcome, when the entry is one.
    pub fn run(&self) -> Option<&RunOutcome> {
        match &self.kind {
            Kind::Run(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// What of `hold` goes back to the account under this outcome.
    ///
    /// A hold this outcome was not decided for belongs to a repeat of a finished run: all of it goes back,
    /// because the charge was taken from the other hold.
    pub(crate) fn returned(&self, hold: &Hold) -> Result<Credits, Overflow> {
        match &self.kind {
            Kind::Run(RunOutcome { verdict: Verdict::Charged(amount), nonce, .. })
                if *nonce == hold.nonce =>
            {
                hold.amount.checked_sub(*amount)
            }
            _ => Ok(hold.amount),
        }
    }

    /// What counts against what is borne for the account. It is counted with the hold it was decided for, so that no
    /// other hold of the same run counts it again.
    pub(crate) fn counted(&self, hold: &Hold) -> CostCents {
        match &self.kind {
            Kind::Run(RunOutcome { verdict: Verdict::Released { counted, .. }, nonce, .. })
                if *nonce == hold.nonce =>
            {
                *counted
            }
            _ => CostCents::ZERO,
        }
    }
}

impl RunOutcome {
    /// Why the hold was given back; `None` when the run was charged.
    pub fn failure(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Charged(_) => None,
            Verdict::Released { reason, .. } => Some(reason),
        }
    }

    /// What the run cost us without being paid for.
    pub fn lost(&self) -> CostCents {
        match &self.verdict {
            Verdict::Charged(_) => CostCents::ZERO,
            Verdict::Released { lost, .. } => *lost,
        }
    }
}

impl Kind {
    /// The stable word for tables and API.
    pub fn as_str(&self) -> &'static str {
        match self {
            Kind::Grant { .. } => "grant",
            Kind::Run(RunOutcome { verdict: Verdict::Charged(_), .. }) => "charge",
            Kind::Run(RunOutcome { verdict: Verdict::Released { .. }, .. }) => "release",
            Kind::Refund { .. } => "refund",
            Kind::Reversal { .. } => "reversal",
            Kind::Reinstatement { .. } => "reinstatement",
        }
    }
}

impl Origin {
    /// The stable word for table and API.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Welcome => "welcome",
            Origin::TopUp => "top_up",
            Origin::Allowance => "allowance",
            Origin::Manual => "manual",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Origin> {
        let all = [Origin::Welcome, Origin::TopUp, Origin::Allowance, Origin::Manual];
        all.into_iter().find(|origin| origin.as_str() == text)
    }
}

impl OnceKey {
    /// `source` says whose name it is (`welcome`, `sepay`, …), `name` is theirs.
    pub fn new(source: &str, name: impl fmt::Display) -> OnceKey {
        OnceKey(format!("{source}#{name}"))
    }

    pub(crate) fn stored(text: &str) -> OnceKey {
        OnceKey(text.to_owned())
    }

    /// `<source>#<name>`, as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OnceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
