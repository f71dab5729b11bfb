use crate::ClerkUser;
use crate::clerk_user::moment;
use crate::verifier::user_id;
use primitives::{Timestamp, UserId};
use serde_json::Value;

/// What a webhook of Clerk says, after its signature was checked.
pub enum UserEvent {
    /// `user.created` and `user.updated`: both carry the whole user, and either may come first.
    Changed(Box<ClerkUser>),
    Deleted(UserId),
    /// Authentic, but nothing to do; answer success, or it is sent again for a day.
    Ignored(&'static str),
}

/// The content can't be used although it is authentic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    #[error("not an event in Clerk's shape")]
    Shape,
    /// E.g. a development instance that points at production.
    #[error("an event of another Clerk instance")]
    OtherInstance,
}

impl UserEvent {
    /// Without an `expected_instance` events of any instance pass.
    ///
    /// Strict in what decides (the instance, the kind, whom it is about), lenient in everything beside it.
    pub fn parse(raw_body: &[u8], expected_instance: Option<&str>) -> Result<UserEvent, InvalidEvent> {
        let event: Value = serde_json::from_slice(raw_body).map_err(|_| InvalidEvent::Shape)?;
        if !event.is_object() {
            return Err(InvalidEvent::Shape);
        }
        if expected_instance.is_some() && event["instance_id"].as_str() != expected_instance {
            return Err(InvalidEvent::OtherInstance);
        }
        let data = &event["data"];
        match event["type"].as_str().ok_or(InvalidEvent::Shape)? {
            "user.created" | "user.updated" => {
                // An event that names no time at all changes nothing that is known by time.
                let said_at = moment(&event["timestamp"]).unwrap_or(Timestamp::from_millis(0));
                let user = ClerkUser::parse(data, said_at).ok_or(InvalidEvent::Shape)?;
                Ok(UserEvent::Changed(Box::new(user)))
            }
            "user.deleted" => deletion(data),
            _ => Ok(UserEvent::Ignored("another kind of event")),
        }
    }
}

/// Clerk types the id as optional; without it nobody is deleted.
fn deletion(data: &Value) -> Result<UserEvent, InvalidEvent> {
    match &data["id"] {
        Value::Null => Ok(UserEvent::Ignored("a deletion without an id")),
        Value::String(id) => user_id(id).map(UserEvent::Deleted).ok_or(InvalidEvent::Shape),
        _ => Err(InvalidEvent::Shape),
    }
}
