use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};
use serde::Deserialize;
use std::fmt;

/// A key, password or token. It prints as `[redacted]`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

/// Something a person wrote or made: prompts, outputs, e-mails. It can't be printed or serialised by accident.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Private<T>(T);

/// The first 64 bits of a SHA-256: enough to notice that an input is another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 8]);

impl Secret {
    /// From now on the text is printed as `[redacted]`.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The secret itself; only for the place that sends or verifies it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T> Private<T> {
    /// From now on the content is printed as `[private]`.
    pub fn new(content: T) -> Private<T> {
        Private(content)
    }

    /// The content itself; only for the place that sends, stores or shows it to its owner.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// The content itself, taken out; only for the place that sends, stores or shows it to its owner.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[private]")
    }
}

impl Fingerprint {
    /// Of several parts; each is preceded by its length, so that moving a border changes the result.
    pub fn of(parts: &[&[u8]]) -> Fingerprint {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let digest = context.finish();
        let mut first = [0; 8];
        first.copy_from_slice(&digest.as_ref()[..8]);
        Fingerprint(first)
    }

    /// For spreading keys over partitions.
    pub fn first_byte(&self) -> u8 {
        self.0[0]
    }

    /// Eleven characters of URL-safe base64.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// `None` when the text is not eleven characters of URL-safe base64.
    pub fn decode(text: &str) -> Option<Fingerprint> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Fingerprint(bytes.try_into().ok()?))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.encode())
    }
}
