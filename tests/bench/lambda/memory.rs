use crate::figures::megabytes;
use crate::world::{Person, image, script};
use emulator::Emulator;
use serde_json::json;
use std::fmt::Write;
use std::time::Duration;

/// The largest file that is taken from a provider.
const FILE_BYTES: usize = 25 * 1024 * 1024;

/// What `run-tool` holds at most, each in an environment of its own.
pub(super) async fn table(cloud: &Emulator) -> String {
    let ann = Person::new(cloud.sandbox.clone(), cloud.api(), "ann");
    let mut table = String::from("\n| peak memory of `run-tool` | |\n|---|---|\n");
    let paced = script("a red kite [[sandbox:pace ms=25]]");
    for (what, length, wish) in [
        ("while one script streams", None, paced),
        ("while an image passes", None, image("a red kite")),
        ("while an image of 25 MiB passes, the largest that is taken", Some(FILE_BYTES), image("a red kite")),
    ] {
        if let Some(length) = length {
            cloud.lengthen_picture(length);
        }
        let run = ann.run(&wish).await;
        assert_eq!(run.status, 200, "{}", run.text);
        if let Some(length) = length {
            assert_eq!(run.body["outputs"][0]["bytes"], length, "it is the long one");
        }
        cloud.lambda.rest("RunTool").await;
        let course = cloud.lambda.courses("RunTool").pop().unwrap();
        let _ = writeln!(table, "| {what} | {} |", megabytes(course.memory_peak));
        cloud.lambda.kill("RunTool");
        cloud.lambda.rest("RunTool").await;
    }
    table
}

/// What `run-poll` holds at most while a video passes from its provider into the bucket.
pub(super) async fn of_videos(cloud: &Emulator) -> String {
    let mut table = String::from("\n| peak memory of `run-poll` | |\n|---|---|\n");
    for (mb, name) in [(5, "bert"), (100, "carl"), (500, "dora")] {
        let person = Person::new(cloud.sandbox.clone(), cloud.api(), name);
        let prompt = format!("a red kite [[sandbox:fal.large mb={mb}]]");
        let begun = person.run(&json!({ "tool": "video", "input": { "prompt": prompt } })).await;
        assert_eq!(begun.status, 202, "{}", begun.text);
        let path = format!("/v1/runs/{}", begun.body["id"].as_str().unwrap());
        let run = loop {
            cloud.tick("RunPoll").await.unwrap();
            let run = person.get(&path).await;
            if run.body["status"] != "running" {
                break run;
            }
            // The poll looks at a job a minute after its beginning, or when fal has told that it is ready.
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        assert_eq!(run.body["outputs"][0]["bytes"], mb * 1024 * 1024, "{}", run.text);
        cloud.lambda.rest("RunPoll").await;
        cloud.lambda.kill("RunPoll");
        cloud.lambda.rest("RunPoll").await;
        let course = cloud.lambda.courses("RunPoll").pop().unwrap();
        let _ = writeln!(table, "| while a video of {mb} MiB passes | {} |", megabytes(course.memory_peak));
    }
    table
}
