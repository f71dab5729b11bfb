//! Webhooks: the prediction itself, signed as Standard Webhooks asks, sent to exactly the address it came with.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::clerk::signature;
use crate::{Delivery, Fault, REPLICATE_WEBHOOK_SECRET, Service, World, ids, outside};

/// A key that is not Replicate's.
const FORGER_SECRET: &str = "whsec_bm90LXRoZS1rZXktb2YtcmVwbGljYXRlLWF0LWFsbCE=";
/// What a forger says about every prediction.
const FORGED_OUTPUT: &str = "https://files.example/forged.wav";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Start,
    Output,
    Logs,
    Completed,
}

/// Where the webhooks go, and about what.
pub(super) struct Hook {
    pub(super) url: String,
    pub(super) events: Vec<Event>,
}

/// One event as it is told; a second delivery keeps the id.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    id: String,
    pub(super) event: Event,
    body: String,
}

/// What is to be sent now.
pub(super) struct Due {
    pub(super) url: String,
    pub(super) notices: Vec<Notice>,
    pub(super) fault: Option<Fault>,
}

impl Event {
    pub(super) fn named(name: &str) -> Option<Event> {
        match name {
            "start" => Some(Event::Start),
            "output" => Some(Event::Output),
            "logs" => Some(Event::Logs),
            "completed" => Some(Event::Completed),
            _ => None,
        }
    }
}

impl Notice {
    pub(super) fn of(event: Event, prediction: &Value) -> Notice {
        Notice { id: ids::tagged("msg_"), event, body: prediction.to_string() }
    }

    /// The same prediction as a forger tells it, under an id of its own.
    fn forged(&self) -> Notice {
        let mut prediction: Value = serde_json::from_str(&self.body).unwrap_or_default();
        prediction["status"] = Value::from("succeeded");
        prediction["error"] = Value::Null;
        prediction["output"] = match prediction["output"] {
            Value::Object(_) => json!({ "path": FORGED_OUTPUT }),
            _ => Value::from(FORGED_OUTPUT),
        };
        Notice::of(self.event, &prediction)
    }

    /// Signed at `now` with a secret.
    fn signed(&self, url: &str, secret: &str, now: u64) -> Delivery {
        let signature = signature(secret, &self.id, now, &self.body).unwrap_or_default();
        let proof = vec![
            ("webhook-id", self.id.clone()),
            ("webhook-timestamp", now.to_string()),
            ("webhook-signature", signature),
        ];
        Delivery::new(&outside::path_of(url), self.body.clone().into_bytes(), proof)
    }

    pub(super) fn genuine(&self, url: &str, now: u64) -> Delivery {
        self.signed(url, REPLICATE_WEBHOOK_SECRET, now)
    }

    /// What a forger sends in place of this one.
    pub(super) fn forgery(&self, url: &str, now: u64) -> Delivery {
        self.forged().signed(url, FORGER_SECRET, now)
    }
}

/// Sends in the background, one after the other; outside of an asynchronous runtime nothing can be sent.
pub(super) fn send_later(world: &Arc<World>, due: Option<Due>) {
    if let (true, Ok(runtime)) = (due.is_some(), Handle::try_current()) {
        let world = world.clone();
        runtime.spawn(async move { send(&world, due).await });
    }
}

/// Somebody who knows the address says that the prediction is done; its true webhooks follow in their time.
pub(super) fn forge_later(world: &Arc<World>, url: String, prediction: &Value) {
    let forgery = Notice::of(Event::Completed, prediction).forgery(&url, world.now());
    if let Ok(runtime) = Handle::try_current() {
        let world = world.clone();
        runtime.spawn(async move { post(&world, &url, &forgery, Some(&Fault::Forged)).await });
    }
}

/// Sends once and without retries, in the way the fault asks.
pub(super) async fn send(world: &World, due: Option<Due>) {
    let Some(Due { url, mut notices, fault }) = due else { return };
    if fault == Some(Fault::OutOfOrder) {
        notices.reverse();
    }
    for notice in &notices {
        for _ in 0..crate::delivery::times(fault.as_ref(), 1) {
            post(world, &url, &notice.genuine(&url, world.now()), fault.as_ref()).await;
        }
    }
}

/// One attempt; answers the product's status.
pub(super) async fn post(
    world: &World,
    url: &str,
    delivery: &Delivery,
    fault: Option<&Fault>,
) -> Option<u16> {
    outside::send(delivery, world, Service::Replicate, url, fault).await
}
