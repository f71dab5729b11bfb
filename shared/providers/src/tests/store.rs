//! The health table in a test: it keeps rows, counts calls, and can be out of order. Conditions are the
//! integration suite's business; here a put can be told to lose.

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug, Default)]
pub(super) struct Store(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    rows: HashMap<String, Value>,
    calls: Vec<String>,
    is_out: bool,
    loses_puts: bool,
}

impl Store {
    pub(super) fn connector(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    /// The operations called so far, which are then forgotten.
    pub(super) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }

    pub(super) fn row(&self, provider: &str) -> Option<Value> {
        self.0.lock().unwrap().rows.get(provider).cloned()
    }

    pub(super) fn put(&self, provider: &str, failures: u32, window: u64, open_until: u64) {
        let number = |value: u64| json!({ "N": value.to_string() });
        let row = json!({
            "provider": {"S": provider}, "failures": number(failures.into()),
            "window": number(window), "open_until": number(open_until),
        });
        self.0.lock().unwrap().rows.insert(provider.to_owned(), row);
    }

    pub(super) fn go_out(&self) {
        self.0.lock().unwrap().is_out = true;
    }

    pub(super) fn lose_puts(&self) {
        self.0.lock().unwrap().loses_puts = true;
    }
}

impl HttpConnector for Store {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
        let (status, answer) = self.0.lock().unwrap().answer(operation, &body);
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer.to_string()));
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl Inner {
    fn answer(&mut self, operation: String, body: &Value) -> (u16, Value) {
        self.calls.push(operation.clone());
        if self.is_out {
            return (400, json!({ "__type": "x#ResourceNotFoundException" }));
        }
        match operation.as_str() {
            "BatchGetItem" => {
                let table = body["RequestItems"].as_object().unwrap().keys().next().unwrap().clone();
                let rows: Vec<_> = self.rows.values().cloned().collect();
                (200, json!({ "Responses": { table: rows }, "UnprocessedKeys": {} }))
            }
            "GetItem" => {
                let provider = body["Key"]["provider"]["S"].as_str().unwrap();
                (200, self.rows.get(provider).map_or(json!({}), |row| json!({ "Item": row })))
            }
            _ if self.loses_puts => (400, json!({ "__type": "x#ConditionalCheckFailedException" })),
            _ => {
                let provider = body["Item"]["provider"]["S"].as_str().unwrap().to_owned();
                self.rows.insert(provider, body["Item"].clone());
                (200, json!({}))
            }
        }
    }
}
