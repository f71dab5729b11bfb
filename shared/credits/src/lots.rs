use crate::entry::{Entry, Kind, Origin, Verdict};
use primitives::{Credits, EntryId, Overflow, RunId};
use std::collections::HashMap;

/// Granted credit and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// The grant.
    pub entry: EntryId,
    /// Where it came from.
    pub origin: Origin,
    /// What came in, in ledger units.
    pub granted: Credits,
    /// What is left of it, in ledger units.
    pub unspent: Credits,
}

/// A reading of the ledger: which grants are spent how far, oldest spent first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lots {
    /// In the order in which they are spent.
    pub lots: Vec<Lot>,
    /// What was taken back and was spent already, in ledger units.
    pub debt: Credits,
    taken_by_run: HashMap<RunId, Vec<(usize, Credits)>>,
    /// Taken before the grant it was taken from was read: two instances' clocks differ a little.
    uncovered: Vec<(Option<RunId>, Credits)>,
    /// Given back before what had taken it was read, for the same reason.
    surplus: Credits,
}

/// Reads all entries of an account, given in any order. Open holds are not spent yet and do not appear.
///
/// The order of consumption is that of writing, not that of the keys: a run's entry bears the id the run was
/// given before its credit may have come in. At the same millisecond credit comes in first.
pub fn read_lots(entries: &[Entry]) -> Result<Lots, Overflow> {
    let mut in_order: Vec<&Entry> = entries.iter().collect();
    in_order.sort_by_key(|entry| (entry.at, entry.amount.get() < 0, entry.id));
    let mut lots = Lots::default();
    for entry in in_order {
        lots.read(entry)?;
        lots.even_out()?;
    }
    Ok(lots)
}

impl Lots {
    /// What is left of the credit that this entry granted; zero of an entry that granted none.
    pub fn unspent_of(&self, entry: EntryId) -> Credits {
        self.lots.iter().find(|lot| lot.entry == entry).map_or(Credits::ZERO, |lot| lot.unspent)
    }

    fn read(&mut self, entry: &Entry) -> Result<(), Overflow> {
        let amount = entry.amount.magnitude();
        match &entry.kind {
            Kind::Grant { origin, .. } => {
                let rest = self.cover_debt(amount)?;
                self.lots.push(Lot { entry: entry.id, origin: *origin, granted: amount, unspent: rest });
                std::mem::take(&mut self.uncovered)
                    .into_iter()
                    .try_for_each(|(run, left)| self.spend(run, left))
            }
            Kind::Run(outcome) => match outcome.verdict {
                Verdict::Charged(amount) => self.spend(Some(run_of(entry)), amount),
                Verdict::Released { .. } => Ok(()),
            },
            Kind::Refund { run, .. } => {
                let rest = self.cover_debt(amount)?;
                self.unspend(*run, rest)
            }
            Kind::Reversal { of, debt, .. } => {
                self.debt = self.debt.checked_add(*debt)?;
                self.take_from(*of, amount.checked_sub(*debt)?)
            }
            Kind::Reinstatement { of, .. } => {
                let rest = self.cover_debt(amount)?;
                self.give_to(*of, rest)
            }
        }
    }

    fn cover_debt(&mut self, amount: Credits) -> Result<Credits, Overflow> {
        let covered = amount.min(self.debt);
        self.debt = self.debt.checked_sub(covered)?;
        amount.checked_sub(covered)
    }

    /// Takes from the oldest lots first and remembers what a run took where.
    fn spend(&mut self, run: Option<RunId>, amount: Credits) -> Result<(), Overflow> {
        let mut left = amount;
        for (index, lot) in self.lots.iter_mut().enumerate() {
            let take = lot.unspent.min(left);
            if take.is_zero() {
                continue;
            }
            lot.unspent = lot.unspent.checked_sub(take)?;
            left = left.checked_sub(take)?;
            if let Some(run) = run {
                self.taken_by_run.entry(run).or_default().push((index, take));
            }
        }
        if !left.is_zero() {
            self.uncovered.push((run, left));
        }
        Ok(())
    }

    /// Settles what the order of reading left open, now that another entry is known.
    fn even_out(&mut self) -> Result<(), Overflow> {
        for (run, left) in std::mem::take(&mut self.uncovered) {
            self.spend(run, left)?;
        }
        let surplus = std::mem::take(&mut self.surplus);
        self.put_back_newest(surplus)
    }

    /// Returns a run's credit to the lots it came from, the last one first.
    fn unspend(&mut self, run: RunId, amount: Credits) -> Result<(), Overflow> {
        let mut left = amount;
        let takes = self.taken_by_run.remove(&run).unwrap_or_default();
        for (index, taken) in takes.into_iter().rev() {
            let over = self.put_back(index, taken.min(left))?;
            left = left.checked_sub(taken.min(left))?.checked_add(over)?;
        }
        self.put_back_newest(left)
    }

    /// Puts credit back into a lot, never above what was granted, and returns what did not fit.
    fn put_back(&mut self, index: usize, amount: Credits) -> Result<Credits, Overflow> {
        let lot = &mut self.lots[index];
        let given = amount.min(lot.granted.checked_sub(lot.unspent)?);
        lot.unspent = lot.unspent.checked_add(given)?;
        amount.checked_sub(given)
    }

    /// Credit whose own lot is full had paid a debt from, or been filled by, another one: the newest with room.
    fn put_back_newest(&mut self, amount: Credits) -> Result<(), Overflow> {
        let mut left = amount;
        for index in (0..self.lots.len()).rev() {
            left = self.put_back(index, left)?;
        }
        self.surplus = self.surplus.checked_add(left)?;
        Ok(())
    }

    /// Takes from the named lot, and what a charge of the same moment took from it first, from the others.
    fn take_from(&mut self, entry: EntryId, amount: Credits) -> Result<(), Overflow> {
        let mut left = amount;
        if let Some(lot) = self.lots.iter_mut().find(|lot| lot.entry == entry) {
            let take = left.min(lot.unspent);
            lot.unspent = lot.unspent.checked_sub(take)?;
            left = left.checked_sub(take)?;
        }
        self.spend(None, left)
    }

    fn give_to(&mut self, entry: EntryId, amount: Credits) -> Result<(), Overflow> {
        let index = self.lots.iter().position(|lot| lot.entry == entry);
        let left = match index {
            Some(index) => self.put_back(index, amount)?,
            None => amount,
        };
        self.put_back_newest(left)
    }
}

/// A run's entry carries the run's own id.
fn run_of(entry: &Entry) -> RunId {
    RunId::from(entry.id)
}
