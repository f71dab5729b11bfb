//! fal tells that a job has ended: a signed `POST` to the address that the submit named, until it is taken.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::job::Job;
use super::result;
use super::signature::{SEED, STRANGER_SEED, sign};
use crate::delivery::{Outcome, times};
use crate::{Delivery, Fault, SandboxConfig, Service, WebhookFault, World, ids, outside};

const USER_ID: &str = "usr_sandbox";
/// fal repeats as often, over two hours.
const REPEATS: u32 = 10;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(15);
/// Older than any product accepts: five minutes are usual.
const STALE_SECONDS: u64 = 600;

/// Where a job's end is told, and how.
#[derive(Debug)]
pub(super) struct Hook {
    pub(super) url: Url,
    pub(super) how: Option<WebhookFault>,
    /// How often it goes out, each time until it is taken.
    pub(super) times: u32,
    /// Whether the sandbox may send there.
    is_near: bool,
    /// The id of the run that fal itself has repeated.
    other_id: String,
    pub(super) outcomes: Vec<Outcome>,
}

impl Hook {
    /// The hook of an address; an unreadable one is told back.
    pub(super) fn of(config: &SandboxConfig, address: &str, fault: Option<&Fault>) -> Result<Hook, String> {
        let url = Url::parse(address).map_err(|error| format!("Invalid webhook URL: {error}"))?;
        let how = match fault {
            Some(Fault::Webhook { how }) => Some(*how),
            _ => None,
        };
        let times = times(fault.filter(|fault| **fault == Fault::Duplicate), 1);
        let ours = [config.webhook_target.as_deref(), Some(config.public_base.as_str())];
        let is_ours = ours.into_iter().flatten().any(|base| url.as_str().starts_with(&format!("{base}/")));
        let is_near = is_ours || outside::is_near(&url);
        Ok(Hook { url, how, times, is_near, other_id: ids::uuid(), outcomes: Vec::new() })
    }
}

/// Why a webhook's request can't be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoWebhook {
    UnknownJob,
    /// The submit named no address.
    NotAsked,
    /// The address is of another machine; nothing is sent there.
    Elsewhere,
}

/// The request as it would be sent now. `how` takes the place of what the job itself was told.
pub(super) fn request(
    world: &World,
    id: &str,
    how: Option<WebhookFault>,
) -> Result<(Url, Delivery), NoWebhook> {
    let shelf = world.fal.lock();
    let job = shelf.get(id).ok_or(NoWebhook::UnknownJob)?;
    let hook = job.hook.as_ref().ok_or(NoWebhook::NotAsked)?;
    let how = how.or(hook.how);
    let body = body(world, job, hook, how).to_string().into_bytes();
    let path = match hook.url.query() {
        Some(query) => format!("{}?{query}", hook.url.path()),
        None => hook.url.path().to_owned(),
    };
    let proof = proof(id, how, world.now(), &body);
    Ok((hook.url.clone(), Delivery::new(&path, body, proof)))
}

/// One attempt, signed now, and noted.
pub(super) async fn send(world: &World, id: &str, how: Option<WebhookFault>) -> Result<Outcome, NoWebhook> {
    let (url, delivery) = request(world, id, how)?;
    let (is_near, how) = {
        let shelf = world.fal.lock();
        let hook = shelf.get(id).and_then(|job| job.hook.as_ref()).ok_or(NoWebhook::NotAsked)?;
        (hook.is_near, how.or(hook.how))
    };
    if !is_near {
        return Err(NoWebhook::Elsewhere);
    }
    let fault = how.map(|_| "webhook");
    let outcome = delivery.send_to(world, Service::Fal, url.as_str(), "job", fault).await;
    world.fal.with(id, |job| {
        let outcomes = job.hook.as_mut().map(|hook| &mut hook.outcomes);
        outcomes.into_iter().for_each(|outcomes| outcomes.push(outcome.clone()));
    });
    Ok(outcome)
}

/// Sends until the product answers with success, at most eleven times. Answers how each attempt ended.
pub(super) async fn send_until_taken(
    world: &World,
    id: &str,
    how: Option<WebhookFault>,
) -> Result<Vec<Outcome>, NoWebhook> {
    let mut outcomes = vec![send(world, id, how).await?];
    if !outcomes.iter().any(Outcome::is_taken) {
        outcomes.extend(repeat(world, id, how).await?);
    }
    Ok(outcomes)
}

/// Sends again, after the first attempt was not taken, until one is.
async fn repeat(world: &World, id: &str, how: Option<WebhookFault>) -> Result<Vec<Outcome>, NoWebhook> {
    let mut outcomes = Vec::new();
    for wait in waits(world.config.zero_latency) {
        tokio::time::sleep(wait).await;
        let outcome = send(world, id, how).await?;
        let is_taken = outcome.is_taken();
        outcomes.push(outcome);
        if is_taken {
            break;
        }
    }
    Ok(outcomes)
}

/// How long fal waits before each repeat: a second, then twice as long each time, a quarter of a minute at most.
pub(crate) fn waits(zero_latency: bool) -> impl Iterator<Item = Duration> {
    let first = if zero_latency { Duration::ZERO } else { FIRST_WAIT };
    (0..REPEATS).map(move |repeat| (first * 2_u32.pow(repeat)).min(WAIT_MAX))
}

/// Sends the job's webhook from a task of its own, if it has to go out.
pub(super) fn send_in_background(world: &Arc<World>, id: &str) {
    let (world, id) = (world.clone(), id.to_owned());
    tokio::spawn(async move { send_all(&world, &id).await });
}

/// Goes on after a first attempt that was not taken, from a task of its own.
pub(super) fn repeat_in_background(world: &Arc<World>, id: &str) {
    let (world, id) = (world.clone(), id.to_owned());
    tokio::spawn(async move {
        if let Err(why) = repeat(&world, &id, None).await {
            tracing::warn!(fal.job = %id, "no webhook about a job of fal's was sent again: {why:?}");
        }
    });
}

/// Ends the job after a time, unless it has ended by then, and sends its webhook.
pub(super) fn end_later(world: &Arc<World>, id: &str, after: Duration) {
    let (world, id) = (world.clone(), id.to_owned());
    tokio::spawn(async move {
        tokio::time::sleep(after).await;
        if end(&world, &id) {
            send_all(&world, &id).await;
        }
    });
}

/// Ends the job now; answers whether its webhook has to go out.
pub(super) fn end(world: &World, id: &str) -> bool {
    let owes_webhook = world.fal.with(id, |job| {
        job.progress.finish();
        job.owes_webhook()
    });
    owes_webhook.unwrap_or(false)
}

async fn send_all(world: &World, id: &str) {
    let times = world.fal.lock().get(id).and_then(|job| job.hook.as_ref()).map_or(0, |hook| hook.times);
    for _ in 0..times {
        if let Err(why) = send_until_taken(world, id, None).await {
            tracing::warn!(fal.job = %id, "no webhook about a job of fal's was sent: {why:?}");
            return;
        }
    }
}

/// The signed headers.
fn proof(id: &str, how: Option<WebhookFault>, now: u64, body: &[u8]) -> Vec<(&'static str, String)> {
    let at = if how == Some(WebhookFault::Stale) { now.saturating_sub(STALE_SECONDS) } else { now };
    let seed = if how == Some(WebhookFault::Forged) { STRANGER_SEED } else { SEED };
    vec![
        ("x-fal-webhook-request-id", id.to_owned()),
        ("x-fal-webhook-user-id", USER_ID.to_owned()),
        ("x-fal-webhook-timestamp", at.to_string()),
        ("x-fal-webhook-signature", sign(seed, id, USER_ID, at, body)),
    ]
}

fn body(world: &World, job: &Job, hook: &Hook, how: Option<WebhookFault>) -> Value {
    let gateway_id = if how == Some(WebhookFault::OtherGateway) { &hook.other_id } else { job.id() };
    let mut told = json!({ "request_id": job.id(), "gateway_request_id": gateway_id });
    let answer = result::made(world, job);
    match how {
        Some(WebhookFault::PayloadError) => {
            told["status"] = Value::from("OK");
            told["payload"] = Value::Null;
            told["payload_error"] = Value::from("Response payload is not JSON serializable.");
        }
        Some(WebhookFault::Error) => {
            let payload = json!({ "detail": "Request timed out", "error_type": "request_timeout" });
            failed(&mut told, 504, payload);
        }
        _ if answer.status == 200 => {
            told["status"] = Value::from("OK");
            told["error"] = Value::Null;
            told["payload"] = answer.body;
        }
        _ => failed(&mut told, answer.status, answer.body),
    }
    told
}

fn failed(told: &mut Value, status: u16, payload: Value) {
    told["status"] = Value::from("ERROR");
    told["error"] = Value::from(format!("Invalid status code: {status}"));
    told["payload"] = payload;
}
