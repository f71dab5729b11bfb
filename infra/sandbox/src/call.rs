//! One request to a service, read completely.

use std::borrow::Cow;
use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::{Query, Request};
use http::{HeaderMap, Method, Uri};
use serde_json::Value;

/// Above the largest file that a vendor here takes, so that one that is too large gets the vendor's own refusal.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A request whose body has been read.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    /// `None` when the body broke off or is too large.
    pub(crate) async fn read(request: Request) -> Option<Call> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.ok()?;
        Some(Call { method: parts.method, uri: parts.uri, headers: parts.headers, body })
    }

    /// The path below `/sandbox/<service>/`, in pieces.
    pub(crate) fn segments(&self) -> Vec<&str> {
        self.uri.path().trim_end_matches('/').split('/').skip(3).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The credential after `scheme` in the authorization header.
    pub(crate) fn credential(&self, scheme: &str) -> Option<&str> {
        self.header("authorization")?.strip_prefix(scheme)?.strip_prefix(' ')
    }

    /// The query as a map; an unreadable one counts as empty.
    pub(crate) fn query(&self) -> HashMap<String, String> {
        Query::try_from_uri(&self.uri).map(|Query(map)| map).unwrap_or_default()
    }

    /// The body as text; what is no UTF-8 in it (a file in a form) becomes U+FFFD.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as far as a person may have written in it. A file's own bytes are not searched: they are long, and nothing
    /// in them is meant for the sandbox.
    pub(crate) fn written(&self) -> Cow<'_, str> {
        let kind = self.header("content-type").unwrap_or_default();
        let is_file = self.method == Method::PUT || kind.starts_with("application/octet-stream");
        if is_file { Cow::Borrowed("") } else { self.text() }
    }

    pub(crate) fn json(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}
