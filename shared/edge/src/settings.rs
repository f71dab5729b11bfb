use axum::http::HeaderValue;
use platform::Settings;

/// What the edge lets through.
#[derive(Debug, Clone)]
pub struct EdgeSettings {
    /// `ALLOWED_ORIGINS`: pages that may call us from a browser; compared exactly
    pub allowed_origins: Vec<HeaderValue>,
    /// `BODY_BYTES_MAX`
    pub body_bytes_max: usize,
}

impl EdgeSettings {
    pub fn read(settings: &mut Settings<'_>) -> EdgeSettings {
        let origins = settings.list("ALLOWED_ORIGINS");
        EdgeSettings {
            allowed_origins: origins.iter().filter_map(|text| origin(settings, text)).collect(),
            body_bytes_max: settings.parsed_or("BODY_BYTES_MAX", 256 * 1024, "a number of bytes"),
        }
    }
}

/// `scheme://host[:port]`, as browsers send it; never `*` or `null`.
fn origin(settings: &mut Settings<'_>, text: &str) -> Option<HeaderValue> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_origin = host.is_some_and(|host| {
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b))
    });
    if !is_origin {
        settings.complain("ALLOWED_ORIGINS", &format!("holds `{text}`, which is no `https://host`"));
        return None;
    }
    HeaderValue::from_str(text).ok()
}
