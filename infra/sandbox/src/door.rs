//! Where every request to a service comes in: read, note, disturb, answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::call::Call;
use crate::chain::{trongrid, tronscan};
use crate::faults::{Asked, Moment, Then};
use crate::script::Script;
use crate::{Fault, Service, World, anthropic, bank, clerk, comfyui, deepseek, fal, reply, sepay};
use crate::{apify, dropbox, google, groq, omnivoice, replicate};
use crate::{frankfurter, vietcombank};

/// Longer than any client waits.
const HANG: Duration = Duration::from_secs(600);

/// What a service needs to know beside the request.
pub(crate) struct Mood {
    /// The fault left for the service itself to show.
    pub(crate) fault: Option<Fault>,
    /// The gap between two pieces of a stream; 0 sends all at once.
    pub(crate) pace_ms: u64,
    /// After how long a job with a webhook ends by itself, if the call says so.
    pub(crate) finish_ms: Option<u64>,
}

/// Answers `/sandbox/<service>/…`.
pub(crate) async fn enter(State(world): State<Arc<World>>, request: Request) -> Response {
    let Some(service) = request.uri().path().split('/').nth(2).and_then(Service::named) else {
        let names = Service::ALL.map(Service::name);
        return reply::json(404, &serde_json::json!({ "error": "no such service", "services": names }));
    };
    let Some(call) = Call::read(request).await else { return reply::proxy_page(413) };
    let moment = moment(service, &call);
    let asked = match moment {
        Moment::Control => Ok(Asked::default()),
        _ => Asked::read(service, &call),
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(refusal) => return reply::json(422, &refusal.0),
    };
    let fault = asked.fault.or_else(|| world.faults.take(service, moment, &call));

    let ticket = world.journal.arrived(service, &call, fault.as_ref().map(Fault::name), world.now());
    let pace_ms = asked.pace_ms.unwrap_or_else(|| world.pace_ms());
    let mood = Mood { fault, pace_ms, finish_ms: asked.finish_ms };
    match disturbed(&world, service, &call, mood).await {
        Some(response) => {
            world.journal.answered(ticket, response.status().as_u16());
            response
        }
        None => reply::dropped(),
    }
}

/// Shows the faults that are the same everywhere; `None` means the connection is dropped.
async fn disturbed(world: &Arc<World>, service: Service, call: &Call, mood: Mood) -> Option<Response> {
    let calm = Mood { fault: None, ..mood };
    match mood.fault {
        None => Some(answer(world, service, call, &calm).await),
        Some(Fault::Slow { ms }) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Some(answer(world, service, call, &calm).await)
        }
        Some(Fault::Refuse) => Some(refusal(service, 503)),
        Some(Fault::Status { status, retry_after }) => {
            let response = refusal(service, status);
            Some(match retry_after {
                Some(seconds) => reply::with_header(response, "retry-after", &seconds.to_string()),
                None => response,
            })
        }
        Some(Fault::DropConnection) => {
            answer(world, service, call, &calm).await;
            None
        }
        Some(Fault::DropBefore) => None,
        Some(Fault::Garbage) => Some(reply::html(
            200,
            "<!doctype html><title>We'll be right back</title><h1>Scheduled maintenance</h1>",
        )),
        Some(Fault::Scripted { status, headers, content_type, body, then }) => {
            Some(scripted(status, headers, content_type, body, then))
        }
        fault => Some(answer(world, service, call, &Mood { fault, ..calm }).await),
    }
}

async fn answer(world: &Arc<World>, service: Service, call: &Call, mood: &Mood) -> Response {
    if mood.fault == Some(Fault::WrongShape) && !is_chat(service) {
        return reply::json(200, &wrong_shape());
    }
    match service {
        Service::Clerk => clerk::answer(world, call, mood).await,
        Service::Fal => fal::answer(world, call, mood).await,
        Service::Comfyui => comfyui::answer(world, call, mood),
        Service::Deepseek => deepseek::answer(world, call, mood),
        Service::Anthropic => anthropic::answer(world, call, mood),
        Service::Sepay => sepay::answer(world, call, mood).await,
        Service::Bank => bank::answer(world, call, mood).await,
        Service::Tronscan => tronscan::answer(world, call, mood),
        Service::Trongrid => trongrid::answer(world, call, mood),
        Service::Vietcombank => vietcombank::answer(world, call, mood),
        Service::Frankfurter => frankfurter::answer(world, call, mood),
        Service::Replicate => replicate::answer(world, call, mood).await,
        Service::Omnivoice => omnivoice::answer(world, call, mood),
        Service::Groq => groq::answer(world, call, mood).await,
        Service::Apify => apify::answer(world, call, mood).await,
        Service::Google => google::answer(world, call, mood),
        Service::Dropbox => dropbox::answer(world, call, mood),
    }
}

/// An answer byte by byte as it was ordered. A header that can't be sent is left out.
fn scripted(
    status: u16,
    headers: BTreeMap<String, String>,
    content_type: String,
    body: String,
    then: Then,
) -> Response {
    let mut script = Script::new(0);
    script.write(body.as_bytes());
    match then {
        Then::End => {}
        Then::Cut => script.abort(),
        Then::Hang => script.pause(HANG),
    }
    let mut response = script.into_response("application/json");
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().clear();
    let content_type = Some(("content-type".to_owned(), content_type)).filter(|(_, text)| !text.is_empty());
    for (name, value) in headers.into_iter().chain(content_type) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// JSON that no vendor documents.
pub(crate) fn wrong_shape() -> serde_json::Value {
    serde_json::json!({ "ok": true, "items": [{ "kind": "unexpected" }], "next": null })
}

fn refusal(service: Service, status: u16) -> Response {
    match service {
        Service::Clerk => clerk::refusal(status),
        Service::Fal => fal::refusal(status),
        Service::Comfyui => comfyui::refusal(status),
        Service::Deepseek => deepseek::refusal(status),
        Service::Anthropic => anthropic::refusal(status),
        Service::Sepay => sepay::refusal(status),
        Service::Bank => bank::refusal(status),
        Service::Tronscan => tronscan::refusal(status),
        Service::Trongrid => trongrid::refusal(status),
        Service::Vietcombank => vietcombank::refusal(status),
        Service::Frankfurter => frankfurter::refusal(status),
        Service::Replicate => replicate::refusal(status),
        Service::Omnivoice => omnivoice::refusal(status),
        Service::Groq => groq::refusal(status),
        Service::Apify => apify::refusal(status),
        Service::Google => google::refusal(status),
        Service::Dropbox => dropbox::refusal(status),
    }
}

fn moment(service: Service, call: &Call) -> Moment {
    match service {
        Service::Clerk => clerk::moment(call),
        Service::Fal => fal::moment(call),
        Service::Sepay => sepay::moment(call),
        Service::Bank => bank::moment(call),
        Service::Tronscan => tronscan::moment(call),
        Service::Replicate => replicate::moment(call),
        Service::Omnivoice => omnivoice::moment(call),
        Service::Apify => apify::moment(call),
        Service::Google => google::moment(call),
        Service::Dropbox => dropbox::moment(call),
        // Rates are only read; whoever posts one sets it for the sandbox.
        Service::Vietcombank | Service::Frankfurter if call.method == http::Method::POST => Moment::Control,
        _ if call.method == http::Method::POST => Moment::Work,
        _ => Moment::Read,
    }
}

fn is_chat(service: Service) -> bool {
    matches!(service, Service::Deepseek | Service::Anthropic)
}
