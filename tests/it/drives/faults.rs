//! The drives' own odd habits and failures while a file is sent.

use super::*;
use sandbox::{Fault, FaultRule};
use std::time::Duration;

/// Three parts: two whole ones and a rest.
const LENGTH: usize = 9 * 1024 * 1024;
/// What is sent at once.
const PART: usize = 4 * 1024 * 1024;

/// Every kind of call that a save makes, by a part of its address.
fn calls(drive: DriveKind) -> &'static [&'static str] {
    match drive {
        DriveKind::GoogleDrive => &[
            "/token",
            "generateIds",
            "/drive/v3/files?q=",
            "/drive/v3/files?fields=id",
            "/upload/drive/v3/files",
        ],
        DriveKind::Dropbox => {
            &["/oauth2/token", "upload_session/start", "upload_session/append_v2", "upload_session/finish"]
        }
    }
}

async fn assert_saved_once(
    world: &World,
    person: &Person,
    drive: DriveKind,
    output: &StoredOutput,
    what: &str,
) {
    for _ in 0..8 {
        if newest(person).await["status"] == "saved" {
            break;
        }
        world.advance(Duration::from_secs(3_601));
        sweep(world).await;
    }
    let own: Vec<DriveFile> =
        files(world, drive).into_iter().filter(|file| file.person == person.name).collect();
    assert_eq!((own.len(), &newest(person).await["status"]), (1, &json!("saved")), "{what}: {own:?}");
    assert_eq!((own[0].bytes, &own[0].sha256), (output.bytes, &hex_of(output)), "{what}");
}

#[tokio::test]
async fn whatever_call_of_a_drive_fails_the_file_is_there_once_and_whole() {
    for drive in BOTH {
        let world = World::start().await;
        let mut nth = 0;
        for call in calls(drive) {
            for fault in [
                Fault::DropConnection,
                Fault::DropBefore,
                Fault::Refuse,
                Fault::Garbage,
                Fault::WrongShape,
                Fault::Empty,
                Fault::Status { status: 429, retry_after: Some(5) },
                Fault::Status { status: 500, retry_after: None },
                Fault::Status { status: 401, retry_after: None },
            ] {
                let what = format!("{drive} {call} {fault:?}");
                nth += 1;
                let ann = world.person(&format!("ann_{nth}"));
                link(&world, &ann, drive).await;
                prefer(&ann, drive, "always").await;
                let (_, output) = a_video(&world, &ann, LENGTH).await;
                let rule = FaultRule { fault, times: Some(1), matching: Some((*call).to_owned()) };
                world.sandbox.faults().set(service(drive), rule);
                sweep(&world).await;
                assert!(world.sandbox.faults().active().is_empty(), "{what}: it has struck");
                assert_saved_once(&world, &ann, drive, &output, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn an_upload_that_the_drive_forgets_is_begun_anew() {
    for drive in BOTH {
        let world = World::start().await;
        let ann = world.person("ann");
        link(&world, &ann, drive).await;
        prefer(&ann, drive, "always").await;
        let part = match drive {
            DriveKind::GoogleDrive => "upload_id",
            DriveKind::Dropbox => "append_v2",
        };
        let (_, output) = a_video(&world, &ann, LENGTH).await;
        let rule = FaultRule { fault: Fault::Lost, times: Some(1), matching: Some(part.to_owned()) };
        world.sandbox.faults().set(service(drive), rule);
        sweep(&world).await;
        assert!(world.sandbox.faults().active().is_empty());
        assert_saved_once(&world, &ann, drive, &output, drive.as_str()).await;
    }
}

#[tokio::test]
async fn an_access_token_that_ends_while_a_file_is_sent_is_renewed() {
    for drive in BOTH {
        let world = World::start().await;
        let ann = world.person("ann");
        link(&world, &ann, drive).await;
        prefer(&ann, drive, "always").await;
        let (_, output) = a_video(&world, &ann, LENGTH).await;
        let call = match drive {
            // The address of an upload opens itself, so what comes before is refused.
            DriveKind::GoogleDrive => "uploadType=resumable&fields",
            DriveKind::Dropbox => "append_v2",
        };
        let fault = Fault::Status { status: 401, retry_after: None };
        let rule = FaultRule { fault, times: Some(1), matching: Some(call.to_owned()) };
        world.sandbox.faults().set(service(drive), rule);
        sweep(&world).await;
        assert!(world.sandbox.faults().active().is_empty());
        assert_eq!(newest(&ann).await["status"], "saved", "in the same visit");
        assert_saved_once(&world, &ann, drive, &output, drive.as_str()).await;
    }
}

#[tokio::test]
async fn a_grant_that_is_taken_back_while_a_file_is_sent_is_told_as_reconnect_and_the_rest_is_sent_later() {
    for drive in BOTH {
        let world = World::start().await;
        let ann = world.person("ann");
        link(&world, &ann, drive).await;
        prefer(&ann, drive, "always").await;
        let (run, output) = a_video(&world, &ann, 8 * LENGTH).await;
        visit_once(&world).await;
        assert_eq!(newest(&ann).await["status"], "waiting");
        revoke(&world, drive, "ann");
        sweep(&world).await;
        let save = newest(&ann).await;
        assert_eq!((&save["failure"], &save["run_id"]), (&json!("reconnect"), &json!(run.to_string())));
        link(&world, &ann, drive).await;
        // It is no run of the ledger, so it is asked for as the end of a run asks, after its owner has asked by hand.
        let saving = drives::Saving::new(&world.product.role("Drives")).unwrap();
        let account: AccountId = ann.id().parse().unwrap();
        let outputs = std::slice::from_ref(&output);
        let order = drives::Order { account: &account, run, tool: "video", outputs };
        let again = saving.ask(order, 0, Some(drive)).await.unwrap();
        saving.begin(again).await;
        assert_saved_once(&world, &ann, drive, &output, drive.as_str()).await;
    }
}

/// As the sweep, but its time is over soon after it has sent a part: the row says where the next visit goes on. A visit that
/// sends nothing in its time is followed by one of twice the time, however slow this machine is.
pub(super) async fn visit_once(world: &World) {
    let sweeper = world.instance(&[]).await;
    let saving = drives::Saving::new(&sweeper.role("ReservationSweep")).unwrap();
    let (before, mut limit) = (parts_sent(world), Duration::from_millis(50));
    while parts_sent(world) == before {
        saving.run_due_within(limit).await.unwrap();
        limit *= 2;
    }
}

fn parts_sent(world: &World) -> usize {
    let is_part = |path: &str| {
        path.contains("&upload_id=") || path.contains("append_v2") || path.contains("upload_session/finish")
    };
    world.sandbox.journal().iter().filter(|call| is_part(&call.path)).count()
}

#[tokio::test]
async fn a_long_file_goes_on_in_the_next_visit_where_the_last_one_stopped() {
    for drive in BOTH {
        let world = World::start().await;
        let ann = world.person("ann");
        link(&world, &ann, drive).await;
        prefer(&ann, drive, "always").await;
        let (_, output) = a_video(&world, &ann, 8 * LENGTH).await;
        visit_once(&world).await;
        assert_eq!(newest(&ann).await["status"], "waiting");
        let mut visits = 1;
        while newest(&ann).await["status"] == "waiting" {
            visit_once(&world).await;
            visits += 1;
        }
        assert!(visits <= 8 * LENGTH / PART + 1, "each visit brings the file further: {visits}");
        assert_saved_once(&world, &ann, drive, &output, drive.as_str()).await;
    }
}

#[tokio::test]
async fn a_file_in_the_drive_that_its_owner_has_changed_is_left_alone() {
    let world = World::start().await;
    let ann = world.person("ann");
    link(&world, &ann, DROPBOX).await;
    let run = a_text(&ann).await;
    save(&world, &ann, &run, DROPBOX).await;
    let before = files(&world, DROPBOX);
    // What had come of it is forgotten here, as after a restore of an older copy.
    let table = world.table("drive_saves");
    let key = [("account", ann.id()), ("id", format!("{run}.0.dropbox"))];
    let mut delete = world.accountant.dynamo().delete_item().table_name(table);
    for (name, value) in key {
        delete = delete.key(name, platform::text(value));
    }
    delete.send().await.unwrap();
    save(&world, &ann, &run, DROPBOX).await;
    assert_eq!(files(&world, DROPBOX).len(), 1);
    assert_eq!(
        files(&world, DROPBOX)[0].id,
        before[0].id,
        "the same file at the same place is the same file"
    );
    assert_eq!(shown(&ann, &run).await, [saved(&before[0])]);
}
