use axum::http::HeaderValue;
use platform::Settings;
use primitives::UserId;
use std::collections::HashSet;

/// `ALLOWED_ORIGINS`: pages that may call us from a browser; compared exactly.
pub fn allowed_origins(settings: &mut Settings<'_>) -> Vec<HeaderValue> {
    let origins = settings.list("ALLOWED_ORIGINS");
    origins.iter().filter_map(|text| origin(settings, text)).collect()
}

/// `BODY_BYTES_MAX`.
pub(crate) fn body_bytes_max(settings: &mut Settings<'_>) -> usize {
    settings.parsed_or("BODY_BYTES_MAX", 256 * 1024, "a number of bytes")
}

/// `ADMIN_USER_IDS`: people who are administrators, by Clerk's ids.
pub(crate) fn administrators(settings: &mut Settings<'_>) -> HashSet<UserId> {
    let ids = settings.list("ADMIN_USER_IDS");
    let parsed: Result<HashSet<UserId>, _> = ids.iter().map(|id| id.parse()).collect();
    parsed.unwrap_or_else(|_| {
        settings.complain("ADMIN_USER_IDS", "must be user ids, separated by commas");
        HashSet::new()
    })
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
