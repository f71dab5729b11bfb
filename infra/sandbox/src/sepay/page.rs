//! The pages a shopper sees.

use super::form::FormRefusal;
use super::order::{Method, Order, Status};

const STYLE: &str = "\
:root{color-scheme:light dark;--bg:#f5f4f0;--card:#fff;--ink:#1d1f24;--soft:#6a6f7a;--line:#e2e0d8;--mark:#2f5fd0}\
@media(prefers-color-scheme:dark){:root{--bg:#15171b;--card:#1e2126;--ink:#e8e8e6;--soft:#9aa0ab;--line:#30343b;--mark:#8aabff}}\
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,sans-serif}\
main{max-width:26rem;margin:0 auto;padding:2rem 1rem}section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1.2rem}\
h1{font-size:1.2rem;margin:0 0 .6rem}p{margin:0 0 .8rem;overflow-wrap:anywhere}.sum{font-size:1.9rem;font-weight:650}.soft{color:var(--soft);font-size:.92rem}\
pre{background:var(--bg);border-radius:8px;padding:.7rem;white-space:pre-wrap;overflow-wrap:anywhere;font:.82rem/1.45 ui-monospace,monospace}\
form{margin-top:.6rem}button{font:inherit;font-weight:600;color:inherit;width:100%;min-height:2.8rem;border:1px solid var(--line);border-radius:8px;background:var(--bg);cursor:pointer}\
button.main{background:var(--mark);border-color:var(--mark);color:var(--card)}:focus-visible{outline:2px solid var(--mark);outline-offset:2px}";

/// What is to be paid, and the buttons.
pub(super) fn checkout(order: &Order) -> String {
    let summary = format!(
        "<p class=\"sum\">{} ₫</p><p>{}</p><p class=\"soft\">Invoice {} · order {}</p>",
        grouped(order.amount),
        escaped(order.field("order_description").unwrap_or_default()),
        escaped(&order.invoice),
        escaped(&order.order_id),
    );
    let rest = match order.status {
        Status::Waiting => buttons(order),
        Status::Captured => "<p>This order is paid.</p>".to_owned(),
        Status::Cancelled => "<p>This order was cancelled.</p>".to_owned(),
    };
    document("Pay · SePay sandbox", &format!("{summary}{rest}"))
}

/// Why the form was refused; for a wrong signature also the message that should have been signed.
pub(super) fn refused(refusal: &FormRefusal) -> String {
    let detail = match refusal {
        FormRefusal::Signature(message) => format!(
            "<p class=\"soft\">These fields arrived, in this order, and were signed with the merchant's secret:</p>\
             <pre>{}</pre>",
            escaped(message)
        ),
        _ => String::new(),
    };
    let body = format!("<h1>The form was refused</h1><p>{}.</p>{detail}", escaped(&refusal.to_string()));
    document("Refused · SePay sandbox", &body)
}

/// A page with one sentence.
pub(super) fn message(title: &str, text: &str) -> String {
    let body = format!("<h1>{}</h1><p>{}</p>", escaped(title), escaped(text));
    document("SePay sandbox", &body)
}

fn buttons(order: &Order) -> String {
    let pay = match order.method {
        Method::Card => "Pay with test card",
        Method::BankTransfer | Method::NapasBankTransfer => "Pay by test transfer",
    };
    let card = match order.method {
        Method::Card => "<p class=\"soft\">VISA 4111 1111 1111 1111 · 12/30 · no money moves</p>",
        Method::BankTransfer | Method::NapasBankTransfer => "<p class=\"soft\">No money moves.</p>",
    };
    let button = |name: &str, style: &str, label: &str| {
        let action = format!("/sandbox/sepay/checkout/{}/{name}", escaped(&order.order_id));
        format!("<form method=\"post\" action=\"{action}\"><button{style}>{label}</button></form>")
    };
    let (pay, decline) = (button("pay", " class=\"main\"", pay), button("decline", "", "Decline"));
    format!("{card}{pay}{decline}{}", button("cancel", "", "Cancel"))
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main><section>{body}</section></main></body></html>"
    )
}

/// Vietnam writes 1.299.000.
fn grouped(amount: u64) -> String {
    let digits = amount.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('.');
        }
        text.push(digit);
    }
    text
}

/// Text that cannot become markup, in content and in attributes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
