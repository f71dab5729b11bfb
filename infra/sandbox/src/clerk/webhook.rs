//! Webhooks about people: built, signed as Svix does, and sent to the product.

use std::collections::HashMap;

use axum::response::Response;
use serde_json::{Value, json};

use super::people::{self, Person};
use super::{INSTANCE, svix, users};
use crate::call::Call;
use crate::delivery::{post, times};
use crate::door::Mood;
use crate::{CLERK_WEBHOOK_SECRET, World, ids, reply};

const TIMES_MAX: u32 = 100;

/// What the caller of the control asked for.
struct Wish {
    event: Event,
    times: u32,
    broken_signature: bool,
}

#[derive(Clone, Copy)]
enum Event {
    Created,
    Updated,
    Deleted,
}

/// An event as it is delivered; a second delivery keeps the id.
struct Delivery {
    id: String,
    body: String,
}

/// `POST people/{person}/webhook`: answers the product's statuses.
pub(super) async fn send(world: &World, name: &str, call: &Call, mood: &Mood) -> Response {
    let wish = match Wish::read(name, &call.query()) {
        Ok(wish) => wish,
        Err(answer) => return reply::text(400, answer),
    };
    let person = world.people.change(name, world.now(), wish.event.effect());
    let delivery = Delivery::about(world, &person, &wish);
    let times = times(mood.fault.as_ref(), wish.times);
    let Some(target) = &world.config.webhook_target else {
        return reply::json(409, &json!({ "error": "the sandbox was started without a webhook target" }));
    };
    let mut deliveries = Vec::new();
    for _ in 0..times {
        deliveries.push(delivery.send(world, target, wish.broken_signature).await);
    }
    reply::json(200, &json!({ "svix_id": delivery.id, "deliveries": deliveries }))
}

/// `GET people/{person}/webhook-request`: the signed request, unsent; changes nothing.
pub(super) fn show(world: &World, name: &str, call: &Call) -> Response {
    let wish = match Wish::read(name, &call.query()) {
        Ok(wish) => wish,
        Err(answer) => return reply::text(400, answer),
    };
    let mut person = world.people.get(name);
    wish.event.effect()(&mut person);
    let delivery = Delivery::about(world, &person, &wish);
    let headers: HashMap<_, _> = delivery.headers(world, wish.broken_signature).into_iter().collect();
    reply::json(200, &json!({ "headers": headers, "body": delivery.body }))
}

impl Wish {
    fn read(name: &str, query: &HashMap<String, String>) -> Result<Wish, &'static str> {
        if !people::is_name(name) {
            return Err("person: a name of a-z, 0-9 and _\n");
        }
        let event = match query.get("type").map(String::as_str) {
            Some("user.created") => Event::Created,
            Some("user.updated") => Event::Updated,
            Some("user.deleted") => Event::Deleted,
            _ => return Err("type: user.created, user.updated or user.deleted\n"),
        };
        let times = query.get("times").and_then(|times| times.parse().ok()).unwrap_or(1);
        let broken = query.get("broken_signature").is_some_and(|flag| flag != "0" && flag != "false");
        Ok(Wish { event, times: times.min(TIMES_MAX), broken_signature: broken })
    }
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Event::Created => "user.created",
            Event::Updated => "user.updated",
            Event::Deleted => "user.deleted",
        }
    }

    /// What the event says has happened to the person.
    fn effect(self) -> impl FnOnce(&mut Person) {
        move |person| person.deleted = matches!(self, Event::Deleted)
    }
}

impl Delivery {
    fn about(world: &World, person: &Person, wish: &Wish) -> Delivery {
        let data = match wish.event {
            Event::Deleted => users::deleted_json(&person.id()),
            Event::Created | Event::Updated => users::json_of(person),
        };
        let body = json!({
            "data": data,
            "object": "event",
            "type": wish.event.name(),
            "timestamp": world.now().saturating_mul(1_000),
            "instance_id": INSTANCE,
            "event_attributes": { "http_request": { "client_ip": "192.0.2.1", "user_agent": "sandbox" } },
        });
        Delivery { id: ids::tagged("msg_"), body: body.to_string() }
    }

    fn headers(&self, world: &World, broken: bool) -> [(&'static str, String); 4] {
        let now = world.now();
        let signed = if broken { "something else" } else { &self.body };
        let signature = svix::signature(CLERK_WEBHOOK_SECRET, &self.id, now, signed).unwrap_or_default();
        [
            ("content-type", "application/json".to_owned()),
            ("svix-id", self.id.clone()),
            ("svix-timestamp", now.to_string()),
            ("svix-signature", signature),
        ]
    }

    /// One attempt, signed anew.
    async fn send(&self, world: &World, target: &str, broken: bool) -> Value {
        let headers = self.headers(world, broken).map(|(name, value)| (name.to_owned(), value));
        let body = self.body.clone().into_bytes();
        match post(&format!("{target}/v1/webhooks/clerk"), &headers, body).await {
            Ok(status) => json!({ "status": status }),
            Err(error) => {
                tracing::warn!(webhook.id = %self.id, "the webhook found nobody: {error}");
                json!({ "status": null, "error": error })
            }
        }
    }
}
