//! Two indexes of one chain: neither's word about the end of its list, or about how often a row stands in it, is taken
//! for the truth, and each is compared with the other.

use super::desk::{Desk, micros};
use crate::books;
use crate::world::{Answer, Person, http};
use payments::RailReport;
use sandbox::{Fault, FaultRule, Service, UsdtWish};
use serde_json::{Value, json};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn exact(order: &Value) -> UsdtWish {
    UsdtWish { confirmed: Some(true), ..UsdtWish::of(micros(order)) }
}

fn break_index(desk: &Desk, service: Service, fault: Fault) {
    desk.world.sandbox.faults().set(service, FaultRule::always(fault));
}

/// A crowd of transfers below a cent in one block: they fill the pages and are worth nothing.
async fn crowd(desk: &Desk, times: u32) {
    let url = format!("{}/sandbox/tronscan/transfers", desk.world.outside());
    let order = json!({ "amount_micros": 9_999, "times": times, "confirmed": true }).to_string();
    let request = http().post(url).header("content-type", "application/json").body(order);
    let sent = Answer::of(request.send().await.unwrap()).await;
    assert!(sent.status < 300, "{}", sent.text);
}

async fn claim(person: &Person, tx: &str) -> Answer {
    person.send("POST", "/v1/top-ups/claims", &json!({ "transaction_id": tx })).await
}

async fn compared(desk: &Desk) -> RailReport {
    desk.reconcile().await.into_iter().find(|report| report.rail == "tron_usdt").unwrap()
}

fn credits(order: &Value) -> u64 {
    order["credits"]["amount"].as_u64().unwrap()
}

#[tokio::test]
async fn what_lies_behind_a_full_page_without_a_mark_is_found() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let (hers, his) = (desk.order(&ann, "tron_usdt", 500).await, desk.order(&bob, "tron_usdt", 2000).await);
    desk.poll().await;
    // Pages of 200 end here; hers is row 201 and his row 302.
    for order in [&hers, &his] {
        for _ in 0..2 {
            crowd(&desk, 100).await;
            desk.world.advance(MINUTE);
        }
        desk.world.sandbox.usdt_transfer(exact(order));
        desk.world.advance(MINUTE);
    }
    break_index(&desk, Service::Trongrid, Fault::Unmarked);
    break_index(&desk, Service::Tronscan, Fault::Refuse);

    let report = desk.poll().await;

    assert_eq!((report.credited, report.kept, report.is_cut_short), (2, 0, false), "{report:?}");
    assert_eq!(ann.balance().await, (100 + credits(&hers), 0, 0));
    assert_eq!(bob.balance().await, (100 + credits(&his), 0, 0));
    desk.world.sandbox.faults().clear();
    for service in [Service::Trongrid, Service::Tronscan] {
        break_index(&desk, service, Fault::Unmarked);
    }
    desk.world.advance(10 * MINUTE);
    let report = compared(&desk).await;
    assert_eq!((report.listed, report.repaired, &report.failure), (2, 0, &None), "{report:?}");
    assert!(report.differences.is_empty(), "{report:?}");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_block_that_fills_a_page_without_a_mark_is_said_to_be_undecided_and_passed_by_no_mark() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "tron_usdt", 500).await;
    desk.poll().await;
    desk.world.advance(MINUTE);
    crowd(&desk, 200).await;
    // The 201st of its block, or a later one: TronGrid shows neither.
    let tx = desk.world.sandbox.usdt_transfer(exact(&order));
    desk.world.advance(MINUTE);
    break_index(&desk, Service::Trongrid, Fault::Unmarked);
    break_index(&desk, Service::Tronscan, Fault::Refuse);

    for _ in 0..2 {
        let refused = claim(&ann, &tx).await;
        assert_eq!((refused.status, refused.problem()), (502, "processor_unavailable"), "{}", refused.text);
        assert_eq!(refused.headers["retry-after"], "60");
    }
    for _ in 0..3 {
        desk.world.advance(HOUR);
        let report = desk.poll().await;
        assert_eq!((report.credited, report.is_cut_short), (0, true), "{report:?}");
    }
    let report = compared(&desk).await;
    assert!(report.failure.is_some(), "not 0 differences: {report:?}");
    assert_eq!(ann.balance().await, (100, 0, 0));

    // TronScan can page through a moment.
    desk.world.sandbox.faults().clear();
    break_index(&desk, Service::Trongrid, Fault::Unmarked);
    assert_eq!(desk.poll().await.credited, 1);
    assert_eq!(ann.balance().await, (100 + credits(&order), 0, 0));
    assert!(compared(&desk).await.failure.is_some(), "one index still hides a part");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_row_that_one_index_lists_twice_is_one_payment() {
    for service in [Service::Tronscan, Service::Trongrid] {
        let desk = Desk::open().await;
        let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
        let (hers, his) =
            (desk.order(&ann, "tron_usdt", 500).await, desk.order(&bob, "tron_usdt", 2000).await);
        break_index(&desk, service, Fault::Duplicate);
        if service == Service::Trongrid {
            break_index(&desk, Service::Tronscan, Fault::Refuse);
        }
        let tx = "ab".repeat(32);
        for order in [&hers, &his] {
            desk.world.sandbox.usdt_transfer(UsdtWish { tx: Some(tx.clone()), ..exact(order) });
        }
        let stray = desk.send_usdt(7_000_000);

        let report = desk.poll().await;

        assert_eq!((report.credited, report.kept), (2, 1), "{service:?}: {report:?}");
        assert_eq!(desk.inbox_rows().await, 6, "a fact and a body each");
        assert_eq!(desk.waiting().await.len(), 1, "{service:?}");
        assert_eq!(desk.usdt_payment(&stray, 7_000_000).await["why"], "no_order");
        desk.world.sandbox.faults().clear();
        break_index(&desk, service, Fault::Duplicate);
        desk.world.advance(10 * MINUTE);
        let report = compared(&desk).await;
        assert_eq!(
            (report.listed, report.repaired, &report.failure),
            (3, 0, &None),
            "{service:?}: {report:?}"
        );
        assert!(report.differences.is_empty(), "{service:?}: {report:?}");
        assert_eq!(ann.balance().await, (100 + credits(&hers), 0, 0));
        assert_eq!(bob.balance().await, (100 + credits(&his), 0, 0));
        books::check_payments(&desk.world).await;
    }
}

#[tokio::test]
async fn of_two_real_equal_transfers_one_index_may_be_late_with_the_second() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "tron_usdt", 500).await;
    let tx = "cd".repeat(32);
    for _ in 0..2 {
        desk.world.sandbox.usdt_transfer(UsdtWish { tx: Some(tx.clone()), ..exact(&order) });
    }
    break_index(&desk, Service::Trongrid, Fault::Refuse);
    let report = desk.poll().await;
    assert_eq!(
        (report.credited, report.kept, report.failed),
        (1, 0, 0),
        "whether it is told twice is not known"
    );
    desk.world.sandbox.faults().clear();
    desk.world.advance(10 * MINUTE);

    assert_eq!(compared(&desk).await.repaired, 1);

    let second = desk.payment(&format!("tron_usdt.{tx}.{}-1", micros(&order))).await;
    assert_eq!((&second["state"], &second["why"]), (&"unmatched".into(), &"odd".into()), "{second}");
    assert_eq!(ann.balance().await, (100 + credits(&order), 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn what_one_index_never_lists_the_other_tells() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let (hers, his) = (desk.order(&ann, "tron_usdt", 500).await, desk.order(&bob, "tron_usdt", 2000).await);
    desk.poll().await;
    // TronScan fails, and polls read TronGrid, which never lists hers; his is not in TronScan's list.
    break_index(&desk, Service::Tronscan, Fault::Refuse);
    let not_by = |name: &str, order: &Value| UsdtWish { unlisted_by: Some(name.to_owned()), ..exact(order) };
    desk.world.sandbox.usdt_transfer(not_by("trongrid", &hers));
    desk.world.advance(30 * MINUTE);
    assert_eq!(desk.poll().await.credited, 0);
    desk.world.sandbox.faults().clear();
    desk.world.sandbox.usdt_transfer(not_by("tronscan", &his));
    desk.world.advance(30 * MINUTE);
    assert_eq!(
        desk.poll().await.credited,
        0,
        "the mark has passed the one, and TronScan does not list the other"
    );

    let report = compared(&desk).await;

    assert_eq!((report.repaired, &report.failure), (2, &None), "{report:?}");
    assert_eq!(ann.balance().await, (100 + credits(&hers), 0, 0));
    assert_eq!(bob.balance().await, (100 + credits(&his), 0, 0));
    assert_eq!(compared(&desk).await.repaired, 0);
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_comparison_without_the_second_index_says_so() {
    let desk = Desk::open().await;
    desk.poll().await;
    break_index(&desk, Service::Tronscan, Fault::Refuse);
    let report = compared(&desk).await;
    assert!(report.failure.is_some_and(|failure| failure.contains("TronScan")));
}

#[tokio::test]
async fn a_usdt_order_says_what_is_paid_what_is_credited_and_what_the_digits_are() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");

    let order = desk.order(&ann, "tron_usdt", 2000).await;

    let pay = &order["pay"];
    let due = order["amount_due"]["decimal"].as_str().unwrap();
    let added = format!("0.{}", due.split_once('.').unwrap().1);
    assert_eq!((&pay["amount"], &pay["credits"]), (&order["amount_due"], &order["credits"]), "{pay}");
    assert_eq!(
        (&pay["amount_ordered"]["decimal"], &pay["amount_added"]["decimal"]),
        (&json!("20.00"), &json!(added)),
        "{pay}"
    );
    let note = pay["note"].as_str().unwrap();
    for part in [due, "20.00 as ordered", &added, &format!("{} US cents", credits(&order))] {
        assert!(note.contains(part), "{part} is not in: {note}");
    }
    assert_eq!(desk.show(&ann, &order).await["pay"], *pay);
}
