//! Frankfurter: reference rates of central banks (repository lineofflight/frankfurter).
//!
//! Its answers are written as text, because a rate must reach the product digit by digit.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

mod cross;
mod table;

use crate::call::Call;
use crate::civil::Civil;
use crate::door::Mood;
use crate::{Fault, Sandbox, World, reply};

const BASE_USUAL: &str = "EUR";
const V2_PARAMETERS: [&str; 8] = ["base", "quotes", "date", "from", "to", "providers", "group", "expand"];

/// Units of each currency for one dollar, as the text of a JSON number.
pub(crate) struct Rates {
    for_one_dollar: Mutex<BTreeMap<String, String>>,
}

impl Default for Rates {
    fn default() -> Self {
        Rates { for_one_dollar: Mutex::new(table::usual()) }
    }
}

impl Sandbox {
    /// Sets how much of a currency one dollar is. With the dollar as base the text is sent as it is, also when
    /// it is no number; other bases leave out what is no plain decimal.
    pub fn set_frankfurter_rate(&self, currency: &str, text: &str) {
        self.world.frankfurter.lock().insert(currency.to_owned(), text.to_owned());
    }
}

pub(crate) fn answer(world: &World, call: &Call, mood: &Mood) -> Response {
    match (&call.method, call.segments().as_slice()) {
        (&Method::GET, ["v2", "rates"]) => rates(world, &call.query(), mood),
        (&Method::GET, ["v2", "rate", base, quote]) => pair(world, base, quote),
        (&Method::GET, ["v1", "latest"]) => latest(world, &call.query(), mood),
        (_, ["v1", ..]) => reply::json(404, &json!({ "message": "not found" })),
        (&Method::POST, ["rate"]) => change(world, call),
        _ => refusal(404),
    }
}

/// The error body of v2.
pub(crate) fn refusal(status: u16) -> Response {
    let message = match status {
        404 => "not found",
        422 => "invalid parameter",
        429 => "too many requests",
        503 => "service unavailable",
        _ => "internal server error",
    };
    error(status, message)
}

/// `GET /v2/rates`: unknown parameters are refused, unknown currencies left out.
fn rates(world: &World, query: &HashMap<String, String>, mood: &Mood) -> Response {
    if let Some(name) = query.keys().find(|name| !V2_PARAMETERS.contains(&name.as_str())) {
        return error(422, &format!("unknown parameter: {name}"));
    }
    let base = query.get("base").map_or(BASE_USUAL, String::as_str);
    let known = world.frankfurter.lock();
    if !known.contains_key(base) {
        return error(422, "invalid base");
    }
    let date = query.get("date").cloned().unwrap_or_else(|| today(world));
    if !is_date(&date) {
        return error(422, "invalid date");
    }
    let wanted = List::of(query.get("quotes"));
    let rows: Vec<String> = known
        .keys()
        .filter(|quote| *quote != base && wanted.has(quote) && mood.fault != Some(Fault::Empty))
        .filter_map(|quote| row(&known, &date, base, quote))
        .collect();
    reply::with_type(200, "application/json", format!("[{}]", rows.join(",")))
}

/// `GET /v2/rate/USD/VND`
fn pair(world: &World, base: &str, quote: &str) -> Response {
    match row(&world.frankfurter.lock(), &today(world), base, quote) {
        Some(row) => reply::with_type(200, "application/json", row),
        None => error(404, "not found"),
    }
}

/// `GET /v1/latest`: the European Central Bank's currencies only, so never the dong.
fn latest(world: &World, query: &HashMap<String, String>, mood: &Mood) -> Response {
    let base = query.get("base").or_else(|| query.get("from")).map_or(BASE_USUAL, String::as_str);
    let known = world.frankfurter.lock();
    if !table::is_of_the_ecb(base) || !known.contains_key(base) {
        return reply::json(404, &json!({ "message": "not found" }));
    }
    let wanted = List::of(query.get("symbols").or_else(|| query.get("to")));
    let rates: Vec<String> = known
        .keys()
        .filter(|quote| *quote != base && table::is_of_the_ecb(quote) && wanted.has(quote))
        .filter(|_| mood.fault != Some(Fault::Empty))
        .filter_map(|quote| Some(format!("\"{quote}\":{}", cross::rate(&known, base, quote)?)))
        .collect();
    let text = format!(
        "{{\"amount\":1.0,\"base\":\"{base}\",\"date\":\"{}\",\"rates\":{{{}}}}}",
        today(world),
        rates.join(",")
    );
    reply::with_type(200, "application/json", text)
}

/// `POST rate` with `{"currency": "VND", "rate": "26120.5"}`.
fn change(world: &World, call: &Call) -> Response {
    let order = call.json().unwrap_or_default();
    match (order["currency"].as_str(), order["rate"].as_str()) {
        (Some(currency), Some(rate)) if table::is_code(currency) => {
            world.frankfurter.lock().insert(currency.to_owned(), rate.to_owned());
            reply::json(200, &json!({ "base": "USD", "quote": currency, "rate": rate }))
        }
        _ => reply::json(422, &json!({ "error": "`currency` is three capitals, `rate` a number as text" })),
    }
}

fn row(known: &BTreeMap<String, String>, date: &str, base: &str, quote: &str) -> Option<String> {
    let rate = cross::rate(known, base, quote)?;
    let text = |value: &str| Value::from(value).to_string();
    Some(format!(
        "{{\"date\":{},\"base\":{},\"quote\":{},\"rate\":{rate}}}",
        text(date),
        text(base),
        text(quote)
    ))
}

/// A list of currencies in a query; without one all are meant.
struct List(Option<Vec<String>>);

impl List {
    fn of(text: Option<&String>) -> List {
        List(text.map(|text| text.split(',').map(|code| code.trim().to_owned()).collect()))
    }

    fn has(&self, code: &str) -> bool {
        self.0.as_ref().is_none_or(|codes| codes.iter().any(|wanted| wanted == code))
    }
}

impl Rates {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.for_one_dollar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn today(world: &World) -> String {
    Civil::utc(world.now()).iso_date()
}

/// `YYYY-MM-DD`, without a look into the calendar.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

fn error(status: u16, message: &str) -> Response {
    reply::json(status, &json!({ "status": status, "message": message }))
}
