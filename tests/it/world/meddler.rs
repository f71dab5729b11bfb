mod counting;
mod mutation;

pub(crate) use counting::Tally;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use counting::{Consumed, ObjectCall, Underway};
use serde_json::{Value, json};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Stands between one instance and the stores: counts what passes, and breaks it when told to.
#[derive(Clone, Debug)]
pub(crate) struct Meddler(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stores: SharedHttpClient,
    table_prefix: String,
    state: Mutex<State>,
    /// How many calls are on their way.
    underway: Arc<AtomicUsize>,
    /// True once the instance has died.
    is_dead: watch::Sender<bool>,
    /// How many calls wait to be let go, or have waited.
    held_back: watch::Sender<u32>,
    is_let_go: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<StoreCall>,
    plan: Option<(usize, Fault)>,
    seen: usize,
    is_media_broken: bool,
    is_media_held_back: bool,
    hangs: Option<Hanging>,
    /// Tries that were left hanging, by operation and table.
    hung: Vec<(String, String)>,
    dies_reading_an_account: bool,
    dies_writing_to: Option<&'static str>,
    /// How the keys of rows of `run_jobs` end that are refused.
    refused_rows: &'static [&'static str],
    refusals: usize,
    stuck: Option<(SharedHttpConnector, HttpRequest)>,
}

/// Which store says nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hanging {
    Tables,
    Media,
}

/// What goes wrong at the planned call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process is killed before the call leaves it.
    KilledBefore,
    /// The store does the work, then the process is killed.
    KilledAfter,
    /// The store does the work, but its reply never arrives.
    ReplyLost,
    /// The call is stuck on the way: the caller hears nothing, and it is carried out when the test says so. Only
    /// for the first write to an account from the planned call on.
    Stuck,
    /// The first write to an account from the planned call on waits until the test lets it go, and is carried out then.
    Late,
    /// The same, but then DynamoDB asks to come back later.
    LateThrottled,
    /// The first transaction from the planned call on waits until the test lets it go, and is carried out then.
    LateTransaction,
    /// The first single write to this table from the planned call on waits until the test lets it go, and is carried out
    /// then.
    LateWriteTo(&'static str),
    /// The call waits until the test lets it go, and is carried out then.
    Overtaken,
    /// DynamoDB says that a transaction was in the way.
    Conflict,
    /// DynamoDB asks to come back later.
    Throttled,
}

/// One request to a store, as it was answered.
#[derive(Debug, Clone)]
pub(crate) struct StoreCall {
    /// `UpdateItem`, `PutItem`, … or `S3`
    pub(crate) operation: String,
    /// Write units of the table itself; those of the sweep's index come on top.
    pub(crate) table_units: u64,
    pub(crate) index_units: u64,
    /// Half read units, of table and index.
    pub(crate) read_halves: u64,
    /// No other call was on its way when it left.
    pub(crate) begins_round: bool,
    /// The how many-th to leave.
    turn: usize,
    /// For S3.
    pub(crate) object: Option<ObjectCall>,
    /// What IAM asks for, as (`table` or `table/index/name`, action).
    pub(crate) rights: Vec<(String, String)>,
}

impl Meddler {
    pub(crate) fn around(stores: SharedHttpClient, table_prefix: &str) -> Meddler {
        Meddler(Arc::new(Inner {
            stores,
            table_prefix: table_prefix.to_owned(),
            state: Mutex::default(),
            underway: Arc::default(),
            is_dead: watch::channel(false).0,
            held_back: watch::channel(0).0,
            is_let_go: watch::channel(false).0,
        }))
    }

    pub(crate) fn client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// Forgets what was seen and plans a fault for the `nth` call from now, counted from 0.
    pub(crate) fn plan(&self, nth: usize, fault: Fault) {
        *self.0.state.lock().unwrap() = State { plan: Some((nth, fault)), ..State::default() };
    }

    pub(crate) fn forget(&self) {
        *self.0.state.lock().unwrap() = State::default();
    }

    /// Carries out the call that was stuck. True: there was one.
    pub(crate) async fn deliver_stuck(&self) -> bool {
        let stuck = self.0.state.lock().unwrap().stuck.take();
        let Some((stores, request)) = stuck else { return false };
        stores.call(request).await.unwrap();
        true
    }

    /// Resolves when a call is held back.
    pub(crate) async fn holding_back(&self) {
        self.0.held_back.subscribe().wait_for(|calls| *calls > 0).await.unwrap();
    }

    /// Whether a call was held back.
    pub(crate) fn held_one_back(&self) -> bool {
        *self.0.held_back.borrow() > 0
    }

    pub(crate) fn let_go(&self) {
        self.0.is_let_go.send_replace(true);
    }

    /// The instance dies at its next reading of an account, which comes after a hold was given back.
    pub(crate) fn kill_before_debt_is_settled(&self) {
        self.0.state.lock().unwrap().dies_reading_an_account = true;
    }

    /// The instance dies before it first writes to this table.
    pub(crate) fn kill_before_a_write_to(&self, table: &'static str) {
        self.0.state.lock().unwrap().dies_writing_to = Some(table);
    }

    /// From now on every call about a row of `run_jobs` is refused whose key ends so.
    pub(crate) fn refuse_rows(&self, endings: &'static [&'static str]) {
        self.0.state.lock().unwrap().refused_rows = endings;
    }

    /// How many such calls were refused.
    pub(crate) fn refusals(&self) -> usize {
        self.0.state.lock().unwrap().refusals
    }

    /// From now on the media store refuses everything.
    pub(crate) fn break_media(&self) {
        self.0.state.lock().unwrap().is_media_broken = true;
    }

    /// From now on the store takes every call and answers none.
    pub(crate) fn hang(&self, what: Hanging) {
        *self.0.state.lock().unwrap() = State { hangs: Some(what), ..State::default() };
    }

    /// How many tries were left hanging since then, but for those that share request counts beside the requests.
    pub(crate) fn hung(&self) -> Vec<(String, String)> {
        let mut hung = self.0.state.lock().unwrap().hung.clone();
        hung.retain(|(_, table)| table != "request_limits");
        hung
    }

    /// From now on every call of the media store waits until the test lets it go.
    pub(crate) fn hold_media_back(&self) {
        self.0.state.lock().unwrap().is_media_held_back = true;
    }

    pub(crate) fn calls(&self) -> Vec<StoreCall> {
        let mut calls = self.0.state.lock().unwrap().calls.clone();
        // A store elsewhere answers in any order.
        calls.sort_by_key(|call| call.turn);
        calls
    }

    /// What has passed, added up.
    pub(crate) fn tally(&self) -> Tally {
        Tally::of(&self.calls())
    }

    /// Whether the planned fault has happened.
    pub(crate) fn has_struck(&self) -> bool {
        let state = self.0.state.lock().unwrap();
        state.plan.is_some_and(|(nth, _)| state.seen > nth)
    }

    /// Resolves when the instance has been killed.
    pub(crate) async fn death(&self) {
        let mut dead = self.0.is_dead.subscribe();
        dead.wait_for(|dead| *dead).await.unwrap();
    }

    /// The fault for this call, if it is its turn. A dead instance calls nobody any more.
    fn next_fault(&self) -> Option<Fault> {
        let mut state = self.0.state.lock().unwrap();
        let turn = state.seen;
        state.seen += 1;
        state.plan.filter(|(nth, _)| *nth == turn).map(|(_, fault)| fault)
    }

    /// Waits, if this write is the one to come late, by a fault that `is_meant`. True: it is refused then.
    async fn come_late(&self, is_meant: impl Fn(Fault) -> bool) -> bool {
        let is_refused = {
            let mut state = self.0.state.lock().unwrap();
            let due = state.plan.filter(|(nth, _)| state.seen >= *nth).map(|(_, fault)| fault);
            let Some(fault) = due.filter(|fault| is_meant(*fault)) else { return false };
            state.plan = None;
            fault == Fault::LateThrottled
        };
        self.wait_to_be_let_go().await;
        is_refused
    }

    async fn wait_to_be_let_go(&self) {
        self.0.held_back.send_modify(|calls| *calls += 1);
        self.0.is_let_go.subscribe().wait_for(|go| *go).await.unwrap();
    }

    /// Whether the call is about a row that is refused.
    fn is_refused(&self, request: &HttpRequest) -> bool {
        let mut state = self.0.state.lock().unwrap();
        let is_refused = row_of_jobs(request)
            .is_some_and(|row| state.refused_rows.iter().any(|ending| row.ends_with(ending)));
        state.refusals += usize::from(is_refused);
        is_refused
    }

    fn may_stick(&self) -> bool {
        let mut state = self.0.state.lock().unwrap();
        let may = state.plan.is_some_and(|(nth, fault)| fault == Fault::Stuck && state.seen >= nth);
        if may {
            state.plan = None;
        }
        may
    }

    fn record(&self, call: StoreCall) {
        self.0.state.lock().unwrap().calls.push(call);
    }

    /// Kills the process wherever it is: no further call of it is carried out.
    pub(crate) fn kill(&self) {
        self.0.is_dead.send_replace(true);
    }

    async fn die(&self) -> ! {
        self.0.is_dead.send_replace(true);
        std::future::pending().await
    }
}

impl HttpClient for Meddler {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let stores = self.0.stores.http_connector(settings, components);
        SharedHttpConnector::new(Between { meddler: self.clone(), stores })
    }
}

#[derive(Debug, Clone)]
struct Between {
    meddler: Meddler,
    stores: SharedHttpConnector,
}

impl HttpConnector for Between {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let between = self.clone();
        HttpConnectorFuture::new(async move { between.pass(request).await })
    }
}

impl Between {
    async fn pass(&self, mut request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        if *self.meddler.0.is_dead.borrow() {
            return std::future::pending().await;
        }
        let (operation, table) = describe(&mut request);
        let table = table.strip_prefix(&self.meddler.0.table_prefix).unwrap_or(&table).to_owned();
        let is_dynamo = operation != "S3";
        if !is_dynamo && self.meddler.0.state.lock().unwrap().is_media_broken {
            let refusal = "<Error><Code>AccessDenied</Code></Error>";
            return Ok(HttpResponse::new(403.try_into().unwrap(), SdkBody::from(refusal)));
        }
        let is_hanging = match self.meddler.0.state.lock().unwrap().hangs {
            Some(Hanging::Tables) => is_dynamo,
            Some(Hanging::Media) => !is_dynamo,
            None => false,
        };
        if is_hanging {
            self.meddler.0.state.lock().unwrap().hung.push((operation, table));
            return std::future::pending().await;
        }
        if table == "run_jobs" && self.meddler.is_refused(&request) {
            return Ok(refused("AccessDeniedException", &operation));
        }
        let is_held_back = self.meddler.0.state.lock().unwrap().is_media_held_back;
        if !is_dynamo && is_held_back {
            self.meddler.wait_to_be_let_go().await;
        }
        if operation == "UpdateItem" && table == "accounts" {
            if self.meddler.may_stick() {
                self.meddler.0.state.lock().unwrap().stuck = Some((self.stores.clone(), request));
                return Err(ConnectorError::timeout("nothing was heard".into()));
            }
            if self.meddler.come_late(|fault| matches!(fault, Fault::Late | Fault::LateThrottled)).await {
                return Ok(refused("ThrottlingException", &operation));
            }
        }
        if operation == "TransactWriteItems" {
            self.meddler.come_late(|fault| fault == Fault::LateTransaction).await;
        }
        if ["PutItem", "UpdateItem"].contains(&operation.as_str()) {
            self.meddler.come_late(|fault| matches!(fault, Fault::LateWriteTo(late) if late == table)).await;
        }
        let dies = self.meddler.0.state.lock().unwrap().dies_reading_an_account;
        if dies && operation == "GetItem" && table == "accounts" {
            self.meddler.die().await;
        }
        let dies_writing = self.meddler.0.state.lock().unwrap().dies_writing_to;
        if is_write(&operation) && dies_writing.is_some_and(|dies| dies == table) {
            self.meddler.die().await;
        }
        let fault = self.meddler.next_fault();
        if fault == Some(Fault::Overtaken) {
            self.meddler.wait_to_be_let_go().await;
        }
        match fault {
            Some(Fault::KilledBefore) => self.meddler.die().await,
            Some(Fault::KilledAfter) => {
                self.stores.call(request).await?;
                self.meddler.die().await
            }
            Some(Fault::ReplyLost) => {
                self.stores.call(request).await?;
                Err(ConnectorError::timeout("the reply was lost".into()))
            }
            Some(Fault::Conflict) if is_write(&operation) && can_meet_a_transaction(&table) => {
                Ok(refused("TransactionConflictException", &operation))
            }
            Some(Fault::Throttled) if is_dynamo => Ok(refused("ThrottlingException", &operation)),
            Some(
                Fault::Conflict
                | Fault::Throttled
                | Fault::Stuck
                | Fault::Late
                | Fault::LateThrottled
                | Fault::LateTransaction
                | Fault::LateWriteTo(_)
                | Fault::Overtaken,
            )
            | None => {
                let turn = self.meddler.0.state.lock().unwrap().seen;
                let rights = rights(&request, &operation, &self.meddler.0.table_prefix);
                let object = (!is_dynamo).then(|| object_call(&request));
                let (underway, begins_round) = Underway::begin(&self.meddler.0.underway);
                let response = self.stores.call(request).await?;
                // A store across a network sends its answer's body after the head; what it cost stands in there.
                let response = if is_dynamo { whole(response).await? } else { response };
                drop(underway);
                let Consumed { table_units, index_units, read_halves } = match object {
                    Some(_) => Consumed::default(),
                    None => Consumed::of(&response, &operation),
                };
                self.meddler.record(StoreCall {
                    operation,
                    table_units,
                    index_units,
                    read_halves,
                    begins_round,
                    turn,
                    object,
                    rights,
                });
                Ok(response)
            }
        }
    }
}

fn is_write(operation: &str) -> bool {
    ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"].contains(&operation)
}

/// Reads never conflict, nor do tables that no transaction touches. A transaction names its tables inside.
fn can_meet_a_transaction(table: &str) -> bool {
    let tables = ["accounts", "credit_transactions", "top_ups", "payment_references", "payment_inbox"];
    table.is_empty() || tables.contains(&table)
}

/// Names the operation and its table, and asks DynamoDB to tell what it cost.
fn describe(request: &mut HttpRequest) -> (String, String) {
    let Some(target) = request.headers().get("x-amz-target") else {
        return ("S3".to_owned(), String::new());
    };
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let Some(mut body) = request.body().bytes().and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok())
    else {
        return (operation, String::new());
    };
    let table = body["TableName"].as_str().unwrap_or_default().to_owned();
    body["ReturnConsumedCapacity"] = json!("INDEXES");
    mutation::apply(&operation, &mut body);
    let body = body.to_string();
    request.headers_mut().insert("content-length", body.len().to_string());
    *request.body_mut() = SdkBody::from(body);
    (operation, table)
}

/// The key of the row of `run_jobs` that is read or written.
fn row_of_jobs(request: &HttpRequest) -> Option<String> {
    let body = request.body().bytes().and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok())?;
    let keys = [&body["Key"], &body["Item"]];
    keys.iter().find_map(|key| key["id"]["S"].as_str()).map(str::to_owned)
}

/// A batch needs its own right on each table, a transaction those of its parts.
fn rights(request: &HttpRequest, operation: &str, prefix: &str) -> Vec<(String, String)> {
    let body = request.body().bytes().and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    let body = body.unwrap_or_default();
    let place = |name: &Value| name.as_str().unwrap_or_default().trim_start_matches(prefix).to_owned();
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    if let Some(parts) = body["TransactItems"].as_array() {
        let parts = parts.iter().flat_map(members);
        return parts.map(|(part, what)| (place(&what["TableName"]), format!("{part}Item"))).collect();
    }
    if body["RequestItems"].is_object() {
        let tables = members(&body["RequestItems"]);
        return tables.keys().map(|name| (place(&json!(name)), operation.to_owned())).collect();
    }
    let table = place(&body["TableName"]);
    let at = body["IndexName"].as_str().map_or(table.clone(), |index| format!("{table}/index/{index}"));
    vec![(at, operation.to_owned())]
}

fn object_call(request: &HttpRequest) -> ObjectCall {
    let bytes = request.body().content_length().unwrap_or_default();
    ObjectCall { is_put: request.method() == "PUT", bytes }
}

async fn whole(mut response: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let body = ByteStream::new(response.take_body()).collect().await;
    let body = body.map_err(|error| ConnectorError::io(error.into()))?;
    *response.body_mut() = SdkBody::from(body.into_bytes());
    Ok(response)
}

/// A refusal in DynamoDB's shape that did nothing.
fn refused(code: &str, operation: &str) -> HttpResponse {
    let body = match (code, operation) {
        ("TransactionConflictException", "TransactWriteItems") => {
            let reason =
                json!({ "Code": "TransactionConflict", "Message": "Transaction is ongoing for the item" });
            let nothing = json!({ "Code": "None" });
            json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "Message": "Transaction cancelled [None, None, TransactionConflict]",
                "CancellationReasons": [nothing, nothing, reason],
            })
        }
        _ => json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "made up" }),
    };
    let mut response = HttpResponse::new(400.try_into().unwrap(), SdkBody::from(body.to_string()));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    response
}
