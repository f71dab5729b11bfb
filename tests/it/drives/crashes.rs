//! Killed, cut off or turned away at every store call: a drive is linked or not, a file is in the drive once, and the run is as
//! it was.

use super::*;
use crate::books;
use crate::world::{Fault, Instance};
use std::time::Duration;

const FATAL: [Fault; 2] = [Fault::KilledBefore, Fault::KilledAfter];
const PASSING: [Fault; 2] = [Fault::ReplyLost, Fault::Throttled];
/// Three parts: two whole ones and a rest.
const LENGTH: usize = 9 * 1024 * 1024;

/// Long enough for every lease and every first wait.
async fn sweep_until_saved(world: &World, person: &Person, what: &str) {
    for _ in 0..6 {
        if newest(person).await["status"] == "saved" {
            return;
        }
        world.advance(Duration::from_secs(121));
        sweep(world).await;
    }
    panic!("{what}: {}", newest(person).await);
}

#[tokio::test]
async fn a_sweep_that_is_killed_at_any_store_call_of_a_save_leaves_one_file() {
    for drive in BOTH {
        for fault in FATAL {
            at_every_call_of_a_sweep(drive, fault).await;
        }
    }
}

#[tokio::test]
async fn a_lost_reply_or_a_throttle_at_any_store_call_of_a_save_is_not_seen() {
    for drive in BOTH {
        for fault in PASSING {
            at_every_call_of_a_sweep(drive, fault).await;
        }
    }
}

async fn at_every_call_of_a_sweep(drive: DriveKind, fault: Fault) {
    let world = World::start().await;
    for nth in 0.. {
        let what = format!("{drive} {fault:?} at call {nth}");
        let ann = world.person(&format!("ann_{nth}"));
        link(&world, &ann, drive).await;
        prefer(&ann, drive, "always").await;
        let (_, output) = a_video(&world, &ann, LENGTH).await;
        let sweeper = world.instance(&[]).await;
        sweeper.meddler.plan(nth, fault);
        let role = sweeper.role("ReservationSweep");
        tokio::select! {
            swept = reservation_sweep::handle(&role) => { swept.unwrap(); }
            () = sweeper.meddler.death() => assert!(FATAL.contains(&fault), "{what}"),
        }
        let has_struck = sweeper.meddler.has_struck();
        drop(sweeper);
        if PASSING.contains(&fault) {
            assert_eq!(newest(&ann).await["status"], "saved", "{what}");
        }
        sweep_until_saved(&world, &ann, &what).await;
        let own: Vec<DriveFile> =
            files(&world, drive).into_iter().filter(|file| file.person == ann.name).collect();
        assert_eq!(own.len(), 1, "{what}: {own:?}");
        assert_eq!((own[0].bytes, &own[0].sha256), (LENGTH as u64, &hex_of(&output)), "{what}");
        assert_eq!(newest(&ann).await["url"], own[0].link, "{what}");
        if !has_struck {
            assert!(nth > 15, "{what}: a sweep with a save makes more store calls than that");
            break;
        }
        assert!(nth < 80, "{what}: the fault moves to an end");
    }
}

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Begin,
    Return,
    Prefer,
    Save,
    Disconnect,
}

#[tokio::test]
async fn whatever_a_person_does_is_ended_by_doing_it_again_although_the_process_was_killed() {
    for drive in BOTH {
        for step in [Step::Begin, Step::Return, Step::Prefer, Step::Save, Step::Disconnect] {
            for fault in FATAL {
                at_every_call(step, drive, fault).await;
            }
        }
    }
}

#[tokio::test]
async fn a_lost_reply_or_a_throttle_of_what_a_person_does_is_not_seen() {
    for step in [Step::Begin, Step::Return, Step::Prefer, Step::Save, Step::Disconnect] {
        for fault in PASSING {
            at_every_call(step, DROPBOX, fault).await;
        }
    }
}

/// What a step needs from those before it.
struct Prepared {
    run: String,
    address: String,
    cookie: String,
}

async fn prepare(world: &World, step: Step, person: &Person, drive: DriveKind) -> Prepared {
    let mut prepared = Prepared { run: String::new(), address: String::new(), cookie: String::new() };
    match step {
        Step::Begin => {}
        Step::Return => {
            let begun = begin(person, drive).await;
            prepared.address = decide(&begun.consent_url, &[("person", &person.name)]).await;
            prepared.cookie = begun.cookie;
        }
        Step::Prefer | Step::Disconnect => link(world, person, drive).await,
        Step::Save => {
            link(world, person, drive).await;
            prepared.run = a_text(person).await;
        }
    }
    prepared
}

async fn act(
    world: &World,
    step: Step,
    person: &Person,
    at: &Instance,
    prepared: &Prepared,
    drive: DriveKind,
) -> bool {
    let there = person.at(&at.base);
    let path = format!("/v1/drives/{drive}");
    match step {
        Step::Begin => there.send("POST", &format!("{path}/link"), &Value::Null).await.status == 201,
        Step::Return => {
            come_back(world, &at.base, &prepared.address, Some(&prepared.cookie)).await == "linked"
        }
        Step::Prefer => {
            let wish = json!({ "storage_provider": drive.as_str(), "saving": "always" });
            there.send("PATCH", "/v1/drives", &wish).await.status == 200
        }
        Step::Save => {
            let asked = ask(&there, &prepared.run, drive).await;
            at.platform.idle().await;
            asked.status == 202
        }
        Step::Disconnect => there.send("DELETE", &path, &Value::Null).await.status == 200,
    }
}

async fn at_every_call(step: Step, drive: DriveKind, fault: Fault) {
    let world = World::start().await;
    for nth in 0.. {
        let what = format!("{step:?} {drive} {fault:?} at call {nth}");
        let ann = world.person(&format!("ann_{nth}"));
        ann.balance().await;
        let prepared = prepare(&world, step, &ann, drive).await;
        let instance = world.instance(&[]).await;
        instance.meddler.plan(nth, fault);
        tokio::select! {
            done = act(&world, step, &ann, &instance, &prepared, drive) => assert!(done, "{what}"),
            () = instance.meddler.death() => assert!(FATAL.contains(&fault), "{what}"),
        }
        let has_struck = instance.meddler.has_struck();
        drop(instance);
        end_well(&world, step, &ann, &prepared, drive, &what).await;
        if !has_struck {
            assert!(nth >= 2, "{what}: it makes more store calls than that");
            break;
        }
        assert!(nth < 60, "{what}: the fault moves to an end");
    }
    books::check(&world).await;
}

/// The same once more, at an instance that nothing is wrong with.
async fn end_well(
    world: &World,
    step: Step,
    person: &Person,
    prepared: &Prepared,
    drive: DriveKind,
    what: &str,
) {
    let owner = person.name.as_str();
    match step {
        Step::Begin => link(world, person, drive).await,
        Step::Return => {
            // Linked, or nothing: then the person begins again.
            if status(person, drive).await == "not_linked" {
                link(world, person, drive).await;
            }
            assert_eq!(status(person, drive).await, "linked", "{what}");
        }
        Step::Prefer => prefer(person, drive, "always").await,
        Step::Save => {
            world.advance(Duration::from_secs(91));
            let asked = save(world, person, &prepared.run, drive).await;
            assert_eq!(asked.status, 202, "{what}: {}", asked.text);
            let own: Vec<DriveFile> =
                files(world, drive).into_iter().filter(|file| file.person == owner).collect();
            assert_eq!(own.len(), 1, "{what}: {own:?}");
            assert_eq!(shown(person, &prepared.run).await, [saved(&own[0])], "{what}");
        }
        Step::Disconnect => {
            let again = person.send("DELETE", &format!("/v1/drives/{drive}"), &Value::Null).await;
            assert_eq!(again.status, 200, "{what}: {}", again.text);
            assert_eq!(status(person, drive).await, "not_linked", "{what}");
            let rows = books::scan(world, "linked_drives").await;
            let id = person.id();
            assert!(rows.iter().all(|row| row["account"].as_s().unwrap() != &id), "{what}");
        }
    }
}
