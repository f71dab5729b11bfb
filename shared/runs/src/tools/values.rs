//! What was sent for a tool's fields, checked by what the fields say.

use super::field::{Choice, Field, Kind};
use crate::FieldError;
use media::FileFamily;
use primitives::{Private, UploadId, is_blank};
use problems::Wording;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What was sent, by the fields' names; what was left out has its default, or is absent.
#[derive(Debug, Clone)]
pub(crate) struct Values(BTreeMap<&'static str, Sent>);

#[derive(Debug, Clone)]
enum Sent {
    /// True: it is the text that the price row limits.
    Text(Private<String>, bool),
    Lines(Vec<Private<String>>),
    Word(&'static str),
    Whole(u64),
    Upload(UploadId, FileFamily),
    Stated,
}

/// Reads all fields, and complains of all that is wrong at once. `extra`: what else is known among the fields.
pub(crate) fn read(
    fields: &[Field],
    sent: &Map<String, Value>,
    extra: &[&str],
    complaints: &mut Vec<FieldError>,
) -> Values {
    let known: Vec<&str> = fields.iter().map(|field| field.name).chain(extra.iter().copied()).collect();
    if sent.keys().any(|name| !known.contains(&name.as_str())) {
        let names = known.join(", ");
        complaints.push(complaint(
            "/input",
            format!("only these fields are known: {names}"),
            format!("chỉ nhận các trường: {names}"),
        ));
    }
    let mut values = BTreeMap::new();
    for field in fields {
        let sent = sent.get(field.name).filter(|sent| !sent.is_null());
        match value_of(field, sent) {
            Ok(Some(value)) => {
                values.insert(field.name, value);
            }
            Ok(None) => {}
            Err((english, vietnamese)) => {
                complaints.push(complaint(&format!("/input/{}", field.name), english, vietnamese));
            }
        }
    }
    Values(values)
}

type Why = (Cow<'static, str>, Cow<'static, str>);

fn why(english: impl Into<Cow<'static, str>>, vietnamese: impl Into<Cow<'static, str>>) -> Why {
    (english.into(), vietnamese.into())
}

fn complaint(
    pointer: &str,
    english: impl Into<Cow<'static, str>>,
    vietnamese: impl Into<Cow<'static, str>>,
) -> FieldError {
    FieldError::new(pointer, Wording::new(english, vietnamese))
}

fn value_of(field: &Field, sent: Option<&Value>) -> Result<Option<Sent>, Why> {
    let Some(sent) = sent else { return absent(field) };
    Ok(Some(match &field.kind {
        Kind::Words => Sent::Text(words(sent)?, true),
        Kind::Line(max) => Sent::Text(line(sent, *max)?, false),
        Kind::Lines { each, count } => Sent::Lines(lines(sent, *each, *count)?),
        Kind::Choice(choices) => Sent::Word(choice(sent, choices)?),
        Kind::Whole { from, to, .. } => {
            let number = sent.as_u64().filter(|number| (from..=to).contains(&number));
            Sent::Whole(number.ok_or_else(|| {
                why(
                    format!("send a whole number from {from} to {to}, or leave it out"),
                    format!("hãy gửi số nguyên từ {from} đến {to}, hoặc bỏ trống"),
                )
            })?)
        }
        Kind::Upload(family) => {
            let id = sent.as_str().and_then(|text| text.parse().ok());
            Sent::Upload(
                id.ok_or_else(|| {
                    why(
                        "name an upload of yours by its id, see POST /v1/uploads",
                        "hãy dùng mã của một tệp đã tải lên, xem POST /v1/uploads",
                    )
                })?,
                *family,
            )
        }
        Kind::Statement if *sent == json!(true) => Sent::Stated,
        Kind::Statement => return Err(why("send true, or leave it out", "hãy gửi true, hoặc bỏ trống")),
    }))
}

fn absent(field: &Field) -> Result<Option<Sent>, Why> {
    Ok(match &field.kind {
        Kind::Choice(choices) => choices.first().map(|choice| Sent::Word(choice.word)),
        Kind::Whole { default: Some(default), .. } => Some(Sent::Whole(*default)),
        Kind::Words if field.is_required => {
            return Err(why("write what you want, as text", "hãy viết điều bạn muốn"));
        }
        _ if field.is_required => return Err(why("it is needed", "trường này là bắt buộc")),
        _ => None,
    })
}

fn words(sent: &Value) -> Result<Private<String>, Why> {
    match sent {
        Value::String(text) if text.contains('\0') => {
            Err(why("remove the NUL character", "hãy bỏ ký tự NUL"))
        }
        Value::String(text) if !is_blank(text) => Ok(Private::new(text.clone())),
        _ => Err(why("write what you want, as text", "hãy viết điều bạn muốn")),
    }
}

fn line(sent: &Value, max: u32) -> Result<Private<String>, Why> {
    let text = sent.as_str().map(str::trim).filter(|text| {
        !is_blank(text) && text.chars().count() <= max as usize && !text.chars().any(char::is_control)
    });
    let text = text.ok_or_else(|| {
        why(
            format!("write one line of at most {max} characters"),
            format!("hãy viết một dòng, tối đa {max} ký tự"),
        )
    })?;
    Ok(Private::new(text.to_owned()))
}

fn lines(sent: &Value, each: u32, count: u32) -> Result<Vec<Private<String>>, Why> {
    let wrong = || {
        why(
            format!("send a list of 1 to {count} lines, each of at most {each} characters"),
            format!("hãy gửi danh sách từ 1 đến {count} dòng, mỗi dòng tối đa {each} ký tự"),
        )
    };
    let listed = sent.as_array().filter(|listed| (1..=count as usize).contains(&listed.len()));
    let listed = listed.ok_or_else(wrong)?.iter().map(|sent| line(sent, each).map_err(|_| wrong()));
    listed.collect()
}

fn choice(sent: &Value, choices: &[Choice]) -> Result<&'static str, Why> {
    // A number may be sent as one.
    let sent = sent.as_str().map_or_else(|| sent.to_string(), str::to_owned);
    let chosen = choices.iter().find(|choice| sent == choice.word);
    chosen.map(|choice| choice.word).ok_or_else(|| {
        let words = choices.iter().map(|choice| choice.word).collect::<Vec<_>>().join(", ");
        why(format!("choose one of {words}"), format!("hãy chọn một trong: {words}"))
    })
}

impl Values {
    /// A text, of a field that is required or was sent.
    pub(crate) fn text(&self, name: &str) -> Option<&Private<String>> {
        match self.0.get(name)? {
            Sent::Text(text, _) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn lines(&self, name: &str) -> &[Private<String>] {
        match self.0.get(name) {
            Some(Sent::Lines(lines)) => lines,
            _ => &[],
        }
    }

    pub(crate) fn word(&self, name: &str) -> Option<&'static str> {
        match self.0.get(name)? {
            Sent::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(crate) fn whole(&self, name: &str) -> Option<u32> {
        match self.0.get(name)? {
            Sent::Whole(number) => u32::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(crate) fn upload(&self, name: &str) -> Option<UploadId> {
        match self.0.get(name)? {
            Sent::Upload(id, _) => Some(*id),
            _ => None,
        }
    }

    pub(crate) fn is_stated(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Sent::Stated))
    }

    /// Every upload that is named: in which field, and what it must be.
    pub(crate) fn uploads(&self) -> Vec<(&'static str, UploadId, FileFamily)> {
        let upload = |(name, sent): (&&'static str, &Sent)| match sent {
            Sent::Upload(id, family) => Some((*name, *id, *family)),
            _ => None,
        };
        self.0.iter().filter_map(upload).collect()
    }

    /// What the person wrote, and in which field: what the price row limits the length of.
    pub(crate) fn words(&self) -> Option<(&'static str, &str)> {
        self.0.iter().find_map(|(name, sent)| match sent {
            Sent::Text(text, true) => Some((*name, text.expose().as_str())),
            _ => None,
        })
    }

    /// As [`read`] reads it, without what would be the same if it were left out.
    pub(crate) fn without_defaults(&self, fields: &[Field]) -> Map<String, Value> {
        let mut values = self.to_value();
        for field in fields {
            let default = match &field.kind {
                Kind::Choice(choices) => choices.first().map(|choice| json!(choice.word)),
                Kind::Whole { default, .. } => default.map(|default| json!(default)),
                _ => None,
            };
            if default.is_some() && values.get(field.name) == default.as_ref() {
                values.remove(field.name);
            }
        }
        values
    }

    /// As [`read`] reads it. It holds the person's words: it is stored sealed and nowhere else.
    pub(crate) fn to_value(&self) -> Map<String, Value> {
        let value = |sent: &Sent| match sent {
            Sent::Text(text, _) => json!(text.expose()),
            Sent::Lines(lines) => lines.iter().map(|line| json!(line.expose())).collect(),
            Sent::Word(word) => json!(word),
            Sent::Whole(number) => json!(number),
            Sent::Upload(id, _) => json!(id.to_string()),
            Sent::Stated => json!(true),
        };
        self.0.iter().map(|(name, sent)| ((*name).to_owned(), value(sent))).collect()
    }
}
