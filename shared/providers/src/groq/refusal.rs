use super::Refused;
use crate::failure::{Again, Failure, FailureClass};
use crate::status::{ErrorAnswer, retry_after};
use crate::{lenient, wire};

/// What Groq says of a file that it can't hear, as parts of a message in small letters.
const OF_THE_FILE: [&str; 3] = ["valid media file", "too short", "decode"];
/// What it says when it can't fetch an address.
const OF_THE_ADDRESS: &str = "retrieve media";

/// Groq's refusal (`docs/facts/providers.md`, "Groq's Whisper").
pub(super) fn of(answer: &ErrorAnswer) -> Refused {
    let document = lenient::document(&answer.body).unwrap_or_default();
    let said = |name: &str| lenient::text(&document["error"][name]).unwrap_or_default().to_ascii_lowercase();
    let message = said("message");
    let failure = match answer.status.as_u16() {
        400 | 422 if message.contains(OF_THE_ADDRESS) => return Refused::Unfetched,
        400 | 422 if OF_THE_FILE.iter().any(|part| message.contains(part)) => FailureClass::BadInput.into(),
        // What is larger than our setting is never sent: the account's limit is lower than the setting.
        413 => FailureClass::RequestRefused.into(),
        // Its words about haste name the page where a larger plan is bought, which sounds like an empty account.
        429 if said("code") != "insufficient_quota" => {
            let again = retry_after(&answer.headers).map_or(Again::Soon, Again::After);
            Failure { again, ..Failure::new(FailureClass::RateLimited) }
        }
        // No capacity for our tier at the moment: nothing was begun.
        498 => Failure { again: Again::Soon, ..Failure::new(FailureClass::RateLimited) },
        _ => answer.failure(""),
    };
    Refused::For(failure.with_request_id(wire::header_id(&answer.headers, "x-request-id")))
}
