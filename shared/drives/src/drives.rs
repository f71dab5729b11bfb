use crate::drive::{Consent, Drive, DriveFailure, Granted, RefreshToken};
use crate::dropbox::Dropbox;
use crate::google::Google;
use crate::link::{LinkStatus, LinkedDrive, Preference, Sealed};
use crate::pending::{BrowserKey, PENDING_FOR, PendingLink, StateToken};
use crate::save::Writer;
use crate::settings::{DropboxSettings, GoogleSettings, ReturnSettings};
use crate::store::DriveStore;
use crate::{DriveKind, DriveRules, DrivesError};
use platform::{Binding, InvalidSettings, Platform, Vault, VaultError, with_causes};
use primitives::{AccountId, Secret, Timestamp};
use std::sync::Arc;
use url::Url;

/// What our tokens are sealed for; the policies of `template.yaml` name it.
const PURPOSE: &str = "drive-token";
/// How often a grant is revoked before its owner is told to look.
const REVOKE_TRIES: u32 = 2;

/// The drives that people link: asked for, linked, preferred, disconnected. Cloning is cheap.
#[derive(Clone)]
pub struct Drives(Arc<Inner>);

struct Inner {
    platform: Platform,
    store: DriveStore,
    vault: Vault,
    /// Those that the profile offers and that have their settings.
    drives: Vec<Box<dyn Drive>>,
    returns: ReturnSettings,
}

/// A link that a person has begun.
pub struct Begun {
    /// The drive's own page, where the person says yes or no.
    pub consent_url: Url,
    /// For a cookie of the browser that asked.
    pub browser: BrowserKey,
    /// The person has until then.
    pub expires_at: Timestamp,
}

/// What the drive sent the browser back with.
pub enum Returned {
    /// The person said yes.
    Code(Secret),
    /// The person said no.
    Declined,
    /// The drive did not understand us, or could not do it.
    Failed,
}

/// A browser that came back from a drive's page. Nothing of it is believed.
pub struct Callback {
    /// The drive whose address it came to.
    pub kind: DriveKind,
    /// `None`: there is none, or one that we never drew.
    pub state: Option<StateToken>,
    /// The cookie.
    pub browser: Option<BrowserKey>,
    /// What the drive says.
    pub returned: Returned,
}

/// What became of a grant when its drive was disconnected. We have forgotten it in each case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disconnected {
    /// The drive has ended it.
    Revoked,
    /// The drive did not answer as it should. Its owner can end it there.
    NotRevoked,
    /// There was none.
    NothingLinked,
}

/// A grant that can be used.
pub(crate) struct Grant {
    pub(crate) link: LinkedDrive,
    pub(crate) refresh: RefreshToken,
}

impl Drives {
    /// An error when the section `drives` of the profile or a setting is wrong. Calls no store and no drive.
    pub fn new(platform: &Platform) -> Result<Drives, InvalidSettings> {
        let rules = platform.rules(DriveRules::read)?;
        let (vault, google, dropbox, returns) = platform.env().section(|settings| {
            let offered: Vec<DriveKind> = rules.offered.clone();
            let google = offered.contains(&DriveKind::GoogleDrive).then(|| GoogleSettings::read(settings));
            let dropbox = offered.contains(&DriveKind::Dropbox).then(|| DropboxSettings::read(settings));
            let vault = Vault::read(platform, settings);
            (vault, google.flatten(), dropbox.flatten(), ReturnSettings::read(settings))
        })?;
        let google = google.map(|settings| Box::new(Google::new(platform, settings)) as Box<dyn Drive>);
        let dropbox = dropbox.map(|settings| Box::new(Dropbox::new(platform, settings)) as Box<dyn Drive>);
        Ok(Drives(Arc::new(Inner {
            store: DriveStore::new(platform)?,
            vault,
            drives: google.into_iter().chain(dropbox).collect(),
            returns,
            platform: platform.clone(),
        })))
    }

    /// The drives that can be linked here.
    pub fn offered(&self) -> impl Iterator<Item = DriveKind> {
        self.0.drives.iter().map(|drive| drive.kind())
    }

    /// Where the browser goes after a return: our page, whatever the request says.
    pub fn settings_page(&self) -> Option<&str> {
        self.0.returns.site_url.as_deref()
    }

    pub(crate) fn drive(&self, kind: DriveKind) -> Result<&dyn Drive, DrivesError> {
        let found = self.0.drives.iter().find(|drive| drive.kind() == kind);
        found.map(AsRef::as_ref).ok_or(DrivesError::NotOffered)
    }

    fn now(&self) -> Timestamp {
        self.0.platform.now()
    }

    /// The same address must be registered at the drive, letter by letter. Each drive has its own, so that an answer of one
    /// can't be taken for the other's.
    fn redirect_uri(&self, kind: DriveKind) -> Result<String, DrivesError> {
        let api = self.0.returns.api_url.as_deref().ok_or(DrivesError::NotOffered)?;
        Ok(format!("{api}/v1/oauth/{kind}/callback"))
    }

    /// What an account has linked, and what it prefers.
    pub async fn list(&self, account: &AccountId) -> Result<(Vec<LinkedDrive>, Preference), DrivesError> {
        Ok(self.0.store.links(account).await?)
    }

    /// Begins a link: for this person, in the browser that gets the key, for ten minutes, once.
    pub async fn begin(&self, account: &AccountId, kind: DriveKind) -> Result<Begun, DrivesError> {
        let (drive, redirect_uri) = (self.drive(kind)?, self.redirect_uri(kind)?);
        self.refuse_linked(account, kind).await?;
        let (state, browser) = (StateToken::draw(), BrowserKey::draw());
        let (challenge, expires_at) = (browser.challenge(), self.now().after(PENDING_FOR));
        let pending =
            PendingLink { account: account.clone(), kind, challenge: challenge.clone(), expires_at };
        self.0.store.begin(&state, &pending).await?;
        let consent = Consent { redirect_uri: &redirect_uri, state: state.expose(), challenge: &challenge };
        Ok(Begun { consent_url: drive.consent_url(&consent), browser, expires_at })
    }

    async fn refuse_linked(&self, account: &AccountId, kind: DriveKind) -> Result<(), DrivesError> {
        let link = self.0.store.link(account, kind).await?;
        let holds = link.is_some_and(|link| link.status == LinkStatus::Linked);
        if holds { Err(DrivesError::AlreadyLinked) } else { Ok(()) }
    }

    /// Ends a link that was begun: the state is used up whatever follows, the code is exchanged, the token sealed and stored.
    ///
    /// If the process is killed before it exchanges the code, the person begins again. If it is killed between that and
    /// storing the token, the person begins again too, and the drive has a grant whose token we have lost.
    pub async fn finish(&self, callback: Callback) -> Result<(), DrivesError> {
        let Callback { kind, state, browser, returned } = callback;
        let (drive, redirect_uri) = (self.drive(kind)?, self.redirect_uri(kind)?);
        let state = state.ok_or(DrivesError::StateUnknown)?;
        let pending = self.0.store.take(&state).await?.ok_or(DrivesError::StateUnknown)?;
        pending.accepts(kind, browser.as_ref(), self.now())?;
        let code = match returned {
            Returned::Code(code) => code,
            Returned::Declined => return Err(DrivesError::Declined),
            Returned::Failed => return Err(DrivesError::DriveFailed(DriveFailure::Passing("no code", None))),
        };
        let browser = browser.ok_or(DrivesError::OtherBrowser)?;
        self.refuse_linked(&pending.account, kind).await?;
        let exchanged = drive.exchange(&code, browser.verifier(), &redirect_uri).await;
        let granted = exchanged.map_err(DrivesError::DriveFailed)?;
        if !granted.suffices {
            self.end(drive, &granted.refresh).await;
            return Err(DrivesError::GrantTooSmall);
        }
        self.keep(drive, &pending.account, granted).await
    }

    async fn keep(
        &self,
        drive: &dyn Drive,
        account: &AccountId,
        granted: Granted,
    ) -> Result<(), DrivesError> {
        let kind = drive.kind();
        let sealed = self.0.vault.seal(&binding(account, kind), &granted.refresh.0).await?;
        let link = LinkedDrive {
            account: account.clone(),
            kind,
            linked_at: self.now(),
            status: LinkStatus::Linked,
            holder: granted.holder,
            sealed: Sealed(sealed),
            version: Writer::draw().0,
        };
        let Some(standing) = self.0.store.put_link(&link).await? else {
            tracing::info!(account.id = %account, drive = %kind, "a drive was linked");
            return Ok(());
        };
        // Another return was faster. A second grant of the same owner is the same grant, which must stay.
        if standing.holder != link.holder {
            self.end(drive, &granted.refresh).await;
        }
        Err(DrivesError::AlreadyLinked)
    }

    /// Ends a grant at its drive, as well as the drive lets us.
    async fn end(&self, drive: &dyn Drive, refresh: &RefreshToken) -> Disconnected {
        let mut tries = 1;
        loop {
            match drive.revoke(refresh).await {
                Ok(()) => return Disconnected::Revoked,
                Err(DriveFailure::Passing(..)) if tries < REVOKE_TRIES => tries += 1,
                Err(failure) => {
                    tracing::warn!(drive = %drive.kind(), error = %failure, "a drive did not revoke our grant");
                    return Disconnected::NotRevoked;
                }
            }
        }
    }

    /// Forgets the token first, so that no failure of the drive's keeps it with us, and then ends the grant at the drive.
    pub async fn disconnect(
        &self,
        account: &AccountId,
        kind: DriveKind,
    ) -> Result<Disconnected, DrivesError> {
        let link = self.0.store.link(account, kind).await?;
        let Some(link) = link else {
            // A repeat, perhaps after one that was killed here.
            self.0.store.prefer_no_more(account, kind).await?;
            return Ok(Disconnected::NothingLinked);
        };
        self.0.store.remove_link(&link).await?;
        let (ended, forgotten) = tokio::join!(self.revoke(&link), self.0.store.prefer_no_more(account, kind));
        forgotten?;
        tracing::info!(account.id = %account, drive = %kind, ?ended, "a drive was disconnected");
        Ok(ended)
    }

    async fn revoke(&self, link: &LinkedDrive) -> Disconnected {
        let Ok(drive) = self.drive(link.kind) else { return Disconnected::NotRevoked };
        match self.0.vault.open(&binding(&link.account, link.kind), &link.sealed.0).await {
            Ok(token) => self.end(drive, &RefreshToken(token)).await,
            Err(error) => {
                tell_closed(link, &error);
                Disconnected::NotRevoked
            }
        }
    }

    /// Sets where outputs go, and whether by themselves.
    pub async fn prefer(&self, account: &AccountId, preference: Preference) -> Result<(), DrivesError> {
        if let Some(kind) = preference.drive() {
            self.drive(kind)?;
            match self.0.store.link(account, kind).await?.map(|link| link.status) {
                Some(LinkStatus::Linked) => {}
                Some(LinkStatus::Reconnect { .. }) => return Err(DrivesError::Reconnect),
                None => return Err(DrivesError::NotLinked),
            }
        }
        Ok(self.0.store.prefer(account, preference).await?)
    }

    /// The grant of a linked drive, opened. One that can't be opened for its owner any more is noted as such.
    pub(crate) async fn grant(&self, account: &AccountId, kind: DriveKind) -> Result<Grant, DrivesError> {
        let link = self.0.store.link(account, kind).await?.ok_or(DrivesError::NotLinked)?;
        if link.status != LinkStatus::Linked {
            return Err(DrivesError::Reconnect);
        }
        match self.0.vault.open(&binding(account, kind), &link.sealed.0).await {
            Ok(token) => Ok(Grant { refresh: RefreshToken(token), link }),
            Err(error @ VaultError::Broken) => {
                tell_closed(&link, &error);
                self.0.store.note_reconnect(&link, self.now()).await?;
                Err(DrivesError::Reconnect)
            }
            Err(error) => {
                tell_closed(&link, &error);
                Err(error.into())
            }
        }
    }

    /// Notes that the drive does not know a grant any more.
    pub(crate) async fn note_revoked(&self, grant: &Grant) -> Result<(), DrivesError> {
        let link = &grant.link;
        tracing::info!(account.id = %link.account, drive = %link.kind, "a drive does not know its grant any more");
        Ok(self.0.store.note_reconnect(link, self.now()).await?)
    }
}

fn binding(account: &AccountId, kind: DriveKind) -> Binding<'_> {
    Binding { purpose: PURPOSE, account: account.as_str(), provider: kind.as_str() }
}

fn tell_closed(link: &LinkedDrive, error: &VaultError) {
    tracing::error!(
        metric = "drive_tokens_closed", account.id = %link.account, drive = %link.kind, error = %with_causes(error),
        "a drive's token can't be opened"
    );
}
