//! IAM between the functions and the stores: what `template.yaml` does not allow a function is refused here too.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use citipen::stores::PostedForm;
use emulator::iam::{Allowed, Call, Iam, Names, Needs, Refusal, Right, signer};
use platform::Env;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Another template than ours, to show that a scenario misses a right that it lacks (`tests/rights/check.sh`).
const TEMPLATE: &str = "TEST_TEMPLATE";
/// A file that gets a line for each right that a scenario used.
const RECORD: &str = "TEST_RIGHTS_RECORD";

/// IAM of one world. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Guard {
    iam: Iam,
    names: Names,
    scenario: String,
    began: Instant,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Guard")
    }
}

fn template() -> Arc<Allowed> {
    static ALLOWED: OnceLock<Arc<Allowed>> = OnceLock::new();
    ALLOWED
        .get_or_init(|| {
            let ours = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
            let path = std::env::var_os(TEMPLATE).map_or_else(ours, PathBuf::from);
            Arc::new(Allowed::read(&path).unwrap())
        })
        .clone()
}

impl Guard {
    pub(crate) fn new(names: Names) -> Guard {
        // Tests run in threads that carry their names.
        let scenario = std::thread::current().name().unwrap_or("a scenario").to_owned();
        Guard { iam: Iam::new(template()), names, scenario, began: Instant::now() }
    }

    /// What a deployment gives the function: nothing that only others are given, and its name as its access key.
    pub(crate) fn environment_of(&self, function: &str, env: &Env) -> Env {
        assert!(self.iam.knows(function), "{function} is not in the template");
        let refused = self.iam.check_secrets(function);
        refused.unwrap_or_else(|refusal| panic!("{function} can't start: {refusal}"));
        env.without(self.iam.allowed().not_given(function)).with([("AWS_ACCESS_KEY_ID", function)])
    }

    pub(crate) fn client(&self, stores: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Guarded { guard: self.clone(), stores })
    }

    /// The one who signs is the one who is refused: a link does what its function may.
    pub(crate) async fn check_link(State(guard): State<Guard>, request: Request, next: Next) -> Response {
        let kind = request.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        let (head, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let judged = match PostedForm::read(&kind, &body) {
            Some(form) => {
                let function =
                    form.field("x-amz-credential").and_then(|credential| credential.split('/').next());
                let needs =
                    Call::of_form(head.uri.path(), form.field("key").unwrap_or_default(), &guard.names);
                guard.check_needs(function.unwrap_or_default(), needs)
            }
            None => {
                let (method, path, query) = (head.method.as_str(), head.uri.path(), head.uri.query());
                let call = Call { method, path, query, target: None, body: &[] };
                signer(None, query).map_or(Ok(()), |function| guard.check(function, &call))
            }
        };
        match judged {
            Ok(()) => next.run(Request::from_parts(head, Body::from(body))).await,
            Err(refusal) => (StatusCode::FORBIDDEN, refusal.xml()).into_response(),
        }
    }

    /// As KMS looks at a request: by who signed it, and what it says that the key is for.
    pub(crate) async fn check_key(State(guard): State<Guard>, request: Request, next: Next) -> Response {
        let (head, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let call =
            Call { method: "POST", path: "/", query: None, target: header("x-amz-target"), body: &body };
        let judged =
            signer(header("authorization"), None).map_or(Ok(()), |function| guard.check(function, &call));
        match judged {
            Ok(()) => next.run(Request::from_parts(head, Body::from(body))).await,
            Err(refusal) => (StatusCode::BAD_REQUEST, refusal.json().to_string()).into_response(),
        }
    }

    /// Fails the scenario in which a function was refused, and tells which rights it used.
    #[expect(clippy::print_stderr, reason = "a failing test tells it beside its own words")]
    pub(crate) fn settle(&self) {
        if let Some(file) = std::env::var_os(RECORD) {
            let (mut lines, millis) = (String::new(), self.began.elapsed().as_millis());
            for (function, place, action) in self.iam.used() {
                writeln!(lines, "{}\t{millis}\t{function}\t{place}\t{action}", self.scenario).unwrap();
            }
            let mut file = std::fs::File::options().create(true).append(true).open(file).unwrap();
            file.write_all(lines.as_bytes()).unwrap();
        }
        let refused: Vec<Right> = self.iam.refused().into_iter().collect();
        if refused.is_empty() {
            return;
        }
        let told = format!("template.yaml does not allow {refused:#?}");
        if std::thread::panicking() {
            // What failed first may have failed by this.
            eprintln!("{told}");
        } else {
            panic!("{told}");
        }
    }

    fn check(&self, function: &str, call: &Call<'_>) -> Result<(), Refusal> {
        self.check_needs(function, call.needs(&self.names))
    }

    fn check_needs(&self, function: &str, needs: Needs) -> Result<(), Refusal> {
        // The test itself has another key.
        if self.iam.knows(function) { self.iam.check(function, needs) } else { Ok(()) }
    }

    fn check_request(&self, request: &HttpRequest) -> Result<(), Refusal> {
        let header = |name: &str| request.headers().get(name);
        let Some(function) = signer(header("authorization"), None) else { return Ok(()) };
        let uri: axum::http::Uri = request.uri().parse().unwrap();
        let call = Call {
            method: request.method(),
            path: uri.path(),
            query: uri.query(),
            target: header("x-amz-target"),
            body: request.body().bytes().unwrap_or_default(),
        };
        self.check(function, &call)
    }
}

#[derive(Debug)]
struct Guarded {
    guard: Guard,
    stores: SharedHttpClient,
}

impl HttpClient for Guarded {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let stores = self.stores.http_connector(settings, components);
        SharedHttpConnector::new(Door { guard: self.guard.clone(), stores })
    }
}

#[derive(Debug)]
struct Door {
    guard: Guard,
    stores: SharedHttpConnector,
}

impl HttpConnector for Door {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let is_object = request.headers().get("x-amz-target").is_none();
        match self.guard.check_request(&request) {
            Ok(()) => self.stores.call(request),
            Err(refusal) => HttpConnectorFuture::ready(Ok(answer(&refusal, is_object))),
        }
    }
}

fn answer(refusal: &Refusal, is_object: bool) -> HttpResponse {
    if is_object {
        return HttpResponse::new(403.try_into().unwrap(), SdkBody::from(refusal.xml()));
    }
    let mut response = HttpResponse::new(400.try_into().unwrap(), SdkBody::from(refusal.json().to_string()));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    response
}
