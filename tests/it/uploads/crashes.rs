//! Killed, cut off or turned away at every store call of an upload and of an output in parts: nothing is half there, the same
//! call once more ends it, and what was left over goes with the bucket's rules.

use super::{JPEG, begin, keys, path_of, send, unfinished, wish};
use crate::world::{Answer, Fault, Instance, Person, World};
use bytes::Bytes;
use futures_util::stream;
use media::{FileFamily, Media, MediaError, NewOutput, PART_BYTES, StoredOutput};
use primitives::AccountId;
use serde_json::Value;
use std::convert::Infallible;
use std::time::Duration;

const FATAL: [Fault; 2] = [Fault::KilledBefore, Fault::KilledAfter];
const PASSING: [Fault; 2] = [Fault::ReplyLost, Fault::Throttled];

/// What is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Begin,
    Look,
    Remove,
}

#[tokio::test]
async fn an_upload_that_is_killed_at_any_store_call_is_ended_by_the_next_look() {
    for fault in FATAL {
        for step in [Step::Begin, Step::Look, Step::Remove] {
            at_every_call(step, fault).await;
        }
    }
}

#[tokio::test]
async fn a_lost_reply_or_a_throttle_at_any_store_call_of_an_upload_is_not_seen() {
    for fault in PASSING {
        for step in [Step::Begin, Step::Look, Step::Remove] {
            at_every_call(step, fault).await;
        }
    }
}

/// A picture that is stored once more when it is looked at.
fn picture() -> Vec<u8> {
    [JPEG, b"behind its end"].concat()
}

async fn at_every_call(step: Step, fault: Fault) {
    let world = World::start().await;
    let is_fatal = FATAL.contains(&fault);
    for nth in 0.. {
        let what = format!("{step:?} {fault:?} at call {nth}");
        let person = world.person(&format!("person_{nth}"));
        let path = match step {
            Step::Begin => String::new(),
            Step::Look | Step::Remove => prepared(&person, step).await,
        };
        let instance = world.instance(&[]).await;
        instance.meddler.plan(nth, fault);
        let answer = interrupted(step, &person, &path, &instance).await;
        let has_struck = instance.meddler.has_struck();
        drop(instance);
        match answer {
            Some(answer) => assert!(answer.status < 300, "{what}: {}", answer.text),
            None => assert!(is_fatal, "{what}"),
        }
        end_well(&world, step, &person, &path, &what).await;
        if !has_struck {
            assert!(nth >= 3, "{what}: it makes more store calls than that");
            break;
        }
        assert!(nth < 40, "{what}: the fault moves to an end");
    }
    // What a killed look left behind goes with the rest.
    world.advance(Duration::from_secs(30 * 86_400));
    world.stores.sweep_media(world.now()).await.unwrap();
    assert_eq!(keys(&world, "").await, [""; 0], "{step:?} {fault:?}");
}

async fn prepared(person: &Person, step: Step) -> String {
    let begun = begin(person, "image", "image/jpeg", &picture()).await;
    assert_eq!(send(&begun, &picture()).await.status, 204);
    let path = path_of(&begun);
    if step == Step::Remove {
        assert_eq!(person.get(&path).await.body["status"], "ready");
    }
    path
}

async fn act(step: Step, person: &Person, path: &str) -> Answer {
    match step {
        Step::Begin => person.send("POST", "/v1/uploads", &wish("image", "image/jpeg", &picture())).await,
        Step::Look => person.get(path).await,
        Step::Remove => person.send("DELETE", path, &Value::Null).await,
    }
}

/// `None`: the instance was killed.
async fn interrupted(step: Step, person: &Person, path: &str, instance: &Instance) -> Option<Answer> {
    let person = person.at(&instance.base);
    tokio::select! {
        answer = act(step, &person, path) => Some(answer),
        () = instance.meddler.death() => None,
    }
}

/// The same once more, at an instance that nothing is wrong with.
async fn end_well(world: &World, step: Step, person: &Person, path: &str, what: &str) {
    let prefix = format!("up30/{}/", person.id());
    match step {
        Step::Begin => {
            let path = prepared(person, Step::Look).await;
            assert_eq!(person.get(&path).await.body["status"], "ready", "{what}");
        }
        Step::Look => {
            let ready = person.get(path).await;
            assert_eq!(ready.body["status"], "ready", "{what}: {}", ready.text);
            let media = Media::new(&world.accountant).unwrap();
            let account: AccountId = person.id().parse().unwrap();
            let id = super::id_of(path);
            let (kind, facts) = media.uploads().ready(&account, id, world.now()).await.unwrap();
            let opened = media.known_upload(id, kind, facts);
            let bytes = opened.bytes().await.unwrap().into_inner();
            assert_eq!(bytes.len() as u64, ready.body["bytes"].as_u64().unwrap(), "{what}");
            assert!(!bytes.windows(6).any(|part| part == b"behind"), "{what}");
        }
        Step::Remove => {
            let again = person.send("DELETE", path, &Value::Null).await;
            assert!([204, 404].contains(&again.status), "{what}: {}", again.text);
            assert_eq!(person.get(path).await.status, 404, "{what}");
            assert_eq!(keys(world, &prefix).await, [""; 0], "{what}");
        }
    }
}

fn new(account: &AccountId) -> NewOutput<'_> {
    NewOutput {
        account,
        name: "run-hold-1",
        tool: "script",
        n: None,
        family: FileFamily::Text,
        bytes_max: u64::MAX,
        with_thumbnail: false,
    }
}

const LENGTH: usize = 2 * PART_BYTES + 1_000;

async fn store(instance: &Instance, account: &AccountId) -> Result<StoredOutput, MediaError> {
    let media = Media::new(&instance.platform).unwrap();
    let piece = Bytes::from(vec![b'x'; 100_000]);
    let pieces = (0..LENGTH / piece.len()).map(|_| piece.clone());
    let last = piece.slice(..LENGTH % piece.len());
    let content = pieces.chain([last]).map(Ok::<_, Infallible>);
    media
        .store_stream(&new(account), stream::iter(content.collect::<Vec<_>>()), instance.platform.now())
        .await
}

#[tokio::test]
async fn an_output_in_parts_that_is_killed_at_any_store_call_is_whole_or_not_there() {
    let world = World::start().await;
    for fault in FATAL {
        for nth in 0.. {
            let what = format!("{fault:?} at call {nth}");
            let account: AccountId = format!("user_{}_{nth}", fault == Fault::KilledAfter).parse().unwrap();
            let instance = world.instance(&[]).await;
            instance.meddler.plan(nth, fault);
            tokio::select! {
                stored = store(&instance, &account) => { stored.unwrap(); }
                () = instance.meddler.death() => {}
            }
            let has_struck = instance.meddler.has_struck();
            let found = keys(&world, &format!("tmp30/{account}/")).await;
            for key in &found {
                assert_eq!(super::object(&world, key).await.len(), LENGTH, "{what}: {key}");
            }
            if !has_struck {
                assert!(nth >= 5 && found.len() == 1, "{what}: begin, three parts, the end");
                break;
            }
        }
    }
    assert!(!unfinished(&world).await.is_empty(), "a killed process gives nothing up");
    world.advance(Duration::from_secs(86_400));
    world.stores.sweep_media(world.now()).await.unwrap();
    assert_eq!(unfinished(&world).await, [""; 0], "the bucket's rule does");
}

#[tokio::test]
async fn a_lost_reply_at_any_store_call_of_an_output_in_parts_is_not_seen() {
    let world = World::start().await;
    for nth in 0.. {
        let account: AccountId = format!("user_{nth}").parse().unwrap();
        let instance = world.instance(&[]).await;
        instance.meddler.plan(nth, Fault::ReplyLost);
        let stored =
            store(&instance, &account).await.unwrap_or_else(|error| panic!("at call {nth}: {error:?}"));
        assert_eq!(super::object(&world, &stored.key).await.len(), LENGTH);
        if !instance.meddler.has_struck() {
            assert!(nth >= 5);
            break;
        }
    }
}

#[tokio::test]
async fn an_output_that_the_store_refuses_is_an_error_and_not_there() {
    let world = World::start().await;
    let account: AccountId = "user_ann".parse().unwrap();
    world.product.meddler.break_media();
    let refused = store(&world.product, &account).await;
    assert!(matches!(refused, Err(MediaError::Unavailable(_))), "{refused:?}");
    assert_eq!(keys(&world, "tmp30/").await, [""; 0]);
}
