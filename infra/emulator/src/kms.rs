//! KMS, as far as functions call it themselves: one key that encrypts and decrypts, bound to an encryption context.
//!
//! Source: KMS API reference, "Encrypt" and "Decrypt".

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde_json::{Value, json};

/// The longest text that is encrypted.
const PLAINTEXT_BYTES_MAX: usize = 4_096;
/// What is known here begins so; other keys do not exist.
const KEYS: &str = "arn:";

/// Answers `POST` at this path. Every ARN of a key is a key of its own, made of the ARN: nothing is kept.
pub fn router(path: &str) -> Router {
    Router::new().route(path, post(answer))
}

async fn answer(headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let Ok(asked) = serde_json::from_slice::<Value>(&body) else { return refused("SerializationException") };
    let Some(key) = asked["KeyId"].as_str().filter(|key| key.starts_with(KEYS)) else {
        return refused("NotFoundException");
    };
    // The order of a context's members says nothing: serde_json sorts them.
    let context = asked["EncryptionContext"].to_string();
    let bytes = |name: &str| asked[name].as_str().and_then(|text| STANDARD.decode(text).ok());
    match target {
        "TrentService.Encrypt" => match bytes("Plaintext") {
            Some(plaintext) if (1..=PLAINTEXT_BYTES_MAX).contains(&plaintext.len()) => {
                let blob = STANDARD.encode(sealed(key, &context, plaintext));
                told(
                    &json!({ "CiphertextBlob": blob, "KeyId": key, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT" }),
                )
            }
            _ => refused("ValidationException"),
        },
        "TrentService.Decrypt" => {
            let Some(blob) = bytes("CiphertextBlob") else { return refused("InvalidCiphertextException") };
            // A blob names its key.
            let Some((of, sealed)) = blob.split_at_checked(NAME_LEN) else {
                return refused("InvalidCiphertextException");
            };
            if of != name_of(key) {
                return refused("IncorrectKeyException");
            }
            match opened(key, &context, sealed) {
                Some(plaintext) => told(
                    &json!({ "Plaintext": STANDARD.encode(plaintext), "KeyId": key, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT" }),
                ),
                None => refused("InvalidCiphertextException"),
            }
        }
        _ => refused("UnknownOperationException"),
    }
}

const NAME_LEN: usize = 8;

fn digest_of(key: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, key.as_bytes()).as_ref());
    bytes
}

fn name_of(key: &str) -> [u8; NAME_LEN] {
    let mut name = [0; NAME_LEN];
    name.copy_from_slice(&digest_of(key)[..NAME_LEN]);
    name
}

fn material(key: &str) -> LessSafeKey {
    let bytes = digest_of(&format!("the material of {key}"));
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).expect("32 bytes are a key"))
}

fn sealed(key: &str, context: &str, mut plaintext: Vec<u8>) -> Vec<u8> {
    let nonce: [u8; NONCE_LEN] = primitives::random_bytes();
    material(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut plaintext)
        .expect("a short text can be sealed");
    [&name_of(key), nonce.as_slice(), &plaintext].concat()
}

fn opened(key: &str, context: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, content) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut content = content.to_vec();
    let opened = material(key).open_in_place(nonce, Aad::from(context), &mut content);
    opened.ok().map(|content| content.to_vec())
}

fn told(document: &Value) -> Response {
    (StatusCode::OK, [("content-type", "application/x-amz-json-1.1")], document.to_string()).into_response()
}

fn refused(kind: &str) -> Response {
    let document = json!({ "__type": kind, "message": "" }).to_string();
    (StatusCode::BAD_REQUEST, [("content-type", "application/x-amz-json-1.1")], document).into_response()
}
