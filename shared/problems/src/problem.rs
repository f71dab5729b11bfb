//! Problem documents (RFC 9457): one shape for everything that is refused or goes wrong.

use crate::{ProblemCode, words};
use primitives::{Credits, CreditsView, Language, RunId, Unit};
use serde::Serialize;
use std::borrow::Cow;
use std::time::Duration;
use utoipa::ToSchema;

const REPLAYED: &str =
    " The run of an earlier request with this key ended so. To run the tool again, send a new key.";
const REPLAYED_IN_VIETNAMESE: &str =
    " Đây là kết quả của một lần chạy trước với cùng mã. Để chạy lại, hãy bắt đầu một lần chạy mới.";

/// What happened to the caller's credit because of this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Credit {
    /// Nothing was taken, or it was given back.
    NotTaken,
    /// Set aside for a run whose outcome is open.
    Held,
    Taken,
    /// Whatever was the case before still is.
    Unchanged,
    /// The answer was lost on its way: the run, or the account, shows what became of it.
    Unknown,
}

/// A refusal on its way to the caller. Cheap details of ours never enter it; they belong in the log.
#[derive(Debug, Clone)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    code: ProblemCode,
    document: ProblemDocument,
    limit: Option<RequestLimit>,
    /// Without its unit, which only the profile knows.
    price: Option<Credits>,
    available: Option<Credits>,
    /// The words of this very case in Vietnamese, where the usual ones of its code say too little.
    vietnamese: Option<String>,
    /// What is wrong with each of the document's `errors`, in the same order, in Vietnamese.
    vietnamese_errors: Vec<Cow<'static, str>>,
    /// In which its words are, once it was told.
    language: Option<Language>,
}

/// The limit that requests ran into, for headers beside the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimit {
    pub per_minute_max: u32,
    /// Until requests are counted from zero again.
    pub reset_in: Duration,
}

/// The body of every answer that is not a success, sent as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProblemDocument {
    /// `urn:problem:` and the code
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for every problem of this code
    pub title: String,
    pub status: u16,
    /// What happened and what to do, for a person, in the language of `Accept-Language` (`en`, `vi`)
    pub detail: String,
    /// What to do about it in the client, for its developer
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[schema(value_type = ProblemCode, example = "insufficient_credit")]
    pub code: String,
    pub credit: Credit,
    /// Name it to support
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Leads us through all services that had a part in it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// True when this is how the run of an earlier request with the same key ended: that key always gets this answer
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
    /// What the run costs
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<CreditsView>,
    /// What can be spent
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<CreditsView>,
    /// The values that can't be used
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// JSON pointer into the body (`/input/prompt`), or `?name` of a query parameter
    pub pointer: String,
    /// What is wrong with it, for a person, in the language of `Accept-Language`
    pub detail: String,
}

/// What is wrong with one value, in each language that answers are written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    pub english: Cow<'static, str>,
    pub vietnamese: Cow<'static, str>,
}

impl Wording {
    pub fn new(english: impl Into<Cow<'static, str>>, vietnamese: impl Into<Cow<'static, str>>) -> Wording {
        Wording { english: english.into(), vietnamese: vietnamese.into() }
    }
}

impl Problem {
    pub fn new(code: ProblemCode) -> Problem {
        let meaning = code.meaning();
        let document = ProblemDocument {
            kind: format!("urn:problem:{}", meaning.name),
            title: meaning.title.to_owned(),
            status: meaning.status,
            detail: meaning.detail.to_owned(),
            hint: None,
            code: meaning.name.to_owned(),
            credit: meaning.credit,
            request_id: None,
            trace_id: None,
            run_id: None,
            replayed: false,
            price: None,
            available: None,
            errors: Vec::new(),
            retry_after_seconds: None,
        };
        Problem(Box::new(Parts {
            code,
            document,
            limit: None,
            price: None,
            available: None,
            vietnamese: None,
            vietnamese_errors: Vec::new(),
            language: None,
        }))
    }

    /// Answers every request of a person who was deleted, while their last token is still good.
    pub fn deleted_person() -> Problem {
        Problem::new(ProblemCode::Unauthenticated).detail(
            "The person of this sign-in was deleted here. Nothing can be seen or done with it any more.",
        )
    }

    /// Replaces the usual words. Say what to do next, and nothing the caller sent.
    pub fn detail(mut self, detail: impl Into<String>) -> Problem {
        self.0.document.detail = detail.into();
        self
    }

    /// The same in Vietnamese. A detail without it is told in the usual Vietnamese words of its code.
    pub fn in_vietnamese(mut self, detail: impl Into<String>) -> Problem {
        self.0.vietnamese = Some(detail.into());
        self
    }

    /// What the run costs; the edge adds the ledger's unit.
    pub fn price(mut self, price: Credits) -> Problem {
        self.0.price = Some(price);
        self
    }

    /// What can be spent; the edge adds the ledger's unit.
    pub fn available(mut self, available: Credits) -> Problem {
        self.0.available = Some(available);
        self
    }

    /// Says it in the caller's language, its amounts in the ledger's unit, and to the client's developer what to do.
    pub fn told(mut self, language: Language, unit: Unit) -> Problem {
        let (price, available) = (self.0.price, self.0.available);
        let document = &mut self.0.document;
        document.price = price.map(|price| CreditsView::new(price, unit));
        document.available = available.map(|available| CreditsView::new(available, unit));
        document.hint = words::hint(self.0.code).map(str::to_owned);
        if language == Language::Vietnamese {
            let (title, detail) = words::vietnamese(self.0.code);
            title.clone_into(&mut document.title);
            document.detail = self.0.vietnamese.take().unwrap_or_else(|| detail.to_owned());
            if document.replayed {
                document.detail.push_str(REPLAYED_IN_VIETNAMESE);
            }
            for (error, detail) in document.errors.iter_mut().zip(&self.0.vietnamese_errors) {
                detail.as_ref().clone_into(&mut error.detail);
            }
        }
        self.0.language = Some(language);
        self
    }

    pub fn credit(mut self, credit: Credit) -> Problem {
        self.0.document.credit = credit;
        self
    }

    /// Also sent as `X-Run-Id`, like every answer about a run.
    pub fn run(mut self, run: RunId) -> Problem {
        self.0.document.run_id = Some(run.to_string());
        self
    }

    /// This is the answer of an earlier request; the same key will never get another one.
    pub fn replayed(mut self) -> Problem {
        self.0.document.replayed = true;
        self.0.document.detail.push_str(REPLAYED);
        self
    }

    /// Names a value that can't be used, and why.
    pub fn pointer(mut self, pointer: impl Into<String>, why: Wording) -> Problem {
        let Wording { english, vietnamese } = why;
        self.0.document.errors.push(FieldProblem { pointer: pointer.into(), detail: english.into_owned() });
        self.0.vietnamese_errors.push(vietnamese);
        self
    }

    /// Also sent as `Retry-After`.
    pub fn retry_after(mut self, wait: Duration) -> Problem {
        self.0.document.retry_after_seconds =
            Some(wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX));
        self
    }

    /// A minute's requests are used up.
    pub fn rate_limited(limit: RequestLimit) -> Problem {
        let mut problem = Problem::new(ProblemCode::RateLimited).retry_after(limit.reset_in);
        problem.0.limit = Some(limit);
        problem
    }

    /// Names the request, and the trace it belongs to. The edge does so on every answer.
    pub fn request(mut self, id: impl Into<String>, trace: Option<&str>) -> Problem {
        self.0.document.request_id = Some(id.into());
        self.0.document.trace_id = trace.map(str::to_owned);
        self
    }

    pub fn code(&self) -> ProblemCode {
        self.0.code
    }

    pub fn run_id(&self) -> Option<&str> {
        self.0.document.run_id.as_deref()
    }

    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.0.document.retry_after_seconds
    }

    /// In which its words are; known once it was told.
    pub fn language(&self) -> Option<Language> {
        self.0.language
    }

    pub fn limit(&self) -> Option<RequestLimit> {
        self.0.limit
    }

    /// What would be the body, e.g. for a `failed` event inside a stream that began well.
    pub fn document(&self) -> serde_json::Value {
        // A struct of text and numbers always has a JSON form.
        serde_json::to_value(&self.0.document).unwrap_or_default()
    }
}

impl From<ProblemCode> for Problem {
    fn from(code: ProblemCode) -> Problem {
        Problem::new(code)
    }
}
