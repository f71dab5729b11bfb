//! What is said when the data folder is damaged, half gone or full, and what the outside world remembers.

use super::program::{Folder, Running, Theirs};
use super::{Books, credit, fetched, image, path_of, refused, script};
use serde_json::{Value, json};
use std::fs;

/// A folder with a service in it that has an account and an output.
async fn used() -> Folder {
    let folder = Folder::new();
    let running = folder.start(&["--data", "data"]).await;
    running.run("ann", &script()).await;
    running.kill().await;
    folder
}

#[tokio::test]
async fn a_damaged_database_is_to_be_copied_before_anything_is_erased() {
    let folder = used().await;
    // A clean end brings the write-ahead log home; as long as it holds everything, SQLite mends the file from it.
    folder.start(&["--data", "data"]).await.signal("INT").await;
    let database = folder.path().join("data/dynamo.db");
    let length = fs::metadata(&database).unwrap().len();
    let damaged = vec![b'x'; usize::try_from(length).unwrap()];
    fs::write(&database, &damaged).unwrap();

    let complaint = refused(&folder, &["--data", "data"], &[]).await;

    assert!(complaint.contains("`data/dynamo.db` is damaged"), "{complaint}");
    let (copy, fresh) = (complaint.find("keep a copy"), complaint.find("--fresh"));
    assert!(copy.is_some() && copy < fresh && complaint.contains("erases"), "{complaint}");
    for word in ["encrypt", "SQLite", "Dynoxide", "Internal error", "feature"] {
        assert!(!complaint.contains(word), "{word} is a library's: {complaint}");
    }
    assert_eq!(fs::read(&database).unwrap(), damaged, "left as it is");
}

#[tokio::test]
async fn an_empty_or_missing_database_beside_outputs_is_no_new_service() {
    let folder = used().await;
    let data = folder.path().join("data");
    let kept: Vec<(String, Vec<u8>)> = ["dynamo.db", "dynamo.db-wal", "dynamo.db-shm", "sandbox.jsonl"]
        .map(|name| (name.to_owned(), fs::read(data.join(name)).unwrap_or_default()))
        .into();
    for name in ["dynamo.db-wal", "dynamo.db-shm", "sandbox.jsonl"] {
        let _ = fs::remove_file(data.join(name));
    }
    fs::write(data.join("dynamo.db"), "").unwrap();
    let empty = refused(&folder, &["--data", "data"], &[]).await;
    fs::write(data.join("dynamo.db"), &kept[0].1).unwrap();
    let bare = refused(&folder, &["--data", "data"], &[]).await;
    fs::remove_file(data.join("dynamo.db")).unwrap();
    let missing = refused(&folder, &["--data", "data"], &[]).await;

    assert!(empty.contains("`data/dynamo.db` is empty") && empty.contains("`data/objects`"), "{empty}");
    assert!(bare.contains("`data/dynamo.db` has no tables"), "copied without its log: {bare}");
    assert!(missing.contains("`data/dynamo.db` is missing"), "{missing}");
    for complaint in [&empty, &bare, &missing] {
        let (copy, fresh) = (complaint.find("keep a copy"), complaint.find("--fresh"));
        assert!(copy.is_some() && copy < fresh, "{complaint}");
    }
    assert!(!data.join("dynamo.db").exists(), "and none was made");

    for (name, content) in kept {
        fs::write(data.join(name), content).unwrap();
    }
    let again = folder.start(&["--data", "data"]).await;
    assert_eq!(Books::of(&again, "ann").await.balance(), (99, 0), "put back, it goes on");
}

/// SQLite passes over such a log, and with it over what was acknowledged last.
#[tokio::test]
async fn a_damaged_log_of_last_writes_is_told_and_left_as_it_is() {
    let folder = used().await;
    let log = folder.path().join("data/dynamo.db-wal");
    let mut damaged = fs::read(&log).unwrap();
    damaged[..32].fill(0);
    fs::write(&log, &damaged).unwrap();

    let complaint = refused(&folder, &["--data", "data"], &[]).await;

    assert!(complaint.contains("`data/dynamo.db` is not whole") && complaint.contains("-wal"), "{complaint}");
    let (copy, fresh) = (complaint.find("keep a copy"), complaint.find("--fresh"));
    assert!(copy.is_some() && copy < fresh, "{complaint}");
    assert_eq!(fs::read(&log).unwrap(), damaged, "left as it is");
}

#[tokio::test]
async fn a_start_without_room_says_that_the_disk_is_full() {
    let folder = Folder::new();
    let mut command = folder.on_a_disk("192k", "");
    let output = command.args(["--data", "data", "--port", "0"]).output().await.unwrap();

    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{complaint}");
    let complaint = complaint.lines().last().unwrap();
    assert!(complaint.starts_with("citipen: ") && complaint.contains("the disk is full"), "{complaint}");
    assert!(!complaint.contains("--fresh"), "{complaint}");
}

#[tokio::test]
async fn a_disk_that_fills_up_is_told_once_and_no_credit_is_taken_until_there_is_room() {
    let folder = Folder::new();
    let until = |file: &str| format!("for i in $(seq 600); do [ -e {file} ] && break; sleep 0.05; done");
    let (full, free) = (until("fill"), until("free"));
    let keeper = format!(
        "({full}; dd if=/dev/zero of=data/full bs=4k 2>/dev/null; : >filled; {free}; rm data/full; : >freed) &"
    );
    let mut command = folder.on_a_disk("16m", &keeper);
    command.args(["--data", "data"]);
    let running = Running::of(command).await;
    running.run("ann", &script()).await;
    folder.ask("fill", "filled").await;

    let mut refusals = Vec::new();
    for _ in 0..3 {
        let answer = running.try_run("ann", &script()).await;
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        refusals.push((status, serde_json::from_str::<Value>(&text).unwrap()));
    }
    folder.ask("free", "freed").await;
    let run = running.run("ann", &script()).await;

    for (status, problem) in &refusals {
        assert!(*status == 503 && problem["code"].is_string(), "{problem}");
        assert!(!problem.to_string().contains("disk"), "{problem}");
    }
    assert_eq!(run["charged"], credit(1));
    let ended = running.signal("INT").await;
    let told = ended.stderr.matches("the local database can't be written: the disk is full").count();
    assert_eq!(told, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("the local database works again"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("unable to mark the connection"), "{}", ended.stderr);
}

/// SePay, the bank and the chain know after a restart what they told before it.
#[tokio::test]
async fn the_outside_world_remembers_what_it_told_and_the_comparison_finds_nothing() {
    let folder = Folder::new();
    let running = folder.start(&["--data", "data"]).await;
    let order = |method| json!({ "method": method, "credits": credit(2000) });
    let transfer = running.post("ann", "/v1/top-ups", &order("viet_qr")).await;
    let due: u64 = transfer["amount_due"]["decimal"].as_str().unwrap().parse().unwrap();
    let paid = json!({ "amount": due, "memo": transfer["reference"] });
    running.sandbox("/bank/transfers", &paid).await;
    let card = running.post("ann", "/v1/top-ups", &order("sepay_card")).await;
    running.check_out(&card).await;
    running.sandbox(&format!("/sepay/orders/{}/pay", card["reference"].as_str().unwrap()), &json!({})).await;
    assert_eq!(running.get("ann", "/v1/account").await["available"], credit(100 + 4000));
    running.kill().await;

    let mut command = folder.program(&["--data", "data"]);
    command.env("LOG_LEVEL", "info");
    let mut again = Running::of(command).await;

    let list = again.outside("/bank/transfers").await;
    assert!(list.to_string().contains(transfer["reference"].as_str().unwrap()), "{list}");
    let list = again.outside("/sepay/orders").await;
    assert!(list.to_string().contains("CAPTURED"), "{list}");
    assert_eq!(again.get("ann", "/v1/account").await["available"], credit(100 + 4000));
    // The comparison runs at every start.
    assert_eq!(again.compared().await, [0, 0, 0]);
    let ended = again.signal("INT").await;
    let is_loud = |line: &&str| !line.contains("\"level\":\"INFO\"");
    assert_eq!(ended.stderr.lines().filter(is_loud).collect::<Vec<_>>(), Vec::<&str>::new());

    let fresh = folder.start(&["--data", "data", "--fresh"]).await;
    assert!(
        !fresh.outside("/sepay/orders").await.to_string().contains("CAPTURED"),
        "forgotten with the rest"
    );
}

/// Another process's stores stand for any DynamoDB and S3.
#[tokio::test]
async fn given_stores_are_used_made_ready_and_named() {
    let theirs = Theirs::start().await;
    let folder = Folder::new();
    let mut command = folder.program(&["--data", "data"]);
    command.env("AWS_ENDPOINT_URL_DYNAMODB", &theirs.dynamo).env("AWS_ENDPOINT_URL_S3", &theirs.s3);
    command.env("TABLE_PREFIX", "given-").env("MEDIA_BUCKET", "given-media");

    let running = Running::of(command).await;

    assert!(running.banner[0].contains(&theirs.dynamo) && running.banner[0].contains(&theirs.s3));
    let run = running.run("ann", &script()).await;
    let picture = running.run("ann", &image()).await;
    assert!(picture["outputs"][0]["download_url"].as_str().unwrap().starts_with(&theirs.s3), "{picture}");
    assert_eq!(fetched(&picture).await[..4], *b"\x89PNG");
    assert_eq!(theirs.charges("given-credit_transactions").await, 2);
    assert!(!folder.path().join("data/dynamo.db").exists());
    let ended = running.signal("INT").await;
    assert!(ended.stdout.contains(&theirs.dynamo), "{}", ended.stdout);

    let settings = [
        ("AWS_ENDPOINT_URL_DYNAMODB", theirs.dynamo.as_str()),
        ("AWS_ENDPOINT_URL_S3", &theirs.s3),
        ("TABLE_PREFIX", "given-"),
        ("MEDIA_BUCKET", "given-media"),
    ];
    let complaint = refused(&folder, &["--data", "data", "--fresh"], &settings).await;
    assert!(complaint.contains(&theirs.dynamo) && complaint.contains("TABLE_PREFIX"), "{complaint}");
    let mut command = folder.program(&["--data", "data"]);
    command.envs(settings);
    let again = Running::of(command).await;
    assert_eq!(again.get("ann", &path_of(&run)).await["status"], "succeeded", "the tables were kept");
}

#[tokio::test]
async fn a_given_store_that_does_not_answer_is_named() {
    let folder = Folder::new();
    let settings = [("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")];
    let complaint = refused(&folder, &["--data", "data"], &settings).await;
    assert!(complaint.contains("the store at http://127.0.0.1:1 can't be used"), "{complaint}");
    assert!(complaint.contains("onnection refused") && !complaint.contains("DispatchFailure"), "{complaint}");
}
