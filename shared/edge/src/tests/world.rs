//! An edge over an embedded DynamoDB, and requests by tower's `oneshot`.

use crate::routes::{get, post};
use crate::{Permission, Route, Routes, SourceIp, TABLES};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use platform::{Env, Platform};
use primitives::{Clock, Timestamp};
use serde_json::Value;
use tokio::net::TcpListener;
use tower::ServiceExt;

pub(super) const ORIGIN: &str = "https://app.example.com";
pub(super) const NOW: u64 = 1_795_000_000;

/// What these tests serve.
pub(super) const TABLE: &[Route] = &[
    get("/", Permission::Public),
    post("/", Permission::Look),
    get("/look", Permission::Look),
    get("/change", Permission::Change),
    get("/spend", Permission::Spend),
    get("/administer", Permission::Administer),
    post("/order", Permission::Public),
    get("/own", Permission::Public),
    get("/plain", Permission::Public),
    post("/raw", Permission::Public),
    post("/read", Permission::Public),
    get("/v1/runs", Permission::Public),
    post("/v1/runs", Permission::Public),
    post("/v1/webhooks/clerk", Permission::Signed),
];

pub(super) fn routes() -> Routes<()> {
    Routes::by(TABLE)
}

/// Routes whose store and sign-in service nobody answers for.
pub(super) fn lonely(routes: Routes<()>) -> Router {
    routes.finish(&lonely_platform(), ()).unwrap()
}

pub(super) fn lonely_platform() -> Platform {
    platform_with("http://127.0.0.1:1", "http://127.0.0.1:1", [])
}

pub(super) fn platform_with<const N: usize>(
    dynamo: &str,
    issuer: &str,
    settings: [(&str, &str); N],
) -> Platform {
    let variables = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("MEDIA_BUCKET", "media"),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamo),
        ("CLERK_ISSUER", issuer),
        ("ALLOWED_ORIGINS", ORIGIN),
        ("PSEUDONYM_PEPPER", "a pepper for the tests"),
    ];
    let env: Env = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let clock = Clock::manual(Timestamp::from_seconds(NOW));
    Platform::build(env.with(settings), clock, None).unwrap()
}

pub(super) async fn serve_dynamo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let database = dynoxide::Database::memory().unwrap();
    tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()));
    address
}

pub(super) async fn create_tables(platform: &Platform) {
    for spec in TABLES.iter().chain([&credits::ACCOUNTS]) {
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

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The problem document; whatever else came fails the test.
    pub(super) fn problem(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    pub(super) fn code(&self) -> String {
        self.problem()["code"].as_str().unwrap().to_owned()
    }
}

pub(super) async fn read(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, text }
}

pub(super) async fn send(router: &Router, request: Request<Body>) -> Answer {
    read(router.clone().oneshot(request).await.unwrap()).await
}

pub(super) async fn call(
    router: &Router,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::from(body.to_owned())).unwrap();
    request.extensions_mut().insert(SourceIp("203.0.113.7".parse().unwrap()));
    send(router, request).await
}
