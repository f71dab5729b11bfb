//! What the gateway answers without any function: what a browser asks before it lets a page of another origin call, the
//! same here as in the local run, and its own refusals.

use crate::world::{Answer, ORIGIN, World, http};
use edge::PREFLIGHT_HEADERS;
use emulator::{Emulator, Options};
use std::collections::BTreeMap;
use std::path::Path;
use tokio::task::JoinSet;

/// Of our own page, of others, and of a client that is no browser.
const ORIGINS: [Option<&str>; 6] = [
    Some(ORIGIN),
    Some("http://evil.test"),
    Some("http://page.test.evil.test"),
    Some("http://page"),
    Some("null"),
    None,
];

/// A cloud in which no function has a program: what is answered is the gateway's.
async fn gateway() -> Emulator {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    Emulator::start(Options { template, ..Options::default() }).await.unwrap()
}

/// Status and the headers that a browser looks at.
async fn preflight(base: &str, path: &str, origin: Option<&str>) -> (u16, BTreeMap<String, String>) {
    let mut request = http().request(reqwest::Method::OPTIONS, format!("{base}{path}"));
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    let request = request.header("access-control-request-method", "POST");
    let answer = request.header("access-control-request-headers", "authorization").send().await.unwrap();
    let looked_at = |name: &str| name.starts_with("access-control-") || name == "vary";
    let headers = answer.headers().iter().filter(|(name, _)| looked_at(name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (answer.status().as_u16(), headers.collect())
}

#[tokio::test]
async fn every_path_answers_preflights_in_the_cloud_as_in_the_local_run() {
    let (world, cloud) = (World::start().await, gateway().await);
    let document = serde_json::to_value(citipen::openapi()).unwrap();
    let (mut pages, mut webhooks) = (0, 0);
    for path in document["paths"].as_object().unwrap().keys() {
        let path = path.replace("{id}", "01KABCDEFGHJKMNPQRSTVWXYZ0");
        for origin in ORIGINS {
            let in_the_cloud = preflight(cloud.api(), &path, origin).await;
            let here = preflight(&world.product.base, &path, origin).await;
            if path.starts_with("/v1/webhooks/") {
                assert_eq!((in_the_cloud.0, here.0), (404, 405), "{path}: no page has business there");
                webhooks += 1;
                continue;
            }
            let mut expected =
                BTreeMap::from(PREFLIGHT_HEADERS.map(|(name, value)| (name.to_owned(), value.to_owned())));
            if origin == Some(ORIGIN) {
                expected.insert("access-control-allow-origin".to_owned(), ORIGIN.to_owned());
                expected.insert("access-control-allow-credentials".to_owned(), "true".to_owned());
            }
            assert_eq!(in_the_cloud, (200, expected), "{path} in the cloud, asked by {origin:?}");
            assert_eq!(here, in_the_cloud, "{path} asked by {origin:?}");
            pages += 1;
        }
    }
    assert!(pages >= 6 * 20 && webhooks >= 6 * 3, "{pages}, {webhooks}");
    let nowhere = preflight(cloud.api(), "/v1/nothing", Some(ORIGIN)).await;
    let nowhere_here = preflight(&world.product.base, "/v1/nothing", Some(ORIGIN)).await;
    assert_eq!((nowhere.0, nowhere_here.0), (404, 404), "and what is not there can't be called");
}

/// Which headers a page may send is decided where they are read.
#[tokio::test]
async fn a_page_may_send_every_header_that_the_document_knows() {
    let document = serde_json::to_value(citipen::openapi()).unwrap();
    let allowed =
        PREFLIGHT_HEADERS.iter().find(|(name, _)| *name == "access-control-allow-headers").unwrap().1;
    let allowed: Vec<&str> = allowed.split(',').collect();
    let methods =
        PREFLIGHT_HEADERS.iter().find(|(name, _)| *name == "access-control-allow-methods").unwrap().1;
    let paths = document["paths"].as_object().unwrap();
    for (path, item) in paths.iter().filter(|(path, _)| !path.starts_with("/v1/webhooks/")) {
        for (method, operation) in item.as_object().unwrap() {
            assert!(methods.split(',').any(|known| known.eq_ignore_ascii_case(method)), "{method} {path}");
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            for header in parameters.filter(|parameter| parameter["in"] == "header") {
                let name = header["name"].as_str().unwrap().to_lowercase();
                assert!(allowed.contains(&name.as_str()), "{method} {path}: {name}");
            }
        }
    }
}

#[tokio::test]
async fn what_the_gateway_refuses_by_itself_is_a_problem_document_that_pages_can_read() {
    let cloud = gateway().await;
    let long = "x".repeat(10 * 1024 * 1024 + 1);
    for (method, path, body, status, code) in [
        ("GET", "/v1/nothing", "", 404, "not_found"),
        ("GET", "/v1/runs/x/y", "", 404, "not_found"),
        ("PUT", "/v1/runs", "{}", 404, "not_found"),
        ("POST", "/v1/runs", long.as_str(), 413, "body_too_large"),
        ("OPTIONS", "/v1/runs", "x", 415, "unsupported_media_type"),
        // Nobody is there to answer.
        ("POST", "/v1/runs", "{}", 502, "no_answer"),
    ] {
        let request = http().request(method.parse().unwrap(), format!("{}{path}", cloud.api()));
        let request = request
            .header("content-type", if method == "OPTIONS" { "text/plain" } else { "application/json" });
        let refused = Answer::of(request.body(body.to_owned()).send().await.unwrap()).await;
        assert_eq!((refused.status, gateways(&refused)), (status, code), "{method} {path}");
    }
}

#[tokio::test]
async fn a_flood_is_turned_away_by_the_gateway_and_leaves_other_methods_theirs() {
    let cloud = gateway().await;
    let url = format!("{}/v1/webhooks/sepay/bank", cloud.api());
    let webhook = move || {
        let request = http().post(&url).body("{}");
        async move { Answer::of(request.send().await.unwrap()).await }
    };
    // A hundred at once, and fifty a second.
    let asked: JoinSet<Answer> = (0..250).map(|_| webhook()).collect();
    let answers = asked.join_all().await;
    let (refused, let_in): (Vec<&Answer>, Vec<&Answer>) =
        answers.iter().partition(|answer| answer.status == 429);
    assert!(!refused.is_empty() && let_in.len() >= 100, "{} of {}", refused.len(), answers.len());
    for answer in refused {
        assert_eq!(gateways(answer), "rate_limited");
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(answer.body["retry_after_seconds"], 1);
    }
    let other = Answer::of(http().get(format!("{}/v1/pricing", cloud.api())).send().await.unwrap()).await;
    assert_eq!(gateways(&other), "no_answer", "it was let in, and nobody is there to answer");
}

/// The code of an answer of the gateway itself.
fn gateways(answer: &Answer) -> &str {
    assert!(answer.headers.contains_key("x-amzn-errortype"), "{}", answer.text);
    assert_eq!(answer.headers["access-control-allow-origin"], "*", "{}", answer.text);
    assert_eq!(answer.body["request_id"], answer.headers["x-request-id"].to_str().unwrap());
    answer.problem()
}
