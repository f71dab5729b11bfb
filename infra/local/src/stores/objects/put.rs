use super::folder::ObjectFolder;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use primitives::Timestamp;
use s3s::crypto::{Checksum, Md5, Sha256};
use s3s::dto::{ETag, PutObjectInput, PutObjectOutput, StreamingBlob};
use s3s::{Body, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use serde_json::{Value, json};
use std::fs;
use std::io;

const BYTES_MAX: i64 = 16 * 1024 * 1024;

/// A put as the product makes them, or a page by a form: a file that fits in memory, without conditions, of which at most a
/// SHA-256 is given. `s3s-fs` would store a file with another one first, and refuse it then.
///
/// `s3s-fs` hands each of some twenty file operations to another thread; one hand-over for all of them
/// costs a run a fraction of that. The files are the same, and the object appears last, complete.
pub(super) struct PlainPut {
    bucket: String,
    key: String,
    length: i64,
    /// In base64.
    sha256: Option<String>,
    attributes: Value,
    body: StreamingBlob,
}

impl PlainPut {
    /// Gives the request back when it asks for more than this.
    pub(super) fn of(request: S3Request<PutObjectInput>) -> Result<PlainPut, Box<S3Request<PutObjectInput>>> {
        let plain = is_plain(&request.input) && request.trailing_headers.is_none();
        let (true, Some(length)) = (plain, request.input.content_length) else {
            return Err(Box::new(request));
        };
        let attributes = attributes(&request.input);
        let PutObjectInput { bucket, key, body, checksum_sha256: sha256, .. } = request.input;
        let body = body.unwrap_or_else(|| StreamingBlob::from(Body::empty()));
        Ok(PlainPut { bucket, key, length, sha256, attributes, body })
    }

    pub(super) async fn store(
        self,
        folder: ObjectFolder,
        now: Timestamp,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let PlainPut { bucket, key, length, sha256, attributes, body } = self;
        let content = Body::from(body)
            .collect()
            .await
            .map_err(|fault| S3Error::with_source(S3ErrorCode::IncompleteBody, fault))?;
        let content = content.to_bytes();
        if i64::try_from(content.len()).ok() != Some(length) {
            return Err(s3_error!(IncompleteBody));
        }
        let has_other_content = |sha256: &String| *sha256 != STANDARD.encode(Sha256::checksum(&content));
        if sha256.as_ref().is_some_and(has_other_content) {
            return Err(s3_error!(
                BadDigest,
                "The SHA256 you specified did not match the calculated checksum."
            ));
        }
        let writing = move || write(&folder, (&bucket, &key), sha256.as_deref(), &attributes, &content, now);
        let etag = tokio::task::spawn_blocking(writing).await.map_err(S3Error::internal_error)?;
        let etag = etag.map_err(|error| {
            tracing::error!("an object can't be written to the data folder: {error}");
            S3Error::internal_error(error)
        })?;
        let e_tag = Some(ETag::Strong(etag));
        Ok(S3Response::new(PutObjectOutput { e_tag, ..Default::default() }))
    }
}

fn is_plain(input: &PutObjectInput) -> bool {
    let checksums = [
        &input.checksum_crc32,
        &input.checksum_crc32c,
        &input.checksum_crc64nvme,
        &input.checksum_sha1,
        &input.content_md5,
        &input.website_redirect_location,
    ];
    checksums.iter().all(|value| value.is_none())
        && input.checksum_algorithm.is_none()
        && input.if_match.is_none()
        && input.if_none_match.is_none()
        && input.storage_class.is_none()
        && input.expires.is_none()
        && input.content_length.is_some_and(|length| {
            // The file of a form is in memory already.
            (0..=BYTES_MAX).contains(&length) || input.checksum_sha256.is_some()
        })
}

/// As `s3s-fs` writes them down (its `ObjectAttributes`).
fn attributes(input: &PutObjectInput) -> Value {
    json!({
        "user_metadata": input.metadata,
        "content_encoding": input.content_encoding,
        "content_type": input.content_type,
        "content_disposition": input.content_disposition,
        "content_language": input.content_language,
        "cache_control": input.cache_control,
    })
}

fn write(
    folder: &ObjectFolder,
    (bucket, key): (&str, &str),
    sha256: Option<&str>,
    attributes: &Value,
    content: &[u8],
    now: Timestamp,
) -> io::Result<String> {
    let etag = format!("{:032x}", u128::from_be_bytes(Md5::checksum(content)));
    let object = folder.object(bucket, key);
    if let Some(parent) = object.parent() {
        fs::create_dir_all(parent)?;
    }
    let note = |kind: &str| folder.note(bucket, Some(key), kind);
    folder.put(&note("metadata.json"), attributes.to_string().as_bytes(), now)?;
    let internal = match sha256 {
        None => json!({ "e_tag": etag }),
        Some(sha256) => json!({ "e_tag": etag, "checksum_sha256": sha256 }),
    };
    folder.put(&note("internal.json"), internal.to_string().as_bytes(), now)?;
    match fs::remove_file(note("tagging.xml")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    folder.put(&object, content, now)?;
    Ok(etag)
}
