//! Two things that befall one person at the same time: a request, what they change about themselves, Clerk's messages.
//!
//! The first is held up before each of its store calls in turn, while the second happens whole. Afterwards the person's
//! records must be what they are when one simply comes after the other, in one order or the other.

use crate::books;
use crate::world::{Answer, Fault as WorldFault, Instance, Person, World, http};
use ::identity::svix;
use primitives::{Secret, Timestamp};
use sandbox::{Fault, FaultRule, Service};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Request,
    Rename,
    /// Messages of Clerk: what it says, and as of which moment.
    Created,
    Moved,
    MovedBack,
    LostAddress,
    Deleted,
    /// The first of these messages, and then a request.
    CreatedAndRequest,
}

/// What has happened before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// A first request while Clerk would not say who it is.
    ClerkWasBusy,
    /// A message told that there is no address.
    HasNoAddress,
    /// The same, and a request, which got no welcome for it.
    RefusedWithoutAddress,
    /// A request, and a welcome.
    Welcomed,
}

impl Event {
    fn message(self, name: &str) -> Option<Value> {
        let at = |seconds: u64| Timestamp::from_seconds(1_799_990_000 + seconds).millis();
        let user = |seconds: u64, first_name: &str, address: Option<&str>| {
            let addresses: Vec<Value> = address
                .map(|address| {
                    json!({ "id": "idn_1", "email_address": address, "verification": { "status": "verified" } })
                })
                .into_iter()
                .collect();
            json!({
                "id": format!("user_sandbox_{name}"), "first_name": first_name, "updated_at": at(seconds),
                "primary_email_address_id": "idn_1", "email_addresses": addresses,
            })
        };
        let first = format!("{name}@example.com");
        let second = format!("{name}@example.org");
        let (kind, data) = match self {
            Event::Request | Event::Rename => return None,
            Event::Created | Event::CreatedAndRequest => ("user.created", user(0, "Ann", Some(&first))),
            Event::Moved => ("user.updated", user(20, "Anna", Some(&second))),
            Event::MovedBack => ("user.updated", user(10, "Annie", Some(&first))),
            Event::LostAddress => ("user.updated", user(30, "Anne", None)),
            Event::Deleted => {
                ("user.deleted", json!({ "id": format!("user_sandbox_{name}"), "deleted": true }))
            }
        };
        Some(json!({ "type": kind, "instance_id": "ins_sandbox", "data": data }))
    }

    /// At one instance of the product. Errors are for the sender to repeat, as a real one does.
    async fn happen(self, world: &World, person: &Person, at: &Instance) -> u16 {
        let person = person.at(&at.base);
        match self {
            Event::Request => person.get("/v1/account").await.status,
            Event::Rename => person.send("PATCH", "/v1/account", &json!({ "name": "Own Name" })).await.status,
            Event::CreatedAndRequest => {
                deliver(world, at, &self.message(&person.name).unwrap()).await;
                person.get("/v1/account").await.status
            }
            message => deliver(world, at, &message.message(&person.name).unwrap()).await,
        }
    }
}

async fn deliver(world: &World, at: &Instance, message: &Value) -> u16 {
    let body = message.to_string();
    let id = format!("msg_{}", primitives::Fingerprint::of(&[body.as_bytes()]).encode());
    let secret = Secret::new(sandbox::CLERK_WEBHOOK_SECRET);
    let signature = svix::sign(&secret, &id, world.now(), body.as_bytes()).unwrap();
    let request = http().post(format!("{}/v1/webhooks/clerk", at.base)).header("svix-id", id);
    let request = request.header("svix-timestamp", world.now().seconds().to_string());
    Answer::of(request.header("svix-signature", signature).body(body).send().await.unwrap()).await.status
}

impl Before {
    async fn person(self, world: &World, name: &str) -> Person {
        let person = world.person(name);
        match self {
            Before::Nothing => {}
            Before::ClerkWasBusy => {
                let fault = Fault::Status { status: 429, retry_after: Some(5) };
                let matching = Some(format!("/v1/users/{}", person.id()));
                world.sandbox.faults().set(Service::Clerk, FaultRule { fault, times: Some(1), matching });
                assert_eq!(person.balance().await, (0, 0, 0));
            }
            Before::HasNoAddress | Before::RefusedWithoutAddress => {
                let mut message = Event::Created.message(name).unwrap();
                message["data"]["email_addresses"] = json!([]);
                message["data"]["updated_at"] = json!(1);
                assert_eq!(deliver(world, &world.product, &message).await, 204);
                if self == Before::RefusedWithoutAddress {
                    assert_eq!(person.balance().await, (0, 0, 0));
                }
            }
            Before::Welcomed => assert_eq!(person.balance().await, (100, 0, 0)),
        }
        // Past the pause that Clerk asked for.
        world.advance(Duration::from_secs(6));
        person
    }
}

/// What is kept of a person and decides something, their name taken out.
async fn records(world: &World, person: &Person) -> BTreeMap<String, String> {
    let id = person.id();
    let mut records = BTreeMap::new();
    for table in ["users", "accounts", "credit_transactions"] {
        for row in books::scan(world, table).await {
            let text =
                |name: &str| row.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str);
            let is_theirs = [text("user_id"), text("id"), text("account")].contains(&id.as_str());
            if !is_theirs || text("entry") == "once" {
                continue;
            }
            for (name, value) in &row {
                // Times of the clock, and ids that hold one.
                if ["created_at", "at", "entry", "ask_at", "deleted_at"].contains(&name.as_str()) {
                    continue;
                }
                let value = format!("{value:?}").replace(&person.name, "somebody");
                records.entry(format!("{table} {name}")).or_insert_with(String::new).push_str(&value);
            }
        }
    }
    // The product reads no welcome of a deleted person any more.
    if records["users state"].contains("deleted") {
        records.retain(|name, _| !["users welcome", "accounts welcome"].contains(&name.as_str()));
    }
    records
}

async fn cross(before: Before, first: Event, seconds: &[Event]) {
    let world = World::start().await;
    for &second in seconds {
        let mut in_turn = Vec::new();
        for (nth, order) in [[first, second], [second, first]].into_iter().enumerate() {
            let name = format!("turn_{nth}_{second:?}").to_lowercase();
            let person = before.person(&world, &name).await;
            for event in order {
                event.happen(&world, &person, &world.product).await;
            }
            in_turn.push(records(&world, &person).await);
        }
        for nth in 0.. {
            let what = format!("{before:?}: {first:?} overtaken by {second:?} at call {nth}");
            let person = before.person(&world, &format!("crossed_{nth}_{second:?}").to_lowercase()).await;
            let slow = world.instance(&[]).await;
            slow.meddler.plan(nth, WorldFault::Overtaken);
            let mut acting = std::pin::pin!(first.happen(&world, &person, &slow));
            let was_overtaken = tokio::select! {
                _ = &mut acting => false,
                () = slow.meddler.holding_back() => {
                    second.happen(&world, &person, &world.product).await;
                    slow.meddler.let_go();
                    acting.await;
                    true
                }
            };
            if !was_overtaken {
                assert!(nth >= 2, "{first:?} makes more store calls than {nth}");
                break;
            }
            let records = records(&world, &person).await;
            assert!(in_turn.contains(&records), "{what}: {records:#?}\nin turn:\n{in_turn:#?}");
        }
    }
}

const MESSAGES: [Event; 5] =
    [Event::Created, Event::Moved, Event::MovedBack, Event::LostAddress, Event::Deleted];
/// What happens beside a message; a request beside a request is looked at in `identity.rs`.
const ALL: [Event; 8] = [
    Event::Request,
    Event::Rename,
    Event::Created,
    Event::Moved,
    Event::MovedBack,
    Event::LostAddress,
    Event::Deleted,
    Event::CreatedAndRequest,
];

macro_rules! crossings {
    ($($name:ident: $before:ident, $first:ident, $seconds:ident;)*) => {$(
        #[tokio::test]
        async fn $name() {
            cross(Before::$before, Event::$first, &$seconds).await;
        }
    )*};
}

crossings! {
    a_first_request_that_a_message_overtakes: Nothing, Request, MESSAGES;
    a_second_request_that_a_message_overtakes: ClerkWasBusy, Request, MESSAGES;
    a_request_without_an_address_that_a_message_overtakes: HasNoAddress, Request, MESSAGES;
    a_new_name_that_a_message_overtakes: Welcomed, Rename, MESSAGES;
    a_first_message_that_anything_overtakes: Nothing, Created, ALL;
    a_new_address_that_anything_overtakes: Welcomed, Moved, ALL;
    a_first_address_that_anything_overtakes: HasNoAddress, Moved, ALL;
    an_address_that_was_missing_that_anything_overtakes: RefusedWithoutAddress, Moved, ALL;
    a_lost_address_that_anything_overtakes: ClerkWasBusy, LostAddress, ALL;
    an_older_message_that_anything_overtakes: Welcomed, MovedBack, ALL;
    a_deletion_that_anything_overtakes: Welcomed, Deleted, ALL;
}
