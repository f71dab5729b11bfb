//! Every function's release binary in Lambda's machinery: what a cold start takes, and what it is made of.

mod calls;
mod languages;
mod memory;
mod package;

use crate::figures::{median, megabytes, micros, ms};
use crate::program;
use calls::Call;
use emulator::{Course, Emulator, Function, Options, Poll};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Cold starts of each function.
const STARTS: usize = 9;

/// What a row is made of: one value for each cold start, except for the files' sizes.
struct Row {
    name: String,
    sizes: Option<package::Sizes>,
    starts: Vec<Course>,
}

/// The table, and what it says of memory.
pub(crate) fn all() -> String {
    let folders = folders();
    let programs: BTreeMap<String, PathBuf> =
        folders.iter().map(|folder| (folder.clone(), program::build(folder))).collect();
    let others = languages::install();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let cloud = cloud(&programs, others.clone()).await;
        let calls = Call::prepare(&cloud).await;
        let mut rows = Vec::new();
        for plan in cloud.deployment().functions.clone() {
            let call = calls.of(&plan.name);
            let sizes = package::Sizes::of(&programs[&plan.folder]);
            let starts = starts(&cloud, &plan.name, &call).await;
            rows.push(Row { name: format!("`{}`", plan.folder), sizes: Some(sizes), starts });
        }
        for other in &others {
            let starts = starts(&cloud, &other.name, &Call::Direct).await;
            rows.push(Row { name: other.name.clone(), sizes: None, starts });
        }
        let memory = memory::table(&cloud).await + &memory::of_videos(&cloud).await;
        format!("{}\n{memory}", table(&rows))
    })
}

/// Only what `run-poll` holds while videos pass, with the functions that take part.
pub(crate) fn videos() -> String {
    let folders = ["account", "provider-webhook", "run-poll", "run-tool", "runs"];
    let programs = folders.map(|folder| (folder.to_owned(), program::build(folder))).into();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async { memory::of_videos(&cloud(&programs, Vec::new()).await).await })
}

async fn cloud(programs: &BTreeMap<String, PathBuf>, more: Vec<Function>) -> Emulator {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let variables =
        [("USER_REQUESTS_PER_MINUTE_MAX", "100000"), ("NETWORK_REQUESTS_PER_MINUTE_MAX", "100000")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let options = Options { template, programs: programs.clone(), more, variables, ..Options::default() };
    let cloud = Emulator::start(options).await.unwrap();
    runs::Shop::new(&cloud.platform).unwrap().seed().await.unwrap();
    cloud
}

/// Environments that were started for a call each, were called a second time, and ended.
async fn starts(cloud: &Emulator, function: &str, call: &Call) -> Vec<Course> {
    let before = cloud.lambda.courses(function).len();
    for _ in 0..STARTS {
        for _ in 0..2 {
            call.make(cloud, function).await;
            cloud.lambda.rest(function).await;
        }
        cloud.lambda.kill(function);
        cloud.lambda.rest(function).await;
    }
    let courses = cloud.lambda.courses(function).split_off(before);
    assert_eq!(courses.len(), STARTS, "{function}: one environment for each start");
    assert!(courses.iter().all(|course| course.polls.len() == 3), "{function} answered twice");
    courses
}

fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "\n| function | binary | package | start to first poll | start to first answer | CPU to first poll | CPU of the \
         first call | of the second | peak memory |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for Row { name, sizes, starts } in rows {
        let (binary, package) = match sizes {
            Some(sizes) => (megabytes(sizes.binary), megabytes(sizes.package)),
            None => ("".to_owned(), "".to_owned()),
        };
        let middle =
            |of: fn(&[Poll]) -> Duration| ms(micros(median(starts.iter().map(|course| of(&course.polls)))));
        let _ = writeln!(
            table,
            "| {name} | {binary} | {package} | {} | {} | {} | {} | {} | {} |",
            middle(|polls| polls[0].after),
            middle(|polls| polls[1].after),
            middle(|polls| polls[0].cpu),
            middle(|polls| polls[1].cpu - polls[0].cpu),
            middle(|polls| polls[2].cpu - polls[1].cpu),
            megabytes(median(starts.iter().map(|course| course.memory_peak))),
        );
    }
    table
}

/// The packages of all functions.
fn folders() -> Vec<String> {
    let functions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions");
    let entries = std::fs::read_dir(functions).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
