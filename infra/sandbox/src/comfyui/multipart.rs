//! Forms with files, as `multipart/form-data` carries them (RFC 7578).

use axum::body::Bytes;

use crate::call::Call;

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    /// Only files have one.
    pub(super) filename: Option<String>,
    pub(super) content: Bytes,
}

/// The fields of a form; `None` for a body that is none.
pub(super) fn read(call: &Call) -> Option<Vec<Field>> {
    let boundary = boundary(call.header("content-type")?)?;
    let mark = format!("--{boundary}");
    let mut at = find(&call.body, mark.as_bytes(), 0)? + mark.len();
    let mut fields = Vec::new();
    // Two lines of minus close the last field.
    while !call.body.get(at..)?.starts_with(b"--") {
        let end = find(&call.body, format!("\r\n{mark}").as_bytes(), at)?;
        fields.push(field(call.body.slice(at..end))?);
        at = end + 2 + mark.len();
    }
    Some(fields)
}

fn boundary(content_type: &str) -> Option<&str> {
    let parameters = content_type.strip_prefix("multipart/form-data")?;
    let boundary = parameters.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    Some(boundary.trim_matches('"'))
}

/// A line feed, headers, an empty line, and the content.
fn field(part: Bytes) -> Option<Field> {
    let head_end = find(&part, b"\r\n\r\n", 0)?;
    let head = std::str::from_utf8(&part[..head_end]).ok()?;
    let disposition = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let parameter = |name: &str| {
        let mut parts = disposition.split(';').map(str::trim);
        let value = parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='))?;
        Some(value.trim_matches('"').to_owned())
    };
    Some(Field {
        name: parameter("name")?,
        filename: parameter("filename"),
        content: part.slice(head_end + 4..),
    })
}

fn find(bytes: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    bytes.get(from..)?.windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
}
