use bytes::Bytes;
use futures_util::stream;
use primitives::RunId;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use reqwest::{Body, Request};
use std::convert::Infallible;

/// A form as RFC 7578 has it. Its file is passed on in the pieces that it came in, so that it is in memory once.
pub(super) struct Form {
    /// Named after the run, which was minted after the file was uploaded: no file holds it.
    boundary: String,
    fields: String,
}

/// A form to be sent.
pub(super) struct Whole {
    boundary: String,
    pieces: Vec<Bytes>,
}

impl Form {
    pub(super) fn new(run: RunId) -> Form {
        Form { boundary: format!("citipen-{run}"), fields: String::new() }
    }

    /// Names and values are ours: settings, codes, and an address, which holds no line end.
    pub(super) fn text(mut self, name: &str, value: &str) -> Form {
        self.begin(&format!("name=\"{name}\""));
        self.fields.push_str(&format!("\r\n{value}\r\n"));
        self
    }

    /// The last field. Groq tells formats by how the name ends.
    pub(super) fn file(mut self, ending: &str, media_type: &str, content: Vec<Bytes>) -> Whole {
        self.begin(&format!("name=\"file\"; filename=\"sound.{ending}\""));
        self.fields.push_str(&format!("content-type: {media_type}\r\n\r\n"));
        let end = format!("\r\n--{}--\r\n", self.boundary);
        let mut pieces = vec![Bytes::from(self.fields)];
        pieces.extend(content);
        pieces.push(end.into());
        Whole { boundary: self.boundary, pieces }
    }

    pub(super) fn finished(self) -> Whole {
        let text = format!("{}--{}--\r\n", self.fields, self.boundary);
        Whole { boundary: self.boundary, pieces: vec![text.into()] }
    }

    fn begin(&mut self, field: &str) {
        self.fields.push_str(&format!("--{}\r\ncontent-disposition: form-data; {field}\r\n", self.boundary));
    }
}

impl Whole {
    pub(super) fn put_into(self, request: &mut Request) {
        let length: usize = self.pieces.iter().map(Bytes::len).sum();
        let content_type = format!("multipart/form-data; boundary={}", self.boundary);
        let headers = request.headers_mut();
        if let Ok(content_type) = HeaderValue::from_str(&content_type) {
            headers.insert(CONTENT_TYPE, content_type);
        }
        // A stream has no length of its own, and would be sent in chunks.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length as u64));
        let pieces = self.pieces.into_iter().filter(|piece| !piece.is_empty()).map(Ok::<_, Infallible>);
        *request.body_mut() = Some(Body::wrap_stream(stream::iter(pieces)));
    }
}
