//! Dropbox by its HTTP interface, with the right to our app's own folder and to nothing else.
//! What Dropbox promises, and what it does besides: docs/facts/drives.md.

use crate::DriveKind;
use crate::drive::{
    AccessToken, Consent, Drive, DriveFailure, Granted, NewFile, Opened, Part, Place, RefreshToken,
    SavedFile, Sent, Session,
};
use crate::oauth::{OauthClient, Registration};
use crate::settings::DropboxSettings;
use crate::wire::{self, Answer};
use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use platform::Platform;
use primitives::times::{self, Wait};
use primitives::{Private, Secret};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// To write files, and to see what lies where we wrote.
const SCOPES: &str = "files.content.write files.metadata.read";

#[derive(Clone)]
pub(crate) struct Dropbox {
    http: reqwest::Client,
    oauth: OauthClient,
    api_url: String,
    content_url: String,
    folder_url: Url,
}

#[derive(Deserialize)]
struct Started {
    session_id: String,
}

#[derive(Deserialize)]
struct Metadata {
    size: u64,
    name: String,
}

/// What Dropbox says with 409, 401 and 429: nested unions, each with its `.tag`.
#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    error: Value,
}

/// What a refusal of an upload is about.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    /// The session has another length than we thought.
    Offset(u64),
    /// The session is not known, or was closed.
    Lost,
    /// Another file lies there.
    Taken,
    Full,
    /// Nothing lies there.
    Nothing,
    Busy,
    Other,
}

impl Dropbox {
    pub(crate) fn new(platform: &Platform, settings: DropboxSettings) -> Dropbox {
        let http = platform.http().clone();
        let registration = Registration {
            client_id: settings.client_id,
            client_secret: settings.client_secret,
            consent_url: settings.consent_url,
            token_url: format!("{}/oauth2/token", settings.api_url),
            scopes: SCOPES,
        };
        let oauth = OauthClient::new(http.clone(), registration);
        Dropbox {
            http,
            oauth,
            api_url: settings.api_url,
            content_url: settings.content_url,
            folder_url: settings.folder_url,
        }
    }

    /// A call whose arguments are its body.
    async fn call(
        &self,
        access: &AccessToken,
        path: &str,
        arguments: &Value,
    ) -> Result<Answer, DriveFailure> {
        let request = self.http.post(format!("{}/2/{path}", self.api_url));
        let request = request.bearer_auth(access.0.expose()).header(CONTENT_TYPE, "application/json");
        wire::send(request.body(arguments.to_string()), &times::DRIVE_CALL).await
    }

    /// A call whose body is content; its arguments stand in a header, which is plain ASCII because our names are.
    async fn content(
        &self,
        access: &AccessToken,
        path: &str,
        arguments: &Value,
        content: Private<Bytes>,
        wait: &'static Wait,
    ) -> Result<Answer, DriveFailure> {
        let request = self.http.post(format!("{}/2/{path}", self.content_url));
        let request = request
            .bearer_auth(access.0.expose())
            .header("dropbox-api-arg", arguments.to_string())
            .header(CONTENT_TYPE, "application/octet-stream");
        wire::send(request.body(content.into_inner()), wait).await
    }

    fn saved(&self, name: &str) -> SavedFile {
        let mut link = self.folder_url.clone();
        link.query_pairs_mut().append_pair("preview", name);
        SavedFile { link: link.into() }
    }

    async fn finish(
        &self,
        access: &AccessToken,
        place: &Place,
        session: &Session,
        file: &NewFile,
        part: Part,
    ) -> Result<Sent, DriveFailure> {
        let arguments = json!({
            "cursor": { "session_id": session.0, "offset": part.offset },
            // The same file at the same place is the same file: nothing is renamed, nothing replaced.
            "commit": { "path": place.0, "mode": "add", "autorename": false, "mute": true, "strict_conflict": false },
        });
        let path = "files/upload_session/finish";
        let answer = self.content(access, path, &arguments, part.content, &times::DRIVE_PART).await?;
        if answer.status.is_success() {
            return Ok(Sent::Done(self.saved(&answer.json::<Metadata>()?.name)));
        }
        match refused(&answer) {
            (Trouble::Offset(offset), _) => Ok(Sent::Through(offset)),
            (Trouble::Lost, _) => Ok(Sent::Lost),
            // Its owner has changed the file since it was saved. It is theirs.
            (Trouble::Taken, _) => Ok(Sent::Done(self.saved(&file.name))),
            (_, failure) => Err(failure),
        }
    }
}

/// What is wrong, as far as we can do something about it, and what it comes to otherwise.
fn refused(answer: &Answer) -> (Trouble, DriveFailure) {
    let error = answer.json::<Refusal>().map(|refusal| refusal.error).unwrap_or_default();
    match answer.status.as_u16() {
        409 => {
            let trouble = trouble(&error);
            let failure = match trouble {
                Trouble::Full => DriveFailure::Full,
                Trouble::Busy => DriveFailure::Passing("too many writes", answer.retry_after),
                _ => DriveFailure::Refused(409),
            };
            (trouble, failure)
        }
        // In the body too, for those who can't read headers.
        429 => {
            let told = error["retry_after"].as_u64().map(|wait| Duration::from_secs(wait.min(3_600)));
            (Trouble::Busy, DriveFailure::Passing("too many requests", answer.retry_after.or(told)))
        }
        // The app was taken out of the account, or the account is gone.
        401 if matches!(tag(&error), "user_suspended" | "invalid_select_user") => {
            (Trouble::Other, DriveFailure::GrantRevoked)
        }
        _ => (Trouble::Other, answer.failure()),
    }
}

fn tag(error: &Value) -> &str {
    error[".tag"].as_str().unwrap_or_default()
}

/// The words are those of `files/upload_session/append_v2`, `finish` and `files/get_metadata`; each nests the same ones
/// otherwise.
fn trouble(error: &Value) -> Trouble {
    match tag(error) {
        "incorrect_offset" => error["correct_offset"].as_u64().map_or(Trouble::Other, Trouble::Offset),
        "not_found" | "closed" => Trouble::Lost,
        "conflict" => Trouble::Taken,
        "insufficient_space" => Trouble::Full,
        "too_many_write_operations" | "too_many_requests" => Trouble::Busy,
        "lookup_failed" => trouble(&error["lookup_failed"]),
        "path" => match trouble(&error["path"]) {
            Trouble::Lost => Trouble::Nothing,
            trouble => trouble,
        },
        _ => Trouble::Other,
    }
}

#[async_trait]
impl Drive for Dropbox {
    fn kind(&self) -> DriveKind {
        DriveKind::Dropbox
    }

    fn consent_url(&self, consent: &Consent<'_>) -> Url {
        // A refresh token.
        self.oauth.consent_url(consent, &[("token_access_type", "offline")])
    }

    async fn exchange(
        &self,
        code: &Secret,
        verifier: &Secret,
        redirect_uri: &str,
    ) -> Result<Granted, DriveFailure> {
        let grant = self.oauth.exchange(code, verifier, redirect_uri).await?;
        Ok(Granted { refresh: grant.refresh, holder: grant.account_id, suffices: grant.suffices })
    }

    async fn access(&self, refresh: &RefreshToken) -> Result<AccessToken, DriveFailure> {
        self.oauth.access(refresh).await
    }

    /// Dropbox revokes by an access token, and with it the refresh token that it came of.
    async fn revoke(&self, refresh: &RefreshToken) -> Result<(), DriveFailure> {
        let access = match self.access(refresh).await {
            Ok(access) => access,
            Err(DriveFailure::GrantRevoked) => return Ok(()),
            Err(failure) => return Err(failure),
        };
        let request = self.http.post(format!("{}/2/auth/token/revoke", self.api_url));
        let answer = wire::send(request.bearer_auth(access.0.expose()), &times::DRIVE_CALL).await?;
        match answer.status.as_u16() {
            200 | 401 => Ok(()),
            _ => Err(answer.failure()),
        }
    }

    /// The name holds run and output, so the same output always has the same place.
    async fn place(&self, _: &AccessToken, file: &NewFile) -> Result<Place, DriveFailure> {
        Ok(Place(format!("/{}", file.name)))
    }

    async fn find(
        &self,
        access: &AccessToken,
        place: &Place,
        file: &NewFile,
    ) -> Result<Option<SavedFile>, DriveFailure> {
        let answer = self.call(access, "files/get_metadata", &json!({ "path": place.0 })).await?;
        if answer.status.is_success() {
            let found: Metadata = answer.json()?;
            return Ok((found.size == file.bytes).then(|| self.saved(&found.name)));
        }
        match refused(&answer) {
            (Trouble::Nothing, _) => Ok(None),
            (_, failure) => Err(failure),
        }
    }

    async fn open(&self, access: &AccessToken, _: &Place, _: &NewFile) -> Result<Opened, DriveFailure> {
        let nothing = Private::new(Bytes::new());
        let path = "files/upload_session/start";
        let answer =
            self.content(access, path, &json!({ "close": false }), nothing, &times::DRIVE_CALL).await?;
        if !answer.status.is_success() {
            return Err(refused(&answer).1);
        }
        Ok(Opened::Session(Session(answer.json::<Started>()?.session_id)))
    }

    async fn send(
        &self,
        access: &AccessToken,
        place: &Place,
        session: &Session,
        file: &NewFile,
        part: Part,
    ) -> Result<Sent, DriveFailure> {
        if part.end() == file.bytes {
            return self.finish(access, place, session, file, part).await;
        }
        let (end, cursor) = (part.end(), json!({ "session_id": session.0, "offset": part.offset }));
        let arguments = json!({ "cursor": cursor, "close": false });
        let path = "files/upload_session/append_v2";
        let answer = self.content(access, path, &arguments, part.content, &times::DRIVE_PART).await?;
        if answer.status.is_success() {
            return Ok(Sent::Through(end));
        }
        match refused(&answer) {
            (Trouble::Offset(offset), _) => Ok(Sent::Through(offset)),
            (Trouble::Lost, _) => Ok(Sent::Lost),
            (_, failure) => Err(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_trouble_is_found_however_deep_dropbox_puts_it() {
        for (error, expected) in [
            (json!({ ".tag": "incorrect_offset", "correct_offset": 7 }), Trouble::Offset(7)),
            (
                json!({ ".tag": "lookup_failed", "lookup_failed": { ".tag": "incorrect_offset", "correct_offset": 9 } }),
                Trouble::Offset(9),
            ),
            (json!({ ".tag": "lookup_failed", "lookup_failed": { ".tag": "not_found" } }), Trouble::Lost),
            (json!({ ".tag": "not_found" }), Trouble::Lost),
            (json!({ ".tag": "closed" }), Trouble::Lost),
            (json!({ ".tag": "path", "path": { ".tag": "not_found" } }), Trouble::Nothing),
            (
                json!({ ".tag": "path", "path": { ".tag": "conflict", "conflict": { ".tag": "file" } } }),
                Trouble::Taken,
            ),
            (json!({ ".tag": "path", "path": { ".tag": "insufficient_space" } }), Trouble::Full),
            (json!({ ".tag": "path", "path": { ".tag": "too_many_write_operations" } }), Trouble::Busy),
            (json!({ ".tag": "incorrect_offset" }), Trouble::Other),
            (json!({ ".tag": "something_new" }), Trouble::Other),
            (Value::Null, Trouble::Other),
        ] {
            assert_eq!(trouble(&error), expected, "{error}");
        }
    }
}
