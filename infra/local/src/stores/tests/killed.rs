use super::support::{BUCKET, ENTRIES, Folder, open, platform};
use crate::stores::Place;
use aws_sdk_dynamodb::types::AttributeValue::S;
use aws_sdk_s3::primitives::ByteStream;
use platform::Platform;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const FOLDER: &str = "CITIPEN_TEST_FOLDER";

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return write_until_killed(Path::new(&folder)).await;
    }
    let folder = Folder::new();
    let mut writer = start_writer(folder.path());

    let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let numbers = lines.map_while(Result::ok).filter_map(|line| line.parse::<u32>().ok());
    let last = numbers.take_while(|number| *number <= 150).last();
    writer.kill().unwrap();
    writer.wait().unwrap();

    assert_eq!(last, Some(150));
    let stores = open(&folder.place(), &[ENTRIES]).await.unwrap();
    let platform = platform(&stores);
    for number in 1..=150 {
        assert!(is_there(&platform, number).await, "number {number} is lost");
    }
}

/// This very test again, in a process of its own, which writes until it is killed.
fn start_writer(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "stores::tests::killed::nothing_acknowledged_is_lost_by_kill_9", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn write_until_killed(folder: &Path) {
    let stores = open(&Place::Disk(folder.to_owned()), &[ENTRIES]).await.unwrap();
    let platform = platform(&stores);
    for number in 1.. {
        let put = platform.dynamo().put_item().table_name(platform.table(&ENTRIES));
        put.item("account", S("ann".into())).item("entry", S(name(number))).send().await.unwrap();
        let put = platform.s3().put_object().bucket(BUCKET).key(format!("tmp30/{}", name(number)));
        put.body(ByteStream::from(name(number).into_bytes())).send().await.unwrap();
        // Straight to the pipe: the harness would hold a printed line back.
        writeln!(std::io::stdout().lock(), "\n{number}").unwrap();
    }
}

async fn is_there(platform: &Platform, number: u32) -> bool {
    let get = platform.dynamo().get_item().table_name(platform.table(&ENTRIES));
    let item = get.key("account", S("ann".into())).key("entry", S(name(number))).send().await.unwrap();
    let get = platform.s3().get_object().bucket(BUCKET).key(format!("tmp30/{}", name(number)));
    let object = get.send().await.unwrap().body.collect().await.unwrap();
    item.item.is_some() && object.to_vec() == name(number).into_bytes()
}

fn name(number: u32) -> String {
    format!("e{number:06}")
}
