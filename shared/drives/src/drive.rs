//! What a drive is to us. Two speak their own protocols behind this trait; everything else here knows neither.

use crate::DriveKind;
use async_trait::async_trait;
use bytes::Bytes;
use primitives::{Private, Secret};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use url::Url;

/// Both drives take parts of this length: Google wants multiples of 256 KiB, Dropbox of 4 MiB.
pub(crate) const PART_BYTES: u64 = 4 * 1024 * 1024;

/// What a grant is used with for as long as it lives. Sealed wherever it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken(pub(crate) Secret);

/// Opens the drive for an hour or so. Kept in memory only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessToken(pub(crate) Secret);

/// What the person is asked at the drive's page.
pub(crate) struct Consent<'a> {
    pub(crate) redirect_uri: &'a str,
    pub(crate) state: &'a str,
    /// PKCE's, by S256.
    pub(crate) challenge: &'a str,
}

/// What the drive gives for a code.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) refresh: RefreshToken,
    /// The drive's own name for its owner.
    pub(crate) holder: String,
    /// Whether we may write files.
    pub(crate) suffices: bool,
}

/// Where a file will lie, fixed before anything is sent: a second visit of the same save sends it to the same place, so that
/// the drive has it once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place(pub(crate) String);

/// An upload that was begun. Its name alone gives the right to write into it, so the name is sealed wherever it is stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session(pub(crate) String);

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[session]")
    }
}

/// What is saved. The name is ours: of tool and run, and of no person's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewFile {
    pub(crate) name: String,
    pub(crate) media_type: &'static str,
    pub(crate) bytes: u64,
}

/// A part of a file, from `offset` on.
pub(crate) struct Part {
    pub(crate) offset: u64,
    pub(crate) content: Private<Bytes>,
}

impl Part {
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.content.expose().len() as u64
    }
}

/// A file that lies whole in the drive: where its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SavedFile {
    pub(crate) link: String,
}

/// What came of beginning an upload.
#[derive(Debug)]
pub(crate) enum Opened {
    /// It can be sent now.
    Session(Session),
    /// It was sent before, whole.
    Exists(SavedFile),
}

/// What came of sending a part.
#[derive(Debug)]
pub(crate) enum Sent {
    /// The drive has the file up to here, whatever we thought.
    Through(u64),
    /// The drive has all of it.
    Done(SavedFile),
    /// The drive does not know the upload any more: it is begun again.
    Lost,
}

/// Why a drive did not do what it was asked. A text of the drive's own is never kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriveFailure {
    /// No answer, a busy one, or one that can't be read: it may work later.
    #[error("the drive does not answer as it should ({0})")]
    Passing(&'static str, Option<Duration>),
    /// The access token is over or not valid.
    #[error("the drive refuses the access token")]
    AccessRefused,
    /// The person took the grant back, or it ended by itself.
    #[error("the drive does not know the grant any more")]
    GrantRevoked,
    /// There is no room.
    #[error("the drive is full")]
    Full,
    /// It will be refused again, sent as it is.
    #[error("the drive refuses with status {0}")]
    Refused(u16),
}

/// One kind of drive.
#[async_trait]
pub(crate) trait Drive: Send + Sync {
    fn kind(&self) -> DriveKind;

    /// The drive's own page, where the person says yes or no.
    fn consent_url(&self, consent: &Consent<'_>) -> Url;

    /// What the drive gives for the code that it sent the browser back with. A code is good for one exchange.
    async fn exchange(
        &self,
        code: &Secret,
        verifier: &Secret,
        redirect_uri: &str,
    ) -> Result<Granted, DriveFailure>;

    /// A fresh access token.
    async fn access(&self, refresh: &RefreshToken) -> Result<AccessToken, DriveFailure>;

    /// Ends the grant. That the drive does not know it any more is success.
    async fn revoke(&self, refresh: &RefreshToken) -> Result<(), DriveFailure>;

    /// Fixes where a file will lie. Nothing is made there yet.
    async fn place(&self, access: &AccessToken, file: &NewFile) -> Result<Place, DriveFailure>;

    /// The file, if it lies there whole.
    async fn find(
        &self,
        access: &AccessToken,
        place: &Place,
        file: &NewFile,
    ) -> Result<Option<SavedFile>, DriveFailure>;

    /// Begins an upload.
    async fn open(&self, access: &AccessToken, place: &Place, file: &NewFile)
    -> Result<Opened, DriveFailure>;

    /// Sends a part. The one that reaches the file's length makes the file.
    async fn send(
        &self,
        access: &AccessToken,
        place: &Place,
        session: &Session,
        file: &NewFile,
        part: Part,
    ) -> Result<Sent, DriveFailure>;
}
