//! What actors have gathered, fetched page by page.

use super::apify::{CAPTIONS, IMPATIENT, VIDEOS, captions, page, path, query, table, vendor, videos};
use super::stand::{Received, Reply, Say, json, reply};
use super::world::World;
use serde_json::{Value, json};

fn is_items(request: &Received) -> bool {
    path(request) == "/apify/datasets/data1/items"
}

fn items(count: usize) -> Vec<Value> {
    (0..count).map(|at| json!({"title": format!("video {at}"), "viewCount": at, "likes": null})).collect()
}

#[tokio::test]
async fn rows_come_in_pages_and_no_more_than_were_asked_for() {
    let world = World::start(|request| vendor(request, &items(250))).await;
    let told = world.order(VIDEOS, videos(220)).await;
    let rows = table(&told);
    assert_eq!((rows.len(), &rows[219]["title"]), (220, &json!("video 219")));
    let asked: Vec<_> = world.stand.requests().into_iter().filter(is_items).collect();
    let pages: Vec<_> = asked
        .iter()
        .map(|request| (query(request, "offset").unwrap(), query(request, "limit").unwrap()))
        .collect();
    let page = |offset: &str| (offset.to_owned(), "100".to_owned());
    assert_eq!(pages, [page("0"), page("100"), page("200")]);
    assert!(asked.iter().all(|request| query(request, "skipHidden").as_deref() == Some("1")));
}

#[tokio::test]
async fn rows_that_tell_of_an_error_are_left_out() {
    let mut mixed = items(3);
    mixed.insert(1, json!({"url": "x", "error": "Request blocked"}));
    mixed.extend([json!({}), json!(null), json!("x")]);
    let world = World::start(move |request| vendor(request, &mixed)).await;
    assert_eq!(table(&world.order(VIDEOS, videos(10)).await).len(), 3);
}

#[tokio::test]
async fn a_success_that_gathered_nothing_is_an_empty_answer_at_its_cost() {
    let blocked = json!({"url": "x", "error": "Captions are disabled for this video"});
    for (step, order) in [(CAPTIONS, captions(None)), (VIDEOS, videos(5))] {
        for rows in [Vec::new(), vec![blocked.clone()]] {
            let world = World::start(move |request| vendor(request, &rows)).await;
            let told = world.order(step, order.clone()).await;
            assert_eq!(told.failure(), ("empty_answer", vec!["empty_answer"]), "{step:?}");
            let attempt = &told.outcome.unwrap_err().attempts[0];
            assert_eq!((attempt.cost, attempt.cost_is_estimated), ("0.605".parse().unwrap(), false));
        }
    }
}

#[tokio::test]
async fn rows_that_show_up_a_moment_after_the_end_are_taken() {
    let world = World::start(|request| match (is_items(request), request.nth) {
        (true, 0) => json(200, &json!([])),
        _ => vendor(request, &items(2)),
    })
    .await;
    assert_eq!(table(&world.order(VIDEOS, videos(5)).await).len(), 2);
}

#[tokio::test]
async fn a_page_that_can_not_be_read_is_asked_for_again() {
    let world = World::start(|request| match (is_items(request), request.nth) {
        (true, 0) => vec![Say::Cut],
        (true, 1) => reply(500, &[], ""),
        (true, 2) => reply(404, &[], "{}"),
        (true, 3) => reply(200, &[], "<html>"),
        (true, 4) => json(200, &json!({"error": {"type": "x"}})),
        (true, 5) => reply(302, &[("location", "http://elsewhere.test/")], ""),
        _ => vendor(request, &items(2)),
    })
    .await;
    assert_eq!(table(&world.order(VIDEOS, videos(5)).await).len(), 2);
}

#[tokio::test]
async fn rows_that_never_come_are_paid_and_given_up() {
    let world = World::with([IMPATIENT], |request| match is_items(request) {
        true => reply(500, &[], ""),
        false => vendor(request, &[]),
    })
    .await;
    let told = world.order(CAPTIONS, captions(None)).await;
    assert_eq!(told.failure(), ("unavailable", vec!["unavailable"]));
    assert_eq!(told.outcome.unwrap_err().attempts[0].cost, "0.605".parse().unwrap());
}

#[tokio::test]
async fn large_pages_are_asked_for_in_pieces_and_too_large_rows_left_out() {
    let mut rows = items(60);
    for row in rows.iter_mut().take(50) {
        row["text"] = json!("x".repeat(100_000));
    }
    rows[7]["text"] = json!("x".repeat(3_000_000));
    let world = World::start(move |request| large(request, &rows)).await;
    let told = world.order(VIDEOS, videos(60)).await;
    let titles: Vec<&Value> = table(&told).iter().map(|row| &row["title"]).collect();
    assert_eq!(titles.len(), 59);
    assert!(!titles.contains(&&json!("video 7")) && titles.contains(&&json!("video 59")));
}

fn large(request: &Received, rows: &[Value]) -> Reply {
    if is_items(request) { page(request, rows) } else { vendor(request, rows) }
}

#[tokio::test]
async fn no_more_is_held_than_fits_into_memory() {
    let mut rows = items(100);
    for row in &mut rows {
        row["text"] = json!("x".repeat(150_000));
    }
    let world = World::start(move |request| large(request, &rows)).await;
    let taken = table(&world.order(VIDEOS, videos(100)).await).len();
    assert!((50..80).contains(&taken), "{taken} rows of 15 MB");
}
