//! `GET /v1/order`: filters, sorting and pages.

use std::collections::HashMap;

use axum::response::Response;
use serde_json::{Value, json};

use super::api::order_json;
use super::order::Order;
use super::{error, refusal};
use crate::call::Call;
use crate::door::Mood;
use crate::{Fault, World, calendar, reply};

const PER_PAGE: usize = 20;
const PER_PAGE_MAX: usize = 100;

/// What the query asks for.
struct Wish {
    filters: HashMap<String, String>,
    per_page: usize,
    page: usize,
    is_oldest_first: bool,
}

pub(super) fn of(world: &World, call: &Call, mood: &Mood) -> Response {
    let wish = match Wish::read(call.query()) {
        Ok(wish) => wish,
        Err(message) => return error(422, message),
    };
    let Some(skipped) = (wish.page - 1).checked_mul(wish.per_page) else { return refusal(422) };
    let shelf = world.sepay.lock();
    let fits = |order: &&Order| mood.fault != Some(Fault::Empty) && wish.takes(order);
    let mut found: Vec<&Order> = shelf.ids().filter_map(|invoice| shelf.get(invoice)).filter(fits).collect();
    if !wish.is_oldest_first {
        found.reverse();
    }
    let total = found.len();
    let page: Vec<Value> = found.into_iter().skip(skipped).take(wish.per_page).map(order_json).collect();
    let meta = json!({
        "per_page": wish.per_page,
        "total": total,
        "has_more": skipped.saturating_add(page.len()) < total,
        "current_page": wish.page,
        "page_count": total.div_ceil(wish.per_page),
    });
    let meta = match mood.fault {
        Some(Fault::Unmarked) => {
            json!({ "per_page": wish.per_page, "has_more": false, "current_page": wish.page })
        }
        _ => meta,
    };
    reply::json(200, &json!({ "data": page, "meta": meta }))
}

impl Wish {
    fn read(filters: HashMap<String, String>) -> Result<Wish, &'static str> {
        let number = |name: &str, default| match filters.get(name) {
            None => Some(default),
            Some(text) => text.parse().ok().filter(|number: &usize| *number > 0),
        };
        let is_oldest_first = match filters.get("sort").map(String::as_str) {
            None | Some("created_at:desc") => false,
            Some("created_at:asc") => true,
            Some(_) => return Err("sort: created_at:desc or created_at:asc"),
        };
        let per_page = number("per_page", PER_PAGE).ok_or("per_page: a whole number above zero")?;
        let page = number("page", 1).ok_or("page: a whole number above zero")?;
        Ok(Wish { per_page: per_page.min(PER_PAGE_MAX), page, is_oldest_first, filters })
    }

    fn takes(&self, order: &Order) -> bool {
        let created = calendar::text(order.created_at);
        let status = serde_json::to_value(order.status).unwrap_or_default();
        self.filters.iter().all(|(name, wanted)| match name.as_str() {
            "q" => is_found(order, wanted),
            "order_status" => status == wanted.as_str(),
            "customer_id" => order.field("customer_id") == Some(wanted),
            "created_at" => created.starts_with(wanted.as_str()),
            "from_created_at" => created.as_str() >= wanted.as_str(),
            // The docs name the first, the SDKs the second. A bare day includes that day.
            "end_created_at" | "to_created_at" => {
                created.get(..wanted.len()).unwrap_or(&created) <= wanted.as_str()
            }
            _ => true,
        })
    }
}

fn is_found(order: &Order, words: &str) -> bool {
    let texts = [Some(&*order.invoice), Some(&*order.order_id), order.field("order_description")];
    texts.into_iter().flatten().any(|text| text.contains(words))
}
