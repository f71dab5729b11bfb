use crate::ClerkUser;
use crate::verifier::user_id;
use primitives::UserId;
use serde::Deserialize;
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

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    instance_id: Option<String>,
    data: Value,
}

impl UserEvent {
    /// Without an `expected_instance` events of any instance pass.
    pub fn parse(raw_body: &[u8], expected_instance: Option<&str>) -> Result<UserEvent, InvalidEvent> {
        let envelope: Envelope = serde_json::from_slice(raw_body).map_err(|_| InvalidEvent::Shape)?;
        if expected_instance.is_some() && envelope.instance_id.as_deref() != expected_instance {
            return Err(InvalidEvent::OtherInstance);
        }
        match envelope.kind.as_str() {
            "user.created" | "user.updated" => {
                let user = ClerkUser::parse(envelope.data).ok_or(InvalidEvent::Shape)?;
                Ok(UserEvent::Changed(Box::new(user)))
            }
            "user.deleted" => deletion(&envelope.data),
            _ => Ok(UserEvent::Ignored("another kind of event")),
        }
    }
}

/// Clerk types the id as optional; without it nobody is deleted.
fn deletion(data: &Value) -> Result<UserEvent, InvalidEvent> {
    match data.get("id") {
        None | Some(Value::Null) => Ok(UserEvent::Ignored("a deletion without an id")),
        Some(Value::String(id)) => user_id(id).map(UserEvent::Deleted).ok_or(InvalidEvent::Shape),
        Some(_) => Err(InvalidEvent::Shape),
    }
}
