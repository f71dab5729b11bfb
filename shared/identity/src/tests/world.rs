//! An embedded DynamoDB and a Clerk that says what the test wants.

use crate::{TABLES, Users, Verifier};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::{Env, Platform};
use primitives::{Clock, Timestamp, UserId};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::{RSA_PKCS1_SHA256, RsaEncoding};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

pub(super) const NOW: u64 = 1_795_000_000;
pub(super) const ORIGIN: &str = "https://app.example.com";

pub(super) struct World {
    pub(super) platform: Platform,
    pub(super) clerk: Arc<FakeClerk>,
    pub(super) issuer: String,
}

#[derive(Default)]
pub(super) struct FakeClerk {
    pub(super) key_set: Mutex<Option<Value>>,
    pub(super) key_set_calls: Mutex<u32>,
    pub(super) people: Mutex<HashMap<String, Value>>,
    /// How many questions about people are still answered by a refusal, and with which headers.
    pub(super) refusals: Mutex<u32>,
    pub(super) retry_after: Mutex<Option<&'static str>>,
    pub(super) people_calls: Mutex<u32>,
}

impl World {
    pub(super) async fn start() -> World {
        World::start_with([]).await
    }

    pub(super) async fn start_with<const N: usize>(settings: [(&str, &str); N]) -> World {
        let clerk = Arc::new(FakeClerk::default());
        *clerk.key_set.lock().unwrap() = Some(key_set("ins_1", &key("clerk")));
        let issuer = serve_clerk(Arc::clone(&clerk)).await;
        let env = env(&issuer, &serve_dynamo().await).with(settings);
        let clock = Clock::manual(Timestamp::from_seconds(NOW));
        let platform = Platform::build(env, clock, None).unwrap();
        create_tables(&platform).await;
        World { platform, clerk, issuer }
    }

    pub(super) fn verifier(&self) -> Verifier {
        Verifier::new(&self.platform).unwrap()
    }

    pub(super) fn users(&self) -> Users {
        Users::new(&self.platform).unwrap()
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.platform.clock().advance(Duration::from_secs(seconds));
    }

    /// Clerk's Backend API answers so many questions by 429.
    pub(super) fn clerk_refuses(&self, times: u32, retry_after: Option<&'static str>) {
        *self.clerk.refusals.lock().unwrap() = times;
        *self.clerk.retry_after.lock().unwrap() = retry_after;
    }

    /// How often Clerk was asked about people.
    pub(super) fn questions(&self) -> u32 {
        *self.clerk.people_calls.lock().unwrap()
    }

    /// Clerk's Backend API shows this person from now on.
    pub(super) fn clerk_knows(&self, user: &UserId, email: &str) {
        self.clerk.people.lock().unwrap().insert(user.to_string(), person(user.as_str(), email, 1_000));
    }

    pub(super) fn claims(&self) -> Value {
        json!({
            "iss": self.issuer, "sub": "user_ann", "sid": "sess_1", "azp": ORIGIN, "sts": "active", "v": 2,
            "iat": NOW, "nbf": NOW - 10, "exp": NOW + 60, "fva": [3, -1], "jti": "abc",
        })
    }
}

pub(super) fn user(name: &str) -> UserId {
    format!("user_{name}").parse().unwrap()
}

/// A user in Clerk's shape.
pub(super) fn person(id: &str, email: &str, updated_at: u64) -> Value {
    json!({
        "id": id, "object": "user", "first_name": "Ann", "last_name": "Lee", "image_url": "https://img.example/a",
        "primary_email_address_id": "idn_1", "created_at": 1, "updated_at": updated_at,
        "email_addresses": [
            { "id": "idn_0", "email_address": "other@example.com", "verification": { "status": "verified" } },
            { "id": "idn_1", "email_address": email, "verification": { "status": "verified" } },
        ],
    })
}

pub(super) fn key(name: &str) -> KeyPair {
    let der: &[u8] = match name {
        "clerk" => include_bytes!("keys/clerk.pk8"),
        _ => include_bytes!("keys/stranger.pk8"),
    };
    KeyPair::from_pkcs8(der).unwrap()
}

pub(super) fn key_set(kid: &str, key: &KeyPair) -> Value {
    let public: PublicKeyComponents<Vec<u8>> = PublicKeyComponents::from(key.public());
    let (n, e) = (URL_SAFE_NO_PAD.encode(public.n), URL_SAFE_NO_PAD.encode(public.e));
    json!({ "keys": [{ "use": "sig", "kty": "RSA", "alg": "RS256", "kid": kid, "n": n, "e": e }] })
}

pub(super) fn signed(key: &KeyPair, header: &str, claims: &str) -> String {
    signed_as(&RSA_PKCS1_SHA256, key, header, claims)
}

pub(super) fn signed_as(how: &'static dyn RsaEncoding, key: &KeyPair, header: &str, claims: &str) -> String {
    let content = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(how, &SystemRandom::new(), content.as_bytes(), &mut signature).unwrap();
    format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn env(issuer: &str, dynamo: &str) -> Env {
    let variables = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("MEDIA_BUCKET", "media"),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamo),
        ("CLERK_ISSUER", issuer),
        ("CLERK_API_URL", issuer),
        ("CLERK_SECRET_KEY", "sk_test"),
        ("ALLOWED_ORIGINS", ORIGIN),
        ("PSEUDONYM_PEPPER", "a pepper for the tests"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect()
}

async fn serve_dynamo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let database = dynoxide::Database::memory().unwrap();
    tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()));
    address
}

async fn serve_clerk(clerk: Arc<FakeClerk>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/.well-known/jwks.json", get(show_keys))
        .route("/v1/users/{id}", get(show_person))
        .with_state(clerk);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn show_keys(State(clerk): State<Arc<FakeClerk>>) -> Result<Json<Value>, StatusCode> {
    *clerk.key_set_calls.lock().unwrap() += 1;
    // Whoever else is about to ask gets there while this answer is on its way.
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    let keys = clerk.key_set.lock().unwrap().clone();
    keys.map(Json).ok_or(StatusCode::SERVICE_UNAVAILABLE)
}

async fn show_person(State(clerk): State<Arc<FakeClerk>>, Path(id): Path<String>) -> Response {
    *clerk.people_calls.lock().unwrap() += 1;
    let mut refusals = clerk.refusals.lock().unwrap();
    if *refusals > 0 {
        *refusals -= 1;
        let retry_after = *clerk.retry_after.lock().unwrap();
        let refusal = StatusCode::TOO_MANY_REQUESTS;
        return match retry_after {
            Some(seconds) => (refusal, [(RETRY_AFTER, seconds)]).into_response(),
            None => refusal.into_response(),
        };
    }
    let person = clerk.people.lock().unwrap().get(&id).cloned();
    person.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |person| Json(person).into_response())
}

async fn create_tables(platform: &Platform) {
    for spec in TABLES {
        let name = spec.partition_key;
        let key = KeySchemaElement::builder().attribute_name(name).key_type(KeyType::Hash).build().unwrap();
        let attribute = AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .unwrap();
        let create = platform.dynamo().create_table().table_name(platform.table(spec));
        let create = create.key_schema(key).attribute_definitions(attribute);
        create.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
    }
}
