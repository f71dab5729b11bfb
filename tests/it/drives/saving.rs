//! What becomes of a save.

use super::*;
use crate::books;
use crate::world::image;
use std::time::Duration;

#[tokio::test]
async fn an_output_is_saved_by_hand_and_its_link_stands_in_the_run() {
    let world = World::start().await;
    let ann = world.person("ann");
    for drive in BOTH {
        link(&world, &ann, drive).await;
        let run = a_text(&ann).await;
        let asked = save(&world, &ann, &run, drive).await;
        assert_eq!((asked.status, &asked.body["status"]), (202, &json!("waiting")), "{}", asked.text);

        let found = files(&world, drive);
        let content = content_of(&ann, &run).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].person.as_str(), found[0].sha256.as_str()), ("ann", sha256(&content).as_str()));
        assert_eq!(found[0].name, format!("script-{run}.txt"));
        assert_eq!(shown(&ann, &run).await, [saved(&found[0])]);
        let there = http().get(&found[0].link).send().await.unwrap();
        assert_eq!(there.bytes().await.unwrap(), content, "the link leads to the file");

        // Asked again, it is shown; it is in the drive once.
        let again = save(&world, &ann, &run, drive).await;
        assert_eq!((again.status, &again.body["url"]), (202, &json!(found[0].link)));
        assert_eq!(files(&world, drive).len(), 1);
    }
    let page = ann.get("/v1/saves?limit=1").await;
    assert_eq!(page.body["saves"].as_array().unwrap().len(), 1);
    let cursor = page.body["next_cursor"].as_str().unwrap();
    let rest = ann.get(&format!("/v1/saves?cursor={cursor}")).await;
    assert_eq!((rest.body["saves"].as_array().unwrap().len(), &rest.body["next_cursor"]), (1, &Value::Null));
    assert_eq!(ann.balance().await, (98, 0, 0), "saving costs nothing");
    books::check(&world).await;
}

/// Google shows one folder of ours, by the service's name; Dropbox gives the app a folder of its own.
#[tokio::test]
async fn at_google_all_files_lie_in_one_folder_of_the_services_name() {
    let world = World::start().await;
    let ann = world.person("ann");
    link(&world, &ann, GOOGLE).await;
    for _ in 0..2 {
        save(&world, &ann, &a_text(&ann).await, GOOGLE).await;
    }
    let sent = world.sandbox.journal();
    let made = sent.iter().filter(|call| call.path.contains("/google/drive/v3/files?fields=id"));
    assert_eq!(made.count(), 1, "the folder is made once");
    let all: Vec<_> = files(&world, GOOGLE).into_iter().map(|file| file.folder).collect();
    assert_eq!(all, [Some("Citipen".to_owned()), Some("Citipen".to_owned())]);

    // Its owner renames it: it is ours all the same. They throw it away: there is a new one.
    world.sandbox.rename_google_folder("ann", "Kites");
    save(&world, &ann, &a_text(&ann).await, GOOGLE).await;
    assert_eq!(files(&world, GOOGLE)[2].folder.as_deref(), Some("Kites"));
    world.sandbox.trash_google_folder("ann");
    save(&world, &ann, &a_text(&ann).await, GOOGLE).await;
    assert_eq!(files(&world, GOOGLE).last().unwrap().folder.as_deref(), Some("Citipen"));
}

#[tokio::test]
async fn a_picture_goes_to_the_preferred_drive_or_to_the_only_one() {
    let world = World::start().await;
    let ann = world.person("ann");
    let run = ann.run(&image("a red kite")).await;
    let wish = json!({ "run_id": run.body["id"] });
    let save = async || {
        let asked = ann.send("POST", "/v1/saves", &wish).await;
        world.product.platform.idle().await;
        asked
    };
    assert_eq!(save().await.problem(), "drive_not_linked");
    link(&world, &ann, DROPBOX).await;
    assert_eq!(save().await.body["drive"], "dropbox");
    link(&world, &ann, GOOGLE).await;
    let unclear = save().await;
    assert_eq!(
        (unclear.status, unclear.problem()),
        (422, "invalid_input"),
        "there are two, and none is chosen"
    );
    assert_eq!(unclear.body["errors"][0]["pointer"], "/drive");
    prefer(&ann, GOOGLE, "by_hand").await;
    assert_eq!(save().await.body["drive"], "google_drive");
    assert_eq!((files(&world, DROPBOX).len(), files(&world, GOOGLE).len()), (1, 1));
    assert!(
        files(&world, GOOGLE)[0].name.ends_with(".jpg") || files(&world, GOOGLE)[0].name.ends_with(".png")
    );
}

#[tokio::test]
async fn a_person_who_wants_all_saved_has_every_output_in_the_drive_a_minute_later() {
    let world = World::start().await;
    let ann = world.person("ann");
    for drive in BOTH {
        link(&world, &ann, drive).await;
        prefer(&ann, drive, "always").await;
        let text = a_text(&ann).await;
        let picture = ann.run(&image("a red kite")).await.body["id"].as_str().unwrap().to_owned();
        assert_eq!(shown(&ann, &text).await, [waiting()]);
        sweep(&world).await;
        let found = files(&world, drive);
        assert_eq!(found.len(), 2, "{found:?}");
        for run in [text, picture] {
            let file = found.iter().find(|file| file.name.contains(&run)).unwrap();
            assert_eq!(shown(&ann, &run).await, [saved(file)]);
            assert_eq!(file.sha256, sha256(&content_of(&ann, &run).await));
        }
        let gone = ann.send("DELETE", &format!("/v1/drives/{drive}"), &Value::Null).await;
        assert_eq!(gone.status, 200);
    }
    // By hand again: nothing is saved by itself.
    let run = a_text(&ann).await;
    assert!(shown(&ann, &run).await.is_empty());
    books::check(&world).await;
}

#[tokio::test]
async fn a_failed_run_saves_nothing() {
    let world = World::start().await;
    let ann = world.person("ann");
    link(&world, &ann, GOOGLE).await;
    prefer(&ann, GOOGLE, "always").await;
    let refused = "x [[sandbox:deepseek.refuse]]";
    world
        .sandbox
        .faults()
        .set(sandbox::Service::Anthropic, sandbox::FaultRule::always(sandbox::Fault::Refuse));
    assert_eq!(ann.script(refused).await.problem(), "provider_failed");
    sweep(&world).await;
    assert!(files(&world, GOOGLE).is_empty() && books::scan(&world, "drive_saves").await.is_empty());
}

#[tokio::test]
async fn a_revoked_grant_is_told_as_reconnect() {
    let world = World::start().await;
    let ann = world.person("ann");
    for drive in BOTH {
        link(&world, &ann, drive).await;
        prefer(&ann, drive, "always").await;
        revoke(&world, drive, "ann");
        let run = a_text(&ann).await;
        sweep(&world).await;
        assert_eq!(shown(&ann, &run).await, [failed("reconnect")]);
        assert_eq!(status(&ann, drive).await, "reconnect");
        assert_eq!(ask(&ann, &run, drive).await.problem(), "drive_reconnect");
        let wish = json!({ "storage_provider": drive.as_str(), "saving": "always" });
        assert_eq!(ann.send("PATCH", "/v1/drives", &wish).await.problem(), "drive_reconnect");
        // The sweep does not loop over it.
        let asked = world.provider_calls(service(drive));
        world.advance(Duration::from_secs(86_400));
        sweep(&world).await;
        assert_eq!(world.provider_calls(service(drive)), asked);

        link(&world, &ann, drive).await;
        assert_eq!(save(&world, &ann, &run, drive).await.status, 202);
        assert_eq!(shown(&ann, &run).await, [saved(&files(&world, drive)[0])]);
        ann.send("DELETE", &format!("/v1/drives/{drive}"), &Value::Null).await;
    }
    books::check_settled(&world).await;
}

#[tokio::test]
async fn a_full_drive_is_told_and_the_save_goes_through_when_there_is_room() {
    let world = World::start().await;
    let ann = world.person("ann");
    for drive in BOTH {
        link(&world, &ann, drive).await;
        let room = |bytes| match drive {
            DriveKind::GoogleDrive => world.sandbox.set_google_room("ann", bytes),
            DriveKind::Dropbox => world.sandbox.set_dropbox_room("ann", bytes),
        };
        room(3);
        let run = a_text(&ann).await;
        save(&world, &ann, &run, drive).await;
        assert_eq!(shown(&ann, &run).await, [failed("drive_full")]);
        assert!(files(&world, drive).is_empty());
        room(1_000_000);
        save(&world, &ann, &run, drive).await;
        assert_eq!(shown(&ann, &run).await, [saved(&files(&world, drive)[0])]);
    }
    assert_eq!(ann.balance().await, (98, 0, 0));
}

#[tokio::test]
async fn a_drive_that_is_down_is_tried_a_dozen_times_and_then_by_hand_and_the_run_stays_paid() {
    let world = World::start().await;
    let ann = world.person("ann");
    for drive in BOTH {
        link(&world, &ann, drive).await;
        prefer(&ann, drive, "always").await;
        let before = ann.balance().await.0;
        world.sandbox.faults().set(service(drive), sandbox::FaultRule::always(sandbox::Fault::Refuse));
        let run = a_text(&ann).await;
        let mut tries = 0;
        while shown(&ann, &run).await == [waiting()] {
            let asked = world.provider_calls(service(drive));
            sweep(&world).await;
            tries += 1;
            assert!(world.provider_calls(service(drive)) > asked, "it is tried");
            // Not before its time.
            let asked = world.provider_calls(service(drive));
            sweep(&world).await;
            assert_eq!(world.provider_calls(service(drive)), asked);
            world.advance(Duration::from_secs(3_600));
        }
        assert_eq!((tries, shown(&ann, &run).await), (12, vec![failed("drive_unavailable")]));
        assert_eq!(ann.balance().await, (before - 1, 0, 0), "charged once, whatever becomes of the save");
        world.sandbox.faults().clear();
        save(&world, &ann, &run, drive).await;
        assert_eq!(shown(&ann, &run).await, [saved(&files(&world, drive)[0])]);
        ann.send("DELETE", &format!("/v1/drives/{drive}"), &Value::Null).await;
    }
    books::check_settled(&world).await;
}

#[tokio::test]
async fn a_save_of_a_drive_that_was_disconnected_meanwhile_is_told_as_not_linked() {
    let world = World::start().await;
    let ann = world.person("ann");
    link(&world, &ann, GOOGLE).await;
    prefer(&ann, GOOGLE, "always").await;
    let run = a_text(&ann).await;
    ann.send("DELETE", "/v1/drives/google_drive", &Value::Null).await;
    sweep(&world).await;
    assert_eq!(shown(&ann, &run).await, [failed("not_linked")]);
    assert!(files(&world, GOOGLE).is_empty());
}

#[tokio::test]
async fn what_is_not_there_or_not_yours_is_not_saved() {
    let world = World::start().await;
    let (ann, bob) = (world.person("ann"), world.person("bob"));
    link(&world, &ann, GOOGLE).await;
    link(&world, &bob, GOOGLE).await;
    let run = a_text(&ann).await;
    assert_eq!(ask(&bob, &run, GOOGLE).await.problem(), "not_found");
    assert_eq!(ask(&ann, &RunId::mint(world.now()).to_string(), GOOGLE).await.problem(), "not_found");
    let beyond =
        ann.send("POST", "/v1/saves", &json!({ "run_id": run, "output": 1, "drive": "google_drive" })).await;
    assert_eq!(beyond.problem(), "not_found");
    assert_eq!(ask(&ann, &run, DROPBOX).await.problem(), "drive_not_linked");
    for wish in [json!({ "run_id": "1" }), json!({ "run_id": run, "drive": "floppy" })] {
        assert_eq!(ann.send("POST", "/v1/saves", &wish).await.problem(), "invalid_input");
    }
    // Of a run that failed only a gift could be saved.
    let rule = sandbox::FaultRule::always(sandbox::Fault::Refuse);
    for service in [sandbox::Service::Deepseek, sandbox::Service::Anthropic] {
        world.sandbox.faults().set(service, rule.clone());
    }
    let failed = crate::world::new_run_id();
    let mut wish = crate::world::script("x");
    wish["run_id"] = json!(failed);
    ann.run(&wish).await;
    assert_eq!(ann.get(&format!("/v1/runs/{failed}")).await.body["status"], "failed");
    assert_eq!(ask(&ann, &failed, GOOGLE).await.problem(), "not_found");
    world.advance(Duration::from_secs(30 * 86_400));
    let late = ask(&ann, &run, GOOGLE).await;
    assert_eq!((late.status, late.problem()), (410, "output_gone"));
    assert!(files(&world, GOOGLE).is_empty());
}

#[tokio::test]
async fn an_output_that_ends_before_it_is_saved_is_told_as_gone() {
    let world = World::start().await;
    let ann = world.person("ann");
    link(&world, &ann, GOOGLE).await;
    prefer(&ann, GOOGLE, "always").await;
    let run = a_text(&ann).await;
    world.advance(Duration::from_secs(30 * 86_400));
    sweep(&world).await;
    let save = newest(&ann).await;
    assert_eq!(
        (&save["status"], &save["failure"], &save["run_id"]),
        (&json!("failed"), &json!("output_gone"), &json!(run))
    );
}

#[tokio::test]
async fn two_who_save_the_same_at_once_make_one_file() {
    let world = World::start().await;
    let ann = world.person("ann");
    for drive in BOTH {
        link(&world, &ann, drive).await;
        let run = a_text(&ann).await;
        let asked = (0..8).map(|_| ask(&ann, &run, drive));
        for answer in futures_util::future::join_all(asked).await {
            assert_eq!(answer.status, 202, "{}", answer.text);
        }
        world.product.platform.idle().await;
        sweep(&world).await;
        assert_eq!(files(&world, drive).len(), 1);
        assert_eq!(shown(&ann, &run).await, [saved(&files(&world, drive)[0])]);
    }
}

#[tokio::test]
async fn a_run_that_a_poll_ends_is_saved_too() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    link(&world, &ann, GOOGLE).await;
    prefer(&ann, GOOGLE, "always").await;
    let run = crate::world::new_run_id();
    crate::jobs::begin_and_vanish(&world, &ann, &run, crate::jobs::LATE).await;
    world.advance(Duration::from_secs(61));
    assert_eq!(crate::jobs::poll(&world).await.ended, 1);
    assert_eq!(shown(&ann, &run).await, [waiting()]);
    sweep(&world).await;
    assert_eq!(shown(&ann, &run).await, [saved(&files(&world, GOOGLE)[0])]);
}

#[tokio::test]
async fn a_run_that_its_providers_webhook_ends_is_saved_too() {
    let lost = crate::job_webhooks::Lost::after(2).await;
    link(&lost.world, &lost.ann, DROPBOX).await;
    prefer(&lost.ann, DROPBOX, "always").await;
    assert_eq!(lost.tell(&lost.word(None)).await.status, 200);
    assert_eq!(shown(&lost.ann, &lost.run).await, [waiting()]);
    sweep(&lost.world).await;
    assert_eq!(shown(&lost.ann, &lost.run).await, [saved(&files(&lost.world, DROPBOX)[0])]);
}

/// The process was killed after it had decided the run and before it wrote the usage log: the sweep writes the log,
/// asks for the save and settles the account.
#[tokio::test]
async fn a_run_that_the_sweep_concludes_is_saved_too() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    link(&world, &ann, GOOGLE).await;
    prefer(&ann, GOOGLE, "always").await;
    let dying = world.instance(&[]).await;
    let there = ann.at(&dying.base);
    dying.meddler.kill_before_a_write_to("usage_log");
    let run = crate::world::new_run_id();
    let mut wish = crate::world::script("a red kite");
    wish["run_id"] = json!(run);
    tokio::select! {
        () = dying.meddler.death() => {}
        answer = there.run(&wish) => panic!("it answered: {}", answer.text),
    }
    assert!(shown(&ann, &run).await.is_empty() || shown(&ann, &run).await == [waiting()]);
    world.advance_and_sweep().await;
    sweep(&world).await;
    assert_eq!(shown(&ann, &run).await, [saved(&files(&world, GOOGLE)[0])]);
    books::check_settled(&world).await;
}
