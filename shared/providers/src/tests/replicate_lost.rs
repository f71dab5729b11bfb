//! A submit whose answer was lost: it is looked for in Replicate's list, and never repeated while that is in doubt.

use super::replicate::{CREATE, IMPATIENT, JOB, STEP, XTTS, shown, vendor};
use super::stand::{Answer, Received, Reply, Say, json, reply};
use super::world::{World, order, speech};
use crate::{FailureClass, Next, ProviderName, Visit, Work};
use serde_json::{Value, json};
use std::time::Duration;

const CHAIN: &[&str] = &["replicate/xtts", "omnivoice/speech"];

fn entry(id: &str, mark: &str) -> Value {
    let mut entry = shown("processing");
    entry["id"] = json!(id);
    entry["input"] = json!({"text": "x", "speaker": format!("https://voices.test/ann.wav?signed=2#{mark}")});
    entry
}

fn page(results: &[Value]) -> Reply {
    json(200, &json!({ "next": null, "previous": null, "results": results }))
}

fn is_list(request: &Received) -> bool {
    request.method == "GET" && request.path.starts_with("/replicate/v1/predictions?")
}

fn is_creation(request: &Received) -> bool {
    request.method == "POST" && request.path == "/replicate/v1/predictions"
}

/// What the list has beside ours: other people's work on the same account.
fn others() -> Vec<Value> {
    let mut picture = shown("succeeded");
    picture["version"] = json!("hidden");
    picture["input"] = json!({"prompt": "a kite"});
    vec![entry("other", "01KAQ3V7W00000000000000002"), picture]
}

#[tokio::test]
async fn a_submit_whose_answer_is_lost_is_found_by_the_run_that_marks_its_speaker() {
    let table: Vec<Answer> = vec![
        Box::new(|_| vec![Say::Cut]),
        Box::new(|_| vec![Say::Hang]),
        Box::new(|_| {
            vec![Say::Bytes(b"HTTP/1.1 201 Made\r\ncontent-length: 99\r\n\r\n{".to_vec()), Say::Cut]
        }),
        Box::new(|_| reply(201, &[], "<html>")),
        Box::new(|_| json(201, &json!({"id": null, "status": "starting"}))),
        Box::new(|_| json(201, &json!({"id": "../p1a2b3", "status": "starting"}))),
        Box::new(|_| reply(500, &[], "<html>")),
        Box::new(|_| reply(502, &[], "")),
        Box::new(|_| reply(504, &[], "")),
    ];
    for (row, odd) in table.into_iter().enumerate() {
        // A quarter of it for the submit, and a quarter of that for the list.
        let patience = [("PROVIDER_FIRST_CONTENT_MS_SPEECH", "6000")];
        let world = World::with(patience, move |request| match () {
            () if is_creation(request) => odd(request),
            () if is_list(request) => page(&[others(), vec![entry("p1a2b3", JOB)]].concat()),
            () => vendor(request),
        })
        .await;
        let told = world.order(STEP, order(speech("en"))).await;
        let attempt = &told.served().attempts[0];
        assert_eq!(attempt.provider_request_id.as_deref(), Some("p1a2b3"), "row {row}");
        assert_eq!(world.stand.count(CREATE), 1, "row {row}");
    }
}

#[tokio::test]
async fn a_prediction_may_be_late_in_the_list() {
    let world = World::start(|request| match request.nth {
        _ if is_creation(request) => vec![Say::Cut],
        0 | 1 if is_list(request) => page(&others()),
        2 if is_list(request) => reply(500, &[], ""),
        _ if is_list(request) => page(&[entry("p1a2b3", JOB)]),
        _ => vendor(request),
    })
    .await;
    world.order(STEP, order(speech("en"))).await.served();
    let list = world.stand.requests().into_iter().find(is_list).unwrap();
    assert_eq!(list.path, "/replicate/v1/predictions?created_after=2026-09-21T14%3A12%3A20.000Z");
    assert_eq!(list.header("authorization"), Some("Bearer r8_key"));
}

#[tokio::test]
async fn a_prediction_that_is_not_listed_stays_in_doubt_and_the_next_provider_is_not_asked() {
    let world = World::with(IMPATIENT, |request| match () {
        () if is_creation(request) => vec![Say::Cut],
        () if is_list(request) => page(&others()),
        () => vendor(request),
    })
    .await;
    let told = world.order(CHAIN, order(speech("en"))).await;
    assert_eq!(told.failure(), ("unknown_outcome", vec!["unknown_outcome"]));
    assert_eq!((world.stand.count(CREATE), world.stand.count("POST /omnivoice")), (1, 0));
}

#[tokio::test]
async fn a_server_error_is_a_refusal_only_when_the_list_has_nothing_of_it() {
    type Case = (u16, fn() -> Reply, &'static str, usize);
    let table: [Case; 6] = [
        // A gateway answers 502 or 504 without an answer of Replicate's own.
        (502, || page(&others()), "unknown_outcome", 1),
        (504, || page(&[]), "unknown_outcome", 1),
        (500, || page(&others()), "unavailable", 1),
        (503, || page(&[]), "unavailable", 2),
        (500, || reply(500, &[], ""), "unknown_outcome", 1),
        (503, || json(200, &json!({"results": null})), "unknown_outcome", 1),
    ];
    for (row, (status, list, class, tries)) in table.into_iter().enumerate() {
        let world = World::with(IMPATIENT, move |request| match () {
            () if is_creation(request) => reply(status, &[], "{}"),
            () if is_list(request) => list(),
            () => vendor(request),
        })
        .await;
        let told = world.order(STEP, order(speech("en"))).await;
        assert_eq!(told.failure(), (class, vec![class; tries]), "row {row}");
        assert_eq!(world.stand.count(CREATE), tries, "row {row}");
    }
}

#[tokio::test]
async fn after_a_server_error_a_prediction_that_replicate_lists_only_at_the_second_look_is_taken() {
    for status in [500, 503] {
        let world = World::start(move |request| match request.nth {
            _ if is_creation(request) => reply(status, &[], "{}"),
            0 if is_list(request) => page(&others()),
            _ if is_list(request) => page(&[others(), vec![entry("p1a2b3", JOB)]].concat()),
            _ => vendor(request),
        })
        .await;
        let told = world.order(CHAIN, order(speech("en"))).await;
        let served = told.served();
        assert_eq!((served.provider, served.attempts.len()), (ProviderName::Replicate, 1), "{status}");
        assert_eq!(served.attempts[0].provider_request_id.as_deref(), Some("p1a2b3"), "{status}");
        let lists = world.stand.requests().iter().filter(|request| is_list(request)).count();
        assert_eq!((lists, world.stand.count("POST")), (2, 1), "{status}");
    }
}

#[tokio::test]
async fn a_list_that_can_not_be_read_leaves_a_replicate_submit_in_doubt() {
    let table: Vec<Answer> = vec![
        Box::new(|_| reply(500, &[], "")),
        Box::new(|_| vec![Say::Cut]),
        Box::new(|_| vec![Say::Hang]),
        Box::new(|_| reply(200, &[], "<html>")),
        Box::new(|_| json(200, &json!({"next": "http://elsewhere.test/v1/predictions", "results": []}))),
        // One whole list is not enough.
        Box::new(|request| if request.nth == 0 { page(&others()) } else { reply(500, &[], "") }),
    ];
    for (row, list) in table.into_iter().enumerate() {
        let status = if row % 2 == 0 { 500 } else { 503 };
        let world = World::with(IMPATIENT, move |request| match () {
            () if is_creation(request) => reply(status, &[], "{}"),
            () if is_list(request) => list(request),
            () => vendor(request),
        })
        .await;
        let told = world.order(CHAIN, order(speech("en"))).await;
        assert_eq!(told.failure(), ("unknown_outcome", vec!["unknown_outcome"]), "row {row}");
        let attempt = &told.outcome.unwrap_err().attempts[0];
        assert_eq!((attempt.cost, attempt.cost_is_estimated), ("6".parse().unwrap(), true), "row {row}");
        assert_eq!(world.stand.count("POST"), 1, "row {row}");
    }
}

/// The state after one process was killed right after it had asked, and a second process looked for the prediction.
async fn found(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> (World, Work) {
    found_within(Duration::from_secs(1), answer).await
}

async fn found_within(
    patience: Duration,
    answer: impl Fn(&Received) -> Reply + Send + Sync + 'static,
) -> (World, Work) {
    let world = World::with(IMPATIENT, answer).await;
    let (chain, order) = (world.chain(CHAIN), order(speech("en")));
    let visit = Visit::new(world.clock.now(), patience, patience);
    let at = |seconds| visit.now().after(Duration::from_secs(seconds));
    let begun = Work::new(visit.now(), at(600), at(900));
    let asking = chain.choose(&begun, &order).await.unwrap().asking(&begun, visit.now());
    let stored: Work = serde_json::from_str(&serde_json::to_string(&asking).unwrap()).unwrap();
    let Next::Find { since } = stored.next(at(300)) else { panic!("{stored:?}") };
    let found = chain.find(&stored, &order, since, visit).await;
    (world, found)
}

#[tokio::test]
async fn after_a_kill_the_list_tells_whether_replicate_has_the_job() {
    let (_, there) = found(|_| page(&[others(), vec![entry("p1a2b3", JOB)]].concat())).await;
    assert_eq!(there.ticket().unwrap().id.as_deref(), Some("p1a2b3"));

    let mut old = entry("old", "x");
    old["created_at"] = json!("2026-09-21T14:12:19.999Z");
    let ours_before_we_asked = [old, entry("p1a2b3", JOB)];
    for all in [others(), Vec::new(), ours_before_we_asked.to_vec()] {
        let (_, nowhere) = found(move |_| page(&all)).await;
        let failure = nowhere.attempts()[0].failure;
        assert_eq!((nowhere.is_at_a_provider(), failure), (false, Some(FailureClass::Unavailable)));
    }
}

#[tokio::test]
async fn what_the_list_does_not_show_is_unknowable_until_a_webhook_tells() {
    let with = |mark: &str, changed: Value| {
        let mut entry = entry("p9", mark);
        for (name, value) in changed.as_object().unwrap() {
            entry[name] = value.clone();
        }
        entry
    };
    let removed = with("x", json!({"input": {}}));
    let hidden = with("x", json!({"input": null, "version": null}));
    let nameless = with(JOB, json!({"id": null}));
    let table: Vec<Answer> = vec![
        Box::new(move |_| page(&[others(), vec![removed.clone()]].concat())),
        Box::new(move |_| page(std::slice::from_ref(&hidden))),
        Box::new(move |_| page(std::slice::from_ref(&nameless))),
        Box::new(|_| reply(500, &[], "")),
        Box::new(|_| vec![Say::Hang]),
        Box::new(|_| json(200, &json!({"results": "many"}))),
        Box::new(|_| {
            json(200, &json!({"next": "http://elsewhere.test/v1/predictions?cursor=a", "results": []}))
        }),
    ];
    for (row, list) in table.into_iter().enumerate() {
        let (world, doubtful) = found(list).await;
        assert!(doubtful.is_doubtful(), "row {row}: {doubtful:?}");
        assert_eq!(doubtful.attempts()[0].cost, "6".parse().unwrap(), "row {row}");
        let chain = world.chain(CHAIN);
        let told = chain.told(&doubtful, ProviderName::Replicate, "p1a2b3", world.clock.now()).unwrap();
        assert_eq!(told.ticket().unwrap().id.as_deref(), Some("p1a2b3"), "row {row}");
        assert!(told.attempts().is_empty(), "row {row}: it goes on");
        assert!(chain.told(&doubtful, ProviderName::Replicate, "../x", world.clock.now()).is_none());
        assert!(chain.told(&doubtful, ProviderName::Fal, "p1a2b3", world.clock.now()).is_none());
    }
}

#[tokio::test]
async fn only_two_whole_lists_in_a_row_prove_that_replicate_has_no_prediction() {
    let (lacks, unread) = (Some(false), None);
    // What each look brings (the last one repeats), how many are made, and whether the prediction is found.
    let table = [
        (vec![lacks], 2, false),
        (vec![unread, lacks], 3, false),
        (vec![lacks, unread, lacks], 4, false),
        (vec![lacks, Some(true)], 2, true),
    ];
    for (row, (looks, made, is_found)) in table.into_iter().enumerate() {
        let answer = move |request: &Received| match looks[request.nth.min(looks.len() - 1)] {
            None => reply(500, &[], ""),
            Some(false) => page(&others()),
            Some(true) => page(&[entry("p1a2b3", JOB)]),
        };
        let (world, found) = found_within(Duration::from_secs(20), answer).await;
        assert_eq!((found.ticket().is_some(), found.is_doubtful()), (is_found, false), "row {row}");
        assert_eq!(world.stand.requests().len(), made, "row {row}");
    }
    // One whole list, and none after it.
    let (_, found) = found(|request| match request.nth {
        0 => page(&others()),
        _ => reply(500, &[], ""),
    })
    .await;
    assert!(found.is_doubtful(), "{found:?}");
}

#[tokio::test]
async fn the_list_is_followed_from_page_to_page_on_the_same_server_only() {
    let (world, there) = found(|request| {
        let base = format!("http://{}/replicate/v1/predictions", request.header("host").unwrap());
        match request.path.contains("cursor=") {
            true => page(&[entry("p1a2b3", JOB)]),
            false => json(200, &json!({"next": format!("{base}?cursor=b"), "results": others()})),
        }
    })
    .await;
    assert_eq!(there.ticket().unwrap().id.as_deref(), Some("p1a2b3"));
    assert_eq!(world.stand.requests().len(), 2);
}

#[tokio::test]
async fn a_hidden_input_leaves_a_doubt_only_where_the_model_is_one_of_ours() {
    let table =
        [("5222", true), ("suminhthanh/vixtts:5222", true), (XTTS, true), ("hidden", false), ("9999", false)];
    for (version, is_doubtful) in table {
        let (_, found) = found(move |_| {
            let mut hidden = entry("p9", "x");
            hidden["version"] = json!(version);
            hidden["input"] = json!({});
            page(&[hidden])
        })
        .await;
        assert_eq!(found.is_doubtful(), is_doubtful, "{version}");
    }
}
