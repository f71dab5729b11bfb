//! Orders under a key of the caller's own: one intention is one order, however often it is sent.

use super::desk::{Desk, at_once, top_up};
use super::orders::{HOUR, MINUTE, ask, cancel, list};
use crate::books;
use crate::world::{Answer, Person};
use serde_json::Value;

/// Orders under a key of the caller's own.
async fn ask_as(person: &Person, key: &str, wish: &Value) -> Answer {
    let request = person.request("POST", "/v1/top-ups").header("content-type", "application/json");
    let request = request.header("idempotency-key", key).body(wish.to_string());
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn the_same_key_shows_the_same_order_and_another_wish_under_it_is_refused() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let wish = top_up("viet_qr", 500);
    let first = ask_as(&ann, "monday", &wish).await;
    assert_eq!(first.status, 201, "{}", first.text);

    desk.world.advance(MINUTE);
    let again = ask_as(&ann, "monday", &wish).await;
    assert_eq!((again.status, &again.body), (201, &first.body), "at another time, too");
    for other in [top_up("viet_qr", 2000), top_up("tron_usdt", 500)] {
        let refused = ask_as(&ann, "monday", &other).await;
        assert_eq!((refused.status, refused.problem()), (409, "idempotency_conflict"), "{other}");
    }
    assert_eq!(list(&ann).await, std::slice::from_ref(&first.body));

    let other = ask_as(&bob, "monday", &wish).await;
    assert!(
        other.status == 201 && other.body["id"] != first.body["id"],
        "another person's key is another key"
    );
    assert!(ask_as(&ann, "tuesday", &wish).await.body["id"] != first.body["id"]);
    let (one, two) = (ask(&ann, &wish).await, ask(&ann, &wish).await);
    assert!(
        one.body["id"] != two.body["id"] && one.body["reference"] != two.body["reference"],
        "without a key"
    );

    // What became of the order shows under its key as well, and after 48 hours the key is free.
    assert_eq!(cancel(&ann, &first.body).await.status, 200);
    assert_eq!(ask_as(&ann, "monday", &wish).await.body["status"], "cancelled");
    desk.world.advance(48 * HOUR);
    let anew = ask_as(&ann, "monday", &top_up("tron_usdt", 500)).await;
    assert!(anew.status == 201 && anew.body["id"] != first.body["id"], "{}", anew.text);
    books::check(&desk.world).await;
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_instead_of_being_left_out() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    for keys in [vec![""], vec!["two words"], vec!["a", "b"], vec![&"x".repeat(256)]] {
        let mut request = ann.request("POST", "/v1/top-ups").header("content-type", "application/json");
        for key in &keys {
            request = request.header("idempotency-key", *key);
        }
        let refused =
            Answer::of(request.body(top_up("viet_qr", 500).to_string()).send().await.unwrap()).await;
        assert_eq!((refused.status, refused.problem()), (400, "invalid_request"), "{keys:?}");
    }
    assert!(list(&ann).await.is_empty());
}

#[tokio::test]
async fn an_order_shows_under_its_key_while_all_places_are_taken() {
    let desk = Desk::with(&[("OPEN_TOP_UPS_MAX", "1")]).await;
    let ann = desk.world.person("ann");
    let wish = top_up("viet_qr", 500);
    let first = ask_as(&ann, "mine", &wish).await;
    assert_eq!((first.status, &ask_as(&ann, "mine", &wish).await.body), (201, &first.body));
    assert_eq!(ask_as(&ann, "other", &wish).await.problem(), "too_many_open_top_ups");
    assert_eq!(ask(&ann, &wish).await.problem(), "too_many_open_top_ups");
    assert_eq!(
        books::scan(&desk.world, "payment_references").await.len(),
        2,
        "a refused key is not remembered"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_requests_at_once_with_one_key_make_one_order_even_in_the_last_free_place() {
    for open_max in ["5", "1"] {
        let desk = Desk::with(&[("OPEN_TOP_UPS_MAX", open_max)]).await;
        let ann = desk.world.person("ann");
        ann.balance().await;
        let other = desk.world.instance(&[]).await;
        let asked = at_once((0..20).map(|nth| {
            let ann = if nth % 2 == 0 { ann.clone() } else { ann.at(&other.base) };
            async move { ask_as(&ann, "once", &top_up("tron_usdt", 500)).await }
        }))
        .await;
        for answer in &asked {
            assert_eq!((answer.status, &answer.body), (201, &asked[0].body), "{open_max}: {}", answer.text);
        }
        assert_eq!(list(&ann).await.len(), 1);
        assert_eq!(books::scan(&desk.world, "payment_references").await.len(), 2, "the amount and the key");
    }
}
