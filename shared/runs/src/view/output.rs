//! A file that a run brought, and its copies in the owner's drives.

use crate::closed_sets::{DriveName, SaveFailureCode, SaveStatus};
use drives::{Save, SaveState};
use media::{FileFamily, OutputLinks, StoredOutput};
use primitives::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// What a person does with an output: `table` is CSV or JSON, `subtitles` SRT or WebVTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputType {
    Text,
    Image,
    Video,
    Audio,
    Table,
    Subtitles,
}

impl OutputType {
    fn of(family: FileFamily) -> OutputType {
        match family {
            FileFamily::Text => OutputType::Text,
            FileFamily::Image => OutputType::Image,
            FileFamily::Video => OutputType::Video,
            FileFamily::Audio => OutputType::Audio,
            FileFamily::Table => OutputType::Table,
            FileFamily::Subtitles => OutputType::Subtitles,
        }
    }
}

#[derive(Clone, Serialize, ToSchema)]
pub struct OutputView {
    pub kind: OutputType,
    pub media_type: String,
    pub bytes: u64,
    /// Of the stored file, URL-safe base64.
    pub sha256: String,
    /// After this the file is deleted.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// The file is past its time; text and link are gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub expired: bool,
    /// Shows the file: for an `<img>`, or a tab of its own. Valid for an hour; ask again for a fresh one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_url: Option<String>,
    /// Saves the file under a name that tells tool and run. Valid for an hour; ask again for a fresh one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download_url: Option<String>,
    /// Shows a small picture of the file, where there is one; as long as `view_url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail_url: Option<String>,
    /// Width in pixels, of a picture or a video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// How long it plays in milliseconds, of a video or a sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The text itself, when the output is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// In the owner's drives; only in the answer about the run alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub saves: Vec<SavedView>,
}

impl std::fmt::Debug for OutputView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OutputView({:?}, {} bytes)", self.kind, self.bytes)
    }
}

impl OutputView {
    pub(crate) fn of(output: &StoredOutput, links: Option<OutputLinks>) -> OutputView {
        let expired = links.is_none();
        let thumbnail_url = links.as_ref().and_then(|links| links.thumbnail_url.clone());
        let (view_url, download_url) = links.map(|links| (links.view_url, links.download_url)).unzip();
        let (width, height) = output.pixels.unzip();
        OutputView {
            kind: OutputType::of(output.kind.family()),
            media_type: output.kind.media_type().to_owned(),
            bytes: output.bytes,
            sha256: output.sha256.clone(),
            expires_at: output.expires_at,
            expired,
            view_url,
            download_url,
            thumbnail_url,
            width,
            height,
            duration_ms: output.millis,
            text: None,
            saves: Vec::new(),
        }
    }
}

/// An output in one of its owner's drives, or on its way there.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SavedView {
    #[schema(value_type = DriveName)]
    pub drive: &'static str,
    /// `waiting` to be tried, or tried again; `saved`; or `failed`, and tried again only when you ask for it
    #[schema(value_type = SaveStatus)]
    pub status: &'static str,
    /// Where you see it; once it is saved
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Why it failed
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<SaveFailureCode>)]
    pub failure: Option<&'static str>,
}

impl SavedView {
    pub fn of(save: &Save) -> SavedView {
        let (status, url, failure) = match &save.state {
            SaveState::Waiting { .. } => ("waiting", None, None),
            SaveState::Saved { link, .. } => ("saved", Some(link.clone()), None),
            SaveState::Failed { why, .. } => ("failed", None, Some(why.as_str())),
        };
        SavedView { drive: save.id.drive.as_str(), status, url, failure }
    }
}
