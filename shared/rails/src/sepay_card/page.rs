//! The page between us and SePay: it says what will be paid, and its only button posts the signed form.

use super::CheckoutForm;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use std::fmt::Write;

const STYLE: &str = "body{font:1.125rem/1.5 system-ui,sans-serif;max-width:30rem;margin:15vh auto;padding:0 1rem}\
dt{opacity:.75}dd{margin:0 0 1rem;overflow-wrap:anywhere}\
button{font:inherit;font-weight:600;padding:.75rem 1.5rem;cursor:pointer}";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageLanguage {
    English,
    Vietnamese,
}

/// A whole HTML document without scripts. The caller's CSP needs `form-action` [`CheckoutForm::targets`] and
/// `style-src` [`page_style_source`], and nothing else. It must be sent as UTF-8.
pub fn checkout_page(form: &CheckoutForm, brand: &str, language: PageLanguage) -> String {
    let words = language.words();
    let (brand, action) = (escaped(brand), escaped(&form.action));
    let amount = grouped(form.value("order_amount"), words.separator);
    let description = escaped(form.value("order_description"));
    let invoice = escaped(form.value("order_invoice_number"));
    let Words { tag, title, amount: amount_label, order, reference, button, .. } = words;
    format!(
        "<!doctype html>\n<html lang=\"{tag}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><title>{title} – {brand}</title><style>{STYLE}</style></head>\n\
         <body><main><h1>{brand}</h1>\n<dl><dt>{amount_label}</dt><dd><strong>{amount} VND</strong></dd>\
         <dt>{order}</dt><dd>{description}</dd><dt>{reference}</dt><dd>{invoice}</dd></dl>\n\
         <form method=\"post\" action=\"{action}\" accept-charset=\"utf-8\">\n{inputs}\
         <button type=\"submit\">{button}</button></form></main></body></html>\n",
        inputs = inputs(form),
    )
}

/// The hash that admits the page's style under a CSP, with its quotes: `'sha256-…'`.
pub fn page_style_source() -> String {
    let hash = digest::digest(&digest::SHA256, STYLE.as_bytes());
    format!("'sha256-{}'", STANDARD.encode(hash))
}

/// Firefox would put old values back after a reload, hence `autocomplete`.
fn inputs(form: &CheckoutForm) -> String {
    form.fields.iter().fold(String::new(), |mut html, field| {
        let (name, value) = (escaped(field.name), escaped(&field.value));
        let _ =
            writeln!(html, "<input type=\"hidden\" autocomplete=\"off\" name=\"{name}\" value=\"{value}\">");
        html
    })
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut html, c| {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
        html
    })
}

fn grouped(digits: &str, separator: char) -> String {
    let count = digits.len();
    digits.chars().enumerate().fold(String::new(), |mut text, (i, digit)| {
        if i > 0 && (count - i).is_multiple_of(3) {
            text.push(separator);
        }
        text.push(digit);
        text
    })
}

struct Words {
    tag: &'static str,
    title: &'static str,
    amount: &'static str,
    order: &'static str,
    reference: &'static str,
    button: &'static str,
    separator: char,
}

impl PageLanguage {
    fn words(self) -> Words {
        match self {
            PageLanguage::English => Words {
                tag: "en",
                title: "Payment",
                amount: "You will pay",
                order: "For",
                reference: "Reference",
                button: "Continue to SePay",
                separator: ',',
            },
            PageLanguage::Vietnamese => Words {
                tag: "vi",
                title: "Thanh toán",
                amount: "Số tiền cần thanh toán",
                order: "Nội dung",
                reference: "Mã đơn hàng",
                button: "Tiếp tục đến SePay",
                separator: '.',
            },
        }
    }
}
