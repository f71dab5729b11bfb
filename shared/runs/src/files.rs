//! What a provider made, as files for a person.

use bytes::Bytes;
use media::{FileFamily, PART_BYTES};
use primitives::Private;
use providers::{Made, MadeFile, Segment, Transcript};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// A file that is to be stored.
pub(crate) enum NewFile {
    /// In memory.
    Here { bytes: Private<Bytes>, family: FileFamily },
    /// At a provider.
    There { file: MadeFile, family: FileFamily },
}

impl NewFile {
    pub(crate) fn family(&self) -> FileFamily {
        match self {
            NewFile::Here { family, .. } | NewFile::There { family, .. } => *family,
        }
    }

    /// It is, or may be, longer than one part of an upload to the media store.
    pub(crate) fn is_large(&self) -> bool {
        match self {
            NewFile::Here { bytes, .. } => bytes.expose().len() > PART_BYTES,
            NewFile::There { .. } => true,
        }
    }

    pub(crate) fn here(text: String, family: FileFamily) -> NewFile {
        NewFile::Here { bytes: Private::new(Bytes::from(text)), family }
    }
}

/// The files of all that was made. `family`: what a file must be that comes in pieces.
pub(crate) fn files_of(made: Vec<Made>, family: FileFamily) -> Vec<NewFile> {
    made.into_iter().flat_map(|made| of(made, family)).collect()
}

fn of(made: Made, family: FileFamily) -> Vec<NewFile> {
    match made {
        Made::Picture(picture) => {
            vec![NewFile::Here { bytes: Private::new(picture.bytes.into()), family: FileFamily::Image }]
        }
        Made::File(file) => vec![NewFile::There { file, family }],
        Made::Transcript(transcript) => of_transcript(&transcript),
        Made::Rows(rows) => of_rows(&rows),
    }
}

/// Plain text, SRT, WebVTT, and JSON with the times in milliseconds.
fn of_transcript(transcript: &Transcript) -> Vec<NewFile> {
    vec![
        NewFile::here(plain(transcript), FileFamily::Text),
        NewFile::here(srt(&transcript.segments), FileFamily::Subtitles),
        NewFile::here(vtt(&transcript.segments), FileFamily::Subtitles),
        NewFile::here(segments_json(transcript).to_string(), FileFamily::Table),
    ]
}

fn plain(transcript: &Transcript) -> String {
    let lines: Vec<&str> = transcript.segments.iter().map(|segment| segment.text.as_str()).collect();
    lines.join("\n") + "\n"
}

/// SubRip: a number, the times with a comma, the text, an empty line.
fn srt(segments: &[Segment]) -> String {
    let mut text = String::new();
    for (segment, number) in segments.iter().zip(1..) {
        let (start, end) = (clock(segment.start, ','), clock(segment.end, ','));
        // Writing to a text can't fail.
        let _ = write!(text, "{number}\n{start} --> {end}\n{}\n\n", one_cue(&segment.text));
    }
    text
}

/// WebVTT (W3C): the times with a dot; `&`, `<` and `>` would be read as markup.
fn vtt(segments: &[Segment]) -> String {
    let mut text = "WEBVTT\n\n".to_owned();
    for segment in segments {
        let (start, end) = (clock(segment.start, '.'), clock(segment.end, '.'));
        let words = one_cue(&segment.text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = write!(text, "{start} --> {end}\n{words}\n\n");
    }
    text
}

/// An empty line would end the cue, and an arrow begin another one.
fn one_cue(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n").replace("-->", "→")
}

fn clock(millis: u64, point: char) -> String {
    let (seconds, millis) = (millis / 1_000, millis % 1_000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    format!("{:02}:{:02}:{seconds:02}{point}{millis:03}", minutes / 60, minutes % 60)
}

fn segments_json(transcript: &Transcript) -> Value {
    let segment =
        |segment: &Segment| json!({ "start_ms": segment.start, "end_ms": segment.end, "text": segment.text });
    let segments: Vec<Value> = transcript.segments.iter().map(segment).collect();
    json!({ "language": transcript.language, "segments": segments })
}

/// JSON as it was gathered, and a table of it for spreadsheets.
fn of_rows(rows: &[Map<String, Value>]) -> Vec<NewFile> {
    let listed = rows.iter().cloned().map(Value::Object).collect();
    vec![
        NewFile::here(csv(rows), FileFamily::Table),
        NewFile::here(Value::Array(listed).to_string(), FileFamily::Table),
    ]
}

/// RFC 4180, with a column for each name in the order of its first appearance. What is no text is written as JSON.
fn csv(rows: &[Map<String, Value>]) -> String {
    let mut columns: Vec<&str> = Vec::new();
    for name in rows.iter().flat_map(Map::keys) {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    let line = |cells: Vec<String>| cells.join(",") + "\r\n";
    let mut text = line(columns.iter().map(|name| cell(name)).collect());
    for row in rows {
        let of = |name: &&str| match row.get(*name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => cell(text),
            Some(other) => cell(&other.to_string()),
        };
        text.push_str(&line(columns.iter().map(of).collect()));
    }
    text
}

/// Quoted where it must be. A spreadsheet would take what begins with one of `=+-@` for a formula.
fn cell(text: &str) -> String {
    let is_number = !text.is_empty() && text.parse::<i128>().is_ok();
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number;
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript() -> Transcript {
        let piece = |start, end, text: &str| Segment { start, end, text: text.to_owned() };
        let segments = vec![piece(0, 1_500, "Xin chào <b>"), piece(3_661_007, 3_662_000, "a --> b\n\nc & d")];
        Transcript { language: Some("vi".to_owned()), segments }
    }

    #[test]
    fn subtitles_are_what_players_read() {
        assert_eq!(
            srt(&transcript().segments),
            "1\n00:00:00,000 --> 00:00:01,500\nXin chào <b>\n\n2\n01:01:01,007 --> 01:01:02,000\na → b\nc & d\n\n"
        );
        assert_eq!(
            vtt(&transcript().segments),
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nXin chào &lt;b&gt;\n\n\
             01:01:01.007 --> 01:01:02.000\na → b\nc &amp; d\n\n"
        );
        assert_eq!(segments_json(&transcript())["segments"][1]["start_ms"], 3_661_007);
    }

    #[test]
    fn a_table_has_every_column_and_no_formula() {
        let row = |value: Value| value.as_object().unwrap().clone();
        let rows = [
            row(json!({ "title": "a, \"b\"", "views": 5 })),
            row(json!({ "title": "=HYPERLINK(1)", "likes": -3, "tags": ["x"] })),
        ];
        assert_eq!(
            csv(&rows),
            "title,views,likes,tags\r\n\"a, \"\"b\"\"\",5,,\r\n'=HYPERLINK(1),,-3,\"[\"\"x\"\"]\"\r\n"
        );
    }
}
