//! Transcripts: a row that is one list, and rows with everything about a video; what fails is a row too.

use serde_json::{Value, json};

use super::youtube::{Caption, Video};
use crate::apify::input::Input;

const ADDRESSES: &[&str] = &["videoUrls", "startUrls", "videos", "urls", "videoUrl"];

/// pintostudio/youtube-transcript-scraper: `{"data": [{start, dur, text}]}`, without language or title.
pub(super) fn in_one_row(input: &Input) -> Result<Vec<Value>, &'static str> {
    let address = input.text("videoUrl").ok_or("videoUrl")?;
    let Some(video) = Video::at(address) else { return Ok(vec![failed(address, "Invalid YouTube URL")]) };
    let wanted = input.text("targetLanguage").unwrap_or_default();
    // A language that is not there is answered with the spoken one, and nothing says so.
    let found = video.languages().iter().find(|language| **language == wanted);
    let captions = match found.or_else(|| video.languages().first()) {
        Some(language) => video.captions(language),
        None => Vec::new(),
    };
    Ok(vec![json!({ "data": captions.iter().map(Caption::raw).collect::<Vec<_>>() })])
}

/// A row for each video and language.
pub(super) fn in_rows(input: &Input) -> Result<Vec<Value>, &'static str> {
    let addresses = input.texts(ADDRESSES);
    if addresses.is_empty() {
        return Err("videoUrls");
    }
    let wanted = input.texts(&["languages", "language"]);
    Ok(addresses.iter().flat_map(|address| rows_of(address, &wanted)).collect())
}

fn rows_of(address: &str, wanted: &[String]) -> Vec<Value> {
    let Some(video) = Video::at(address) else { return vec![failed(address, "Invalid YouTube URL")] };
    let Some(spoken) = video.languages().first() else {
        return vec![about(failed(address, "Captions are disabled for this video"), &video)];
    };
    let spoken = [(*spoken).to_owned()];
    let wanted = if wanted.is_empty() { &spoken } else { wanted };
    wanted.iter().map(|language| row(address, &video, language)).collect()
}

fn row(address: &str, video: &Video, language: &str) -> Value {
    if !video.languages().contains(&language) {
        let known = video.languages().join(", ");
        let text = format!("No captions in language '{language}'. Available: {known}");
        return about(failed(address, &text), video);
    }
    let captions = video.captions(language);
    let text = captions.iter().map(|caption| caption.text).collect::<Vec<_>>().join(" ");
    json!({
        "videoId": video.id,
        "url": video.url(),
        "title": video.title("vi"),
        "channelName": "Kênh Thử Nghiệm",
        "durationSeconds": video.seconds(),
        "language": language,
        "isGenerated": language == "vi",
        "availableLanguages": video.languages(),
        "text": text,
        "segments": captions.iter().map(Caption::shown).collect::<Vec<_>>(),
    })
}

fn failed(address: &str, error: &str) -> Value {
    json!({ "url": address, "error": error })
}

fn about(mut row: Value, video: &Video) -> Value {
    row["videoId"] = Value::from(video.id.as_str());
    row
}
