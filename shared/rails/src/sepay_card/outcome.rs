//! What an order means for credit. Pure: the same order is always judged alike.

use super::{CardFace, CardOrder, OrderStatus, Transaction, TransactionKind, TransactionStatus};
use crate::Vnd;
use primitives::{Currency, Timestamp};

/// The caller still compares `amount` with what the order was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardOutcome {
    /// Paid once, in full, in dong, and nothing of it has been given back.
    Captured {
        amount: Vnd,
        transaction_id: String,
        at: Timestamp,
        card: Option<CardFace>,
    },
    /// All of it was given back. The id and time are those of the last void or refund.
    Voided {
        amount: Vnd,
        transaction_id: String,
        at: Timestamp,
    },
    /// Not decided yet; ask again.
    Waiting,
    Cancelled,
    /// A person has to look; no credit moves.
    Odd(Oddity),
}

/// Why nobody can say by rule what an order is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Oddity {
    #[error("its transactions are not shown; a list leaves them out, ask for the order itself")]
    TransactionsNotShown,
    #[error("it is captured without an approved payment")]
    NoApprovedPayment,
    #[error("it has more than one approved payment")]
    SeveralPayments,
    #[error("it is cancelled and has an approved payment")]
    PaidThoughCancelled,
    #[error("it is paid and its status is unknown")]
    UnknownStatus,
    #[error("a transaction is of an unknown kind or status")]
    UnknownTransaction,
    #[error("an amount is not in VND")]
    NotInDong,
    #[error("an amount is missing, zero or not whole dong")]
    UnreadableAmount,
    #[error("the payment's amount is not the order's")]
    AmountsDiffer,
    #[error("it was given back in part, or too much was given back")]
    PartlyReversed,
    #[error("it was given back before it was paid")]
    ReversedBeforePaid,
    #[error("nothing says when it was paid")]
    Undated,
}

impl CardOrder {
    /// Only `CAPTURED` with exactly one approved payment, both in the same whole dong, is [`CardOutcome::Captured`].
    ///
    /// An approved void or refund decides before the status does: SePay doesn't say which status a voided order has.
    /// Two approved payments stay odd even if one was voided: nothing tells which one.
    pub fn outcome(&self) -> CardOutcome {
        self.judged().unwrap_or_else(CardOutcome::Odd)
    }

    fn judged(&self) -> Result<CardOutcome, Oddity> {
        if self.any(|transaction| transaction.is_approved() && transaction.kind == TransactionKind::Unknown) {
            return Err(Oddity::UnknownTransaction);
        }
        let approved = self.all().filter(|transaction| transaction.is_approved());
        let (payments, reversals): (Vec<_>, Vec<_>) =
            approved.partition(|transaction| transaction.kind == TransactionKind::Payment);
        if payments.len() > 1 {
            return Err(Oddity::SeveralPayments);
        }
        let payment = payments.first().copied();
        if !reversals.is_empty() {
            return self.reversed(payment, &reversals);
        }
        match (self.status, payment) {
            (OrderStatus::Captured, Some(payment)) => self.captured(payment),
            (OrderStatus::Captured, None) => self.captured_without_payment(),
            (OrderStatus::Cancelled, Some(_)) => Err(Oddity::PaidThoughCancelled),
            (OrderStatus::Cancelled, None) => Ok(CardOutcome::Cancelled),
            (OrderStatus::Waiting, _) | (OrderStatus::Unknown, None) => Ok(CardOutcome::Waiting),
            (OrderStatus::Unknown, Some(_)) => Err(Oddity::UnknownStatus),
        }
    }

    fn captured(&self, payment: &Transaction) -> Result<CardOutcome, Oddity> {
        if self.any(Transaction::is_unclear) {
            return Err(Oddity::UnknownTransaction);
        }
        let amount = self.paid_by(payment)?;
        let at = payment.at.or(self.updated_at).or(self.created_at).ok_or(Oddity::Undated)?;
        // Credit given now would have to be taken back in a moment, perhaps after it is spent.
        if self.any(Transaction::is_reversal_under_way) {
            return Ok(CardOutcome::Waiting);
        }
        let (transaction_id, card) = (payment.id.clone(), payment.card.clone());
        Ok(CardOutcome::Captured { amount, transaction_id, at, card })
    }

    fn captured_without_payment(&self) -> Result<CardOutcome, Oddity> {
        let is_coming = |transaction: &Transaction| {
            transaction.kind == TransactionKind::Payment && transaction.status == TransactionStatus::Pending
        };
        match &self.transactions {
            None => Err(Oddity::TransactionsNotShown),
            Some(_) if self.any(is_coming) => Ok(CardOutcome::Waiting),
            Some(_) => Err(Oddity::NoApprovedPayment),
        }
    }

    /// A void may stand alone: no sample shows whether the payment's row stays beside it or turns into it.
    fn reversed(
        &self,
        payment: Option<&Transaction>,
        reversals: &[&Transaction],
    ) -> Result<CardOutcome, Oddity> {
        let amount = match payment {
            Some(payment) => self.paid_by(payment)?,
            None if reversals.iter().all(|reversal| reversal.kind == TransactionKind::Void) => {
                self.asked()?
            }
            None => return Err(Oddity::NoApprovedPayment),
        };
        if total(reversals)? != amount.get() {
            return Err(Oddity::PartlyReversed);
        }
        let is_too_early = |reversal: &&Transaction| {
            let paid_at = payment.and_then(|payment| payment.at);
            reversal.at.zip(paid_at).is_some_and(|(reversed_at, paid_at)| reversed_at < paid_at)
        };
        if reversals.iter().any(is_too_early) {
            return Err(Oddity::ReversedBeforePaid);
        }
        let last = reversals.iter().max_by_key(|reversal| reversal.at).ok_or(Oddity::PartlyReversed)?;
        let at = last.at.or(self.updated_at).or(self.created_at).ok_or(Oddity::Undated)?;
        Ok(CardOutcome::Voided { amount, transaction_id: last.id.clone(), at })
    }

    fn paid_by(&self, payment: &Transaction) -> Result<Vnd, Oddity> {
        let paid = dong(payment.amount, payment.currency)?;
        if paid == self.asked()? { Ok(paid) } else { Err(Oddity::AmountsDiffer) }
    }

    fn asked(&self) -> Result<Vnd, Oddity> {
        dong(self.amount, self.currency)
    }

    fn all(&self) -> impl Iterator<Item = &Transaction> {
        self.transactions.iter().flatten()
    }

    fn any(&self, is_so: impl Fn(&Transaction) -> bool) -> bool {
        self.all().any(is_so)
    }
}

impl Transaction {
    fn is_approved(&self) -> bool {
        self.status == TransactionStatus::Approved
    }

    /// A declined transaction moved nothing, whatever it was.
    fn is_unclear(&self) -> bool {
        let is_declined = self.status == TransactionStatus::Declined;
        self.status == TransactionStatus::Unknown || (self.kind == TransactionKind::Unknown && !is_declined)
    }

    fn is_reversal_under_way(&self) -> bool {
        let is_reversal = matches!(self.kind, TransactionKind::Refund | TransactionKind::Void);
        is_reversal && self.status == TransactionStatus::Pending
    }
}

fn dong(amount: Option<Vnd>, currency: Option<Currency>) -> Result<Vnd, Oddity> {
    if currency != Some(Currency::VND) {
        return Err(Oddity::NotInDong);
    }
    amount.filter(|amount| amount.get() > 0).ok_or(Oddity::UnreadableAmount)
}

fn total(reversals: &[&Transaction]) -> Result<u64, Oddity> {
    reversals.iter().try_fold(0_u64, |sum, reversal| {
        let amount = dong(reversal.amount, reversal.currency)?;
        sum.checked_add(amount.get()).ok_or(Oddity::PartlyReversed)
    })
}
