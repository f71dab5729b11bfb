use super::{ORIGIN, a_morning, contract};
use primitives::RunId;
use sandbox::Sandbox;
use serde_json::{Value, json};
use std::sync::OnceLock;

/// A signed-in person with an HTTP client.
#[derive(Clone)]
pub(crate) struct Person {
    sandbox: Sandbox,
    base: String,
    pub(crate) name: String,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StreamEvent {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

#[expect(clippy::disallowed_methods, reason = "tests look from outside, with a client of their own")]
pub(crate) fn http() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    // Tests run on many runtimes; a pooled connection must not outlive the one it was made on.
    CLIENT.get_or_init(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap()
    })
}

/// As [`http`], and goes nowhere by itself: a test looks at where it is sent.
#[expect(clippy::disallowed_methods, reason = "tests look from outside, with a client of their own")]
pub(crate) fn browser() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        builder.pool_max_idle_per_host(0).build().unwrap()
    })
}

impl Person {
    pub(crate) fn new(sandbox: Sandbox, base: &str, name: &str) -> Person {
        Person { sandbox, base: base.to_owned(), name: name.to_owned() }
    }

    /// The same person at another instance.
    pub(crate) fn at(&self, base: &str) -> Person {
        Person { base: base.to_owned(), ..self.clone() }
    }

    /// Somebody else at the same place.
    pub(crate) fn named(&self, name: &str) -> Person {
        Person { name: name.to_owned(), ..self.clone() }
    }

    /// The user id, which is the account id too.
    pub(crate) fn id(&self) -> String {
        format!("user_sandbox_{}", self.name)
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.base);
        let method = method.parse().unwrap();
        http().request(method, url).bearer_auth(self.sandbox.token(&self.name)).header("origin", ORIGIN)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of_method(Some("GET"), self.request("GET", path).send().await.unwrap()).await
    }

    /// Unless what is there still has this tag.
    pub(crate) async fn get_unless(&self, path: &str, tag: &str) -> Answer {
        let request = self.request("GET", path).header("if-none-match", tag);
        Answer::of_method(Some("GET"), request.send().await.unwrap()).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        Answer::of_method(Some(method), self.try_send(method, path, body).await.unwrap()).await
    }

    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> reqwest::Result<reqwest::Response> {
        let request = self.request(method, path).header("content-type", "application/json");
        request.body(body.to_string()).send().await
    }

    /// Runs a tool and waits for the one JSON answer.
    pub(crate) async fn run(&self, body: &Value) -> Answer {
        self.send("POST", "/v1/runs", body).await
    }

    pub(crate) async fn script(&self, prompt: &str) -> Answer {
        self.run(&script(prompt)).await
    }

    /// Runs a tool and reads its events to the end. A refusal is `Err` with the problem document.
    pub(crate) async fn stream(&self, body: &Value) -> Result<Vec<StreamEvent>, Answer> {
        let request = self.request("POST", "/v1/runs").header("accept", "text/event-stream");
        let request = request.header("content-type", "application/json").body(body.to_string());
        let response = request.send().await.unwrap();
        if response.status() != 200 {
            return Err(Answer::of_method(Some("POST"), response).await);
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(events(&response.text().await.unwrap()))
    }

    /// `(available, reserved, debt)`
    pub(crate) async fn balance(&self) -> (u64, u64, u64) {
        let account = self.get("/v1/account").await;
        assert_eq!(account.status, 200, "{}", account.text);
        let part = |name: &str| account.body[name]["amount"].as_u64().unwrap();
        (part("available"), part("reserved"), part("debt"))
    }

    pub(crate) async fn transactions(&self) -> Vec<Value> {
        let page = self.get("/v1/account/transactions?limit=100").await;
        page.body["transactions"].as_array().unwrap().clone()
    }
}

impl Answer {
    pub(crate) async fn of(response: reqwest::Response) -> Answer {
        Answer::of_method(None, response).await
    }

    /// Every answer passes here, and is held to the document.
    async fn of_method(method: Option<&str>, response: reqwest::Response) -> Answer {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let path = response.url().path().to_owned();
        let text = response.text().await.unwrap_or_default();
        let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok());
        contract::check_answer(method, &path, status, kind, &text);
        Answer { status, headers, body: serde_json::from_str(&text).unwrap_or_default(), text }
    }

    /// The problem's code, after checking that it is a whole problem document.
    pub(crate) fn problem(&self) -> &str {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        assert_eq!(self.body["status"], self.status, "{}", self.text);
        for field in ["type", "title", "detail", "credit", "request_id"] {
            assert!(self.body[field].is_string(), "{field} is missing: {}", self.text);
        }
        self.body["code"].as_str().unwrap()
    }
}

/// An amount of credit, as answers show it and requests name it.
pub(crate) fn credit(amount: impl Into<Value>) -> Value {
    json!({ "amount": amount.into(), "unit": "USD cent" })
}

/// An amount of dong in an English answer; `text` is its number, grouped.
pub(crate) fn dong_of(minor: u64, text: &str) -> Value {
    json!({ "minor": minor, "currency": "VND", "decimal": minor.to_string(), "text": format!("{text} VND") })
}

pub(crate) fn script(prompt: &str) -> Value {
    json!({ "tool": "script", "input": { "prompt": prompt } })
}

pub(crate) fn image(prompt: &str) -> Value {
    json!({ "tool": "image", "input": { "prompt": prompt, "size": "square" } })
}

/// A run id as a client makes it.
pub(crate) fn new_run_id() -> String {
    RunId::mint(a_morning()).to_string()
}

/// The events of a run, each held to the document.
pub(crate) fn events(text: &str) -> Vec<StreamEvent> {
    let events = transcript(text);
    events.iter().for_each(contract::check_event);
    events
}

/// Whatever a stream holds, event by event.
pub(crate) fn transcript(text: &str) -> Vec<StreamEvent> {
    let event = |block: &str| {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let data = field("data:").map(|data| serde_json::from_str(data).unwrap());
        Some(StreamEvent {
            name: field("event:")?.to_owned(),
            id: field("id:").map(str::to_owned),
            data: data?,
        })
    };
    text.split("\n\n").filter_map(event).collect()
}

/// The text of all deltas.
pub(crate) fn text_of(events: &[StreamEvent]) -> String {
    let deltas = events.iter().filter(|event| event.name == "delta");
    deltas.map(|event| event.data["text"].as_str().unwrap()).collect()
}
