//! The fields of a form that a page posts to the bucket (`multipart/form-data`, RFC 7578), as far as they stand before the
//! file. S3 itself reads, checks and stores the form; here it is only looked at.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use primitives::Timestamp;
use serde_json::Value;

/// A posted form, up to its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedForm(Vec<(String, String)>);

impl PostedForm {
    /// `None` when it is no form.
    pub fn read(content_type: &str, body: &[u8]) -> Option<PostedForm> {
        let boundary = content_type.strip_prefix("multipart/form-data")?.split("boundary=").nth(1)?;
        let boundary = format!("--{}", boundary.split(';').next()?.trim_matches('"'));
        let mut rest = body.get(find(body, boundary.as_bytes())? + boundary.len()..)?;
        let mut fields = Vec::new();
        loop {
            rest = rest.strip_prefix(b"\r\n")?;
            let head_end = find(rest, b"\r\n\r\n")?;
            let head = std::str::from_utf8(&rest[..head_end]).ok()?;
            let name = head.split("; name=\"").nth(1)?.split('"').next()?.to_ascii_lowercase();
            if name == "file" {
                return Some(PostedForm(fields));
            }
            let value = &rest[head_end + 4..];
            let value_end = find(value, format!("\r\n{boundary}").as_bytes())?;
            fields.push((name, std::str::from_utf8(&value[..value_end]).ok()?.to_owned()));
            rest = &value[value_end + 2 + boundary.len()..];
        }
    }

    /// A field by its name in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// When its policy ends.
    pub(super) fn ends_at(&self) -> Option<Timestamp> {
        let policy = STANDARD.decode(self.field("policy")?).ok()?;
        let policy: Value = serde_json::from_slice(&policy).ok()?;
        serde_json::from_value(policy["expiration"].clone()).ok()
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_before_the_file_are_read_and_nothing_behind() {
        let policy = STANDARD.encode(r#"{"expiration":"2027-01-15T08:10:00.000Z","conditions":[]}"#);
        let part = |name: &str, value: &str| {
            format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let file =
            "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n\0\x01--xyz--\r\n";
        let body =
            [part("Key", "up30/ann/1"), part("policy", &policy), file.to_owned(), part("late", "1")].concat();
        let form = PostedForm::read("multipart/form-data; boundary=xyz", body.as_bytes()).unwrap();
        assert_eq!((form.field("key"), form.field("late")), (Some("up30/ann/1"), None));
        assert_eq!(form.ends_at(), Some(Timestamp::from_seconds(1_800_000_600)));
        assert_eq!(PostedForm::read("application/json", body.as_bytes()), None);
        assert_eq!(PostedForm::read("multipart/form-data; boundary=abc", body.as_bytes()), None);
    }
}
