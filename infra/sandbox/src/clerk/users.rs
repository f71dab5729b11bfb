//! Users in the Backend API's shape.

use axum::response::Response;
use serde_json::{Value, json};

use super::people::{self, Person};
use super::{error, people::name_of};
use crate::{World, reply};

/// `GET /v1/users/{id}`
pub(super) fn show(world: &World, id: &str) -> Response {
    match name_of(id).map(|name| world.people.get(name)).filter(|person| !person.deleted) {
        Some(person) => reply::json(200, &json_of(&person)),
        None => unknown(id),
    }
}

/// `DELETE /v1/users/{id}`
pub(super) fn delete(world: &World, id: &str) -> Response {
    match name_of(id) {
        Some(name) if !world.people.get(name).deleted => {
            world.people.change(name, world.now(), |person| person.deleted = true);
            reply::json(200, &deleted_json(id))
        }
        _ => unknown(id),
    }
}

pub(super) fn deleted_json(id: &str) -> Value {
    json!({ "deleted": true, "id": id, "object": "user" })
}

/// The user object of the Backend API and of `user.created` and `user.updated`.
pub(super) fn json_of(person: &Person) -> Value {
    let email_id = format!("idn_sandbox_{}", person.name);
    let image = format!("https://img.example.com/{}.png", person.name);
    json!({
        "id": people::user_id(&person.name),
        "object": "user",
        "username": null,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "image_url": image,
        "profile_image_url": image,
        "has_image": false,
        "primary_email_address_id": email_id,
        "primary_phone_number_id": null,
        "primary_web3_wallet_id": null,
        "password_enabled": true,
        "two_factor_enabled": false,
        "totp_enabled": false,
        "backup_code_enabled": false,
        "email_addresses": [email_address(person, &email_id)],
        "phone_numbers": [],
        "web3_wallets": [],
        "passkeys": [],
        "external_accounts": [],
        "saml_accounts": [],
        "public_metadata": {},
        "private_metadata": {},
        "unsafe_metadata": {},
        "external_id": null,
        "last_sign_in_at": person.created_at_ms(),
        "banned": false,
        "locked": false,
        "created_at": person.created_at_ms(),
        "updated_at": person.updated_at_ms,
        "last_active_at": person.updated_at_ms,
        "delete_self_enabled": true,
        "create_organization_enabled": false,
    })
}

fn email_address(person: &Person, id: &str) -> Value {
    let status = if person.email_verified { "verified" } else { "unverified" };
    json!({
        "id": id,
        "object": "email_address",
        "email_address": person.email,
        "reserved": false,
        "verification": { "status": status, "strategy": "email_code", "attempts": 1, "expire_at": null },
        "linked_to": [],
        "matches_sso_connection": false,
        "created_at": person.created_at_ms(),
        "updated_at": person.updated_at_ms,
    })
}

fn unknown(id: &str) -> Response {
    error(404, "resource_not_found", &format!("No user was found with id {id}."))
}
