//! The sandbox ends and starts again with its file.

use crate::bank::TransferWish;
use crate::chain::UsdtWish;
use crate::memory::{Kept, Memory};
use crate::{Fault, FaultRule, Sandbox, SandboxConfig, Service, ids};
use serde_json::{Value, json};
use std::path::PathBuf;

struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        let folder = std::env::temp_dir().join(format!("citipen-sandbox-{}", ids::uuid()));
        std::fs::create_dir_all(&folder).unwrap();
        Place(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("sandbox.jsonl")
    }

    fn start(&self) -> Sandbox {
        let config = SandboxConfig {
            public_base: "http://sandbox.test".to_owned(),
            webhook_target: None,
            origin: "http://page.test".to_owned(),
            zero_latency: true,
        };
        Sandbox::remembering(config, &self.file()).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn transfers_and_the_chain_are_there_after_a_restart_and_go_on_where_they_were() {
    let place = Place::new();
    let before = place.start();
    let first = before.bank_transfer(TransferWish::new(250_000, "CITAB12CD"));
    let told = before.bank_webhook(first).unwrap();
    before.usdt_transfer(UsdtWish::of(5_123_000));
    before.usdt_dust(3);
    let rows = |sandbox: &Sandbox| {
        sandbox
            .world
            .chain
            .look(0, u64::MAX, |rows| rows.iter().map(|row| format!("{row:?}")).collect::<Vec<String>>())
    };
    let chain = rows(&before);
    drop(before);

    let after = place.start();

    assert_eq!(after.bank_webhook(first).unwrap().body, told.body);
    assert_eq!((rows(&after), chain.len()), (chain, 4));
    assert!(after.bank_transfer(TransferWish::new(1, "x")) > first, "numbers are not given twice");
    after.usdt_transfer(UsdtWish::of(1));
    drop(after);
    assert_eq!(rows(&place.start()).len(), 5);
}

#[test]
fn a_changed_person_stays_changed() {
    let place = Place::new();
    for email in ["a@example.com", "b@example.com"] {
        place.start().world.people.change("ann", 1, |person| person.email = email.to_owned());
    }
    assert_eq!(place.start().world.people.get("ann").email, "b@example.com");
    let lines = std::fs::read_to_string(place.file()).unwrap();
    assert_eq!(lines.lines().count(), 1, "only the last line about a person is kept: {lines}");
}

#[test]
fn half_a_line_costs_only_what_it_was_about() {
    let place = Place::new();
    let sandbox = place.start();
    let first = sandbox.bank_transfer(TransferWish::new(1, "first"));
    let second = sandbox.bank_transfer(TransferWish::new(2, "second"));
    drop(sandbox);
    let bytes = std::fs::read(place.file()).unwrap();
    std::fs::write(place.file(), &bytes[..bytes.len() - 10]).unwrap();

    let (_, remembered) = Memory::open(&place.file()).unwrap();

    let ids: Vec<u64> = remembered.transfers.iter().map(|transfer| transfer.id).collect();
    assert_eq!(ids, [first], "and not {second}");
}

#[test]
fn without_a_file_nothing_is_asked_for() {
    Memory::default().note(|| -> Kept { panic!("nobody keeps it") });
}

/// fal remembers its jobs for a month, and a product that was killed asks for its own again.
#[tokio::test]
async fn jobs_of_fal_are_there_after_a_restart_with_what_has_become_of_them() {
    use super::fal_video::{KLING, fal, follow, submit};
    let place = Place::new();
    let before = place.start();
    let order = format!("{KLING}?fal_webhook=http%3A//127.0.0.1%3A9/hook");
    let done = submit(&before, &order, json!({ "prompt": "a kite", "duration": "3" })).await;
    let result = follow(&before, "GET", &done, "response_url").await;
    let id = done["request_id"].as_str().unwrap().to_owned();
    let told = before.fal_webhook(&id, None).unwrap();
    let mut others = Vec::new();
    for fault in [Fault::Late { polls: 2 }, Fault::Late { polls: 9 }, Fault::ContentFilter, Fault::Lost] {
        before.faults().set(Service::Fal, FaultRule::once(fault));
        others.push(submit(&before, KLING, json!({ "prompt": "x" })).await);
    }
    follow(&before, "PUT", &others[1], "cancel_url").await;
    before.finish_fal_job(others[0]["request_id"].as_str().unwrap());
    drop(before);

    let after = place.start();

    let again = follow(&after, "GET", &done, "response_url").await;
    assert_eq!((again.status, again.body), (200, result.body));
    assert_eq!(after.fal_webhook(&id, None).unwrap().body, told.body);
    let mut seen = Vec::new();
    for job in &others {
        let answer = follow(&after, "GET", job, "response_url").await;
        seen.push((answer.status, answer.header("x-fal-error-type").to_owned()));
    }
    let expected = [(200, ""), (400, "request_cancelled"), (422, "content_policy_violation"), (404, "")];
    assert_eq!(seen, expected.map(|(status, kind)| (status, kind.to_owned())));
    assert_eq!(after.fal_jobs().len(), 5);
    let unknown = fal(&after, "GET /sandbox/fal/fal-ai/kling-video/requests/none", &Value::Null).await;
    assert_eq!(unknown.status, 404);
    let lines = std::fs::read_to_string(place.file()).unwrap();
    assert_eq!(lines.lines().count(), 5, "only the last line about a job is kept: {lines}");
}
