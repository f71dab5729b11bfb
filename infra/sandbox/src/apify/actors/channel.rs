//! A channel and its videos, in the fields of streamers/youtube-scraper and its faster sister.

use serde_json::{Value, json};

use super::youtube::Video;
use crate::apify::input::Input;
use crate::civil::Civil;
use crate::ids;

const RESULTS: u64 = 10;
const RESULTS_MAX: u64 = 500;
/// A channel brings a video every three days.
const SECONDS_BETWEEN: u64 = 3 * 86_400;

/// With likes and comments.
pub(super) fn with_likes(input: &Input) -> Result<Vec<Value>, &'static str> {
    let rows = |of: &str, place: u64| {
        let video = video(of, place);
        let mut row = row(&video, of, place, input.now);
        row["likes"] = Value::from(video.likes());
        row["commentsCount"] = Value::from(video.comments());
        row["text"] = Value::from(format!("{} – {}", video.title("vi"), video.title("en")));
        row["date"] = Value::from(published(place, input.now).iso_date());
        row["subtitles"] = Value::Null;
        row["isMonetized"] = Value::Null;
        row["commentsTurnedOff"] = Value::from(false);
        row
    };
    all(input, rows)
}

/// Without them, and with the time of publication.
pub(super) fn basic(input: &Input) -> Result<Vec<Value>, &'static str> {
    all(input, |of, place| row(&video(of, place), of, place, input.now))
}

fn all(input: &Input, row: impl Fn(&str, u64) -> Value) -> Result<Vec<Value>, &'static str> {
    let sources = input.texts(&["startUrls", "searchQueries", "searchKeywords", "keywords"]);
    if sources.is_empty() {
        return Err("startUrls");
    }
    let results = input.count("maxResults").unwrap_or(RESULTS).min(RESULTS_MAX);
    Ok(sources.iter().flat_map(|of| (0..results).map(|place| row(of, place)).collect::<Vec<_>>()).collect())
}

/// A video that was named itself, or one of a channel or a search.
fn video(of: &str, place: u64) -> Video {
    Video::at(of).filter(|_| place == 0).unwrap_or_else(|| Video::nth(of, place))
}

fn row(video: &Video, of: &str, place: u64, now: u64) -> Value {
    let (name, mark) = (channel_name(of), ids::hash(of) >> 32);
    json!({
        "title": video.title("vi"),
        "translatedTitle": null,
        "type": "video",
        "id": video.id,
        "url": video.url(),
        "thumbnailUrl": format!("https://i.ytimg.com/vi/{}/maxresdefault.jpg", video.id),
        "viewCount": video.views(),
        "date": published(place, now).iso_text(),
        "duration": video.duration(),
        "location": null,
        "channelName": name,
        "channelUrl": format!("https://www.youtube.com/@{name}"),
        "channelUsername": name,
        "channelId": format!("UC{mark:022x}"),
        "numberOfSubscribers": 1_000 + mark % 900_000,
        "channelTotalVideos": 20 + mark % 900,
        "channelTotalViews": (100_000 + mark % 90_000_000).to_string(),
        "channelDescription": "Kênh do sandbox nghĩ ra.",
        "channelJoinedDate": "Mar 18, 2015",
        "channelLocation": "Vietnam",
        "hashtags": ["#sandbox"],
        "descriptionLinks": [],
        "fromYTUrl": of,
        "input": of,
        "order": place,
    })
}

/// `@handle` in an address, or the words of a search.
fn channel_name(of: &str) -> String {
    match of.split_once("/@") {
        Some((_, rest)) => rest.split(['/', '?']).next().unwrap_or_default().to_owned(),
        None => format!("kenh{:04}", (ids::hash(of) >> 32) % 10_000),
    }
}

fn published(place: u64, now: u64) -> Civil {
    Civil::utc(now.saturating_sub((place + 1) * SECONDS_BETWEEN))
}
