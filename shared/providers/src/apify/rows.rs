use super::Apify;
use crate::failure::{Failure, FailureClass};
use crate::lenient;
use crate::pace::{Looks, Sight};
use crate::wire::{self, Unread};
use serde_json::{Map, Value};
use tokio::time::Instant;
use tracing::warn;

pub(super) type Row = Map<String, Value>;

/// How many items are asked for at once, at first.
const PAGE: usize = 100;
/// The largest page that is read; a larger one is asked for in smaller pieces.
const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// All rows of a run together: what is beyond is left out.
const ROWS_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How often an empty dataset is looked at: what a run has stored shows up a moment later.
const EMPTY_LOOKS: u32 = 2;

/// One page of a dataset.
enum Page {
    Items { items: Vec<Value>, bytes: usize },
    TooLarge,
    Nothing,
}

impl Apify {
    /// The rows of a dataset, at most `rows_max`, without those that only tell of an error. They are paid, so they are asked for
    /// again until `limit`.
    pub(super) async fn rows(
        &self,
        dataset: &str,
        rows_max: usize,
        limit: Instant,
    ) -> Result<Vec<Row>, Failure> {
        let mut looks = Looks::new(self.timing.poll, limit);
        let (mut rows, mut offset, mut page, mut bytes, mut empty) = (Vec::new(), 0, PAGE, 0, 0);
        while rows.len() < rows_max {
            match self.page(dataset, offset, page, looks.until()).await {
                Page::Items { items, .. } if items.is_empty() && offset == 0 && empty + 1 < EMPTY_LOOKS => {
                    empty += 1;
                }
                Page::Items { items, bytes: more } => {
                    looks.note(Sight::Seen);
                    let is_last = items.len() < page;
                    (offset, bytes) = (offset + items.len(), bytes + more);
                    rows.extend(items.into_iter().flat_map(flat));
                    if is_last {
                        break;
                    }
                    if bytes > ROWS_BYTES_MAX {
                        warn!(
                            provider.name = "apify",
                            "a dataset is larger than all that is taken; its rest is left out"
                        );
                        break;
                    }
                    continue;
                }
                Page::TooLarge if page > 1 => {
                    page = page.div_ceil(4);
                    continue;
                }
                Page::TooLarge => {
                    warn!(
                        provider.name = "apify",
                        "a row is larger than a whole page may be; it is left out"
                    );
                    offset += 1;
                    continue;
                }
                Page::Nothing => looks.note(Sight::Nothing),
            }
            if !looks.pause().await {
                return Err(FailureClass::Unavailable.into());
            }
        }
        rows.truncate(rows_max);
        Ok(rows)
    }

    async fn page(&self, dataset: &str, offset: usize, count: usize, limit: Instant) -> Page {
        let Ok(mut url) = self.at(&format!("datasets/{dataset}/items")) else { return Page::Nothing };
        // `clean` would leave out empty rows too, and a short page would not be the last.
        url.query_pairs_mut()
            .append_pair("format", "json")
            .append_pair("skipHidden", "1")
            .append_pair("offset", &offset.to_string())
            .append_pair("limit", &count.to_string());
        let Ok(response) = wire::send(&self.platform, wire::get(url, &self.headers), limit).await else {
            return Page::Nothing;
        };
        if !response.status().is_success() {
            return Page::Nothing;
        }
        match wire::body(response, PAGE_BYTES_MAX, limit).await {
            Err(Unread::TooLarge) => Page::TooLarge,
            Err(Unread::Cut) => Page::Nothing,
            Ok(body) => match lenient::document(&body) {
                Some(Value::Array(items)) => Page::Items { items, bytes: body.len() },
                _ => Page::Nothing,
            },
        }
    }
}

/// An item as rows: a page of a search engine is one row for each of its results, an error is none.
fn flat(item: Value) -> Vec<Row> {
    let Value::Object(mut row) = item else { return Vec::new() };
    let tells_an_error = row.get("error").is_some_and(|error| !lenient::is_nothing(error));
    if tells_an_error || row.values().all(Value::is_null) {
        return Vec::new();
    }
    match row.remove("organicResults") {
        Some(Value::Array(results)) => {
            let of_page = |name: &str| row.get("searchQuery").map_or(&Value::Null, |query| &query[name]);
            let (query, page) = (of_page("term").clone(), of_page("page").clone());
            let results = results.into_iter().filter_map(|result| match result {
                Value::Object(result) => Some(result),
                _ => None,
            });
            let named = |result: Row| {
                let mut named =
                    Row::from_iter([("query".to_owned(), query.clone()), ("page".to_owned(), page.clone())]);
                named.extend(result);
                named
            };
            results.map(named).collect()
        }
        Some(other) => {
            row.insert("organicResults".to_owned(), other);
            vec![row]
        }
        None => vec![row],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_are_no_rows_and_a_page_of_results_is_as_many() {
        let rows = |item: Value| -> Vec<Value> { flat(item).into_iter().map(Value::Object).collect() };
        let plain = json!({"title": "a", "likes": null, "error": null});
        assert_eq!(rows(plain.clone()), [plain]);
        for nothing in [
            json!({"url": "x", "error": "Request blocked"}),
            json!({"error": {"message": "x"}}),
            json!({}),
            json!({"title": null}),
            json!(["a"]),
            json!("a"),
            json!(null),
        ] {
            assert!(rows(nothing.clone()).is_empty(), "{nothing}");
        }
        let page = json!({
            "searchQuery": {"term": "xe đạp", "page": 2},
            "paidResults": [{"title": "ad"}],
            "organicResults": [{"title": "a", "position": 11}, null, {"title": "b", "position": 12}],
        });
        let result = |title: &str, position: u64| json!({"query": "xe đạp", "page": 2, "title": title, "position": position});
        assert_eq!(rows(page), [result("a", 11), result("b", 12)]);
        assert!(rows(json!({"searchQuery": null, "organicResults": []})).is_empty());
        let odd = json!({"organicResults": null, "title": "a"});
        assert_eq!(rows(odd.clone()), [odd]);
    }
}
