//! The form: which sound, which model, which shape of answer.

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::transcript::{Granularity, Transcript};
use super::{MODELS, file, language, refusal};
use crate::call::Call;
use crate::door::Mood;
use crate::multipart::Form;
use crate::outside::{Fetched, fetch};
use crate::reply::Refused;
use crate::{Fault, decimal};

/// 25 MB, the limit of a free account, for uploads and addresses alike.
const FILE_BYTES_MAX: usize = 25 * 1024 * 1024;
const PROMPT_CHARS_MAX: usize = 896;
const MILLIS_MIN: u64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Transcribe,
    /// To English, whatever is spoken.
    Translate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Text,
    VerboseJson,
}

pub(super) async fn answer(call: &Call, mood: &Mood, task: Task) -> Response {
    let Some(form) = Form::read(call.header("content-type"), &call.body) else {
        return refusal::bad_request("request Content-Type isn't multipart/form-data");
    };
    transcript(&form, mood, task).await.unwrap_or_else(|refused| *refused)
}

async fn transcript(form: &Form<'_>, mood: &Mood, task: Task) -> Result<Response, Refused> {
    let model = form.text("model").ok_or_else(|| bad("model is required"))?;
    if !MODELS.contains(&model) {
        return Err(Box::new(refusal::unknown_model(model)));
    }
    let format = format(form)?;
    let granularities = granularities(form, format)?;
    let language = language(form, task)?;
    check_texts(form)?;
    let bytes = sound(form).await?;
    let sound =
        file::read(&bytes).ok_or_else(|| bad("could not process file - is it a valid media file?"))?;
    if sound.millis < MILLIS_MIN {
        let text = "Audio file is too short. Minimum audio length is 0.01 seconds.";
        return Err(bad(text));
    }
    let is_silent = sound.is_silent || mood.fault == Some(Fault::NoSpeech);
    let transcript = match mood.fault {
        Some(Fault::Empty) => Transcript::empty(language, sound.millis),
        _ if is_silent => Transcript::of_silence(language, sound.millis),
        _ => Transcript::of(language, sound.millis, &bytes),
    };
    Ok(transcript.shown(task, format, &granularities))
}

/// A file that came along, or one that is fetched.
async fn sound(form: &Form<'_>) -> Result<Vec<u8>, Refused> {
    let url = form.text("url").filter(|url| !url.is_empty());
    match (form.find("file"), url) {
        (Some(_), Some(_)) => Err(bad("only one of `file` or `url` may be provided")),
        (None, None) => Err(bad("one of `file` or `url` must be provided")),
        (Some(file), None) => {
            if file.body.len() > FILE_BYTES_MAX {
                return Err(Box::new(refusal(413)));
            }
            if !file::has_known_ending(file.file_name.as_deref().unwrap_or_default()) {
                return Err(Box::new(refusal::bad_format()));
            }
            if file.body.is_empty() {
                return Err(bad("file is empty"));
            }
            Ok(file.body.to_vec())
        }
        (None, Some(url)) => fetched(url).await,
    }
}

async fn fetched(url: &str) -> Result<Vec<u8>, Refused> {
    if let Some(data) = url.strip_prefix("data:") {
        let encoded = data.split_once(";base64,").map_or("", |(_, encoded)| encoded);
        let decoded = STANDARD.decode(encoded).or_else(|_| URL_SAFE.decode(encoded));
        return decoded.map_err(|_| bad("failed to retrieve media: invalid base64"));
    }
    match fetch(url, FILE_BYTES_MAX).await {
        Fetched::File(file) => Ok(file),
        Fetched::TooLarge => Err(Box::new(refusal(413))),
        Fetched::Status(status) => {
            let text = format!("failed to retrieve media: received status code: {status}");
            Err(bad(&text))
        }
        Fetched::Nothing(error) => Err(bad(&format!("failed to retrieve media: {error}"))),
    }
}

/// There are no subtitles: `srt` and `vtt` are refused.
fn format(form: &Form<'_>) -> Result<Format, Refused> {
    match form.text("response_format") {
        None | Some("json") => Ok(Format::Json),
        Some("text") => Ok(Format::Text),
        Some("verbose_json") => Ok(Format::VerboseJson),
        Some(_) => Err(bad("response_format must be one of [json, text, verbose_json]")),
    }
}

/// Segments unless asked otherwise; clients write the name with brackets, and some without.
fn granularities(form: &Form<'_>, format: Format) -> Result<Vec<Granularity>, Refused> {
    let asked = [form.texts("timestamp_granularities[]"), form.texts("timestamp_granularities")].concat();
    if !asked.is_empty() && format != Format::VerboseJson {
        let text = "timestamp_granularities may only be used with response_format verbose_json";
        return Err(bad(text));
    }
    if asked.is_empty() {
        return Ok(vec![Granularity::Segment]);
    }
    let known = asked.into_iter().map(|name| match name {
        "segment" => Ok(Granularity::Segment),
        "word" => Ok(Granularity::Word),
        _ => Err(bad("timestamp_granularities must be one of [word, segment]")),
    });
    known.collect()
}

/// What nobody names is heard as English; a translation always is.
fn language<'a>(form: &Form<'a>, task: Task) -> Result<&'a str, Refused> {
    let code = form.text("language").filter(|code| !code.is_empty()).unwrap_or("en");
    if language::name(code).is_none() {
        return Err(bad("language must be a valid ISO-639-1 language code"));
    }
    Ok(if task == Task::Translate { "en" } else { code })
}

fn check_texts(form: &Form<'_>) -> Result<(), Refused> {
    let chars = form.text("prompt").map_or(0, |prompt| prompt.chars().count());
    if chars > PROMPT_CHARS_MAX {
        let text = format!(
            "prompt length must be {PROMPT_CHARS_MAX} characters or fewer, but provided prompt contains {chars} \
             characters"
        );
        return Err(bad(&text));
    }
    let is_valid = form
        .text("temperature")
        .is_none_or(|text| decimal::read(text, 3).is_some_and(|temperature| temperature <= 1_000));
    match is_valid {
        true => Ok(()),
        false => Err(bad("temperature must be between 0 and 1")),
    }
}

fn bad(message: &str) -> Refused {
    Box::new(refusal::bad_request(message))
}
