//! Pages that poll: what they have already is not sent again, and everything else about the answer stays.

use crate::payments::desk::{Desk, dong};
use crate::world::{Answer, ORIGIN, Person, World, http, new_run_id, script};
use sandbox::{Fault, FaultRule, Service};
use serde_json::json;

fn tag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

/// Asks twice, the second time with the first answer's tag: that must be spared.
async fn assert_spared(person: &Person, path: &str) -> Answer {
    let first = person.get(path).await;
    assert_eq!(first.status, 200, "{path}: {}", first.text);
    let again = person.get_unless(path, &tag(&first)).await;
    assert_eq!((again.status, again.text.as_str(), tag(&again)), (304, "", tag(&first)), "{path}");
    for header in ["content-type", "content-length"] {
        assert_eq!(again.headers.get(header), None, "{path}: {header}");
    }
    for header in ["retry-after", "x-run-id", "access-control-allow-origin", "vary", "cache-control"] {
        assert_eq!(again.headers.get(header), first.headers.get(header), "{path}: {header}");
    }
    assert_ne!(again.headers["x-request-id"], first.headers["x-request-id"], "{path}");
    first
}

#[tokio::test]
async fn what_a_page_polls_is_sent_again_only_when_it_changed() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let top_up = format!("/v1/top-ups/{}", order["id"].as_str().unwrap());

    let waiting = assert_spared(&ann, &top_up).await;
    assert!(waiting.headers.contains_key("retry-after"));
    let account = assert_spared(&ann, "/v1/account").await;
    for path in ["/v1/account/transactions", "/v1/top-ups", "/v1/top-ups/methods", "/v1/runs"] {
        assert_spared(&ann, path).await;
    }
    let prices = assert_spared(&ann, "/v1/pricing").await;
    assert_spared(&ann, "/v1/openapi.json").await;

    desk.transfer(dong(&order), order["reference"].as_str().unwrap()).await;
    let paid = ann.get_unless(&top_up, &tag(&waiting)).await;
    assert_eq!((paid.status, &paid.body["status"]), (200, &json!("paid")));
    assert_eq!(ann.get_unless("/v1/account", &tag(&account)).await.status, 200, "it has more credit");
    assert_spared(&ann, &top_up).await;

    let vietnamese = ann.request("GET", "/v1/pricing").header("accept-language", "vi");
    let vietnamese = vietnamese.header("if-none-match", tag(&prices)).send().await.unwrap();
    assert_eq!(vietnamese.status(), 200, "another language is another document");
    crate::books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_run_that_goes_on_is_spared_until_it_ends() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Deepseek, FaultRule::once(Fault::Slow { ms: 1_000 }));
    let (mut wish, id) = (script("a red kite"), new_run_id());
    wish["run_id"] = json!(id);
    let request = ann.request("POST", "/v1/runs").header("accept", "text/event-stream");
    let request = request.header("content-type", "application/json").body(wish.to_string());
    let mut response = request.send().await.unwrap();
    response.chunk().await.unwrap();
    assert!(!response.headers().contains_key("etag"), "a stream has no tag");
    let path = format!("/v1/runs/{id}");

    let running = assert_spared(&ann, &path).await;

    assert_eq!(running.headers["retry-after"], "2");
    assert_eq!(running.headers["x-run-id"], id.as_str());
    response.text().await.unwrap();
    let ended = ann.get_unless(&path, &tag(&running)).await;
    assert_eq!((ended.status, &ended.body["status"]), (200, &json!("succeeded")));
    let again = ann.get_unless(&path, "*").await;
    assert_eq!(again.status, 304, "`*` is whatever there is");
    let missing = ann.get_unless("/v1/runs/01KABCDEFGHJKMNPQRSTVWXYZ0", "*").await;
    assert_eq!((missing.status, missing.problem()), (404, "not_found"));
    crate::books::check(&world).await;
}

#[tokio::test]
async fn what_is_spared_counts_in_the_limits_and_its_refusal_says_when_to_ask_again() {
    let world = World::with(&[("NETWORK_REQUESTS_PER_MINUTE_MAX", "5")]).await;
    let ask = async |tag: &str| {
        let request = http().get(format!("{}/v1/pricing", world.product.base)).header("origin", ORIGIN);
        Answer::of(request.header("if-none-match", tag).send().await.unwrap()).await
    };
    let tag = tag(&ask("\"nothing\"").await);
    let mut told = Vec::new();
    for _ in 0..5 {
        told.push(ask(&tag).await);
    }
    let statuses: Vec<u16> = told.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [304, 304, 304, 304, 429]);
    let refused = told.last().unwrap();
    assert_eq!(refused.problem(), "rate_limited");
    for header in ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after"] {
        assert!(refused.headers.contains_key(header), "{header}");
    }
    assert_eq!(refused.headers.get("etag"), None);
    let exposed = told[0].headers["access-control-expose-headers"].to_str().unwrap();
    for header in ["etag", "ratelimit-remaining", "retry-after", "x-run-id"] {
        assert!(exposed.split(',').any(|name| name == header), "{header} is not in {exposed}");
    }
}
