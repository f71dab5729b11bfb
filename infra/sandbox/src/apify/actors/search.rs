//! Google's results, in the shape of apify/google-search-scraper: a row is a page.

use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use crate::apify::input::Input;
use crate::ids;

const PER_PAGE: u64 = 10;
const PAGES_MAX: u64 = 10;
const SITES: [&str; 5] =
    ["vnexpress.example", "tinhte.example", "blog.example", "wiki.example", "review.example"];

pub(super) fn pages(input: &Input) -> Result<Vec<Value>, &'static str> {
    let queries = input.texts(&["queries"]);
    if queries.is_empty() {
        return Err("queries");
    }
    let pages = input.count("maxPagesPerQuery").unwrap_or(1).clamp(1, PAGES_MAX);
    let country = input.text("countryCode").unwrap_or("US");
    let language = input.text("languageCode").unwrap_or_default();
    let rows = queries.iter().flat_map(|query| {
        (1..=pages).map(|page| row(query, page, page < pages, country, language)).collect::<Vec<_>>()
    });
    Ok(rows.collect())
}

fn row(query: &str, page: u64, has_next: bool, country: &str, language: &str) -> Value {
    let first = (page - 1) * PER_PAGE + 1;
    let encoded: String = byte_serialize(query.as_bytes()).collect();
    let url =
        format!("http://www.google.com/search?q={encoded}&gl={country}&hl={language}&start={}", first - 1);
    let organic: Vec<Value> = (first..first + PER_PAGE).map(|position| organic(query, position)).collect();
    json!({
        "searchQuery": {
            "term": query, "device": "DESKTOP", "page": page, "type": "SEARCH", "domain": "google.com",
            "countryCode": country, "languageCode": language, "locationUule": null, "resultsPerPage": "10",
        },
        "url": url,
        "hasNextPage": has_next,
        "resultsTotal": 1_000 + (ids::hash(query) >> 40),
        "relatedQueries": [{ "title": format!("{query} giá rẻ"), "url": format!("{url}&related=1") }],
        "peopleAlsoAsk": [{
            "question": format!("{query} là gì?"), "answer": format!("{query} là một từ khoá của sandbox."),
            "url": organic[0]["url"], "title": organic[0]["title"],
        }],
        "paidResults": [],
        "paidProducts": (0..3).map(|place| paid(query, place)).collect::<Vec<_>>(),
        "organicResults": organic,
        "suggestedResults": [],
        "customData": null,
        "#debug": { "requestId": format!("{:x}", ids::hash(&url)), "statusCode": 200 },
        "#error": false,
    })
}

/// One result; the same query and position always give the same.
pub(super) fn organic(query: &str, position: u64) -> Value {
    let mark = ids::hash(&format!("{query} {position}")) >> 16;
    let site = SITES[usize::try_from(mark % SITES.len() as u64).unwrap_or(0)];
    json!({
        "title": format!("{query} – bài số {position}"),
        "url": format!("https://{site}/{mark:x}"),
        "displayedUrl": format!("https://{site} › bai-viet"),
        "description": format!("Tất cả về {query}: kinh nghiệm, giá bán và so sánh, cập nhật mới nhất."),
        "emphasizedKeywords": [query],
        "siteLinks": [],
        "productInfo": {},
        "type": "organic",
        "position": position,
    })
}

fn paid(query: &str, place: u64) -> Value {
    let product = super::shop::Product::of(query, place);
    json!({
        "title": product.title,
        "url": product.url,
        "displayedUrl": product.seller,
        "description": null,
        "prices": [product.price_text()],
    })
}
