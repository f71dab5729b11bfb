//! Files that people send for use in runs, and outputs that are stored as they come: through real HTTP, with real small
//! files, and with the process killed at every store call.

mod crashes;
mod forms;
mod looks;
pub(crate) mod outputs;

use crate::world::{Answer, ORIGIN, Person, World, http};
use media::{Media, UploadState};
use primitives::UploadId;
use serde_json::{Value, json};

macro_rules! samples {
    ($($name:ident = $file:literal;)+) => {$(
        pub(crate) const $name: &[u8] = include_bytes!(concat!("../../../shared/media/src/sniff/samples/", $file));
    )+};
}
samples! {
    PNG = "picture.png";
    JPEG = "picture.jpg";
    WEBP = "picture.webp";
    GIF = "moving.gif";
    MP4 = "video.mp4";
    WEBM = "video.webm";
    WEBA = "live.weba";
    WAV = "sound.wav";
    MP3 = "sound.mp3";
    OGG = "opus.ogg";
    FLAC = "sound.flac";
    M4A = "sound.m4a";
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a page says of a file before it sends it.
fn wish(kind: &str, content_type: &str, bytes: &[u8]) -> Value {
    json!({ "kind": kind, "content_type": content_type, "bytes": bytes.len(), "sha256": sha256(bytes) })
}

pub(crate) async fn begin(person: &Person, kind: &str, content_type: &str, bytes: &[u8]) -> Value {
    let begun = person.send("POST", "/v1/uploads", &wish(kind, content_type, bytes)).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    begun.body
}

/// Name and value of each field of a form.
fn fields(begun: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let fields = begun["form"]["fields"].as_array().unwrap();
    fields.iter().map(|field| (text(&field["name"]), text(&field["value"]))).collect()
}

/// Posts the fields and the file as a browser does.
async fn post(url: &str, fields: &[(String, String)], file: &[u8]) -> Answer {
    let boundary = "----page-boundary";
    let mut body = Vec::new();
    for (name, value) in fields {
        let part =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"ann's kite.png\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let request = http().post(url).header("origin", ORIGIN);
    let request = request.header("content-type", format!("multipart/form-data; boundary={boundary}"));
    Answer::of(request.body(body).send().await.unwrap()).await
}

async fn send(begun: &Value, file: &[u8]) -> Answer {
    post(begun["form"]["url"].as_str().unwrap(), &fields(begun), file).await
}

/// Announces and sends a file; its path under `/v1/uploads`.
pub(crate) async fn sent(person: &Person, kind: &str, content_type: &str, bytes: &[u8]) -> String {
    let begun = begin(person, kind, content_type, bytes).await;
    let answer = send(&begun, bytes).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    path_of(&begun)
}

pub(crate) fn path_of(begun: &Value) -> String {
    format!("/v1/uploads/{}", begun["id"].as_str().unwrap())
}

pub(crate) fn id_of(path: &str) -> UploadId {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

/// Every key in the bucket below the prefix.
async fn keys(world: &World, prefix: &str) -> Vec<String> {
    let (s3, bucket) = (world.accountant.s3(), &world.accountant.store().media_bucket);
    let listed = s3.list_objects_v2().bucket(bucket).prefix(prefix).send().await.unwrap();
    listed.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
}

/// Keys of files that were begun in parts and neither completed nor given up.
async fn unfinished(world: &World) -> Vec<String> {
    let (s3, bucket) = (world.accountant.s3(), &world.accountant.store().media_bucket);
    let listed = s3.list_multipart_uploads().bucket(bucket).send().await.unwrap();
    listed.uploads().iter().filter_map(|upload| upload.key().map(str::to_owned)).collect()
}

async fn object(world: &World, key: &str) -> Vec<u8> {
    let (s3, bucket) = (world.accountant.s3(), &world.accountant.store().media_bucket);
    let answer = s3.get_object().bucket(bucket).key(key).send().await.unwrap();
    answer.body.collect().await.unwrap().to_vec()
}

/// What an upload has come to, past every function.
async fn state(world: &World, person: &Person, path: &str) -> UploadState {
    let uploads = Media::new(&world.accountant).unwrap().uploads();
    uploads.show(&person.id().parse().unwrap(), id_of(path), world.now()).await.unwrap().state
}
