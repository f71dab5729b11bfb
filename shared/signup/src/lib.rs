#![doc = include_str!("../README.md")]

use credits::{Account, CreditsError, Ledger, PostingError};
use identity::{FirstSight, IdentityError, User, Users, Welcome, WelcomeRefused};
use platform::{InvalidSettings, Platform, StoreError};
use primitives::{AccountId, Credits, Timestamp};

/// Makes sure that a person has a user record and an account, and their welcome credit once it is decided.
#[derive(Clone)]
pub struct Signup {
    users: Users,
    ledger: Ledger,
}

#[derive(Debug, thiserror::Error)]
pub enum SignupError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Credits(#[from] CreditsError),
    /// The welcome credit was not given.
    #[error(transparent)]
    Welcome(#[from] PostingError),
    /// The account could not be read or opened.
    #[error("the ledger's store failed")]
    Store(#[from] StoreError),
}

impl Signup {
    pub fn new(platform: &Platform) -> Result<Signup, InvalidSettings> {
        Ok(Signup { users: Users::new(platform)?, ledger: Ledger::new(platform)? })
    }

    /// The person's user record and the account they act for, made if need be, with a welcome that was decided since. Errors with
    /// [`IdentityError::Deleted`] for a tombstone.
    pub async fn find(
        &self,
        id: &AccountId,
        sight: FirstSight<'_>,
        now: Timestamp,
    ) -> Result<(User, Account), SignupError> {
        let user = self.users.ensure(sight).await?;
        let account = match self.ledger.account(id).await? {
            Some(account) => account,
            None => {
                self.open_for(&user, id, now).await?;
                self.opened(id).await?
            }
        };
        if account.awaits_welcome && self.settle_welcome(&user, id, now).await? {
            return Ok((user, self.opened(id).await?));
        }
        Ok((user, account))
    }

    /// Makes sure that there is an account. One that is there is not touched: this is for functions that may open
    /// accounts and change none.
    pub async fn open(
        &self,
        id: &AccountId,
        sight: FirstSight<'_>,
        now: Timestamp,
    ) -> Result<(), SignupError> {
        if self.ledger.account(id).await?.is_some() {
            return Ok(());
        }
        let user = self.users.ensure(sight).await?;
        self.open_for(&user, id, now).await
    }

    pub fn users(&self) -> &Users {
        &self.users
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    async fn open_for(&self, user: &User, id: &AccountId, now: Timestamp) -> Result<(), SignupError> {
        match Decision::of(user.welcome) {
            Decision::Give => self.ledger.open(id, self.users.welcome(), now).await?,
            Decision::Wait => self.ledger.open_awaiting_welcome(id).await?,
            Decision::Refuse => self.ledger.open(id, Credits::ZERO, now).await?,
        }
        Ok(())
    }

    /// For an account that was opened before the decision. True: the account has changed.
    async fn settle_welcome(&self, user: &User, id: &AccountId, now: Timestamp) -> Result<bool, SignupError> {
        match Decision::of(user.welcome) {
            Decision::Wait => return Ok(false),
            Decision::Refuse => self.ledger.refuse_welcome(id).await?,
            Decision::Give => match self.ledger.give_welcome(id, self.users.welcome(), now).await {
                // The person was deleted since their record was read.
                Err(PostingError::Closed) => return Err(IdentityError::Deleted.into()),
                given => given?,
            },
        }
        Ok(true)
    }

    async fn opened(&self, id: &AccountId) -> Result<Account, SignupError> {
        Ok(self.ledger.account(id).await?.ok_or(CreditsError::NoAccount)?)
    }
}

/// What a person's welcome means for their account.
enum Decision {
    Give,
    /// It may still come.
    Wait,
    Refuse,
}

impl Decision {
    fn of(welcome: Welcome) -> Decision {
        match welcome {
            Welcome::Eligible => Decision::Give,
            Welcome::Undecided | Welcome::Refused(WelcomeRefused::NoVerifiedEmail) => Decision::Wait,
            Welcome::Refused(WelcomeRefused::EmailSeenBefore | WelcomeRefused::NetworkLimit) => {
                Decision::Refuse
            }
        }
    }
}
