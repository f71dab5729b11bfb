use crate::Account;
use crate::entry::{Kind, OnceKey, Origin};
use primitives::{AccountId, Credits, CreditsDelta, EntryId, Overflow, RunId, TopUpId};

/// A change of the ledger that is not a run: rare, and always one transaction with its once-only key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posting {
    /// Credit comes in.
    Grant {
        /// In ledger units.
        amount: Credits,
        /// Where from.
        origin: Origin,
        /// The outside fact, which is granted for once.
        key: OnceKey,
    },
    /// A grant that the payment of this order brought.
    TopUp {
        /// In ledger units.
        amount: Credits,
        /// The order that was paid.
        order: TopUpId,
        /// The payment, which is granted for once.
        key: OnceKey,
    },
    /// Gives back exactly what a settled run of this account took; at most once per run.
    Refund {
        /// The run that was charged.
        run: RunId,
        /// What it was charged, in ledger units.
        amount: Credits,
        /// Why it is given back.
        reason: String,
    },
    /// Takes `amount` back from the lot that `of` granted, of which `unspent` is still there.
    Reversal {
        /// The grant.
        of: EntryId,
        /// In ledger units.
        amount: Credits,
        /// In ledger units.
        unspent: Credits,
        /// The outside fact, which takes back once.
        key: OnceKey,
    },
    /// Undoes one reversal of `of`, whole, at most once.
    Reinstatement {
        /// The entry that is undone.
        reversal: EntryId,
        /// The grant that it took back.
        of: EntryId,
        /// What it took, in ledger units.
        amount: Credits,
    },
}

/// What a posting does to one account, decided on the account as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// Change of the available credit.
    pub available: CreditsDelta,
    /// What is owed afterwards, in ledger units.
    pub debt_after: Credits,
    /// The entry's amount: always the change of available minus the change of debt.
    pub entry_amount: CreditsDelta,
    /// What the entry is.
    pub kind: Kind,
}

impl Posting {
    /// The fact this posting stands for. Run and entry ids are only unique within their account.
    pub fn once_key(&self, account: &AccountId) -> OnceKey {
        match self {
            Posting::Grant { key, .. } | Posting::TopUp { key, .. } | Posting::Reversal { key, .. } => {
                key.clone()
            }
            Posting::Reinstatement { reversal, .. } => {
                OnceKey::new("reinstatement", format_args!("{account}#{reversal}"))
            }
            Posting::Refund { run, .. } => OnceKey::new("refund", format_args!("{account}#{run}")),
        }
    }

    /// The rule: credit coming in covers debt first; credit taken back that is gone already becomes debt.
    pub fn effect(&self, account: &Account) -> Result<Effect, Overflow> {
        match self {
            Posting::Grant { amount, origin, key } => {
                incoming(account, *amount, Kind::Grant { origin: *origin, key: key.clone(), top_up: None })
            }
            Posting::TopUp { amount, order, key } => {
                let kind = Kind::Grant { origin: Origin::TopUp, key: key.clone(), top_up: Some(*order) };
                incoming(account, *amount, kind)
            }
            Posting::Refund { run, amount, reason } => {
                incoming(account, *amount, Kind::Refund { run: *run, reason: reason.clone() })
            }
            Posting::Reinstatement { of, amount, .. } => {
                let key = self.once_key(&account.id);
                incoming(account, *amount, Kind::Reinstatement { of: *of, key })
            }
            Posting::Reversal { of, amount, unspent, key } => {
                let taken = (*amount).min(*unspent).min(account.available);
                let debt = amount.checked_sub(taken)?;
                Ok(Effect {
                    available: taken.spent(),
                    debt_after: account.debt.checked_add(debt)?,
                    entry_amount: amount.spent(),
                    kind: Kind::Reversal { of: *of, debt, key: key.clone() },
                })
            }
        }
    }
}

fn incoming(account: &Account, amount: Credits, kind: Kind) -> Result<Effect, Overflow> {
    let covered = amount.min(account.debt);
    let rest = amount.checked_sub(covered)?;
    account.available.checked_add(rest)?;
    Ok(Effect {
        available: rest.gained(),
        debt_after: account.debt.checked_sub(covered)?,
        entry_amount: amount.gained(),
        kind,
    })
}

impl Effect {
    /// What of it is money that came in from outside, or was taken back.
    pub(crate) fn paid_in(&self) -> CreditsDelta {
        match self.kind {
            Kind::Grant { origin: Origin::TopUp, .. }
            | Kind::Reversal { .. }
            | Kind::Reinstatement { .. } => self.entry_amount,
            Kind::Grant { .. } | Kind::Run(_) | Kind::Refund { .. } => CreditsDelta::ZERO,
        }
    }
}

impl Account {
    /// Available credit that should pay outstanding debt: appears when a hold is released after a reversal.
    pub fn coverable_debt(&self) -> Credits {
        self.available.min(self.debt)
    }

    /// This account after `effect`; what the store does, as a plain function.
    pub fn after(&self, effect: &Effect) -> Result<Account, Overflow> {
        let available = self.available.gained().checked_add(effect.available)?;
        let available = Credits::new(u64::try_from(available.get()).map_err(|_| Overflow)?)?;
        Ok(Account { available, debt: effect.debt_after, ..self.clone() })
    }
}
