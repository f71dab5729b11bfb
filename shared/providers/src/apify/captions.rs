//! Captions of any actor as one transcript. The rows have no common schema (`docs/facts/providers.md`, "Apify").

use super::rows::Row;
use crate::failure::Failure;
use crate::lenient;
use crate::made::millis_of;
use crate::{Segment, Transcript};
use serde_json::Value;

/// A row may be a single piece; ten hours of captions are fewer.
pub(super) const ROWS_MAX: usize = 20_000;

/// Where a row has its pieces, or its text.
const PIECES: [&str; 5] = ["transcript", "captions", "segments", "data", "text"];
const LENGTHS: [&str; 2] = ["dur", "duration"];

/// A piece as an actor tells it, in milliseconds.
struct Piece {
    start: Option<u64>,
    end: Option<u64>,
    text: String,
}

/// Of the row in the wanted language, else of the first that says something. Rows that are pieces are one transcript
/// together. `empty_answer`: nothing is said.
pub(super) fn transcript(rows: &[Row], wanted: Option<&str>) -> Result<Transcript, Failure> {
    let told: Vec<(Option<&str>, Vec<Piece>)> = rows
        .iter()
        .map(|row| (language(row), pieces_of(row)))
        .filter(|(_, pieces)| !pieces.is_empty())
        .collect();
    let is_wanted = |language: Option<&str>| match (language, wanted) {
        (Some(language), Some(wanted)) => is_same_language(language, wanted),
        _ => false,
    };
    let chosen = told.iter().position(|(language, _)| is_wanted(*language)).unwrap_or(0);
    let language = told.get(chosen).and_then(|(language, _)| language.map(str::to_owned));
    let each_is_a_piece = rows.iter().all(|row| list(row).is_none() && row.contains_key("start"));
    let pieces = match each_is_a_piece {
        true => told.into_iter().flat_map(|(_, pieces)| pieces).collect(),
        false => told.into_iter().nth(chosen).map(|(_, pieces)| pieces).unwrap_or_default(),
    };
    Transcript::of(language, segments(pieces))
}

fn language(row: &Row) -> Option<&str> {
    ["language", "languageCode", "lang"].iter().find_map(|name| lenient::text(row.get(*name)?))
}

/// `vi` is `vi-VN`.
fn is_same_language(told: &str, wanted: &str) -> bool {
    told.split(['-', '_']).next().is_some_and(|told| told.eq_ignore_ascii_case(wanted))
}

/// A list with times is better than the same as one text.
fn pieces_of(row: &Row) -> Vec<Piece> {
    match list(row) {
        Some(list) => list.iter().filter_map(piece).collect(),
        None if row.contains_key("start") => row_piece(row).into_iter().collect(),
        None => {
            let text = PIECES.iter().find_map(|name| lenient::text(row.get(*name)?));
            text.map(|text| Piece { start: None, end: None, text: text.to_owned() }).into_iter().collect()
        }
    }
}

fn list(row: &Row) -> Option<&Vec<Value>> {
    PIECES.iter().find_map(|name| {
        row.get(*name)?.as_array().filter(|list| list.iter().any(|entry| piece(entry).is_some()))
    })
}

fn piece(entry: &Value) -> Option<Piece> {
    match entry {
        Value::Object(row) => row_piece(row),
        Value::String(text) => Some(Piece { start: None, end: None, text: text.clone() }),
        _ => None,
    }
}

fn row_piece(row: &Row) -> Option<Piece> {
    let text = lenient::text(row.get("text")?)?.to_owned();
    let start = row.get("start").and_then(millis_of);
    let lasts = LENGTHS.iter().find_map(|name| millis_of(row.get(*name)?));
    let end = row.get("end").and_then(millis_of).or_else(|| Some(start?.saturating_add(lasts?)));
    Some(Piece { start, end, text })
}

/// In order. A piece without a beginning begins where the one before ended, and each ends when the next begins: automatic
/// captions stay until the next but one comes.
fn segments(pieces: Vec<Piece>) -> Vec<Segment> {
    let mut last_end = 0;
    let mut segments: Vec<Segment> = pieces
        .into_iter()
        .map(|piece| {
            let start = piece.start.unwrap_or(last_end);
            last_end = piece.end.unwrap_or(start).max(start);
            // Without an end of its own it stays until the next one.
            Segment { start, end: piece.end.unwrap_or(u64::MAX), text: piece.text }
        })
        .collect();
    segments.sort_by_key(|segment| segment.start);
    let nexts: Vec<Option<u64>> =
        (1..=segments.len()).map(|at| segments.get(at).map(|next| next.start)).collect();
    for (segment, next) in segments.iter_mut().zip(nexts) {
        segment.end = match (segment.end, next) {
            (u64::MAX, None) => segment.start,
            (end, None) => end,
            (end, Some(next)) => end.min(next),
        };
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The language, and each piece with its times.
    type Read = (Option<String>, Vec<(u64, u64, String)>);
    use serde_json::json;

    fn read(rows: Value, wanted: Option<&str>) -> Result<Read, &'static str> {
        let rows: Vec<Row> = serde_json::from_value(rows).unwrap();
        let read = transcript(&rows, wanted).map_err(|failure| failure.class.as_str())?;
        let pieces = read.segments.into_iter().map(|piece| (piece.start, piece.end, piece.text));
        Ok((read.language, pieces.collect()))
    }

    #[test]
    fn every_documented_shape_is_one_transcript() {
        let expected = vec![(320, 4_320, "Xin".to_owned()), (4_320, 9_120, "chào".to_owned())];
        let numbers = json!([{"start": 0.32, "duration": 4.8, "text": "Xin"}, {"start": 4.32, "duration": 4.8, "text": "chào"}]);
        let texts = json!([{"start": "0.32", "dur": "4.8", "text": " Xin"}, {"start": "4.32", "dur": "4.8", "text": "chào "}]);
        let ends =
            json!([{"start": 0.32, "end": 4.5, "text": "Xin"}, {"start": 4.32, "end": 9.12, "text": "chào"}]);
        for list in [&numbers, &texts, &ends] {
            for name in PIECES {
                let row = json!({"url": "x", name: list});
                assert_eq!(read(json!([row]), None), Ok((None, expected.clone())), "{name} {list}");
            }
        }
        assert_eq!(read(numbers.clone(), None), Ok((None, expected.clone())), "a row for each piece");
        let both = json!([{"text": "Xin chào", "segments": numbers, "language": "vi"}]);
        assert_eq!(read(both, None), Ok((Some("vi".to_owned()), expected)), "the list has the times");
    }

    #[test]
    fn a_text_without_times_is_one_piece() {
        for name in PIECES {
            let read = read(json!([{name: "Xin chào"}]), None);
            assert_eq!(read, Ok((None, vec![(0, 0, "Xin chào".to_owned())])), "{name}");
        }
    }

    #[test]
    fn times_that_are_missing_follow_from_the_neighbours() {
        let row = json!([{"data": [
            {"start": 1, "text": "a"}, {"start": 3, "dur": null, "text": "b"}, {"text": "c"}, {"start": 9, "text": "d"},
        ]}]);
        let pieces = |list: &[(u64, u64, &str)]| {
            list.iter().map(|(a, b, text)| (*a, *b, (*text).to_owned())).collect()
        };
        let expected: Vec<_> =
            pieces(&[(1_000, 3_000, "a"), (3_000, 3_000, "b"), (3_000, 9_000, "c"), (9_000, 9_000, "d")]);
        assert_eq!(read(row, None), Ok((None, expected)));
    }

    #[test]
    fn the_wanted_language_is_taken_or_else_the_first_that_says_something() {
        let row = |language: &str, text: &str| json!({"language": language, "text": text});
        let rows = json!([row("en", " "), row("fr", "Salut"), row("vi-VN", "Xin")]);
        let text = |wanted| read(rows.clone(), wanted).unwrap();
        assert_eq!(text(Some("vi")), (Some("vi-VN".to_owned()), vec![(0, 0, "Xin".to_owned())]));
        for wanted in [None, Some("de"), Some("en")] {
            assert_eq!(text(wanted).0.as_deref(), Some("fr"), "{wanted:?}");
        }
    }

    #[test]
    fn rows_that_say_nothing_are_an_empty_answer() {
        for rows in [
            json!([]),
            json!([{"data": []}]),
            json!([{"data": null, "text": " "}]),
            json!([{"videoId": "x"}]),
            json!([{"segments": [{"start": 1, "text": null}, 7]}]),
            json!([{"start": 1, "dur": 2}]),
        ] {
            assert_eq!(read(rows.clone(), None), Err("empty_answer"), "{rows}");
        }
    }
}
