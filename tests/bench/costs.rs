//! What a million of each thing costs at AWS, and a month in which nothing happens: `-- --costs`.
//!
//! Requests, write units, read units, bytes and log lines are counted in the scenarios' world; processor time is
//! measured at the release build; the rest are rules that `rules` names. All prices stand in `prices`.

mod bill;
mod deployment;
mod exchange;
mod prices;
mod rules;
mod scenarios;
mod sheet;
mod steps;
mod work;

use bill::Facts;
use deployment::Deployment;
use edge::RequestRules;
use platform::{Env, Platform};
use primitives::Clock;
use std::path::Path;

pub(crate) use scenarios::all as count_here;
pub(crate) use steps::COUNT;

/// The sheet in Markdown.
pub(crate) async fn sheet(program: &Path) -> String {
    let steps = steps::count().await;
    let work = work::measure(program).await;
    let facts = Facts { steps, work, deployment: Deployment::read(), limits: limits() };
    sheet::sheet(&facts)
}

/// The profile's own; what a world counts in has none that matter.
fn limits() -> RequestRules {
    let given = [
        ("AWS_ACCESS_KEY_ID", "given"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_SECRET_ACCESS_KEY", "given"),
        ("MEDIA_BUCKET", "given"),
        ("PROFILE", "citipen"),
    ];
    let env: Env = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    Platform::build(env, Clock::system(), None).unwrap().rules(RequestRules::read).unwrap()
}
