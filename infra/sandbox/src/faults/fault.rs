//! The faults themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Moment;
use crate::Service;

/// Something that goes wrong at a vendor. In JSON the name is in `fault`, parameters lie beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// The answer comes after a wait.
    Slow {
        /// How long.
        #[serde(default = "one_second")]
        ms: u64,
    },
    /// 503 before anything was accepted.
    Refuse,
    /// An error status in the vendor's shape, before anything was accepted.
    Status {
        /// 401, 402, 429, 500, 529, …
        #[serde(default = "internal_error")]
        status: u16,
        /// Seconds in a `retry-after` header.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// The work is accepted, then the connection closes without an answer.
    DropConnection,
    /// The connection closes and nothing was accepted.
    DropBefore,
    /// The stream is cut (the connection ends abnormally).
    CutStream {
        /// Content pieces delivered before.
        #[serde(default = "three")]
        after: usize,
    },
    /// The stream ends cleanly but without its final events.
    EndEarly {
        /// Content pieces delivered before.
        #[serde(default = "three")]
        after: usize,
    },
    /// An error object inside the 200 stream; for queued jobs: the job itself fails.
    ErrorFrame {
        /// Content pieces delivered before.
        #[serde(default = "three")]
        after: usize,
    },
    /// The stream pauses.
    Stall {
        /// How long.
        #[serde(default = "one_minute")]
        ms: u64,
        /// Content pieces delivered before.
        #[serde(default = "three")]
        after: usize,
    },
    /// 200 with an HTML page.
    Garbage,
    /// A complete answer without content.
    Empty,
    /// Valid JSON that is not the documented answer.
    WrongShape,
    /// The job waits in the queue for some looks longer.
    Late {
        /// How many looks.
        #[serde(default = "five")]
        polls: u32,
    },
    /// The job disappears; a webhook is never sent.
    Lost,
    /// The first result call answers 504, later ones work.
    #[serde(rename = "result_504")]
    Result504,
    /// The image is flagged (and black).
    Nsfw,
    /// The vendor's content rules stop the answer.
    ContentFilter,
    /// A webhook is delivered twice; a stream repeats its usage; a chain's list shows its rows twice.
    Duplicate,
    /// Exactly this answer, whatever the vendor would say; nothing is accepted.
    Scripted {
        /// Its status.
        #[serde(default = "ok")]
        status: u16,
        /// Its headers beside the content type; for `retry-after`, `x-fal-billable-units` and the like.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// Its content type; empty leaves the header out.
        #[serde(default = "json_type")]
        content_type: String,
        /// Its bytes.
        #[serde(default)]
        body: String,
        /// What follows the bytes.
        #[serde(default)]
        then: Then,
    },
    /// A page of a list does not say that the list goes on.
    Unmarked,
    /// The output's address serves an HTML page.
    NotAnImage,
    /// The output is larger than 64 MiB.
    Huge {
        /// Whether `content-length` says so beforehand.
        #[serde(default = "yes")]
        announced: bool,
    },
    /// The work is done, and its webhook delivered, before the submit is answered.
    Early,
    /// All webhooks come at the end, the last event first.
    OutOfOrder,
    /// Somebody else sends a webhook too, before the true one.
    Forged,
    /// Sound without speech: a drone is made, or text is heard in silence.
    NoSpeech,
    /// The rows of a finished run say what went wrong in place of data.
    ErrorRows,
    /// The video is whole and plays, and it is large.
    Large {
        /// Its size in MiB, at most 4000.
        #[serde(default = "hundred")]
        mb: u32,
    },
    /// The output's address breaks off in the middle of an answer; a later part is answered whole.
    CutFile,
    /// The webhook about the job is not what it should be.
    Webhook {
        /// What is wrong with it.
        #[serde(default)]
        how: WebhookFault,
    },
    /// The key set that webhooks are checked with looks different.
    Keys {
        /// How it looks.
        #[serde(default)]
        show: KeySet,
    },
}

/// What can be wrong with a webhook from fal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFault {
    /// It is never sent.
    #[default]
    Lost,
    /// It is signed with a key that is in no key set.
    Forged,
    /// Its signature is right, and ten minutes old.
    Stale,
    /// It is sent before the submit is answered.
    Early,
    /// It tells of success although the job was cancelled. Without this a cancelled job sends nothing.
    AfterCancel,
    /// It tells of a failure of fal's own machinery, and the result is there all the same.
    Error,
    /// It says that the result could not be put into it.
    PayloadError,
    /// Its `gateway_request_id` is another one, as after a repeat by fal itself.
    OtherGateway,
}

/// How fal's key set can look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySet {
    /// The keys are written with `=` at their end.
    #[default]
    Padded,
    /// The key that signs is missing.
    Other,
    /// No key at all.
    None,
}

/// How a scripted answer ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// As it should.
    #[default]
    End,
    /// The connection breaks.
    Cut,
    /// Nothing more comes, and the connection stays open.
    Hang,
}

impl Fault {
    /// Its name as orders and the journal write it.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Slow { .. } => "slow",
            Fault::Refuse => "refuse",
            Fault::Status { .. } => "status",
            Fault::DropConnection => "drop_connection",
            Fault::DropBefore => "drop_before",
            Fault::CutStream { .. } => "cut_stream",
            Fault::EndEarly { .. } => "end_early",
            Fault::ErrorFrame { .. } => "error_frame",
            Fault::Stall { .. } => "stall",
            Fault::Garbage => "garbage",
            Fault::Empty => "empty",
            Fault::WrongShape => "wrong_shape",
            Fault::Late { .. } => "late",
            Fault::Lost => "lost",
            Fault::Result504 => "result_504",
            Fault::Nsfw => "nsfw",
            Fault::ContentFilter => "content_filter",
            Fault::Duplicate => "duplicate",
            Fault::Scripted { .. } => "scripted",
            Fault::Unmarked => "unmarked",
            Fault::NotAnImage => "not_an_image",
            Fault::Huge { .. } => "huge",
            Fault::Early => "early",
            Fault::OutOfOrder => "out_of_order",
            Fault::Forged => "forged",
            Fault::NoSpeech => "no_speech",
            Fault::ErrorRows => "error_rows",
            Fault::Large { .. } => "large",
            Fault::CutFile => "cut_file",
            Fault::Webhook { .. } => "webhook",
            Fault::Keys { .. } => "keys",
        }
    }

    /// Reads a fault from its name and parameters; the error says what is wrong with them.
    pub(crate) fn from_parts(name: &str, mut parts: Map<String, Value>) -> Result<Fault, String> {
        parts.insert("fault".to_owned(), Value::from(name));
        serde_json::from_value(Value::Object(parts)).map_err(|error| error.to_string())
    }

    /// Whether it can strike a call of this kind.
    pub(super) fn strikes(&self, service: Service, moment: Moment) -> bool {
        match moment {
            Moment::Control => false,
            Moment::Delivery => matches!(self, Fault::Duplicate | Fault::Lost),
            Moment::Work => !matches!(self, Fault::Keys { .. }),
            Moment::Keys => self.is_about_the_call() || matches!(self, Fault::Keys { .. }),
            Moment::Read => {
                self.is_about_the_call()
                    || (*self == Fault::Empty && has_empty_reads(service))
                    || self.is_about_a_list(service)
            }
        }
    }

    fn is_about_a_list(&self, service: Service) -> bool {
        use Service::{Sepay, Trongrid, Tronscan};
        match self {
            Fault::Duplicate => matches!(service, Tronscan | Trongrid),
            Fault::Unmarked => matches!(service, Tronscan | Trongrid | Sepay),
            _ => false,
        }
    }

    fn is_about_the_call(&self) -> bool {
        matches!(
            self,
            Fault::Slow { .. }
                | Fault::Refuse
                | Fault::Status { .. }
                | Fault::DropConnection
                | Fault::DropBefore
                | Fault::Garbage
                | Fault::WrongShape
                | Fault::Scripted { .. }
        )
    }
}

/// Where a read has something to leave out: keys, transfers, rates.
fn has_empty_reads(service: Service) -> bool {
    use Service::{Bank, Clerk, Frankfurter, Google, Sepay, Trongrid, Tronscan, Vietcombank};
    matches!(service, Google | Clerk | Sepay | Bank | Tronscan | Trongrid | Vietcombank | Frankfurter)
}

fn one_second() -> u64 {
    1_000
}

fn one_minute() -> u64 {
    60_000
}

fn internal_error() -> u16 {
    500
}

fn ok() -> u16 {
    200
}

fn json_type() -> String {
    "application/json".to_owned()
}

fn three() -> usize {
    3
}

fn five() -> u32 {
    5
}

fn hundred() -> u32 {
    100
}

fn yes() -> bool {
    true
}
