//! What people upload for use in runs: announced, sent straight to the bucket, looked at before it is used.

mod allowance;
mod error;
mod form;
mod items;
mod opened;
mod upload;
mod wish;

use crate::sniff::{Sniffer, strip};
use crate::{FileFamily, FileType, Media, MediaError, MediaRules};
use allowance::{Allowance, TooMuch};
use bytes::Bytes;
use form::UploadForm as Form;
use items::{
    UPLOADS_TABLE, allowance_item, allowance_key, read_allowance, read_upload, state_values, upload_item,
    upload_key,
};
use platform::{Attributes, StoreError, TableSpec, number, pause, unless_condition_failed, with_causes};
use primitives::{AccountId, Timestamp, UploadId, random_bytes, times};
use ring::digest::{Context, SHA256};
use upload::Seen;

pub use error::UploadError;
pub use form::UploadForm;
pub use opened::OpenedUpload;
pub use upload::{Announced, Upload, UploadFacts, UploadRefusal, UploadState};
pub use wish::{UploadFault, UploadWish};

/// Every table that this crate owns.
pub const TABLES: &[TableSpec] = &[UPLOADS_TABLE];

/// How often a place among the open uploads is drawn anew when others of the same account were faster.
const TRIES: u32 = 8;

/// Uploads: begun, shown, used, removed. Moves no credit.
#[derive(Clone)]
pub struct Uploads {
    media: Media,
    dynamo: aws_sdk_dynamodb::Client,
    table: String,
}

/// What was read of an object, and a picture's bytes beside it.
struct Content {
    seen: Seen,
    picture: Option<Vec<u8>>,
}

impl Media {
    /// An upload of which the facts are known, to be read. They were stored, so nothing is asked.
    pub fn known_upload(&self, id: UploadId, kind: FileFamily, facts: UploadFacts) -> OpenedUpload {
        OpenedUpload::new(self.clone(), id, kind, facts)
    }
}

impl Uploads {
    pub(crate) fn of(media: &Media) -> Uploads {
        let platform = &media.platform;
        Uploads {
            dynamo: platform.dynamo().clone(),
            table: platform.table(&UPLOADS_TABLE),
            media: media.clone(),
        }
    }

    /// What may be uploaded.
    pub fn rules(&self) -> &MediaRules {
        &self.media.rules
    }

    /// Takes note of a file that is about to be sent, and signs the form it is sent by. No one else learns of the form, and
    /// it takes this file alone.
    pub async fn begin(
        &self,
        account: &AccountId,
        wish: UploadWish,
        now: Timestamp,
    ) -> Result<(Upload, Form), UploadError> {
        let upload = Upload::new(account, wish, self.rules(), now);
        self.reserve(&upload, now).await?;
        let put = self.dynamo.put_item().table_name(&self.table).set_item(Some(upload_item(&upload)));
        put.send().await.map_err(StoreError::of_sdk)?;
        let form = Form::of(&upload, self.media.platform.store(), now);
        Ok((upload, form))
    }

    /// Counts the upload. What was counted stays counted, whatever becomes of it.
    async fn reserve(&self, upload: &Upload, now: Timestamp) -> Result<(), UploadError> {
        for tries in 0..TRIES {
            let standing = self.allowance(&upload.account).await?;
            // Our own write got through, and its answer was lost.
            if standing.as_ref().is_some_and(|standing| standing.has(upload.id)) {
                return Ok(());
            }
            let before = standing.as_ref().map(|standing| standing.version);
            let next = standing.unwrap_or_default().with(upload, self.rules(), now);
            let next = next.map_err(|TooMuch(wait)| UploadError::TooMuch(wait))?;
            if self.put_allowance(&upload.account, &next, before, now).await? {
                return Ok(());
            }
            pause(tries).await;
        }
        Err(StoreError::Conflict.into())
    }

    async fn allowance(&self, account: &AccountId) -> Result<Option<Allowance>, StoreError> {
        let row = self.row(allowance_key(account)).await?;
        row.as_ref().map(read_allowance).transpose()
    }

    /// False: another upload of the account was counted meanwhile.
    async fn put_allowance(
        &self,
        account: &AccountId,
        allowance: &Allowance,
        before: Option<u64>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let item = allowance_item(account, allowance, now);
        let put = self.dynamo.put_item().table_name(&self.table).set_item(Some(item));
        let put = match before {
            None => put.condition_expression("attribute_not_exists(id)"),
            Some(version) => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", number(version)),
        };
        Ok(unless_condition_failed(put.send().await)?.is_some())
    }

    /// The account's own upload. One whose file may have come meanwhile is looked at.
    pub async fn show(
        &self,
        account: &AccountId,
        id: UploadId,
        now: Timestamp,
    ) -> Result<Upload, UploadError> {
        let upload = self.upload(account, id, now).await?;
        match upload.state {
            UploadState::Waiting => self.look(upload).await,
            UploadState::Ready(_) | UploadState::Refused(_) => Ok(upload),
        }
    }

    /// The facts of an upload that [`Uploads::show`] has found ready before. Reads the row and not the file: a caller
    /// that sent a file asks for `show` until it is ready.
    pub async fn ready(
        &self,
        account: &AccountId,
        id: UploadId,
        now: Timestamp,
    ) -> Result<(FileFamily, UploadFacts), UploadError> {
        let upload = self.upload(account, id, now).await?;
        match upload.state {
            UploadState::Waiting => Err(UploadError::NotUploaded),
            UploadState::Refused(refusal) => Err(UploadError::Refused(refusal)),
            UploadState::Ready(facts) => Ok((upload.kind, facts)),
        }
    }

    /// Removes the file and what is known of it. A form that is still good may bring the file once more; then it lies there,
    /// named by nothing, until the bucket's rule ends it.
    pub async fn remove(&self, account: &AccountId, id: UploadId, now: Timestamp) -> Result<(), UploadError> {
        let upload = self.upload(account, id, now).await?;
        // The row goes last: killed before, the same call finds everything again.
        self.media.remove(&upload.key).await?;
        if let UploadState::Ready(facts) = &upload.state
            && facts.key != upload.key
        {
            self.media.remove(&facts.key).await?;
        }
        let delete = self.dynamo.delete_item().table_name(&self.table).set_key(Some(upload_key(account, id)));
        delete.send().await.map_err(StoreError::of_sdk)?;
        Ok(())
    }

    async fn upload(&self, account: &AccountId, id: UploadId, now: Timestamp) -> Result<Upload, UploadError> {
        let row = self.row(upload_key(account, id)).await?.ok_or(UploadError::NotFound)?;
        let upload = read_upload(&row)?;
        if upload.is_expired(now) { Err(UploadError::NotFound) } else { Ok(upload) }
    }

    async fn row(&self, key: platform::Key) -> Result<Option<Attributes>, StoreError> {
        let get = self.dynamo.get_item().table_name(&self.table).set_key(Some(key)).consistent_read(true);
        Ok(get.send().await.map_err(StoreError::of_sdk)?.item)
    }

    /// Reads the file, if it has come, and notes what it is. Two who look at once read the same file and note the same.
    async fn look(&self, upload: Upload) -> Result<Upload, UploadError> {
        let looking = async {
            if !self.media.is_there(&upload.key).await? {
                return Ok(None);
            }
            let content = self.read(&upload).await?;
            Ok::<_, MediaError>(Some(self.settled(&upload, content).await?))
        };
        let looked = tokio::time::timeout(times::UPLOAD_LOOK.limit, looking).await;
        let state = match looked.map_err(MediaError::unavailable).flatten() {
            Ok(Some(state)) => state,
            // A look that was faster may have removed the file under this one's eyes.
            Ok(None) => return self.standing(&upload).await,
            Err(error) => {
                let standing = self.standing(&upload).await?;
                let is_settled = standing.state != UploadState::Waiting;
                return if is_settled { Ok(standing) } else { Err(error.into()) };
            }
        };
        if self.note(&upload, &state).await? {
            self.tidy_up(&upload, &state).await;
            return Ok(Upload { state, ..upload });
        }
        // Another look was faster, or the upload was removed: what stands there counts, and our copy is named by nothing.
        let standing = self.standing(&upload).await;
        if let UploadState::Ready(facts) = &state
            && facts.key != upload.key
            && !standing.as_ref().is_ok_and(|standing| standing.state == state)
        {
            self.remove_in_passing(&facts.key).await;
        }
        standing
    }

    /// The upload as its row is now.
    async fn standing(&self, upload: &Upload) -> Result<Upload, UploadError> {
        let row = self.row(upload_key(&upload.account, upload.id)).await?;
        Ok(read_upload(&row.ok_or(UploadError::NotFound)?)?)
    }

    async fn read(&self, upload: &Upload) -> Result<Content, MediaError> {
        let mut content = self.media.content(&upload.key, None).await?;
        let mut sniffer = Sniffer::new(upload.kind, self.rules().upload_bounds());
        let (mut hash, mut bytes) = (Context::new(&SHA256), 0_u64);
        let mut picture = (upload.kind == FileFamily::Image).then(Vec::new);
        while let Some(piece) = content.try_next().await.map_err(MediaError::unavailable)? {
            bytes += piece.len() as u64;
            // The bucket takes no other length; were it to, the rest would not be worth reading.
            if bytes > upload.announced.bytes {
                break;
            }
            hash.update(&piece);
            sniffer.feed(&piece);
            picture.as_mut().into_iter().for_each(|picture| picture.extend_from_slice(&piece));
        }
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(hash.finish().as_ref());
        Ok(Content { seen: Seen { bytes, sha256, facts: sniffer.finish() }, picture })
    }

    /// What the upload comes to. A picture that says more than its pixels is stored once more, without that.
    async fn settled(&self, upload: &Upload, content: Content) -> Result<UploadState, MediaError> {
        let Content { seen, picture } = content;
        let facts = match upload.judge(&seen, self.rules()) {
            Ok(facts) => facts,
            Err(refusal) => return Ok(UploadState::Refused(refusal)),
        };
        let mut ready = UploadFacts {
            file_type: facts.file_type,
            bytes: seen.bytes,
            sha256: seen.sha256,
            pixels: facts.pixels,
            millis: facts.millis,
            key: upload.key.clone(),
        };
        if let Some(picture) = picture {
            let clean = strip(facts.file_type, picture);
            let hash = ring::digest::digest(&SHA256, &clean);
            if hash.as_ref() != seen.sha256 {
                ready.key = clean_key(&upload.key, facts.file_type);
                ready.bytes = clean.len() as u64;
                ready.sha256.copy_from_slice(hash.as_ref());
                self.media.put(&ready.key, facts.file_type, Bytes::from(clean)).await?;
            }
        }
        Ok(UploadState::Ready(ready))
    }

    /// False: the row was settled or removed meanwhile.
    async fn note(&self, upload: &Upload, state: &UploadState) -> Result<bool, StoreError> {
        let values = state_values(state);
        let sets: Vec<String> = values.keys().map(|name| format!("#{name} = :{name}")).collect();
        let mut update = self
            .dynamo
            .update_item()
            .table_name(&self.table)
            .set_key(Some(upload_key(&upload.account, upload.id)))
            .update_expression(format!("SET {}", sets.join(", ")))
            .condition_expression(
                "attribute_exists(id) AND attribute_not_exists(file_type) AND attribute_not_exists(refusal)",
            );
        for (name, value) in values {
            update = update
                .expression_attribute_names(format!("#{name}"), name.clone())
                .expression_attribute_values(format!(":{name}"), value);
        }
        match unless_condition_failed(update.send().await)? {
            Some(_) => {
                tracing::info!(
                    upload.id = %upload.id, account.id = %upload.account, state = told(state), "an upload was looked at"
                );
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// What was sent is not kept beside what is used of it.
    async fn tidy_up(&self, upload: &Upload, state: &UploadState) {
        let is_used = matches!(state, UploadState::Ready(facts) if facts.key == upload.key);
        if !is_used {
            self.remove_in_passing(&upload.key).await;
        }
    }

    async fn remove_in_passing(&self, key: &str) {
        if let Err(error) = self.media.remove(key).await {
            // The bucket's rule ends it with the others.
            tracing::warn!(key, error = %with_causes(&error), "a file of an upload could not be removed");
        }
    }
}

impl UploadFacts {
    /// As answers show it: URL-safe base64.
    pub fn sha256_text(&self) -> String {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.sha256)
    }
}

fn told(state: &UploadState) -> &'static str {
    match state {
        UploadState::Waiting => "waiting",
        UploadState::Ready(_) => "ready",
        UploadState::Refused(refusal) => refusal.as_str(),
    }
}

/// Beside the original, under a name that its form can't write to, and that no other look writes to.
fn clean_key(key: &str, kind: FileType) -> String {
    format!("{key}-{:016x}.{}", u64::from_be_bytes(random_bytes()), kind.extension())
}
