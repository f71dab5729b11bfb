//! The invented people: everybody with a proper name exists until deleted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::users;
use crate::call::Call;
use crate::memory::{Kept, Memory};
use crate::{World, reply};

const ID_PREFIX: &str = "user_sandbox_";
/// Everybody signed up on 1 November 2026.
const CREATED_AT_MS: u64 = 1_793_491_200_000;

/// What Clerk knows of a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(super) email_verified: bool,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    pub(super) updated_at_ms: u64,
    pub(super) deleted: bool,
}

/// The people somebody has changed; all others are as invented.
#[derive(Default)]
pub(crate) struct People {
    changed: Mutex<HashMap<String, Person>>,
    memory: Memory,
}

/// The body of `POST people/{person}`: what is absent stays.
#[derive(Deserialize)]
struct Changes {
    email: Option<String>,
    email_verified: Option<bool>,
    first_name: Option<String>,
    last_name: Option<String>,
}

impl People {
    pub(crate) fn remembering(people: Vec<Person>, memory: Memory) -> People {
        let changed = people.into_iter().map(|person| (person.name.clone(), person)).collect();
        People { changed: Mutex::new(changed), memory }
    }

    pub(crate) fn get(&self, name: &str) -> Person {
        let changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.get(name).cloned().unwrap_or_else(|| Person::invented(name))
    }

    /// Changes a person and moves `updated_at` forward, also under a clock that stands still.
    pub(crate) fn change(&self, name: &str, now: u64, change: impl FnOnce(&mut Person)) -> Person {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let person = changed.entry(name.to_owned()).or_insert_with(|| Person::invented(name));
        person.updated_at_ms = now.saturating_mul(1_000).max(person.updated_at_ms + 1);
        change(person);
        self.memory.note(|| Kept::Person(person.clone()));
        person.clone()
    }
}

impl Person {
    fn invented(name: &str) -> Person {
        let mut first_name = name.to_owned();
        if let Some(initial) = first_name.get_mut(..1) {
            initial.make_ascii_uppercase();
        }
        Person {
            name: name.to_owned(),
            email: format!("{name}@example.com"),
            email_verified: true,
            first_name: Some(first_name),
            last_name: Some("Sandbox".to_owned()),
            updated_at_ms: CREATED_AT_MS,
            deleted: false,
        }
    }

    pub(super) fn id(&self) -> String {
        user_id(&self.name)
    }

    pub(super) fn created_at_ms(&self) -> u64 {
        CREATED_AT_MS
    }
}

pub(super) fn user_id(name: &str) -> String {
    format!("{ID_PREFIX}{name}")
}

/// The person a user id belongs to.
pub(super) fn name_of(user_id: &str) -> Option<&str> {
    user_id.strip_prefix(ID_PREFIX).filter(|name| is_name(name))
}

/// Names are `a-z`, `0-9` and `_`, at most 40 of them.
pub(super) fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// `POST people/{person}`: answers the user as Clerk shows it.
pub(super) fn configure(world: &World, name: &str, call: &Call) -> Response {
    if !is_name(name) {
        return reply::text(400, "person: a name of a-z, 0-9 and _\n");
    }
    let changes: Changes = match serde_json::from_slice(&call.body) {
        Ok(changes) => changes,
        Err(error) => return reply::text(400, format!("{error}\n")),
    };
    let person = world.people.change(name, world.now(), |person| {
        person.email = changes.email.unwrap_or_else(|| person.email.clone());
        person.email_verified = changes.email_verified.unwrap_or(person.email_verified);
        person.first_name = changes.first_name.or_else(|| person.first_name.take());
        person.last_name = changes.last_name.or_else(|| person.last_name.take());
    });
    reply::json(200, &users::json_of(&person))
}
