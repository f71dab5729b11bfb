use super::upload::UploadRefusal;
use super::wish::UploadFault;
use crate::MediaError;
use platform::{StoreError, with_causes};
use problems::{Problem, ProblemCode, Wording};
use std::time::Duration;

/// Why an upload was not begun, shown, used or removed.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// Unknown, another account's, removed, or past its days.
    #[error("there is no such upload")]
    NotFound,
    /// The file has not come yet.
    #[error("nothing was uploaded yet")]
    NotUploaded,
    /// The file came and can't be used.
    #[error("the upload can't be used: {}", .0.as_str())]
    Refused(UploadRefusal),
    /// What was announced can't be uploaded.
    #[error("the announced file can't be uploaded")]
    Faults(Vec<UploadFault>),
    /// The account's allowance is used up.
    #[error("the account's allowance is used up for {0:?}")]
    TooMuch(Duration),
    /// The bucket.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl UploadError {
    /// What the caller is told; what is ours to mend goes to the log.
    pub fn problem(&self) -> Problem {
        match self {
            UploadError::NotFound => ProblemCode::NotFound.into(),
            UploadError::NotUploaded => ProblemCode::UploadNotReady.into(),
            UploadError::Refused(refusal) => refused(*refusal),
            UploadError::Faults(faults) => {
                let problem = Problem::new(ProblemCode::InvalidInput);
                faults.iter().fold(problem, |problem, fault| {
                    let (pointer, why) = wrong(*fault);
                    problem.pointer(pointer, why)
                })
            }
            UploadError::TooMuch(wait) => Problem::new(ProblemCode::TooManyUploads).retry_after(*wait),
            UploadError::Media(_)
            | UploadError::Store(StoreError::Conflict | StoreError::Unavailable { .. }) => {
                tracing::error!(error = %with_causes(self), "something about an upload was not done");
                ProblemCode::StoreUnavailable.into()
            }
            UploadError::Store(StoreError::Corrupt { .. }) => {
                tracing::error!(error = %with_causes(self), "the row of an upload can't be read");
                ProblemCode::Internal.into()
            }
        }
    }
}

fn refused(refusal: UploadRefusal) -> Problem {
    let Wording { english, vietnamese } = refusal.wording();
    Problem::new(ProblemCode::UploadRefused)
        .detail(format!("{english} Upload another file."))
        .in_vietnamese(format!("{vietnamese} Hãy tải lên tệp khác."))
}

impl UploadRefusal {
    /// What is wrong, as a sentence.
    pub fn wording(self) -> Wording {
        let (english, vietnamese) = match self {
            UploadRefusal::OtherContent => (
                "The file that came is not the one that was announced.",
                "Tệp nhận được không phải là tệp đã khai báo.",
            ),
            UploadRefusal::OtherKind => (
                "The file is not of the kind that was announced, or of a type that is not taken.",
                "Tệp không đúng loại đã khai báo, hoặc thuộc loại không được nhận.",
            ),
            UploadRefusal::Damaged => ("The file is cut off or damaged.", "Tệp bị cắt cụt hoặc bị hỏng."),
            UploadRefusal::TooManyPixels => {
                ("The picture has too many pixels.", "Hình có quá nhiều điểm ảnh.")
            }
            UploadRefusal::TooLong => ("The file plays for too long.", "Tệp có thời lượng quá dài."),
        };
        Wording::new(english, vietnamese)
    }
}

fn wrong(fault: UploadFault) -> (&'static str, Wording) {
    match fault {
        UploadFault::Kind => {
            ("/kind", Wording::new("is image, audio or video", "là image, audio hoặc video"))
        }
        UploadFault::ContentType(kind) => {
            let types = super::UploadWish::content_types(kind).join(", ");
            let why = Wording::new(format!("is one of {types}"), format!("là một trong: {types}"));
            ("/content_type", why)
        }
        UploadFault::Bytes { max } => {
            let why = Wording::new(format!("is from 1 to {max}"), format!("từ 1 đến {max}"));
            ("/bytes", why)
        }
        UploadFault::Sha256 => {
            let english = "is SHA-256 of the file, 64 hexadecimal digits or 43 characters of URL-safe base64";
            let vietnamese =
                "là SHA-256 của tệp, 64 chữ số thập lục phân hoặc 43 ký tự base64 an toàn cho URL";
            ("/sha256", Wording::new(english, vietnamese))
        }
    }
}
