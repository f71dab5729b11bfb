#![doc = include_str!("../README.md")]

use credits::{Account, CreditsError, Ledger};
use identity::{FirstSight, IdentityError, User, Users, Welcome};
use platform::{InvalidSettings, Platform};
use primitives::{AccountId, Credits, Timestamp};

/// Makes sure that a person has a user record and an account.
#[derive(Clone)]
pub struct Signup {
    users: Users,
    ledger: Ledger,
    welcome: Credits,
}

#[derive(Debug, thiserror::Error)]
pub enum SignupError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Credits(#[from] CreditsError),
}

impl Signup {
    pub fn new(platform: &Platform) -> Result<Signup, InvalidSettings> {
        Ok(Signup {
            users: Users::new(platform)?,
            ledger: Ledger::new(platform),
            welcome: platform.profile().ledger.welcome,
        })
    }

    /// The user, after both user and account are there. Errors with [`IdentityError::Deleted`] for a tombstone.
    pub async fn ensure(&self, sight: FirstSight<'_>, now: Timestamp) -> Result<User, SignupError> {
        let user = self.users.ensure(sight).await?;
        let welcome = match user.welcome {
            Welcome::Eligible => self.welcome,
            Welcome::Undecided | Welcome::Refused(_) => Credits::ZERO,
        };
        self.ledger.open(&AccountId::from(sight.user), welcome, now).await?;
        Ok(user)
    }

    /// The person's user record and account, made if need be.
    pub async fn find(&self, sight: FirstSight<'_>, now: Timestamp) -> Result<(User, Account), SignupError> {
        let id = AccountId::from(sight.user);
        let (user, account) = (self.users.ensure(sight).await?, self.ledger.account(&id).await?);
        if let Some(account) = account {
            return Ok((user, account));
        }
        let user = self.ensure(sight, now).await?;
        let account = self.ledger.account(&id).await?.ok_or(CreditsError::NoAccount)?;
        Ok((user, account))
    }

    pub fn users(&self) -> &Users {
        &self.users
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}
