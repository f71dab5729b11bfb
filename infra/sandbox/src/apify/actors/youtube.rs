//! Invented videos: all about one follows from its id.

use serde_json::{Value, json};
use url::Url;

use crate::sentences::sentence;
use crate::{decimal, ids};

const ID_CHARS: usize = 11;
/// A video whose id begins so has no captions.
const WITHOUT_CAPTIONS: &str = "nocaption";
/// The language spoken first.
const CAPTIONS: [&str; 2] = ["vi", "en"];
const SECONDS_MIN: u64 = 40;
const SECONDS_MAX: u64 = 640;
const CAPTION_MILLIS: u64 = 4_000;
/// Automatic captions stay until the next but one comes: they overlap.
const CAPTION_STAYS_MILLIS: u64 = 4_800;
const TITLES: [(&str, &str); 6] = [
    ("Cách nấu phở bò chuẩn vị Hà Nội", "How to cook pho the Hanoi way"),
    ("Làm diều tre từ A đến Z", "A bamboo kite from start to finish"),
    ("Một ngày ở chợ nổi Cái Răng", "A day at the Cai Rang floating market"),
    ("Review xe máy điện giá rẻ 2026", "Cheap electric scooters of 2026 compared"),
    ("Học tiếng Anh qua bài hát", "Learn English with songs"),
    ("Du lịch Đà Lạt tự túc", "Da Lat on your own"),
];

pub(super) struct Video {
    pub(super) id: String,
    mark: u64,
}

/// One caption, in milliseconds.
pub(super) struct Caption {
    pub(super) start: u64,
    pub(super) stays: u64,
    pub(super) text: &'static str,
}

impl Video {
    /// From an address of a video, or its bare id; `None` for anything else.
    pub(super) fn at(address: &str) -> Option<Video> {
        let id = match Url::parse(address) {
            Ok(url) => id_in(&url)?,
            Err(_) => address.to_owned(),
        };
        is_id(&id).then(|| Video::of(id))
    }

    /// The `place`th latest video of a channel, or of a search.
    pub(super) fn nth(of: &str, place: u64) -> Video {
        let mark = ids::hash(&format!("{of} {place}"));
        Video::of(format!("{mark:016x}")[..ID_CHARS].to_owned())
    }

    fn of(id: String) -> Video {
        let mark = ids::hash(&id) >> 8;
        Video { id, mark }
    }

    pub(super) fn url(&self) -> String {
        format!("https://www.youtube.com/watch?v={}", self.id)
    }

    pub(super) fn title(&self, language: &str) -> &'static str {
        let (vietnamese, english) = TITLES[usize::try_from(self.mark % TITLES.len() as u64).unwrap_or(0)];
        if language == "en" { english } else { vietnamese }
    }

    pub(super) fn seconds(&self) -> u64 {
        SECONDS_MIN + self.mark % (SECONDS_MAX - SECONDS_MIN)
    }

    pub(super) fn views(&self) -> u64 {
        1_000 + self.mark % 2_000_000
    }

    /// Some channels hide them.
    pub(super) fn likes(&self) -> Option<u64> {
        (!self.mark.is_multiple_of(7)).then(|| self.views() / (20 + self.mark % 30))
    }

    pub(super) fn comments(&self) -> u64 {
        self.views() / 400
    }

    /// `00:03:17`
    pub(super) fn duration(&self) -> String {
        let seconds = self.seconds();
        format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
    }

    /// The languages with captions, the spoken one first.
    pub(super) fn languages(&self) -> &'static [&'static str] {
        if self.id.starts_with(WITHOUT_CAPTIONS) { &[] } else { &CAPTIONS }
    }

    pub(super) fn captions(&self, language: &str) -> Vec<Caption> {
        (0..self.seconds() * 1_000 / CAPTION_MILLIS)
            .map(|place| Caption {
                start: 320 + place * CAPTION_MILLIS,
                stays: CAPTION_STAYS_MILLIS,
                text: sentence(language, self.mark % 10 + place),
            })
            .collect()
    }
}

impl Caption {
    /// With numbers, as most actors have it.
    pub(super) fn shown(&self) -> Value {
        json!({
            "start": decimal::number(self.start, 3), "duration": decimal::number(self.stays, 3), "text": self.text,
        })
    }

    /// With texts for numbers, as YouTube's own answer has it.
    pub(super) fn raw(&self) -> Value {
        let text = |millis: u64| decimal::number(millis, 3).to_string();
        json!({ "start": text(self.start), "dur": text(self.stays), "text": self.text })
    }
}

fn id_in(url: &Url) -> Option<String> {
    let mut path = url.path_segments()?;
    match url.host_str()?.trim_start_matches("www.").trim_start_matches("m.") {
        "youtu.be" => path.next().map(str::to_owned),
        "youtube.com" => match path.next()? {
            "watch" => url.query_pairs().find(|(name, _)| name == "v").map(|(_, id)| id.into_owned()),
            "shorts" | "embed" | "live" => path.next().map(str::to_owned),
            _ => None,
        },
        _ => None,
    }
}

fn is_id(text: &str) -> bool {
    text.len() == ID_CHARS
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
