//! Products with their prices: apify/e-commerce-scraping-tool, whose fields differ by shop, and rows of our own.

use serde_json::{Value, json};

use super::search::organic;
use crate::apify::input::Input;
use crate::ids;

const RESULTS: u64 = 10;
const RESULTS_MAX: u64 = 500;
const SELLERS: [&str; 3] = ["shopviet.example", "cho-lon.example", "mall.example"];

pub(super) struct Product {
    pub(super) title: String,
    pub(super) url: String,
    pub(super) seller: &'static str,
    dong: u64,
    mark: u64,
}

impl Product {
    pub(super) fn of(query: &str, place: u64) -> Product {
        let mark = ids::hash(&format!("product {query} {place}")) >> 16;
        let seller = SELLERS[usize::try_from(mark % SELLERS.len() as u64).unwrap_or(0)];
        Product {
            title: format!("{query} loại {}", place + 1),
            url: format!("https://{seller}/san-pham/{mark:x}"),
            seller,
            dong: (50 + mark % 9_950) * 1_000,
            mark,
        }
    }

    /// `1.290.000 ₫`
    pub(super) fn price_text(&self) -> String {
        let digits = self.dong.to_string();
        let mut text = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push('.');
            }
            text.push(digit);
        }
        text + " ₫"
    }

    /// Some shops give a number, others a text; they name the currency differently too.
    fn scraped(&self) -> Value {
        let offers = match self.seller {
            "mall.example" => json!({ "price": self.price_text(), "currency": "VND" }),
            _ => json!({ "price": self.dong, "priceCurrency": "VND" }),
        };
        json!({
            "url": self.url,
            "name": self.title,
            "description": format!("{}, hàng chính hãng", self.title),
            "offers": offers,
            "brand": { "slogan": "Sandbox" },
            "image": format!("{}.jpg", self.url),
        })
    }
}

/// apify/e-commerce-scraping-tool.
pub(super) fn products(input: &Input) -> Result<Vec<Value>, &'static str> {
    let sources = input.texts(&["keyword", "keywords", "detailsUrls", "listingUrls", "startUrls"]);
    if sources.is_empty() {
        return Err("keyword");
    }
    let results = input.count("maxProductResults").unwrap_or(RESULTS).min(RESULTS_MAX);
    let rows = sources
        .iter()
        .flat_map(|of| (0..results).map(|place| Product::of(of, place).scraped()).collect::<Vec<_>>());
    Ok(rows.collect())
}

/// Results and products in one list, told apart by `type`.
pub(super) fn market(input: &Input) -> Result<Vec<Value>, &'static str> {
    let queries = input.texts(&["queries", "query", "keywords", "keyword"]);
    if queries.is_empty() {
        return Err("queries");
    }
    let results = input.count("maxItems").unwrap_or(RESULTS).min(RESULTS_MAX);
    Ok(queries
        .iter()
        .flat_map(|query| (0..results).map(|place| mixed(query, place)).collect::<Vec<_>>())
        .collect())
}

/// Every third row is a product.
fn mixed(query: &str, place: u64) -> Value {
    if place % 3 < 2 {
        let result = organic(query, place + 1);
        return json!({
            "type": "result", "query": query, "position": place + 1,
            "title": result["title"], "url": result["url"], "description": result["description"],
        });
    }
    let product = Product::of(query, place);
    json!({
        "type": "product", "query": query, "position": place + 1,
        "title": product.title, "url": product.url, "description": format!("Bán bởi {}", product.seller),
        "price": product.dong, "currency": "VND", "priceText": product.price_text(),
        "seller": product.seller, "rating": 3 + product.mark % 3, "reviewsCount": product.mark % 900,
    })
}
