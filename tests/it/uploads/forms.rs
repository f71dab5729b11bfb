//! The form: what it takes, what it refuses, how many there may be.

use super::{PNG, begin, fields, id_of, keys, path_of, post, send, sent, sha256, wish};
use crate::world::{Answer, ORIGIN, World};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn a_file_is_announced_sent_looked_at_and_removed() {
    let world = World::start().await;
    let ann = world.person("ann");
    let begun = begin(&ann, "image", "image/png", PNG).await;
    assert_eq!((&begun["status"], &begun["kind"]), (&json!("waiting"), &json!("image")));
    assert_eq!(begun["form"]["expires_at"], world.now().after(Duration::from_secs(600)).to_string());
    assert_eq!(begun["expires_at"], world.now().after(Duration::from_secs(30 * 86_400)).to_string());
    let path = path_of(&begun);
    let waiting = ann.get(&path).await;
    assert_eq!((waiting.status, &waiting.body["status"]), (200, &json!("waiting")));
    assert_eq!(waiting.headers["retry-after"], "5");
    assert!(waiting.body["form"].is_null(), "the form is told once");

    let answer = send(&begun, PNG).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    assert_eq!(answer.headers["access-control-allow-origin"], ORIGIN);
    let ready = ann.get(&path).await;
    let shown = &ready.body;
    assert_eq!((&shown["status"], &shown["content_type"]), (&json!("ready"), &json!("image/png")));
    assert_eq!((&shown["width"], &shown["height"]), (&json!(64), &json!(48)));
    assert!(ready.headers.get("retry-after").is_none());
    assert!(keys(&world, "up30/").await.iter().all(|key| key.starts_with(&format!("up30/{}/", ann.id()))));

    // The second look is a single read of the row.
    world.product.meddler.forget();
    let again = ann.get(&path).await;
    assert_eq!(again.body, ready.body);
    assert!(world.product.meddler.calls().iter().all(|call| call.object.is_none()));

    let removed = ann.send("DELETE", &path, &Value::Null).await;
    assert_eq!((removed.status, removed.text.as_str()), (204, ""));
    assert_eq!(keys(&world, "up30/").await, [""; 0]);
    assert_eq!(ann.get(&path).await.status, 404);
    assert_eq!(ann.send("DELETE", &path, &Value::Null).await.problem(), "not_found");
}

/// A change to the fields of a form.
type Change = fn(&mut Vec<(String, String)>);

fn set(fields: &mut Vec<(String, String)>, name: &str, value: &str) {
    fields.retain(|(known, _)| known != name);
    fields.push((name.to_owned(), value.to_owned()));
}

#[tokio::test]
async fn a_form_takes_the_announced_file_under_its_key_and_nothing_else() {
    let world = World::start().await;
    let ann = world.person("ann");
    let begun = begin(&ann, "image", "image/png", PNG).await;
    let (url, form) = (begun["form"]["url"].as_str().unwrap(), fields(&begun));
    let mut other = PNG.to_vec();
    other[40] ^= 1;
    for (file, code) in [
        (other.as_slice(), "BadDigest"),
        (&[PNG, b"x"].concat(), "EntityTooLarge"),
        (&PNG[..PNG.len() - 1], "EntityTooSmall"),
        (b"", "EntityTooSmall"),
    ] {
        let refused = post(url, &form, file).await;
        assert!(
            refused.status == 400 && refused.text.contains(code),
            "{code}: {} {}",
            refused.status,
            refused.text
        );
    }
    let changes: [(&str, Change); 9] = [
        ("another key", |form| set(form, "key", "up30/user_sandbox_bob/x")),
        ("an active type", |form| set(form, "Content-Type", "text/html")),
        ("another hash", |form| set(form, "x-amz-checksum-sha256", &STANDARD.encode([1; 32]))),
        ("no hash", |form| form.retain(|(name, _)| name != "x-amz-checksum-sha256")),
        ("a field more", |form| set(form, "x-amz-meta-owner", "bob")),
        ("public", |form| set(form, "acl", "public-read")),
        ("a redirect", |form| set(form, "success_action_redirect", "https://evil.example/")),
        ("another signature", |form| set(form, "x-amz-signature", &"0".repeat(64))),
        ("no signature", |form| form.retain(|(name, _)| !name.starts_with("x-amz-") && name != "policy")),
    ];
    for (what, change) in changes {
        let mut changed = form.clone();
        change(&mut changed);
        let refused = post(url, &changed, PNG).await;
        assert!(matches!(refused.status, 400 | 403), "{what}: {} {}", refused.status, refused.text);
    }
    // A policy of one's own: a longer life, any file.
    let mut forged = form.clone();
    let policy =
        json!({ "expiration": "2099-01-01T00:00:00.000Z", "conditions": [["starts-with", "$key", ""]] });
    set(&mut forged, "policy", &STANDARD.encode(policy.to_string()));
    assert!(matches!(post(url, &forged, PNG).await.status, 400 | 403));
    assert_eq!(keys(&world, "").await, [""; 0], "nothing of it is stored");
    assert_eq!(post(url, &form, PNG).await.status, 204);
}

#[tokio::test]
async fn a_form_ends_after_ten_minutes_and_its_upload_lapses() {
    let world = World::start().await;
    let ann = world.person("ann");
    let (late, in_time) =
        (begin(&ann, "image", "image/png", PNG).await, begin(&ann, "image", "image/png", PNG).await);
    world.advance(Duration::from_secs(599));
    assert_eq!(send(&in_time, PNG).await.status, 204);
    world.advance(Duration::from_secs(1));
    let refused = send(&late, PNG).await;
    assert!(refused.status == 403 && refused.text.contains("expired"), "{}", refused.text);
    let lapsed = ann.get(&path_of(&late)).await;
    assert_eq!(lapsed.body["status"], "lapsed");
    assert!(lapsed.headers.get("retry-after").is_none());
    assert_eq!(
        ann.get(&path_of(&in_time)).await.body["status"],
        "ready",
        "what came in time is looked at later too"
    );
}

#[tokio::test]
async fn what_can_not_be_uploaded_is_told_fault_by_fault() {
    let world = World::start().await;
    let ann = world.person("ann");
    let fitting = wish("image", "image/png", PNG);
    for (name, value, pointer) in [
        ("kind", json!("text"), "/kind"),
        ("content_type", json!("image/svg+xml"), "/content_type"),
        ("content_type", json!("text/html"), "/content_type"),
        ("bytes", json!(0), "/bytes"),
        ("bytes", json!(20 * 1024 * 1024 + 1), "/bytes"),
        ("sha256", json!("abc"), "/sha256"),
    ] {
        let mut wish = fitting.clone();
        wish[name] = value;
        let refused = ann.send("POST", "/v1/uploads", &wish).await;
        assert_eq!((refused.status, refused.problem()), (422, "invalid_input"), "{}", refused.text);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{}", refused.text);
    }
    let mut wish = fitting.clone();
    (wish["bytes"], wish["sha256"], wish["content_type"]) = (json!(0), json!(""), json!("image/tiff"));
    assert_eq!(ann.send("POST", "/v1/uploads", &wish).await.body["errors"].as_array().unwrap().len(), 3);
    assert!(crate::books::scan(&world, "uploads").await.is_empty(), "nothing was counted");
}

#[tokio::test]
async fn an_account_has_so_many_open_forms_and_so_many_bytes_a_day() {
    let bytes = (3 * PNG.len()).to_string();
    let world = World::with(&[("OPEN_UPLOADS_MAX", "2"), ("UPLOAD_BYTES_PER_DAY_MAX", &bytes)]).await;
    let (ann, bob) = (world.person("ann"), world.person("bob"));
    let ask = async |person: &crate::world::Person| -> Answer {
        person.send("POST", "/v1/uploads", &wish("image", "image/png", PNG)).await
    };
    let first = ask(&ann).await;
    world.advance(Duration::from_secs(60));
    assert_eq!((first.status, ask(&ann).await.status), (201, 201));
    let refused = ask(&ann).await;
    assert_eq!((refused.status, refused.problem()), (429, "too_many_uploads"));
    assert_eq!(refused.headers["retry-after"], "540", "until the first form ends");
    assert_eq!(ask(&bob).await.status, 201, "the allowance is an account's own");
    // A removed upload keeps its place: its form can still be used.
    ann.send("DELETE", &path_of(&first.body), &Value::Null).await;
    assert_eq!(ask(&ann).await.status, 429);

    world.advance(Duration::from_secs(540));
    assert_eq!(ask(&ann).await.status, 201);
    world.advance(Duration::from_secs(600));
    let refused = ask(&ann).await;
    assert_eq!((refused.status, refused.problem()), (429, "too_many_uploads"));
    // The world's morning is eight o'clock, and twenty minutes are over.
    let until_midnight = 16 * 3600 - 1_200;
    assert_eq!(refused.headers["retry-after"], until_midnight.to_string());
    world.advance(Duration::from_secs(until_midnight));
    assert_eq!(ask(&ann).await.status, 201);
}

#[tokio::test]
async fn of_many_wishes_at_once_no_more_are_granted_than_one_after_the_other() {
    let world = World::with(&[("OPEN_UPLOADS_MAX", "5")]).await;
    let ann = world.person("ann");
    ann.balance().await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let ann = ann.clone();
        asking.spawn(async move {
            ann.send("POST", "/v1/uploads", &wish("image", "image/png", PNG)).await.status
        });
    }
    let statuses = asking.join_all().await;
    let granted = statuses.iter().filter(|status| **status == 201).count();
    // One that met the others too often is told to come again.
    assert!(granted <= 5 && granted > 0, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 429, 503].contains(status)), "{statuses:?}");
}

#[tokio::test]
async fn an_upload_is_its_owners_alone_and_gone_after_thirty_days() {
    let world = World::start().await;
    let (ann, bob) = (world.person("ann"), world.person("bob"));
    let path = sent(&ann, "image", "image/png", PNG).await;
    assert_eq!(ann.get(&path).await.body["status"], "ready");
    for method in ["GET", "DELETE"] {
        let refused = bob.send(method, &path, &Value::Null).await;
        assert_eq!((refused.status, refused.problem()), (404, "not_found"), "{method}");
    }
    let media = media::Media::new(&world.accountant).unwrap();
    let opened = async |person: &crate::world::Person| {
        media.uploads().ready(&person.id().parse().unwrap(), id_of(&path), world.now()).await
    };
    assert!(opened(&ann).await.is_ok());
    assert!(matches!(opened(&bob).await, Err(media::UploadError::NotFound)));

    world.advance(Duration::from_secs(30 * 86_400 - 1));
    assert_eq!(ann.get(&path).await.status, 200);
    world.advance(Duration::from_secs(1));
    assert!(!keys(&world, "up30/").await.is_empty(), "the bucket has it still");
    assert_eq!(ann.get(&path).await.status, 404);
    assert!(matches!(opened(&ann).await, Err(media::UploadError::NotFound)));
    world.advance(Duration::from_secs(1));
    world.stores.sweep_media(world.now()).await.unwrap();
    world.stores.sweep_ttl().await.unwrap();
    assert!(keys(&world, "up30/").await.is_empty());
    assert!(crate::books::scan(&world, "uploads").await.is_empty());
}

#[tokio::test]
async fn the_same_file_may_be_sent_twice_and_is_one_upload() {
    let world = World::start().await;
    let ann = world.person("ann");
    let begun = begin(&ann, "image", "image/png", PNG).await;
    for _ in 0..2 {
        assert_eq!(send(&begun, PNG).await.status, 204);
    }
    let ready = ann.get(&path_of(&begun)).await;
    assert_eq!(ready.body["status"], "ready");
    // Once more after the look: what a run gets stays what was looked at.
    send(&begun, PNG).await;
    assert_eq!(ann.get(&path_of(&begun)).await.body, ready.body);
    assert_eq!(sha256(PNG).len(), 64);
}
