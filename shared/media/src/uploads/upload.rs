use super::wish::UploadWish;
use crate::output::expiry;
use crate::sniff::{Bounds, Facts, Flaw};
use crate::{FileFamily, FileType, MediaRules};
use primitives::{AccountId, Timestamp, UploadId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The class of keys that uploads lie under; the bucket's rule for it ends them.
pub(crate) const UPLOADS: &str = "up30";

/// How long the form of an upload can be used.
pub(crate) const FORM_LIFETIME: Duration = Duration::from_secs(600);

/// A file that a person has sent, or is about to send, for use in runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Names it in a run's input.
    pub id: UploadId,
    /// Whose it is.
    pub account: AccountId,
    /// What it must turn out to be.
    pub kind: FileFamily,
    /// What was announced of it.
    pub announced: Announced,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Until then its form can be used.
    pub form_until: Timestamp,
    /// From then on it is gone.
    pub expires_at: Timestamp,
    /// What came of it.
    pub state: UploadState,
    /// Where the form puts it.
    pub(crate) key: String,
}

/// What a person says of a file before sending it. The bucket takes no other file, and we look again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// As its sender calls its type; one that we take.
    pub content_type: String,
    /// Exactly so many.
    pub bytes: u64,
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
}

/// Where an upload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadState {
    /// Nothing has come yet, or nobody has looked since.
    Waiting,
    /// It came, and can be used.
    Ready(UploadFacts),
    /// It came, and can't be used.
    Refused(UploadRefusal),
}

/// What a run may know of an upload without reading it. It can be stored beside what was ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadFacts {
    /// Judged by its bytes.
    pub file_type: FileType,
    /// Size of what a run gets: without a picture's metadata.
    pub bytes: u64,
    /// SHA-256 of what a run gets.
    pub sha256: [u8; 32],
    /// Width and height in pixels, of what has them.
    pub pixels: Option<(u32, u32)>,
    /// How long it plays in milliseconds, of what plays.
    pub millis: Option<u64>,
    /// Where it lies.
    pub(crate) key: String,
}

/// Why an upload can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadRefusal {
    /// It has another length or another content than was announced.
    OtherContent,
    /// It is no picture, sound or video of a type that we take, or not the one of the three that was announced.
    OtherKind,
    /// It is cut off, or breaks the rules of its format.
    Damaged,
    /// Its picture is larger than we take.
    TooManyPixels,
    /// It plays longer than we take.
    TooLong,
}

impl UploadRefusal {
    /// All there are.
    pub const ALL: [UploadRefusal; 5] = [
        UploadRefusal::OtherContent,
        UploadRefusal::OtherKind,
        UploadRefusal::Damaged,
        UploadRefusal::TooManyPixels,
        UploadRefusal::TooLong,
    ];

    /// Its name, in rows and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            UploadRefusal::OtherContent => "other_content",
            UploadRefusal::OtherKind => "other_kind",
            UploadRefusal::Damaged => "damaged",
            UploadRefusal::TooManyPixels => "too_many_pixels",
            UploadRefusal::TooLong => "too_long",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<UploadRefusal> {
        UploadRefusal::ALL.into_iter().find(|refusal| refusal.as_str() == name)
    }

    fn of_flaw(flaw: Flaw) -> UploadRefusal {
        match flaw {
            Flaw::Unknown | Flaw::OtherFamily(..) => UploadRefusal::OtherKind,
            Flaw::Cut | Flaw::Damaged(_) | Flaw::Unfit(_) => UploadRefusal::Damaged,
            Flaw::TooManyPixels => UploadRefusal::TooManyPixels,
        }
    }
}

/// What was seen of the object while it was read from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) bytes: u64,
    pub(crate) sha256: [u8; 32],
    pub(crate) facts: Result<Facts, Flaw>,
}

impl Upload {
    pub(crate) fn new(account: &AccountId, wish: UploadWish, rules: &MediaRules, now: Timestamp) -> Upload {
        let id = UploadId::mint(now);
        Upload {
            id,
            account: account.clone(),
            kind: wish.kind,
            announced: wish.announced,
            created_at: now,
            form_until: now.after(FORM_LIFETIME),
            expires_at: expiry(now, rules.upload_days),
            state: UploadState::Waiting,
            key: format!("{UPLOADS}/{account}/{id}"),
        }
    }

    /// From its expiry on it can be used by nobody, whether the bucket has deleted it or not.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    /// What the file is worth, now that it was read.
    pub(crate) fn judge(&self, seen: &Seen, rules: &MediaRules) -> Result<Facts, UploadRefusal> {
        if seen.bytes != self.announced.bytes || seen.sha256 != self.announced.sha256 {
            return Err(UploadRefusal::OtherContent);
        }
        let facts = seen.facts.map_err(UploadRefusal::of_flaw)?;
        if facts.file_type == FileType::Gif {
            return Err(UploadRefusal::OtherKind);
        }
        let seconds_max = match self.kind {
            FileFamily::Video => rules.video_seconds_max,
            _ => rules.audio_seconds_max,
        };
        match facts.millis {
            Some(millis) if millis > seconds_max.saturating_mul(1_000) => Err(UploadRefusal::TooLong),
            _ => Ok(facts),
        }
    }
}

impl MediaRules {
    /// How large the picture of an upload may be.
    pub(crate) fn upload_bounds(&self) -> Bounds {
        Bounds { side_max: self.side_max, pixels_max: self.pixels_max }
    }

    /// The longest file of a kind; `None` for kinds that are not uploaded.
    pub fn upload_bytes_max(&self, kind: FileFamily) -> Option<u64> {
        match kind {
            FileFamily::Image => Some(self.image_bytes_max),
            FileFamily::Audio => Some(self.audio_bytes_max),
            FileFamily::Video => Some(self.video_bytes_max),
            FileFamily::Text | FileFamily::Table | FileFamily::Subtitles => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn rules() -> MediaRules {
        MediaRules {
            output_days: 30,
            upload_days: 30,
            uploads_open_max: 3,
            upload_day_bytes_max: 1_000,
            image_bytes_max: 500,
            audio_bytes_max: 600,
            video_bytes_max: 700,
            side_max: 4_096,
            pixels_max: 16 * 1024 * 1024,
            audio_seconds_max: 60,
            video_seconds_max: 10,
        }
    }

    pub(crate) fn now() -> Timestamp {
        Timestamp::from_seconds(1_800_000_000)
    }

    pub(crate) fn upload(kind: FileFamily) -> Upload {
        let announced = Announced { content_type: "image/png".to_owned(), bytes: 100, sha256: [7; 32] };
        Upload::new(&"user_ann".parse().unwrap(), UploadWish { kind, announced }, &rules(), now())
    }

    fn seen(file_type: FileType, millis: Option<u64>) -> Seen {
        Seen { bytes: 100, sha256: [7; 32], facts: Ok(Facts { file_type, pixels: Some((1, 1)), millis }) }
    }

    #[test]
    fn an_upload_lies_under_its_owners_prefix_and_ends_after_its_days_to_the_second() {
        let upload = upload(FileFamily::Image);
        assert_eq!(upload.key, format!("up30/user_ann/{}", upload.id));
        let last_second = now().after(Duration::from_secs(30 * 86_400 - 1));
        assert!(
            !upload.is_expired(last_second) && upload.is_expired(last_second.after(Duration::from_secs(1)))
        );
    }

    #[test]
    fn what_came_is_worth_what_its_bytes_say() {
        use FileFamily::{Audio, Image, Video};
        let fine = |file_type, millis| seen(file_type, millis);
        let flawed = |flaw| Seen { facts: Err(flaw), ..seen(FileType::Png, None) };
        for (kind, seen, expected) in [
            (Image, fine(FileType::Png, None), None),
            (Audio, fine(FileType::Mp3, Some(60_000)), None),
            (Audio, fine(FileType::Mp3, Some(60_001)), Some(UploadRefusal::TooLong)),
            (Video, fine(FileType::Mp4, Some(10_000)), None),
            (Video, fine(FileType::Mp4, Some(10_001)), Some(UploadRefusal::TooLong)),
            (Image, fine(FileType::Gif, Some(5)), Some(UploadRefusal::OtherKind)),
            (Image, Seen { bytes: 101, ..fine(FileType::Png, None) }, Some(UploadRefusal::OtherContent)),
            (Image, Seen { sha256: [8; 32], ..fine(FileType::Png, None) }, Some(UploadRefusal::OtherContent)),
            (Image, flawed(Flaw::Unknown), Some(UploadRefusal::OtherKind)),
            (Image, flawed(Flaw::OtherFamily(Video, Image)), Some(UploadRefusal::OtherKind)),
            (Image, flawed(Flaw::Cut), Some(UploadRefusal::Damaged)),
            (Image, flawed(Flaw::TooManyPixels), Some(UploadRefusal::TooManyPixels)),
        ] {
            assert_eq!(upload(kind).judge(&seen, &rules()).err(), expected, "{kind:?} {seen:?}");
        }
    }

    #[test]
    fn every_refusal_is_read_by_the_name_it_is_written_with() {
        for refusal in UploadRefusal::ALL {
            assert_eq!(UploadRefusal::of_name(refusal.as_str()), Some(refusal));
        }
        assert_eq!(UploadRefusal::of_name("other"), None);
    }
}
