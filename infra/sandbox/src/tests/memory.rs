//! The sandbox ends and starts again with its file.

use crate::bank::TransferWish;
use crate::chain::UsdtWish;
use crate::memory::{Kept, Memory};
use crate::{Sandbox, SandboxConfig, ids};
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
