use crate::closed_sets::{UploadKind, UploadRefusalCode, UploadStatus};
use media::{Upload, UploadFacts, UploadForm, UploadRefusal, UploadState};
use primitives::{Language, Timestamp, UploadId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const WAITING: &str = "waiting";
const READY: &str = "ready";
const REFUSED: &str = "refused";
const LAPSED: &str = "lapsed";
pub(crate) const STATUSES: [&str; 4] = [WAITING, READY, REFUSED, LAPSED];

/// The file that you are about to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadRequest {
    #[schema(value_type = UploadKind, example = "image")]
    pub(crate) kind: String,
    /// As your system calls its type: PNG, JPEG or WebP; WAV, MP3, M4A, Ogg, FLAC or WebM; MP4, QuickTime or WebM
    #[schema(example = "image/png", min_length = 1, max_length = 100)]
    pub(crate) content_type: String,
    /// Its length, exactly
    #[schema(example = 48_213, minimum = 1)]
    pub(crate) bytes: u64,
    /// SHA-256 of its content: 64 hexadecimal digits, or URL-safe base64
    #[schema(
        pattern = "^([0-9a-fA-F]{64}|[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$",
        example = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )]
    pub(crate) sha256: String,
}

/// A file for use in runs.
#[derive(Serialize, ToSchema)]
pub(crate) struct UploadView {
    /// Name it in a run's input
    #[schema(value_type = String, example = "upload_01KABCDEFGHJKMNPQRSTVWXYZ0")]
    id: UploadId,
    #[schema(value_type = UploadKind)]
    kind: &'static str,
    /// `waiting` for the file; `lapsed`, when it did not come in time; `ready`; or `refused`
    #[schema(value_type = UploadStatus)]
    status: &'static str,
    /// What was announced; once it is ready, what a run gets
    content_type: String,
    /// The same of its length. A picture is passed on without its metadata, so it may have become shorter
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    /// How long it plays, in milliseconds
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    /// SHA-256 of what a run gets, URL-safe base64; once it is ready
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<RefusalView>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// From then on it is gone
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Only in the answer that begins the upload
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<FormView>,
}

/// Why a file can't be used.
#[derive(Serialize, ToSchema)]
struct RefusalView {
    #[schema(value_type = UploadRefusalCode)]
    code: &'static str,
    /// For a person, in the language of `Accept-Language`
    detail: String,
}

/// How the file is sent: `multipart/form-data` with these fields, and behind them the file, as `file`. The answer is 204.
#[derive(Serialize, ToSchema)]
struct FormView {
    url: String,
    fields: Vec<FormFieldView>,
    /// From then on it is refused
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct FormFieldView {
    name: &'static str,
    value: String,
}

impl UploadView {
    pub(crate) fn of(
        upload: &Upload,
        form: Option<UploadForm>,
        language: Language,
        now: Timestamp,
    ) -> UploadView {
        let facts = match &upload.state {
            UploadState::Ready(facts) => Some(facts),
            UploadState::Waiting | UploadState::Refused(_) => None,
        };
        let announced = &upload.announced;
        UploadView {
            id: upload.id,
            kind: upload.kind.as_str(),
            status: status(upload, now),
            content_type: facts.map_or_else(
                || announced.content_type.clone(),
                |facts| facts.file_type.media_type().to_owned(),
            ),
            bytes: facts.map_or(announced.bytes, |facts| facts.bytes),
            width: facts.and_then(|facts| facts.pixels).map(|(width, _)| width),
            height: facts.and_then(|facts| facts.pixels).map(|(_, height)| height),
            duration_ms: facts.and_then(|facts| facts.millis),
            sha256: facts.map(UploadFacts::sha256_text),
            refusal: match &upload.state {
                UploadState::Refused(refusal) => Some(RefusalView::of(*refusal, language)),
                UploadState::Waiting | UploadState::Ready(_) => None,
            },
            created_at: upload.created_at,
            expires_at: upload.expires_at,
            form: form.map(FormView::of),
        }
    }
}

fn status(upload: &Upload, now: Timestamp) -> &'static str {
    match &upload.state {
        UploadState::Waiting if now < upload.form_until => WAITING,
        UploadState::Waiting => LAPSED,
        UploadState::Ready(_) => READY,
        UploadState::Refused(_) => REFUSED,
    }
}

impl RefusalView {
    fn of(refusal: UploadRefusal, language: Language) -> RefusalView {
        let wording = refusal.wording();
        let detail = match language {
            Language::English => wording.english,
            Language::Vietnamese => wording.vietnamese,
        };
        RefusalView { code: refusal.as_str(), detail: detail.into_owned() }
    }
}

impl FormView {
    fn of(form: UploadForm) -> FormView {
        let fields = form.fields.into_iter().map(|(name, value)| FormFieldView { name, value });
        FormView { url: form.url, fields: fields.collect(), expires_at: form.expires_at }
    }
}
