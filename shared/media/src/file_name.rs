use crate::FileType;
use primitives::Timestamp;
use std::fmt::Write;

/// What a browser saves an output as: `<tool>-<day>-<time>-<n>.<ext>`, in UTC. Nothing of it is a person's text.
pub(crate) fn file_name(tool: &str, n: Option<u32>, kind: FileType, now: Timestamp) -> String {
    let (day, time) = (now.date().replace('-', ""), now.to_string());
    let time = time.get(11..19).unwrap_or_default().replace(':', "");
    let tool: String = tool.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    let n = n.map(|n| format!("-{n}")).unwrap_or_default();
    format!("{tool}-{day}-{time}{n}.{}", kind.extension())
}

/// How a browser is to take what it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// It shows it.
    Inline,
    /// It saves it.
    Attachment,
}

/// A `Content-Disposition` with a file's name (RFC 6266). A name that is not plain ASCII is written twice: for readers that
/// know RFC 8187 as it is, for the others with what they can read of it.
pub(crate) fn content_disposition(disposition: Disposition, name: &str) -> String {
    let word = match disposition {
        Disposition::Inline => "inline",
        Disposition::Attachment => "attachment",
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ' | '(' | ')');
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    if plain == name {
        return format!("{word}; filename=\"{plain}\"");
    }
    format!("{word}; filename=\"{plain}\"; filename*=UTF-8''{}", extended(name))
}

/// RFC 8187: what is no `attr-char` is written by its bytes.
fn extended(name: &str) -> String {
    let mut written = String::new();
    for byte in name.bytes() {
        match byte {
            b'!' | b'#' | b'$' | b'&' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~' => {
                written.push(char::from(byte));
            }
            byte if byte.is_ascii_alphanumeric() => written.push(char::from(byte)),
            byte => {
                let _ = write!(written, "%{byte:02X}");
            }
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_tool_time_and_kind() {
        let now = Timestamp::from_seconds(1_800_000_000);
        assert_eq!(file_name("image", Some(2), FileType::Png, now), "image-20270115-080000-2.png");
        assert_eq!(file_name("script", None, FileType::Text, now), "script-20270115-080000.txt");
        assert_eq!(file_name("../a\"b\r\n", None, FileType::Mp4, now), "ab-20270115-080000.mp4");
    }

    #[test]
    fn a_name_breaks_out_of_no_header() {
        use Disposition::{Attachment, Inline};
        for (disposition, name, header) in [
            (Attachment, "kite.png", "attachment; filename=\"kite.png\""),
            (Inline, "kite.png", "inline; filename=\"kite.png\""),
            // RFC 6266 § 5, the euro sign.
            (
                Attachment,
                "€ rates.txt",
                "attachment; filename=\"_ rates.txt\"; filename*=UTF-8''%E2%82%AC%20rates.txt",
            ),
            (
                Attachment,
                "a\"; x=\"\r\nb\\c%41",
                "attachment; filename=\"a__ x____b_c_41\"; filename*=UTF-8''a%22%3B%20x%3D%22%0D%0Ab%5Cc%2541",
            ),
        ] {
            assert_eq!(content_disposition(disposition, name), header);
        }
    }
}
