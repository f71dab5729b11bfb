use primitives::random_bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Request, Url};

/// A form with files (`multipart/form-data`, RFC 7578). Names and types are ours: nothing in them needs an escape.
pub(super) struct Form {
    boundary: String,
    body: Vec<u8>,
}

/// What the parts take up beside the file.
const FRAME_BYTES: usize = 64 * 1024;

impl Form {
    /// With room for a file of so many bytes. The boundary is random and made after the text and the file, so neither
    /// of them holds it.
    pub(super) fn new(file_bytes: usize) -> Form {
        let boundary = format!("citipen-{}", hex::encode(random_bytes::<16>()));
        Form { boundary, body: Vec::with_capacity(file_bytes + FRAME_BYTES) }
    }

    pub(super) fn text(mut self, name: &str, text: &str) -> Form {
        self.begin(&format!("name=\"{name}\""), None);
        self.end(text.as_bytes());
        self
    }

    pub(super) fn file(mut self, name: &str, file_name: &str, media_type: &str, content: &[u8]) -> Form {
        self.begin(&format!("name=\"{name}\"; filename=\"{file_name}\""), Some(media_type));
        self.end(content);
        self
    }

    pub(super) fn post(mut self, url: Url, headers: &HeaderMap) -> Request {
        self.body.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        let mut request = Request::new(Method::POST, url);
        request.headers_mut().clone_from(headers);
        let content_type = HeaderValue::from_str(&format!("multipart/form-data; boundary={}", self.boundary));
        request.headers_mut().insert(CONTENT_TYPE, content_type.expect("a boundary is hex digits"));
        *request.body_mut() = Some(self.body.into());
        request
    }

    fn begin(&mut self, disposition: &str, media_type: Option<&str>) {
        let media_type = media_type.map(|kind| format!("Content-Type: {kind}\r\n")).unwrap_or_default();
        let head = format!(
            "--{}\r\nContent-Disposition: form-data; {disposition}\r\n{media_type}\r\n",
            self.boundary
        );
        self.body.extend_from_slice(head.as_bytes());
    }

    fn end(&mut self, content: &[u8]) {
        self.body.extend_from_slice(content);
        self.body.extend_from_slice(b"\r\n");
    }
}
