//! Secrets from a parameter store that speaks SSM's protocol, and an invocation that is kept open.

use crate::environment::Environment;
use crate::keep_open::KeepOpen;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderMap, StatusCode};
use lambda_runtime::tower::{Layer, Service, service_fn};
use lambda_runtime::{Context, Error, LambdaInvocation};
use platform::{Env, InvalidSettings, Platform};
use primitives::Clock;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

/// A parameter store with one account's parameters.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<Shelf>>);

#[derive(Default)]
struct Shelf {
    parameters: BTreeMap<String, String>,
    /// Refusals to come, as `(status, type)`.
    refusals: Vec<(u16, &'static str)>,
    questions: Vec<(HeaderMap, Value)>,
}

impl Store {
    async fn open(parameters: &[(&str, &str)]) -> (Store, String) {
        let store = Store::default();
        parameters.iter().for_each(|(name, value)| store.put(name, value));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(store.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (store, address)
    }

    fn put(&self, name: &str, value: &str) {
        self.0.lock().unwrap().parameters.insert(name.to_owned(), value.to_owned());
    }

    fn refuse(&self, refusals: &[(u16, &'static str)]) {
        self.0.lock().unwrap().refusals = refusals.to_vec();
    }

    fn questions(&self) -> Vec<(HeaderMap, Value)> {
        self.0.lock().unwrap().questions.clone()
    }
}

async fn answer(State(store): State<Store>, headers: HeaderMap, body: String) -> Response {
    if headers.get("x-amz-target").is_none_or(|target| target != "AmazonSSM.GetParameters") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let question: Value = serde_json::from_str(&body).unwrap();
    let mut shelf = store.0.lock().unwrap();
    shelf.questions.push((headers, question.clone()));
    if !shelf.refusals.is_empty() {
        let (status, kind) = shelf.refusals.remove(0);
        return (StatusCode::from_u16(status).unwrap(), json!({ "__type": kind }).to_string())
            .into_response();
    }
    let names: Vec<&str> =
        question["Names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(names.len() <= 10, "more than the store takes at once");
    let (known, unknown): (Vec<&str>, Vec<&str>) =
        names.into_iter().partition(|name| shelf.parameters.contains_key(*name));
    let known: Vec<Value> = known
        .iter()
        .map(|name| json!({ "Name": name, "Type": "SecureString", "Value": shelf.parameters[*name], "Version": 1 }))
        .collect();
    json!({ "Parameters": known, "InvalidParameters": unknown }).to_string().into_response()
}

fn platform(store: &str, clock: &Clock, more: &[(&str, &str)]) -> Platform {
    let given = [
        ("AWS_REGION", "ap-southeast-1"),
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "session"),
        ("MEDIA_BUCKET", "media"),
        ("AWS_ENDPOINT_URL_SSM", store),
        ("AWS_ENDPOINT_URL_DYNAMODB", store),
        ("SECRETS_PATH", "/citipen/"),
    ];
    let env: Env =
        given.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Platform::build(env, clock.clone(), None).unwrap()
}

/// What a function may build of its settings.
fn pepper(platform: &Platform) -> Result<String, InvalidSettings> {
    platform.env().section(|settings| settings.secret("PEPPER").expose().to_owned())
}

/// A function that has started with this pepper, its store and its clock.
async fn running_on(value: &str) -> (Store, Clock, Environment<String>) {
    let (store, address) = Store::open(&[("/citipen/PEPPER", value)]).await;
    let clock = Clock::manual(Clock::system().now());
    let platform = platform(&address, &clock, &[("SECRETS", "PEPPER")]);
    let environment = Environment::over(platform, pepper).await.unwrap();
    (store, clock, environment)
}

#[tokio::test]
async fn a_start_asks_once_for_its_own_secrets_and_signs_the_question() {
    let (store, address) = Store::open(&[("/citipen/PEPPER", "salt"), ("/citipen/OTHER", "x")]).await;
    let clock = Clock::manual(Clock::system().now());
    let environment =
        Environment::over(platform(&address, &clock, &[("SECRETS", "PEPPER,NOT_THERE")]), pepper)
            .await
            .unwrap();

    assert_eq!(environment.current().await.unwrap(), "salt");

    let questions = store.questions();
    let [(headers, question)] = questions.as_slice() else { panic!("{questions:?}") };
    let names = json!(["/citipen/PEPPER", "/citipen/NOT_THERE"]);
    assert_eq!(*question, json!({ "Names": names, "WithDecryption": true }));
    let signature = headers["authorization"].to_str().unwrap();
    assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"), "{signature}");
    assert!(signature.contains("/ap-southeast-1/ssm/aws4_request"), "{signature}");
    assert_eq!(headers["x-amz-security-token"], "session");
}

#[tokio::test]
async fn a_rotated_secret_is_used_after_five_minutes_and_not_asked_for_before() {
    let (store, clock, environment) = running_on("old").await;
    store.put("/citipen/PEPPER", "new");

    clock.advance(Duration::from_secs(299));
    assert_eq!(environment.current().await.unwrap(), "old");
    assert_eq!(store.questions().len(), 1);
    clock.advance(Duration::from_secs(1));
    assert_eq!(environment.current().await.unwrap(), "new");
    assert_eq!(environment.current().await.unwrap(), "new");
    assert_eq!(store.questions().len(), 2);
}

#[tokio::test]
async fn a_running_function_keeps_its_secrets_while_the_store_is_silent() {
    let (store, clock, environment) = running_on("old").await;
    store.refuse(&[(400, "AccessDeniedException")]);
    store.put("/citipen/PEPPER", "new");
    clock.advance(Duration::from_secs(300));

    assert_eq!(environment.current().await.unwrap(), "old");
    assert_eq!(environment.current().await.unwrap(), "old");
    assert_eq!(store.questions().len(), 2, "not at every request");
    clock.advance(Duration::from_secs(30));
    assert_eq!(environment.current().await.unwrap(), "new");
}

#[tokio::test]
async fn secrets_that_nobody_could_look_at_for_a_quarter_of_an_hour_serve_nobody() {
    let (store, clock, environment) = running_on("old").await;
    let forbidden = (400, "AccessDeniedException");
    store.refuse(&[forbidden, forbidden]);

    clock.advance(Duration::from_secs(900));
    assert_eq!(environment.current().await.unwrap(), "old");
    clock.advance(Duration::from_secs(1));
    assert!(environment.current().await.is_err(), "also until the next look");
    clock.advance(Duration::from_secs(30));
    assert!(environment.current().await.is_err());
    clock.advance(Duration::from_secs(30));
    assert_eq!(environment.current().await.unwrap(), "old", "looked at again");
}

#[tokio::test]
async fn a_secret_that_makes_no_function_is_not_put_to_use() {
    let (store, clock, environment) = running_on("old").await;
    store.put("/citipen/PEPPER", " ");
    clock.advance(Duration::from_secs(300));

    assert_eq!(environment.current().await.unwrap(), "old");
}

/// The withdrawn one is the leaked one, as likely as not: a mistake in its successor must not keep it alive.
#[tokio::test]
async fn a_withdrawn_secret_ends_within_a_quarter_of_an_hour_although_its_successor_is_unfit() {
    let (store, clock, environment) = running_on("old").await;
    store.put("/citipen/PEPPER", " ");
    for _ in 0..3 {
        clock.advance(Duration::from_secs(300));
        assert_eq!(environment.current().await.unwrap(), "old");
    }
    clock.advance(Duration::from_secs(1));
    assert!(environment.current().await.is_err());

    let looks = store.questions().len();
    clock.advance(Duration::from_secs(30));
    assert!(environment.current().await.is_err());
    assert_eq!(store.questions().len(), looks + 1, "it is looked at again, twice a minute");
    store.put("/citipen/PEPPER", "new");
    clock.advance(Duration::from_secs(30));
    assert_eq!(environment.current().await.unwrap(), "new");
}

#[tokio::test]
async fn a_start_outlasts_a_throttled_store_but_not_one_that_forbids() {
    let (store, address) = Store::open(&[("/citipen/PEPPER", "salt")]).await;
    let clock = Clock::manual(Clock::system().now());
    store.refuse(&[(400, "ThrottlingException"), (500, "InternalServerError"), (503, "")]);
    let environment =
        Environment::over(platform(&address, &clock, &[("SECRETS", "PEPPER")]), pepper).await.unwrap();
    assert_eq!(environment.current().await.unwrap(), "salt");

    store.refuse(&[(400, "com.amazonaws.ssm#AccessDeniedException")]);
    let refused = Environment::over(platform(&address, &clock, &[("SECRETS", "PEPPER")]), pepper).await;
    let error = refused.err().map(|error| std::error::Error::source(&error).unwrap().to_string());
    assert_eq!(error.as_deref(), Some("the parameter store refuses: 400 AccessDeniedException"));
}

#[tokio::test]
async fn more_secrets_than_one_question_may_hold_are_asked_for_in_parts() {
    let names: Vec<String> = (0..23).map(|number| format!("S{number}")).collect();
    let (store, address) = Store::open(&[]).await;
    names.iter().for_each(|name| store.put(&format!("/citipen/{name}"), name));
    let clock = Clock::manual(Clock::system().now());
    let all =
        |platform: &Platform| platform.env().section(|settings| settings.text("S0") + &settings.text("S22"));
    let environment =
        Environment::over(platform(&address, &clock, &[("SECRETS", &names.join(","))]), all).await.unwrap();

    assert_eq!(environment.current().await.unwrap(), "S0S22");
    assert_eq!(store.questions().len(), 3);
}

#[tokio::test]
async fn a_function_without_secrets_asks_nobody() {
    let (store, address) = Store::open(&[]).await;
    let clock = Clock::manual(Clock::system().now());
    let environment = Environment::over(platform(&address, &clock, &[]), |_| Ok(())).await.unwrap();
    clock.advance(Duration::from_secs(1000));
    environment.current().await.unwrap();
    assert_eq!(store.questions(), []);
}

#[tokio::test]
async fn the_missing_secret_is_named_when_a_function_can_t_start() {
    let (_store, address) = Store::open(&[]).await;
    let clock = Clock::manual(Clock::system().now());
    let opened = Environment::over(platform(&address, &clock, &[("SECRETS", "PEPPER")]), pepper).await;
    let message = opened.err().map(|error| error.to_string()).unwrap();
    assert!(message.contains("PEPPER is missing"), "{message}");
}

fn invocation() -> LambdaInvocation {
    let (parts, ()) = http::Response::new(()).into_parts();
    LambdaInvocation { parts, body: Vec::new().into(), context: Context::default() }
}

/// The work of a run goes on although its answer could not be sent; only then may the next event be asked for.
#[tokio::test]
async fn an_invocation_lasts_until_its_work_has_ended_even_when_its_client_has_left() {
    let clock = Clock::manual(Clock::system().now());
    let platform = platform("http://127.0.0.1:9", &clock, &[]);
    let (finish, finished) = oneshot::channel::<()>();
    let work = Mutex::new(Some(finished));
    let worker = platform.clone();
    let answer = service_fn(move |_: LambdaInvocation| {
        let finished = work.lock().unwrap().take().unwrap();
        worker.spawn(async move { finished.await.unwrap() });
        async { Err::<(), Error>("connection reset by peer".into()) }
    });
    let mut kept_open = KeepOpen::of(&platform).layer(answer);
    let mut invoked = kept_open.call(invocation());

    assert!((&mut invoked).now_or_never().is_none(), "its work is not done");
    tokio::task::yield_now().await;
    assert!((&mut invoked).now_or_never().is_none(), "its work is not done");
    finish.send(()).unwrap();
    assert!(invoked.await.is_ok(), "and the environment lives on");
}
