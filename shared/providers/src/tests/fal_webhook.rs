//! Messages that say they come from fal.

use super::stand::{Reply, json, reply};
use super::world::{World, env};
use crate::{FalWebhook, Forged};
use platform::Platform;
use primitives::Timestamp;
use reqwest::header::HeaderMap;
use serde_json::json;

// docs/facts/providers.md, "fal's webhook": made with another library.
const KEY: &str = "ebVWLo_mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ";
const AT: u64 = 1_790_000_000;
const BODY: &str = r#"{"request_id":"req-77","gateway_request_id":"req-77","status":"OK","error":null,"payload":{"images":[{"url":"https://media.test/a.png"}]}}"#;
const SIGNATURE: &str = "4a90361ba5e421adc5b1cb2728cdab97f768780430427246fceeedfbc3edbfffaf7d4f8ca6e01c2e87fca3094e72b6caefaeed2ae5778df35af2632fc9512800";

const JOB: &str = "01KAQ3V7W05A5XM3YFMXP5K4KG";
/// With HMAC-SHA256 of `fal-webhook:` and the job by `id:secret`, made with another library.
const ADDRESS: &str =
    "01KAQ3V7W05A5XM3YFMXP5K4KG.584f1b2f837f61a74309e487e3a7e2cb57fd693960e5bf8c946fa5c312e3beed";

fn headers(changed: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-fal-webhook-request-id", "req-77"),
        ("x-fal-webhook-user-id", "usr-5"),
        ("x-fal-webhook-timestamp", "1790000000"),
        ("x-fal-webhook-signature", SIGNATURE),
    ]
    .iter()
    .chain(changed)
    {
        headers.insert(*name, value.parse().unwrap());
    }
    headers
}

async fn webhook(answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> (World, FalWebhook) {
    let world = World::start(move |request| answer(request.nth)).await;
    let jwks = format!("http://{}/keys", world.stand.host);
    let env = env(&world.stand.host).with([("FAL_JWKS_URL", jwks.as_str())]);
    let platform = Platform::build(env, world.clock.clone(), None).unwrap();
    (world, FalWebhook::new(&platform).unwrap())
}

fn keys(keys: &[&str]) -> Reply {
    let keys: Vec<_> = keys.iter().map(|x| json!({"kty": "OKP", "crv": "Ed25519", "x": x})).collect();
    json(200, &json!({ "keys": keys }))
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

#[tokio::test]
async fn the_published_message_is_fals() {
    for known in [KEY.to_owned(), format!("{KEY}=")] {
        let (_world, fal) = webhook(move |_| keys(&["AAAA", &known])).await;
        assert_eq!(
            fal.authenticate(ADDRESS, &headers(&[]), BODY.as_bytes(), at(AT)).await,
            Ok((JOB.parse().unwrap(), "req-77".to_owned()))
        );
    }
}

#[tokio::test]
async fn what_was_changed_or_is_out_of_time_is_not() {
    let (_world, fal) = webhook(|_| keys(&[KEY])).await;
    let body = BODY.as_bytes();
    for (changed, now, why) in [
        (("x-fal-webhook-request-id", "req-78"), AT, Forged::NotFals),
        (("x-fal-webhook-user-id", "usr-6"), AT, Forged::NotFals),
        (("x-fal-webhook-timestamp", "1790000001"), AT, Forged::NotFals),
        (("x-fal-webhook-signature", "00"), AT, Forged::NotFals),
        (("x-fal-webhook-signature", "zz"), AT, Forged::Unsigned),
        (("x-fal-webhook-timestamp", "soon"), AT, Forged::Unsigned),
        (("x-fal-webhook-user-id", "usr-5"), AT + 301, Forged::OutOfTime),
        (("x-fal-webhook-user-id", "usr-5"), AT - 301, Forged::OutOfTime),
    ] {
        assert_eq!(
            fal.authenticate(ADDRESS, &headers(&[changed]), body, at(now)).await,
            Err(why),
            "{changed:?}"
        );
    }
    let other = BODY.replace("a.png", "b.png");
    assert_eq!(
        fal.authenticate(ADDRESS, &headers(&[]), other.as_bytes(), at(AT)).await,
        Err(Forged::NotFals)
    );
    assert_eq!(fal.authenticate(ADDRESS, &HeaderMap::new(), body, at(AT)).await, Err(Forged::Unsigned));
    assert!(fal.authenticate(ADDRESS, &headers(&[]), body, at(AT + 300)).await.is_ok());
}

#[tokio::test]
async fn keys_are_asked_for_once_a_minute_at_most_and_a_new_one_is_found() {
    let (world, fal) = webhook(|nth| if nth == 0 { keys(&["AAAA"]) } else { keys(&[KEY]) }).await;
    let body = BODY.as_bytes();
    for _ in 0..3 {
        assert_eq!(fal.authenticate(ADDRESS, &headers(&[]), body, at(AT)).await, Err(Forged::NotFals));
    }
    assert_eq!(world.stand.count("GET /keys"), 1);
    assert!(fal.authenticate(ADDRESS, &headers(&[]), body, at(AT + 60)).await.is_ok());
    assert!(fal.authenticate(ADDRESS, &headers(&[]), body, at(AT + 61)).await.is_ok());
    assert_eq!(world.stand.count("GET /keys"), 2);
}

#[tokio::test]
async fn without_an_answer_the_last_keys_stay() {
    let (world, fal) = webhook(|nth| if nth == 0 { keys(&[KEY]) } else { reply(500, &[], "") }).await;
    let body = BODY.as_bytes();
    assert!(fal.authenticate(ADDRESS, &headers(&[]), body, at(AT)).await.is_ok());
    let forged = headers(&[("x-fal-webhook-signature", "00")]);
    assert_eq!(fal.authenticate(ADDRESS, &forged, body, at(AT + 60)).await, Err(Forged::NotFals));
    assert_eq!(world.stand.count("GET /keys"), 2);
    assert!(fal.authenticate(ADDRESS, &headers(&[]), body, at(AT + 61)).await.is_ok());
}

/// fal signs the messages of every account that it has: only the address tells that our submit is meant.
#[tokio::test]
async fn what_comes_to_an_address_that_was_not_given_to_fal_is_refused_without_a_look_at_the_keys() {
    let (world, fal) = webhook(|_| keys(&[KEY])).await;
    let (_, token) = ADDRESS.split_once('.').unwrap();
    let other = format!("01KAQ3V7W00000000000000002.{token}");
    let cut = &ADDRESS[..ADDRESS.len() - 2];
    for address in [JOB, cut, other.as_str(), "x.y", "", &format!("{ADDRESS}00")] {
        let told = fal.authenticate(address, &headers(&[]), BODY.as_bytes(), at(AT)).await;
        assert_eq!(told, Err(Forged::OtherAddress), "{address}");
    }
    assert_eq!(world.stand.count("GET /keys"), 0);
    let env = env(&world.stand.host).with([("FAL_KEY", "")]);
    let keyless = FalWebhook::new(&Platform::build(env, world.clock.clone(), None).unwrap()).unwrap();
    let told = keyless.authenticate(ADDRESS, &headers(&[]), BODY.as_bytes(), at(AT)).await;
    assert_eq!(told, Err(Forged::OtherAddress), "fal is not configured");
}
