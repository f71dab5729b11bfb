use crate::figures::megabytes;
use crate::world::{Person, image, script};
use emulator::Emulator;
use std::fmt::Write;

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
