//! How a run begins: its price is held, or it turns out to be a repeat.

use crate::conduct::Conduct;
use crate::idempotency::EarlierUse;
use crate::receipt::Receipt;
use crate::runs::Priced;
use crate::{OrderError, RunsError};
use credits::{Hold, Outcome, Refusal, Reservation, Reserved};
use identity::Welcome;
use platform::StoreError;
use primitives::{Fingerprint, RunId, Timestamp};
use std::time::Duration;

/// How long a twin with the same key may take to see that it is one.
const TWIN_PAUSE: Duration = Duration::from_millis(100);

/// When to ask again about a welcome that only a webhook can bring.
const WELCOME_PAUSE: Duration = Duration::from_secs(10);

/// How a start ended.
pub(crate) enum Started {
    Reserved {
        hold: Hold,
        overdue: Vec<Hold>,
    },
    /// The key stands for a run that is going on or over.
    Known(RunId),
}

enum Attempted {
    Reserved(Box<Reserved>),
    Known(RunId),
    /// The idempotency key was recorded for this run earlier.
    StandsFor(RunId),
    Refused(Refusal),
}

/// What was done about refusals already.
#[derive(Default)]
struct Remedies {
    has_signed_up: bool,
    has_paid_debt: bool,
    has_tidied: bool,
    has_asked_for_welcome: bool,
}

impl Conduct {
    /// Holds the price, in one round trip, or finds out which run the order repeats.
    pub(crate) async fn start(&self, priced: &mut Priced) -> Result<Started, RunsError> {
        if priced.may_be_known && !self.runs.is_in_time(priced.run) {
            return self.known_run_or(priced, OrderError::RunIdOutOfTime.into()).await;
        }
        let mut done = Remedies::default();
        loop {
            let now = self.runs.now();
            match self.try_reserve(priced, now).await? {
                Attempted::Known(run) => return Ok(Started::Known(run)),
                Attempted::StandsFor(run) => {
                    (priced.run, priced.key, priced.may_be_known) = (run, None, true);
                }
                Attempted::Reserved(reserved) => {
                    let Reserved { account, hold, .. } = *reserved;
                    tracing::info!(run.id = %hold.run, account.id = %account.id, amount = hold.amount.get(), "reserved");
                    let grace = self.runs.0.ledger.hold_grace();
                    return Ok(Started::Reserved { hold, overdue: account.overdue(now, grace) });
                }
                Attempted::Refused(refusal) if self.remedy(&refusal, priced, &mut done, now).await? => {}
                Attempted::Refused(refusal) => {
                    return Err(OrderError::NotReserved { refusal, price: priced.price }.into());
                }
            }
        }
    }

    /// Tries, once each, what may turn a refusal into a reservation. False: the refusal stands.
    async fn remedy(
        &self,
        refusal: &Refusal,
        priced: &mut Priced,
        done: &mut Remedies,
        now: Timestamp,
    ) -> Result<bool, RunsError> {
        match refusal {
            Refusal::NoAccount if !std::mem::replace(&mut done.has_signed_up, true) => {
                self.runs.0.signup.find(&priced.account, self.who.sight(), now).await?;
                if priced.key.is_some() {
                    // The key is recorded by now: a repeat may have used the id and be done already.
                    priced.may_be_known = true;
                } else if !priced.may_be_known {
                    // A fresh id, so that the ledger lists the welcome below the run it paid for.
                    priced.run = RunId::mint(self.runs.now());
                }
                Ok(true)
            }
            Refusal::DebtOutstanding { .. } if !std::mem::replace(&mut done.has_paid_debt, true) => {
                Ok(self.runs.0.ledger.settle_debt(&priced.account).await?)
            }
            Refusal::InsufficientCredit { .. } | Refusal::TooManyOpenRuns { .. }
                if !std::mem::replace(&mut done.has_tidied, true) =>
            {
                if self.tidy(priced, now).await? {
                    return Ok(true);
                }
                // What we lack may be held for this very key by a twin that is about to find out.
                let may_have_twin = priced.key.is_some() || priced.may_be_known;
                if may_have_twin {
                    priced.may_be_known = true;
                    tokio::time::sleep(TWIN_PAUSE).await;
                    return Ok(true);
                }
                self.has_got_welcome(refusal, priced, done, now).await
            }
            Refusal::InsufficientCredit { .. } => self.has_got_welcome(refusal, priced, done, now).await,
            _ => Ok(false),
        }
    }

    /// For an account that was opened before its welcome was decided: looks whether it is by now. True: credit has come.
    async fn has_got_welcome(
        &self,
        refusal: &Refusal,
        priced: &Priced,
        done: &mut Remedies,
        now: Timestamp,
    ) -> Result<bool, RunsError> {
        let Refusal::InsufficientCredit { available } = *refusal else { return Ok(false) };
        if std::mem::replace(&mut done.has_asked_for_welcome, true) {
            return Ok(false);
        }
        let parts = &self.runs.0;
        let Some(account) = parts.ledger.account(&priced.account).await? else { return Ok(false) };
        // Another request may have given it since the refusal.
        if account.available > available {
            return Ok(true);
        }
        if !account.awaits_welcome {
            return Ok(false);
        }
        let (user, account) = parts.signup.find(&priced.account, self.who.sight(), now).await?;
        if user.welcome == Welcome::Undecided {
            let retry_after = user.welcome_due_at().map_or(WELCOME_PAUSE, |at| at.since(now));
            let retry_after = retry_after.max(Duration::from_secs(1));
            return Err(OrderError::WelcomeUndecided { price: priced.price, available, retry_after }.into());
        }
        Ok(account.available > available)
    }

    /// Reservation, look-up of an earlier outcome, record of the key and the providers' health, all at once.
    async fn try_reserve(&self, priced: &Priced, now: Timestamp) -> Result<Attempted, RunsError> {
        let wish = Reservation {
            account: priced.account.clone(),
            run: priced.run,
            price: priced.price,
            tool: priced.row.name(),
            fingerprint: priced.fingerprint,
            lifetime: self.runs.hold_lifetime(&priced.row.name()),
        };
        let parts = &self.runs.0;
        let (reserved, earlier, recorded, ()) = tokio::join!(
            parts.ledger.reserve(&wish, now),
            self.earlier_outcome(priced),
            self.record_key(priced, now),
            parts.providers.refresh_health(),
        );
        let reserved = reserved?;
        // Decided before anything that is known of an earlier run is told.
        if let Err(refusal @ Refusal::Closed) = reserved {
            return Ok(Attempted::Refused(refusal));
        }
        // A twin may have ended this very run between the look and the reservation: the account, as the reservation found
        // it, tells.
        let earlier = match &reserved {
            Ok(reserved) if reserved.may_be_over => self.outcome(priced).await,
            _ => earlier,
        };
        let verdict = self.judge(priced, earlier, recorded);
        let must_go = !matches!(verdict, Ok(None));
        if let (Ok(reserved), true) = (&reserved, must_go) {
            parts.ledger.cancel(&priced.account, &reserved.hold, now).await?;
        }
        if let Some(attempted) = verdict? {
            return Ok(attempted);
        }
        match reserved {
            Ok(reserved) => Ok(Attempted::Reserved(Box::new(reserved))),
            Err(Refusal::Running(hold)) => {
                let run = same_input(hold.run, hold.fingerprint, priced.fingerprint)?;
                Ok(Attempted::Known(run))
            }
            Err(refusal) => Ok(Attempted::Refused(refusal)),
        }
    }

    async fn earlier_outcome(&self, priced: &Priced) -> Result<Option<Outcome>, StoreError> {
        if !priced.may_be_known {
            return Ok(None);
        }
        self.outcome(priced).await
    }

    async fn outcome(&self, priced: &Priced) -> Result<Option<Outcome>, StoreError> {
        self.runs.0.ledger.outcome(&priced.account, priced.run).await
    }

    async fn record_key(&self, priced: &Priced, now: Timestamp) -> Result<Option<EarlierUse>, StoreError> {
        let Some(key) = &priced.key else { return Ok(None) };
        self.runs.0.idempotency_keys.record(&priced.account, key, priced.run, priced.fingerprint, now).await
    }

    /// What speaks against a fresh run: the key stands for another one, or this one is over.
    fn judge(
        &self,
        priced: &Priced,
        earlier: Result<Option<Outcome>, StoreError>,
        recorded: Result<Option<EarlierUse>, StoreError>,
    ) -> Result<Option<Attempted>, RunsError> {
        if let Some(earlier_use) = recorded? {
            let run = same_input(earlier_use.run, earlier_use.fingerprint, priced.fingerprint)?;
            if run != priced.run {
                return Ok(Some(Attempted::StandsFor(run)));
            }
        }
        match earlier? {
            Some(outcome) => Ok(Some(Attempted::Known(known_run(&outcome, priced.fingerprint)?))),
            None => Ok(None),
        }
    }

    async fn known_run_or(&self, priced: &Priced, otherwise: RunsError) -> Result<Started, RunsError> {
        match self.earlier_outcome(priced).await? {
            Some(outcome) => Ok(Started::Known(known_run(&outcome, priced.fingerprint)?)),
            None => Err(otherwise),
        }
    }

    /// Releases what the account holds past its time. True: credit or room may be there now.
    async fn tidy(&self, priced: &Priced, now: Timestamp) -> Result<bool, RunsError> {
        let Some(account) = self.runs.0.ledger.account(&priced.account).await? else { return Ok(false) };
        let overdue = account.overdue(now, self.runs.0.ledger.hold_grace());
        for hold in &overdue {
            self.runs.0.closing.finish_abandoned(&priced.account, hold).await?;
        }
        Ok(!overdue.is_empty())
    }
}

fn same_input(run: RunId, theirs: Fingerprint, ours: Fingerprint) -> Result<RunId, RunsError> {
    if theirs == ours { Ok(run) } else { Err(OrderError::KeyConflict { run }.into()) }
}

/// The run of an outcome, if it is the run of this input. An id that names another kind of entry is no run's.
pub(crate) fn known_run(outcome: &Outcome, ours: Fingerprint) -> Result<RunId, RunsError> {
    let run = RunId::from(outcome.id);
    let Some(done) = outcome.run() else { return Err(OrderError::KeyConflict { run }.into()) };
    let receipt = Receipt::parse(&done.receipt).ok_or(RunsError::Malformed("a receipt"))?;
    let theirs = Fingerprint::decode(&receipt.fp).ok_or(RunsError::Malformed("a receipt"))?;
    same_input(run, theirs, ours)
}
