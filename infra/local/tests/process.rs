//! The program itself, started, killed, stopped and misled from outside as a child process.

#[path = "support/program.rs"]
mod program;

#[path = "support/damage.rs"]
mod damage;

use program::{Ended, Folder, Running, client};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

fn script() -> Value {
    json!({ "tool": "script", "input": { "prompt": "Ten seconds about a red kite" } })
}

/// An amount of credit, as answers show it.
fn credit(amount: u64) -> Value {
    json!({ "amount": amount, "unit": "USD cent" })
}

fn image() -> Value {
    json!({ "tool": "image", "input": { "prompt": "a red kite" } })
}

#[tokio::test]
async fn the_lines_of_the_banner_do_the_main_job() {
    let folder = Folder::new();
    let running = folder.start(&["--data", "data"]).await;

    let answers = in_a_shell(&running.banner).await;

    let [_, pricing, account, script, image, transactions, top_up] = answers.as_slice() else {
        panic!("another number of commands: {answers:#?}");
    };
    assert!(read(pricing)["tools"].is_array(), "{pricing}");
    assert_eq!(read(account)["available"], credit(100));
    assert!(script.contains("event: run\n") && script.contains("event: delta\n"), "{script}");
    assert_eq!(told_by("done", script)["charged"], credit(1), "{script}");
    assert_eq!(read(image)["charged"], credit(4), "{image}");
    assert_eq!(fetched(&read(image)).await[..4], *b"\x89PNG");
    let kinds = read(transactions)["transactions"].as_array().unwrap().clone();
    let kinds: Vec<_> = kinds.iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["charge", "charge", "grant"]);
    assert_eq!(read(top_up)["status"], "created", "{top_up}");
}

/// The answers of the banner's commands, given to one shell as a person would paste them.
async fn in_a_shell(banner: &[String]) -> Vec<String> {
    const MARK: &str = "--- next ---";
    let commands: Vec<_> =
        banner.iter().filter(|line| line.starts_with("  ")).map(|line| line.trim()).collect();
    let commands = commands[1..].join("\n").replace("\\\n", "");
    let script = commands.lines().map(|command| format!("{command}\nprintf '\\n{MARK}\\n'\n"));
    let output = Command::new("sh").args(["-ec", &script.collect::<String>()]).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let answers = String::from_utf8(output.stdout).unwrap();
    let mut answers: Vec<_> = answers.split(MARK).map(|answer| answer.trim_start().to_owned()).collect();
    assert!(answers.pop().is_some_and(|rest| rest.is_empty()), "the last command was answered");
    answers
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let folder = Folder::new();
    let running = folder.start(&["--data", "data"]).await;
    let script = running.run("ann", &script()).await;
    let image = running.run("ann", &image()).await;
    let picture = fetched(&image).await;
    let before = Books::of(&running, "ann").await;
    running.kill().await;

    let again = folder.start(&["--data", "data"]).await;

    assert_eq!(Books::of(&again, "ann").await, before);
    assert_eq!(before.balance(), (95, 0));
    let shown = again.get("ann", &path_of(&script)).await;
    assert_eq!(shown["outputs"][0]["text"], script["outputs"][0]["text"]);
    assert_eq!(shown["receipt"], script["receipt"]);
    assert_eq!(fetched(&again.get("ann", &path_of(&image)).await).await, picture);
}

#[tokio::test]
async fn a_run_killed_in_mid_stream_stays_reserved_and_nothing_is_lost() {
    let folder = Folder::new();
    let running = folder.start(&["--data", "data"]).await;
    running.run("ann", &script()).await;
    running
        .fault(&json!({ "service": "deepseek", "fault": "stall", "ms": 600_000, "after": 3, "times": 1 }))
        .await;
    let run = started(running.stream("ann", &script()).await).await;
    let before = Books::of(&running, "ann").await;
    assert_eq!(before.balance(), (98, 1));
    running.kill().await;

    let again = folder.start(&["--data", "data"]).await;

    assert_eq!(Books::of(&again, "ann").await, before);
    let shown = again.get("ann", &format!("/v1/runs/{run}")).await;
    assert_eq!((&shown["status"], &shown["charged"]), (&json!("running"), &credit(0)), "{shown}");
    assert_eq!(again.run("ann", &script()).await["charged"], credit(1));
    assert_eq!(Books::of(&again, "ann").await.balance(), (97, 1));
}

/// The id of a run whose first piece of text has come.
async fn started(mut response: reqwest::Response) -> String {
    let mut seen = String::new();
    while !seen.contains("event: delta\n") {
        let chunk = response.chunk().await.unwrap().expect("the stream goes on");
        seen.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    told_by("run", &seen)["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_stop_signal_ends_it_cleanly_and_everything_is_kept() {
    let folder = Folder::new();
    for (signal, expected) in [("INT", 99), ("TERM", 98)] {
        let running = folder.start(&["--data", "data"]).await;
        running.run("ann", &script()).await;

        let ended = running.signal(signal).await;

        assert_eq!(ended.code, Some(0), "{signal}: {}", ended.stderr);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("stopped; everything is kept", ""));
        let again = folder.start(&["--data", "data"]).await;
        assert_eq!(Books::of(&again, "ann").await.balance(), (expected, 0));
        again.kill().await;
    }
}

/// Streams what goes on until a piece of text has come, then what comes after the signal.
async fn told_at_the_stop(folder: &Folder, arguments: &[&str], fault: Value) -> (String, String, Ended) {
    let running = folder.start(arguments).await;
    running.run("ann", &script()).await;
    running.fault(&fault).await;
    let mut response = running.stream("ann", &script()).await;
    let mut before = String::new();
    while !before.contains("event: delta\n") {
        before.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
    let (ended, after) = tokio::join!(running.signal("INT"), response.text());
    (before, after.unwrap(), ended)
}

#[tokio::test]
async fn a_stop_lets_an_open_stream_end_and_it_is_charged() {
    let folder = Folder::new();
    let pause = json!({ "service": "deepseek", "fault": "stall", "ms": 500, "after": 3, "times": 1 });

    let (_, after, ended) = told_at_the_stop(&folder, &["--data", "data"], pause).await;

    assert!(after.contains("event: done\n"), "{after}");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "stopped; everything is kept"));
    let again = folder.start(&["--data", "data"]).await;
    assert_eq!(Books::of(&again, "ann").await.balance(), (98, 0));
}

#[tokio::test]
async fn a_stop_tells_a_run_that_does_not_end_and_gives_its_credit_back_at_once() {
    let folder = Folder::new();
    let stall = json!({ "service": "deepseek", "fault": "stall", "ms": 600_000, "after": 3, "times": 1 });

    let (before, after, ended) =
        told_at_the_stop(&folder, &["--data", "data", "--drain-ms", "50"], stall).await;

    let failed = told_by("failed", &after);
    assert_eq!(
        (&failed["code"], &failed["credit"], &failed["charged"]),
        (&json!("run_broken_off"), &json!("not_taken"), &credit(0)),
        "{after}"
    );
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "stopped; everything is kept"));
    let again = folder.start(&["--data", "data"]).await;
    assert_eq!(Books::of(&again, "ann").await.balance(), (99, 0), "not held for a quarter of an hour");
    let run = told_by("run", &before);
    let shown = again.get("ann", &path_of(&run)).await;
    assert_eq!((&shown["status"], &shown["failure"]), (&json!("failed"), &json!("stopped")), "{shown}");
}

#[tokio::test]
async fn a_stop_takes_no_new_requests_while_it_lets_others_end() {
    let folder = Folder::new();
    let running = folder.start(&["--memory"]).await;
    running.run("ann", &script()).await;
    running
        .fault(&json!({ "service": "deepseek", "fault": "stall", "ms": 1_500, "after": 3, "times": 1 }))
        .await;
    let mut response = running.stream("ann", &script()).await;
    response.chunk().await.unwrap().unwrap();
    let base = running.base.clone();
    running.send("INT").await;

    // The port closes as soon as the signal is heard.
    while client().get(format!("{base}/v1/pricing")).send().await.is_ok() {
        tokio::task::yield_now().await;
    }

    assert!(response.text().await.unwrap().contains("event: done\n"), "and what was open has ended");
    assert_eq!(running.ended().await.stdout, "stopped; nothing is kept, as --memory says");
}

#[tokio::test]
async fn a_second_signal_stops_at_once_and_the_next_start_gives_the_credit_back_in_time() {
    let folder = Folder::new();
    let running = folder.start(&["--data", "data", "--drain-ms", "600000"]).await;
    running.run("ann", &script()).await;
    running
        .fault(&json!({ "service": "deepseek", "fault": "stall", "ms": 600_000, "after": 3, "times": 1 }))
        .await;
    let run = started(running.stream("ann", &script()).await).await;
    running.send("INT").await;
    let base = running.base.clone();
    while client().get(format!("{base}/v1/pricing")).send().await.is_ok() {
        tokio::task::yield_now().await;
    }

    let ended = running.signal("INT").await;

    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.contains("brings to their end the runs that were broken off"), "{}", ended.stdout);
    let again = folder.start(&["--data", "data"]).await;
    assert_eq!(again.get("ann", &format!("/v1/runs/{run}")).await["status"], "running");
    assert_eq!(Books::of(&again, "ann").await.balance(), (98, 1));
}

#[tokio::test]
async fn a_picture_goes_on_without_the_process_that_stops_whether_its_order_was_taken_or_is_on_its_way() {
    let on_its_way = json!({ "service": "fal", "fault": "slow", "ms": 600_000, "times": 1 });
    let taken = json!({ "service": "fal", "fault": "late", "polls": 100_000, "times": 1 });
    for (fault, stage) in [(on_its_way, "event: run"), (taken, "\"stage\":\"queued\"")] {
        let folder = Folder::new();
        let running = folder.start(&["--data", "data", "--drain-ms", "50"]).await;
        running.run("ann", &script()).await;
        running.fault(&fault).await;
        let mut response = running.stream("ann", &image()).await;
        let mut before = String::new();
        while !before.contains(stage) {
            before.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
        }

        let (ended, after) = tokio::join!(running.signal("TERM"), response.text());

        assert_eq!(told_by("goes_on", &after.unwrap())["status"], "running");
        assert_eq!(ended.code, Some(0));
        let again = folder.start(&["--data", "data"]).await;
        assert_eq!(Books::of(&again, "ann").await.balance(), (95, 4), "whoever comes next ends it");
    }
}

/// Reads until the other side closes; what came.
async fn until_closed(mut socket: TcpStream) -> String {
    let mut came = Vec::new();
    let reading = socket.read_to_end(&mut came);
    let read =
        tokio::time::timeout(Duration::from_secs(30), reading).await.expect("the connection is closed");
    // A reset is an end, too.
    drop(read);
    String::from_utf8_lossy(&came).into_owned()
}

#[tokio::test]
async fn connections_that_send_nothing_or_only_slowly_are_closed_and_others_are_not() {
    let folder = Folder::new();
    let running = folder.start(&["--memory", "--idle-ms", "150"]).await;
    let address = running.base.strip_prefix("http://").unwrap().to_owned();
    let head = format!("GET /v1/pricing HTTP/1.1\r\nhost: {address}\r\n");
    let connect = async |sent: String| {
        let mut socket = TcpStream::connect(&address).await.unwrap();
        socket.write_all(sent.as_bytes()).await.unwrap();
        socket
    };

    assert_eq!(until_closed(connect(String::new()).await).await, "", "it never said a word");
    let half = until_closed(connect(head.clone()).await).await;
    assert!(!half.contains("200 OK"), "its head never ended: {half}");
    let kept = until_closed(connect(format!("{head}\r\n")).await).await;
    assert!(kept.starts_with("HTTP/1.1 200 OK") && kept.contains("\"tools\""), "answered, then idle: {kept}");
    let token = running.token("ann").await;
    let post = format!(
        "POST /v1/runs HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 1000\r\n\r\n{{\"tool\":"
    );
    let slow = until_closed(connect(post).await).await;
    assert!(slow.starts_with("HTTP/1.1 400") && slow.contains("The body broke off"), "{slow}");

    // A stream that is silent for longer than that is no idle connection.
    running
        .fault(&json!({ "service": "deepseek", "fault": "stall", "ms": 600, "after": 3, "times": 1 }))
        .await;
    let told = running.stream("ann", &script()).await.text().await.unwrap();
    assert!(told.contains("event: done\n"), "{told}");
}

#[tokio::test]
async fn a_start_raises_the_limit_of_open_files_or_says_that_it_can_not() {
    let folder = Folder::new();
    let running = folder.start_limited("ulimit -Sn 256", &["--memory"]).await;
    let address = running.base.strip_prefix("http://").unwrap().to_owned();
    let mut open = Vec::new();
    for _ in 0..400 {
        open.push(TcpStream::connect(&address).await.unwrap());
    }
    // Each of them is really taken: the last one is answered while the others are open.
    let mut last = open.pop().unwrap();
    last.write_all(
        format!("GET /v1/pricing HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes(),
    )
    .await
    .unwrap();
    assert!(until_closed(last).await.starts_with("HTTP/1.1 200"));
    drop(open);
    assert_eq!(running.signal("INT").await.stderr, "", "nothing to say about it");

    let limited = folder.start_limited("ulimit -n 256", &["--memory"]).await;
    let said = limited.signal("INT").await.stderr;
    assert!(said.contains("only 256 files may be open at once"), "{said}");
}

#[tokio::test]
async fn a_fresh_start_forgets_everything() {
    let folder = Folder::new();
    let running = folder.start(&["--data", "data"]).await;
    let image = running.run("ann", &image()).await;
    running.kill().await;

    let again = folder.start(&["--data", "data", "--fresh"]).await;

    let books = Books::of(&again, "ann").await;
    assert_eq!(books.balance(), (100, 0));
    assert_eq!(books.transactions["transactions"].as_array().unwrap().len(), 1);
    let request = client().get(format!("{}{}", again.base, path_of(&image)));
    let answer = request.bearer_auth(again.token("ann").await).send().await.unwrap();
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn nothing_is_kept_of_a_run_in_memory() {
    let folder = Folder::new();
    let running = folder.start(&["--memory"]).await;
    running.run("ann", &script()).await;
    assert_eq!(running.signal("INT").await.code, Some(0));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_busy_port_is_told() {
    let folder = Folder::new();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();

    let complaint = refused(&folder, &["--port", &port], &[]).await;
    assert!(complaint.contains(&port) && complaint.contains("in use"), "{complaint}");
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let folder = Folder::new();
    let running = folder.start(&["--data", "data"]).await;

    for arguments in [["--data", "data"].as_slice(), &["--data", "data", "--fresh"]] {
        let complaint = refused(&folder, arguments, &[]).await;
        assert!(complaint.contains("`data` is in use by another process"), "{complaint}");
    }
    assert_eq!(running.run("ann", &script()).await["charged"], credit(1));
}

#[tokio::test]
async fn a_broken_data_folder_is_told_and_left_as_it_is() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("file"), "not a folder").unwrap();
    let complaint = refused(&folder, &["--data", "file"], &[]).await;
    assert!(complaint.contains("`file` can't be used"), "{complaint}");

    let database = folder.path().join("data/dynamo.db");
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(&database, "this is no database, whatever its name").unwrap();
    let complaint = refused(&folder, &["--data", "data"], &[]).await;
    assert!(complaint.contains("dynamo.db") && complaint.contains("--fresh"), "{complaint}");
    assert_eq!(std::fs::read(&database).unwrap(), b"this is no database, whatever its name");

    let fresh = folder.start(&["--data", "data", "--fresh"]).await;
    assert_eq!(Books::of(&fresh, "ann").await.balance(), (100, 0));
}

#[tokio::test]
async fn a_wrong_setting_or_option_is_named_in_one_message() {
    let folder = Folder::new();
    for (setting, parts) in [
        (("RUN_BUDGET_MS", "x"), ["RUN_BUDGET_MS must be a number of milliseconds", "`x`"]),
        (("RUN_BUDGET_MS", "899000"), ["RUN_BUDGET_MS", "hold_seconds"]),
        (("LOG_LEVEL", "loud"), ["LOG_LEVEL must be", "`loud`"]),
        (("ALLOWED_ORIGINS", "*"), ["ALLOWED_ORIGINS", "`*`"]),
        (("ALLOWED_ORIGINS", "https://page.example/path"), ["ALLOWED_ORIGINS", "no `https://host`"]),
        (("OPEN_HOLDS_MAX", "many"), ["OPEN_HOLDS_MAX must be a whole number", "`many`"]),
        (("PROFILE", "other"), ["PROFILE", "`other`"]),
    ] {
        let complaint = refused(&folder, &["--memory"], &[setting]).await;
        assert!(parts.iter().all(|part| complaint.contains(part)), "{complaint}");
    }
    for (arguments, part) in [
        (["--port", "many"], "--port needs a number up to 65535"),
        (["--memory", "--prot"], "`--prot` is no option"),
        (["--memory", "--data"], "--data needs a value"),
    ] {
        let complaint = refused(&folder, &arguments, &[]).await;
        assert!(complaint.contains(part), "{complaint}");
    }
}

#[tokio::test]
async fn settings_of_the_env_file_are_read_and_the_environment_wins() {
    let folder = Folder::new();
    std::fs::write(folder.path().join(".env"), "RUN_BUDGET_MS=x\n").unwrap();
    let complaint = refused(&folder, &["--memory"], &[]).await;
    assert!(complaint.contains("RUN_BUDGET_MS"), "{complaint}");
    let complaint = refused(&folder, &["--memory"], &[("RUN_BUDGET_MS", "y")]).await;
    assert!(complaint.contains("`y`"), "{complaint}");

    std::fs::write(folder.path().join(".env"), "this is no setting\n").unwrap();
    let complaint = refused(&folder, &["--memory"], &[]).await;
    assert!(complaint.contains(".env can't be read"), "{complaint}");
}

#[tokio::test]
async fn help_and_document_need_neither_port_nor_folder() {
    let folder = Folder::new();
    for argument in ["--help", "-h"] {
        let output = folder.ended(&[argument], &[]).await;
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        for option in [
            "--port",
            "--data",
            "--fresh",
            "--memory",
            "--zero-latency",
            "--drain-ms",
            "--idle-ms",
            "openapi",
        ] {
            assert!(text.contains(option), "{option} is missing: {text}");
        }
    }
    let output = folder.ended(&["openapi"], &[]).await;
    let document = read(std::str::from_utf8(&output.stdout).unwrap());
    assert!(document["paths"]["/v1/runs"].is_object());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// The complaint of a start that failed: nothing on stdout, one message on stderr, no log lines around it.
async fn refused(folder: &Folder, arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let arguments: Vec<_> = ["--port", "0"].iter().chain(arguments).copied().collect();
    let output = folder.ended(&arguments, settings).await;
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && output.status.code().is_some(),
        "{arguments:?} {settings:?}: {complaint}"
    );
    assert!(output.stdout.is_empty(), "{arguments:?} {settings:?}");
    assert!(complaint.starts_with("citipen: "), "{complaint}");
    // Settings are listed below their headline; everything else is one line.
    assert!(complaint.lines().skip(1).all(|line| line.starts_with("  - ")), "{complaint}");
    complaint
}

/// What an account's owner sees of it.
#[derive(Debug, PartialEq)]
struct Books {
    account: Value,
    transactions: Value,
    runs: Value,
}

impl Books {
    async fn of(running: &Running, person: &str) -> Books {
        let mut runs = running.get(person, "/v1/runs").await;
        runs["runs"].as_array_mut().unwrap().iter_mut().for_each(with_objects_for_links);
        Books {
            account: running.get(person, "/v1/account").await,
            transactions: running.get(person, "/v1/account/transactions").await,
            runs,
        }
    }

    /// `(available, reserved)`
    fn balance(&self) -> (u64, u64) {
        let part = |name: &str| self.account[name]["amount"].as_u64().unwrap();
        (part("available"), part("reserved"))
    }
}

/// Each process has an address of its own, and signs links anew; the object behind them stays.
fn with_objects_for_links(run: &mut Value) {
    for link in ["/outputs/0/view_url", "/outputs/0/download_url", "/outputs/0/thumbnail_url"] {
        if let Some(link) = run.pointer_mut(link) {
            *link = json!(reqwest::Url::parse(link.as_str().unwrap()).unwrap().path());
        }
    }
}

fn path_of(run: &Value) -> String {
    format!("/v1/runs/{}", run["id"].as_str().unwrap())
}

/// The bytes behind a run's link.
async fn fetched(run: &Value) -> Vec<u8> {
    let answer = client().get(run["outputs"][0]["download_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap().to_vec()
}

/// What the first event of this name says.
fn told_by(event: &str, stream: &str) -> Value {
    let told = stream.split(&format!("event: {event}\n")).nth(1).expect("the event has come");
    read(told.split("data: ").nth(1).expect("it says something"))
}

/// The first JSON document of a text.
fn read(text: &str) -> Value {
    serde_json::Deserializer::from_str(text).into_iter().next().unwrap().unwrap()
}
