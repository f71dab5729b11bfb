//! What Clerk knows of a person. Only the id must be there: what is beside the point is read if it can be.

use crate::DisplayName;
use crate::verifier::user_id;
use primitives::{Private, Timestamp, UserId};
use serde_json::Value;

const AVATAR_CHARS_MAX: usize = 2048;

/// What Clerk knows of a person: the answer of its Backend API and the content of its webhooks.
#[derive(Clone)]
pub struct ClerkUser {
    pub id: UserId,
    pub name: Option<DisplayName>,
    pub email: VerifiedEmail,
    pub avatar_url: Option<String>,
    pub updated_at: Timestamp,
}

/// A person's primary address, once it is verified.
#[derive(Clone)]
pub enum VerifiedEmail {
    Address(Private<String>),
    /// Clerk lists the addresses, and none of them is both primary and verified.
    None,
    /// Nothing was said about addresses.
    NotTold,
}

impl ClerkUser {
    /// `None` when it is no user. `said_at` is when Clerk said it: it stands in for an `updated_at` that can't be read.
    pub(crate) fn parse(json: &Value, said_at: Timestamp) -> Option<ClerkUser> {
        Some(ClerkUser {
            id: user_id(json["id"].as_str()?)?,
            name: name(json),
            email: VerifiedEmail::read(json),
            avatar_url: json["image_url"].as_str().filter(|url| is_picture_address(url)).map(str::to_owned),
            updated_at: moment(&json["updated_at"]).unwrap_or(said_at),
        })
    }
}

impl VerifiedEmail {
    /// Strict, because it decides about money: only the primary address counts, and only with the word `verified`.
    fn read(json: &Value) -> VerifiedEmail {
        let Some(addresses) = json["email_addresses"].as_array() else { return VerifiedEmail::NotTold };
        let primary = json["primary_email_address_id"].as_str();
        let address = addresses.iter().find(|address| primary.is_some() && address["id"].as_str() == primary);
        let verified = address.filter(|address| address["verification"]["status"] == "verified");
        let text = verified.and_then(|address| address["email_address"].as_str()).map(str::trim);
        match text.filter(|text| !text.is_empty()) {
            Some(text) => VerifiedEmail::Address(Private::new(text.to_owned())),
            None => VerifiedEmail::None,
        }
    }
}

fn name(json: &Value) -> Option<DisplayName> {
    let parts = [json["first_name"].as_str(), json["last_name"].as_str()];
    let full: Vec<&str> = parts.into_iter().flatten().collect();
    DisplayName::cleaned(&full.join(" "))
}

fn is_picture_address(url: &str) -> bool {
    url.len() <= AVATAR_CHARS_MAX && url.starts_with("https://") && url.bytes().all(|b| b.is_ascii_graphic())
}

/// Milliseconds since 1970, as Clerk writes times; also as text.
pub(crate) fn moment(value: &Value) -> Option<Timestamp> {
    let millis = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())?;
    Some(Timestamp::from_millis(millis))
}
