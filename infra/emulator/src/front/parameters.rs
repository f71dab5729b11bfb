use crate::moment;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// SSM refuses more names than this in one call.
const NAMES_MAX: usize = 10;

/// SSM's Parameter Store: SecureStrings that can be changed while functions run. Cloning shares it.
#[derive(Clone, Default)]
pub struct Parameters(Arc<Mutex<Store>>);

#[derive(Default)]
struct Store {
    values: BTreeMap<String, (String, u64)>,
    /// The names of each call.
    calls: Vec<Vec<String>>,
    mood: ParameterMood,
}

/// How SSM answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ParameterMood {
    #[default]
    Calm,
    /// Too many calls: the SDK waits and tries again.
    Throttled,
    Failing,
    /// Not at all; the connection stays open.
    Silent,
}

impl Parameters {
    /// Adds a parameter or a new version of it.
    pub fn put(&self, name: &str, value: &str) {
        let mut store = self.store();
        let version = store.values.get(name).map_or(1, |(_, version)| version + 1);
        store.values.insert(name.to_owned(), (value.to_owned(), version));
    }

    pub fn remove(&self, name: &str) {
        self.store().values.remove(name);
    }

    pub fn set_mood(&self, mood: ParameterMood) {
        self.store().mood = mood;
    }

    /// The names each call asked for, also of the calls that were refused.
    pub fn calls(&self) -> Vec<Vec<String>> {
        self.store().calls.clone()
    }

    pub(super) fn router(&self) -> Router {
        Router::new().route("/", post(answer)).with_state(self.clone())
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(State(parameters): State<Parameters>, headers: HeaderMap, body: Bytes) -> Response {
    if headers.get("x-amz-target").is_none_or(|target| target != "AmazonSSM.GetParameters") {
        return refused(StatusCode::BAD_REQUEST, "UnknownOperationException", "");
    }
    let Ok(asked) = serde_json::from_slice::<Value>(&body) else {
        return refused(StatusCode::BAD_REQUEST, "SerializationException", "");
    };
    let names = asked["Names"].as_array().into_iter().flatten();
    let names: Vec<String> = names.filter_map(Value::as_str).map(str::to_owned).collect();
    let mood = {
        let mut store = parameters.store();
        store.calls.push(names.clone());
        store.mood
    };
    match mood {
        ParameterMood::Calm => {}
        ParameterMood::Throttled => {
            return refused(StatusCode::BAD_REQUEST, "ThrottlingException", "Rate exceeded");
        }
        ParameterMood::Failing => {
            return refused(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "");
        }
        ParameterMood::Silent => std::future::pending::<()>().await,
    }
    if names.is_empty() || names.len() > NAMES_MAX {
        let message = format!(
            "1 validation error detected: Value '[{}]' at 'names' failed to satisfy constraint: Member must have \
             length less than or equal to 10",
            names.join(", ")
        );
        return refused(StatusCode::BAD_REQUEST, "ValidationException", &message);
    }
    told(StatusCode::OK, &found(&parameters.store(), &names, asked["WithDecryption"] == true))
}

fn found(store: &Store, names: &[String], is_decrypted: bool) -> Value {
    let parameter = |name: &String| {
        let (value, version) = store.values.get(name)?;
        // What KMS made of it; nobody can read it.
        let value = if is_decrypted { value.as_str() } else { "AQICAHgEmulated" };
        Some(json!({
            "ARN": format!("arn:aws:ssm:us-east-1:123456789012:parameter{name}"),
            "DataType": "text",
            "LastModifiedDate": moment::now().seconds(),
            "Name": name,
            "Type": "SecureString",
            "Value": value,
            "Version": version,
        }))
    };
    let invalid: Vec<&String> = names.iter().filter(|name| !store.values.contains_key(*name)).collect();
    json!({ "InvalidParameters": invalid, "Parameters": names.iter().filter_map(parameter).collect::<Vec<_>>() })
}

fn refused(status: StatusCode, kind: &str, message: &str) -> Response {
    told(status, &json!({ "__type": kind, "message": message }))
}

fn told(status: StatusCode, document: &Value) -> Response {
    let headers =
        [("content-type", "application/x-amz-json-1.1".to_owned()), ("x-amzn-requestid", moment::uuid())];
    (status, headers, document.to_string()).into_response()
}
