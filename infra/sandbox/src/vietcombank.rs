//! Vietcombank's board of exchange rates, the XML feed of its portal.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use http::Method;
use serde_json::{Map, Value, json};

mod board;

use crate::call::Call;
use crate::civil::Civil;
use crate::door::Mood;
use crate::{Fault, Sandbox, World, reply};
use board::Line;

/// What the bank shows today.
pub(crate) struct Board {
    shown: Mutex<Shown>,
}

struct Shown {
    lines: Vec<Line>,
    /// The feed's date as it is written; otherwise the sandbox's clock.
    date: Option<String>,
}

impl Default for Board {
    fn default() -> Self {
        Board { shown: Mutex::new(Shown { lines: board::usual(), date: None }) }
    }
}

impl Sandbox {
    /// Sets what the bank asks for a dollar, as the feed writes it: `26,270.00`, `-`, or any other text.
    pub fn set_usd_sell(&self, text: &str) {
        self.world.vietcombank.lock().usd().sell = text.to_owned();
    }

    /// Sets the date the feed carries, as it is written; `None` follows the sandbox's clock in Vietnam's time.
    pub fn set_feed_date(&self, text: Option<&str>) {
        self.world.vietcombank.lock().date = text.map(str::to_owned);
    }
}

pub(crate) fn answer(world: &World, call: &Call, mood: &Mood) -> Response {
    match (&call.method, call.segments().as_slice()) {
        (&Method::GET, ["Usercontrols", "TVPortal.TyGia", "pXML.aspx"]) => {
            reply::with_type(200, "text/xml; charset=utf-8", feed(world, mood))
        }
        (&Method::POST, ["rate"]) => change(world, call),
        _ => refusal(404),
    }
}

/// The portal's error pages are HTML.
pub(crate) fn refusal(status: u16) -> Response {
    reply::proxy_page(status)
}

fn feed(world: &World, mood: &Mood) -> String {
    let shown = world.vietcombank.lock();
    let date = shown.date.clone().unwrap_or_else(|| Civil::vietnam(world.now()).us_text());
    let lines: String = match mood.fault {
        Some(Fault::Empty) => String::new(),
        _ => shown.lines.iter().map(Line::xml).collect(),
    };
    format!(
        "<!--For reference only. Only one request every 5 minutes!-->\r\n<ExrateList>\r\n  \
         <DateTime>{}</DateTime>\r\n{lines}  \
         <Source>Joint Stock Commercial Bank for Foreign Trade of Vietnam - Vietcombank</Source>\r\n\
         </ExrateList>\r\n",
        board::escaped(&date)
    )
}

/// `POST rate`: `usd_buy`, `usd_transfer`, `usd_sell` and `date` as raw texts; a `date` of null follows the
/// clock again. What is absent stays.
fn change(world: &World, call: &Call) -> Response {
    let changes: Map<String, Value> = match serde_json::from_slice(&call.body) {
        Ok(changes) => changes,
        Err(error) => return reply::json(422, &json!({ "error": error.to_string() })),
    };
    let mut shown = world.vietcombank.lock();
    for (name, value) in &changes {
        match (name.as_str(), value.as_str()) {
            ("usd_buy", Some(text)) => shown.usd().buy = text.to_owned(),
            ("usd_transfer", Some(text)) => shown.usd().transfer = text.to_owned(),
            ("usd_sell", Some(text)) => shown.usd().sell = text.to_owned(),
            ("date", Some(text)) => shown.date = Some(text.to_owned()),
            ("date", None) if value.is_null() => shown.date = None,
            _ => {
                let error = format!("`{name}`: usd_buy, usd_transfer, usd_sell or date, each a text");
                return reply::json(422, &json!({ "error": error }));
            }
        }
    }
    let usd = shown.usd();
    let rates = json!({ "usd_buy": usd.buy, "usd_transfer": usd.transfer, "usd_sell": usd.sell });
    reply::json(200, &rates)
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    /// The dollar's line.
    fn usd(&mut self) -> &mut Line {
        let place = self.lines.iter().position(|line| line.code == "USD").unwrap_or_default();
        &mut self.lines[place]
    }
}
