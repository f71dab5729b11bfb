//! Addresses at YouTube. What a person sends is read for its id; nothing else of it is ever asked for.

use url::Url;

/// A video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VideoAddress(String);

/// A channel, by its handle or its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChannelAddress(String);

/// Of every video's id.
const ID_CHARS: usize = 11;

impl VideoAddress {
    /// `None`: it is no address of a video there.
    pub(crate) fn of(text: &str) -> Option<VideoAddress> {
        let url = at_youtube(text)?;
        let mut parts = url.path_segments()?;
        let id = match (url.host_str()?, parts.next()?) {
            ("youtu.be", id) => id.to_owned(),
            (_, "watch") => url.query_pairs().find(|(name, _)| name == "v")?.1.into_owned(),
            (_, "shorts" | "live" | "embed" | "v") => parts.next()?.to_owned(),
            _ => return None,
        };
        let is_id = id.len() == ID_CHARS && id.bytes().all(is_id_byte);
        is_id.then_some(VideoAddress(id))
    }

    pub(crate) fn id(&self) -> &str {
        &self.0
    }

    pub(crate) fn to_url(&self) -> String {
        format!("https://www.youtube.com/watch?v={}", self.0)
    }
}

impl ChannelAddress {
    /// An address there, or a handle such as `@kites`. `None`: it is neither.
    pub(crate) fn of(text: &str) -> Option<ChannelAddress> {
        let text = text.trim();
        if let Some(handle) = text.strip_prefix('@') {
            return is_handle(handle).then(|| ChannelAddress(format!("@{handle}")));
        }
        let url = at_youtube(text)?;
        let mut parts = url.path_segments()?;
        match (parts.next()?, parts.next()) {
            (handle, _) if handle.starts_with('@') && is_handle(&handle[1..]) => {
                Some(ChannelAddress(handle.to_owned()))
            }
            ("channel", Some(id)) if id.starts_with("UC") && id.len() == 24 && id.bytes().all(is_id_byte) => {
                Some(ChannelAddress(format!("channel/{id}")))
            }
            _ => None,
        }
    }

    pub(crate) fn to_url(&self) -> String {
        format!("https://www.youtube.com/{}", self.0)
    }
}

fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// 3 to 30 letters, digits, `-`, `_`, `.`; letters may be of any script.
fn is_handle(handle: &str) -> bool {
    let chars = handle.chars().count();
    (3..=30).contains(&chars) && handle.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn at_youtube(text: &str) -> Option<Url> {
    let text = text.trim();
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = Url::parse(&whole).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let is_there = matches!(
        url.host_str()?,
        "youtube.com" | "www.youtube.com" | "m.youtube.com" | "music.youtube.com" | "youtu.be"
    );
    is_there.then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_video_is_known_by_every_address_it_has_and_by_no_other() {
        let id = "dQw4w9WgXcQ";
        for address in [
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
            "https://www.youtube.com/watch?t=5&v=dQw4w9WgXcQ&list=x",
            "http://youtube.com/shorts/dQw4w9WgXcQ",
            "m.youtube.com/live/dQw4w9WgXcQ?x=1",
            " https://youtu.be/dQw4w9WgXcQ?si=abc ",
        ] {
            assert_eq!(
                VideoAddress::of(address).map(|of| of.id().to_owned()).as_deref(),
                Some(id),
                "{address}"
            );
        }
        for address in [
            "",
            "dQw4w9WgXcQ",
            "https://www.youtube.com/",
            "https://www.youtube.com/watch",
            "https://www.youtube.com/watch?v=short",
            "https://www.youtube.com/watch?v=dQw4w9WgXc%2F",
            "https://youtube.com.example.org/watch?v=dQw4w9WgXcQ",
            "https://example.org/?u=https://www.youtube.com/watch?v=dQw4w9WgXcQ",
            "http://127.0.0.1/watch?v=dQw4w9WgXcQ",
            "file:///watch?v=dQw4w9WgXcQ",
            "https://user@169.254.169.254/watch?v=dQw4w9WgXcQ",
        ] {
            assert_eq!(VideoAddress::of(address), None, "{address}");
        }
    }

    #[test]
    fn a_channel_is_known_by_handle_and_id() {
        let id = "UC_x5XG1OV2P6uZZ5FSM9Ttw";
        for (text, url) in [
            ("@kites", "https://www.youtube.com/@kites"),
            ("https://www.youtube.com/@kites/videos", "https://www.youtube.com/@kites"),
            (
                "youtube.com/channel/UC_x5XG1OV2P6uZZ5FSM9Ttw",
                &format!("https://www.youtube.com/channel/{id}"),
            ),
        ] {
            assert_eq!(ChannelAddress::of(text).map(|of| of.to_url()).as_deref(), Some(url), "{text}");
        }
        for text in [
            "kites",
            "@k",
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
            "https://example.org/@kites",
            "@a/b",
        ] {
            assert_eq!(ChannelAddress::of(text), None, "{text}");
        }
    }
}
