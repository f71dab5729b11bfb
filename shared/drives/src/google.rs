//! Google Drive by its REST interface, with the right to the files that we make there and to no others (`drive.file`).
//! What Google promises, and what it does besides: docs/facts/drives.md.

use crate::DriveKind;
use crate::drive::{
    AccessToken, Consent, Drive, DriveFailure, Granted, NewFile, Opened, Part, Place, RefreshToken,
    SavedFile, Sent, Session,
};
use crate::oauth::{self, OauthClient, Registration};
use crate::settings::GoogleSettings;
use crate::wire::{self, Answer};
use async_trait::async_trait;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use platform::Platform;
use primitives::{Secret, times};
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::json;
use url::Url;

const SCOPE: &str = "https://www.googleapis.com/auth/drive.file";
/// Of a resumable upload: there is more to come.
const RESUME_INCOMPLETE: u16 = 308;
/// The type of a folder.
const FOLDER: &str = "application/vnd.google-apps.folder";
/// A mark that our app alone sees: the folder is known by it, whatever its owner calls it and wherever they move it.
const FOLDER_MARK: (&str, &str) = ("holds", "outputs");
/// All that we ask of a file.
const FIELDS: &str = "id,webViewLink,size,trashed";

#[derive(Clone)]
pub(crate) struct Google {
    http: reqwest::Client,
    oauth: OauthClient,
    /// Of the OAuth service.
    oauth_url: String,
    api_url: String,
    /// What a new folder is called: the service's name.
    folder_name: String,
}

#[derive(Deserialize)]
struct About {
    user: AboutUser,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AboutUser {
    permission_id: String,
}

#[derive(Deserialize)]
struct GeneratedIds {
    ids: Vec<String>,
}

#[derive(Deserialize)]
struct FileList {
    files: Vec<FileId>,
}

#[derive(Deserialize)]
struct FileId {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileAnswer {
    id: String,
    web_view_link: Option<String>,
    /// A number in a text, as Google writes 64 bits.
    #[serde(default)]
    size: Option<String>,
    #[serde(default)]
    trashed: bool,
}

#[derive(Deserialize)]
struct Refusal {
    error: RefusalBody,
}

#[derive(Deserialize)]
struct RefusalBody {
    #[serde(default)]
    errors: Vec<RefusalReason>,
}

#[derive(Deserialize)]
struct RefusalReason {
    #[serde(default)]
    reason: String,
}

impl Google {
    pub(crate) fn new(platform: &Platform, settings: GoogleSettings) -> Google {
        let http = platform.http().clone();
        let registration = Registration {
            client_id: settings.client_id,
            client_secret: settings.client_secret,
            consent_url: settings.consent_url,
            token_url: format!("{}/token", settings.oauth_url),
            scopes: SCOPE,
        };
        let oauth = OauthClient::new(http.clone(), registration);
        Google {
            http,
            oauth,
            oauth_url: settings.oauth_url,
            api_url: settings.api_url,
            folder_name: platform.profile().brand.clone(),
        }
    }

    fn api(&self, access: &AccessToken, method: http::Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.api_url)).bearer_auth(access.0.expose())
    }

    /// Ours, in the trash or not; `None`: there is no file of that name for us.
    async fn look(&self, access: &AccessToken, place: &Place) -> Result<Option<FileAnswer>, DriveFailure> {
        let path = format!("/drive/v3/files/{}?fields={FIELDS}", place.0);
        let answer = wire::send(self.api(access, http::Method::GET, &path), &times::DRIVE_CALL).await?;
        match answer.status.as_u16() {
            200 => answer.json().map(Some),
            404 => Ok(None),
            _ => Err(refused(&answer)),
        }
    }
}

/// Google says "slow down" and "full" with 403 as well, and only the reason tells it from "never".
fn refused(answer: &Answer) -> DriveFailure {
    let reasons = answer.json::<Refusal>().map(|refusal| refusal.error.errors).unwrap_or_default();
    let reason = reasons.first().map_or("", |reason| reason.reason.as_str());
    match (answer.status.as_u16(), reason) {
        (
            403,
            "storageQuotaExceeded" | "teamDriveFileLimitExceeded" | "numChildrenInNonRootLimitExceeded",
        ) => DriveFailure::Full,
        (
            403,
            "rateLimitExceeded" | "userRateLimitExceeded" | "sharingRateLimitExceeded" | "backendError",
        ) => DriveFailure::Passing("too many requests", answer.retry_after),
        _ => answer.failure(),
    }
}

impl FileAnswer {
    fn saved(self) -> SavedFile {
        let link = self.web_view_link.filter(|link| is_link(link));
        // Google's own form of the same address.
        let usual = || format!("https://drive.google.com/file/d/{}/view", self.id);
        SavedFile { link: link.unwrap_or_else(usual) }
    }

    fn is_whole(&self, file: &NewFile) -> bool {
        self.size.as_deref().is_none_or(|size| size == file.bytes.to_string())
    }
}

/// A link of the drive's own that a page may show: nothing that a browser would run.
fn is_link(link: &str) -> bool {
    link.len() <= 2_048 && Url::parse(link).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
}

/// `bytes=0-524287`: the drive has that much. Without the header it has nothing.
fn received(answer: &Answer) -> Result<u64, DriveFailure> {
    let Some(range) = answer.headers.get(RANGE) else { return Ok(0) };
    let last = range.to_str().ok().and_then(|text| text.strip_prefix("bytes=0-"));
    let last: Option<u64> = last.and_then(|last| last.parse().ok());
    let next = last.and_then(|last| last.checked_add(1));
    next.ok_or(DriveFailure::Passing("an unreadable range", answer.retry_after))
}

#[async_trait]
impl Drive for Google {
    fn kind(&self) -> DriveKind {
        DriveKind::GoogleDrive
    }

    fn consent_url(&self, consent: &Consent<'_>) -> Url {
        // A refresh token; and a new one for an owner who agreed before: Google gives it with a fresh consent alone.
        self.oauth.consent_url(consent, &[("access_type", "offline"), ("prompt", "consent")])
    }

    async fn exchange(
        &self,
        code: &Secret,
        verifier: &Secret,
        redirect_uri: &str,
    ) -> Result<Granted, DriveFailure> {
        let grant = self.oauth.exchange(code, verifier, redirect_uri).await?;
        // Google answers the question for the owner only to a grant that has the right.
        let holder = if grant.suffices { self.holder(&grant.access).await? } else { String::new() };
        Ok(Granted { refresh: grant.refresh, holder, suffices: grant.suffices })
    }

    async fn access(&self, refresh: &RefreshToken) -> Result<AccessToken, DriveFailure> {
        self.oauth.access(refresh).await
    }

    async fn revoke(&self, refresh: &RefreshToken) -> Result<(), DriveFailure> {
        let request = self.http.post(format!("{}/revoke", self.oauth_url));
        let request = wire::form(request, &[("token", refresh.0.expose())]);
        let answer = wire::send(request, &times::DRIVE_CALL).await?;
        match answer.status.as_u16() {
            200 => Ok(()),
            // Expired, or revoked before.
            400 if matches!(oauth::refusal(&answer).as_str(), "invalid_token" | "invalid_grant") => Ok(()),
            _ => Err(answer.failure()),
        }
    }

    /// Google gives out names for files before they are made, so that making one twice makes one.
    async fn place(&self, access: &AccessToken, _: &NewFile) -> Result<Place, DriveFailure> {
        let path = "/drive/v3/files/generateIds?count=1&space=drive&type=files";
        let answer = wire::send(self.api(access, http::Method::GET, path), &times::DRIVE_CALL).await?;
        if !answer.status.is_success() {
            return Err(refused(&answer));
        }
        let id = answer.json::<GeneratedIds>()?.ids.into_iter().next().filter(|id| is_id(id));
        id.map(Place).ok_or(DriveFailure::Passing("no usable id", None))
    }

    async fn find(
        &self,
        access: &AccessToken,
        place: &Place,
        file: &NewFile,
    ) -> Result<Option<SavedFile>, DriveFailure> {
        let found = self.look(access, place).await?;
        Ok(found.filter(|found| found.is_whole(file) && !found.trashed).map(FileAnswer::saved))
    }

    async fn open(
        &self,
        access: &AccessToken,
        place: &Place,
        file: &NewFile,
    ) -> Result<Opened, DriveFailure> {
        let path = format!("/upload/drive/v3/files?uploadType=resumable&fields={FIELDS}");
        let folder = self.folder(access).await?;
        let about =
            json!({ "id": place.0, "name": file.name, "mimeType": file.media_type, "parents": [folder] });
        let request = self
            .api(access, http::Method::POST, &path)
            .header("x-upload-content-type", file.media_type)
            .header("x-upload-content-length", file.bytes)
            .header(CONTENT_TYPE, "application/json; charset=UTF-8")
            .body(about.to_string());
        let answer = wire::send(request, &times::DRIVE_CALL).await?;
        match answer.status.as_u16() {
            200 => {
                let address = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
                let address = address.filter(|address| self.is_of_google(address));
                let session = address.map(|address| Session(address.to_owned()));
                session.map(Opened::Session).ok_or(DriveFailure::Passing("no upload address", None))
            }
            // Its owner has removed the folder since we looked.
            404 => Err(DriveFailure::Passing("no such folder", None)),
            // The id is taken: by our own file, sent before.
            409 => match self.look(access, place).await? {
                Some(found) => Ok(Opened::Exists(found.saved())),
                None => Err(DriveFailure::Refused(409)),
            },
            _ => Err(refused(&answer)),
        }
    }

    async fn send(
        &self,
        access: &AccessToken,
        place: &Place,
        session: &Session,
        file: &NewFile,
        part: Part,
    ) -> Result<Sent, DriveFailure> {
        if !self.is_of_google(&session.0) {
            return Ok(Sent::Lost);
        }
        if part.content.expose().is_empty() {
            return self.standing(access, place, session, file).await;
        }
        let range = format!("bytes {}-{}/{}", part.offset, part.end().saturating_sub(1), file.bytes);
        let content = part.content.into_inner();
        let request = self
            .http
            .put(&session.0)
            .bearer_auth(access.0.expose())
            .header(CONTENT_LENGTH, content.len())
            .header(CONTENT_RANGE, range)
            .body(content);
        let answer = wire::send(request, &times::DRIVE_PART).await?;
        match answer.status.as_u16() {
            RESUME_INCOMPLETE => Ok(Sent::Through(received(&answer)?)),
            200 | 201 => Ok(Sent::Done(answer.json::<FileAnswer>()?.saved())),
            // Over after a week, or ended by an error of Google's own; perhaps because the file is whole.
            404 | 410 => Ok(Sent::Lost),
            // The range is not the one that Google waits for: it says which one is.
            400 | 416 | 503 => self.standing(access, place, session, file).await,
            _ => Err(refused(&answer)),
        }
    }
}

impl Google {
    async fn holder(&self, access: &AccessToken) -> Result<String, DriveFailure> {
        let path = "/drive/v3/about?fields=user(permissionId)";
        let answer = wire::send(self.api(access, http::Method::GET, path), &times::DRIVE_CALL).await?;
        if !answer.status.is_success() {
            return Err(refused(&answer));
        }
        Ok(answer.json::<About>()?.user.permission_id)
    }

    /// The id of the folder that the files go to. It is made for the first file, and again when its owner has thrown it away.
    /// Two visits at the same moment may make two; from then on all take the older one.
    async fn folder(&self, access: &AccessToken) -> Result<String, DriveFailure> {
        let (key, value) = FOLDER_MARK;
        let wanted = format!(
            "mimeType = '{FOLDER}' and appProperties has {{ key='{key}' and value='{value}' }} and trashed = false and 'me' in owners"
        );
        let query =
            [("q", wanted.as_str()), ("orderBy", "createdTime"), ("pageSize", "1"), ("fields", "files(id)")];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let request = self.api(access, http::Method::GET, &format!("/drive/v3/files?{query}"));
        let answer = wire::send(request, &times::DRIVE_CALL).await?;
        if !answer.status.is_success() {
            return Err(refused(&answer));
        }
        if let Some(found) = answer.json::<FileList>()?.files.into_iter().next() {
            return Ok(found.id);
        }
        let about = json!({ "name": self.folder_name, "mimeType": FOLDER, "appProperties": { key: value } });
        let request = self
            .api(access, http::Method::POST, "/drive/v3/files?fields=id")
            .header(CONTENT_TYPE, "application/json; charset=UTF-8")
            .body(about.to_string());
        let answer = wire::send(request, &times::DRIVE_CALL).await?;
        if !answer.status.is_success() {
            return Err(refused(&answer));
        }
        Ok(answer.json::<FileId>()?.id)
    }

    /// How far an upload is.
    async fn standing(
        &self,
        access: &AccessToken,
        place: &Place,
        session: &Session,
        file: &NewFile,
    ) -> Result<Sent, DriveFailure> {
        let request = self
            .http
            .put(&session.0)
            .bearer_auth(access.0.expose())
            .header(CONTENT_LENGTH, 0)
            .header(CONTENT_RANGE, format!("bytes */{}", file.bytes));
        let answer = wire::send(request, &times::DRIVE_CALL).await?;
        match answer.status.as_u16() {
            RESUME_INCOMPLETE => Ok(Sent::Through(received(&answer)?)),
            200 | 201 => match self.find(access, place, file).await? {
                Some(saved) => Ok(Sent::Done(saved)),
                None => Ok(Sent::Lost),
            },
            400 | 404 | 410 => Ok(Sent::Lost),
            _ => Err(refused(&answer)),
        }
    }

    /// An address that we send the owner's content and a token to must be one of Google's own.
    fn is_of_google(&self, address: &str) -> bool {
        let origin = |text: &str| Url::parse(text).ok().map(|url| url.origin());
        address.len() <= 2_048 && origin(address) == origin(&self.api_url)
    }
}

/// It becomes part of an address.
fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
