//! USDT: the chain is public and full of noise. What is ours is credited once, however the indexers behave.

use super::desk::{Desk, at_once, micros};
use crate::books;
use crate::world::{Answer, Books, Fault, Instance, http};
use payments::PollReport;
use sandbox::{FaultRule, Service, UsdtWish};
use serde_json::{Value, json};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const STRANGER: &str = "TRPsK1YTGYZLQ4M3pEdkYL33dQcpEtJFoq";

async fn poll(instance: &Instance) -> PollReport {
    tron_poll::handle(&instance.role("TronPoll")).await.unwrap()
}

/// As much as was ordered, final at once.
fn exact(order: &Value) -> UsdtWish {
    UsdtWish { confirmed: Some(true), ..UsdtWish::of(micros(order)) }
}

fn send(desk: &Desk, wish: UsdtWish) -> String {
    desk.world.sandbox.usdt_transfer(wish)
}

/// What an order of five dollars brings.
fn credits(order: &Value) -> u64 {
    order["credits"]["amount"].as_u64().unwrap()
}

/// Sends as the sandbox's own page does, which can do more than a wish.
async fn send_many(desk: &Desk, order: &Value) {
    let url = format!("{}/sandbox/tronscan/transfers", desk.world.outside());
    let request = http().post(url).header("content-type", "application/json").body(order.to_string());
    let sent = Answer::of(request.send().await.unwrap()).await;
    assert!(sent.status < 300, "{}", sent.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_is_credited_once_however_often_and_by_whomever_it_is_polled() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "tron_usdt", 500).await;
    let other = desk.world.instance(&[]).await;
    let tx = send(&desk, exact(&order));

    let platforms = [&desk.world.product, &other].map(|instance| instance.role("TronPoll"));
    let at_once = at_once((0..8).map(|nth| {
        let platform = platforms[nth % 2].clone();
        async move { tron_poll::handle(&platform).await.unwrap() }
    }));
    let reports = at_once.await;
    assert_eq!(reports.iter().map(|report| report.credited).sum::<u32>(), 1, "{reports:?}");
    assert!(reports.iter().all(|report| report.failed == 0), "{reports:?}");
    for _ in 0..5 {
        desk.world.advance(MINUTE);
        let again = desk.poll().await;
        assert_eq!((again.credited, again.kept, again.failed), (0, 0, 0), "{again:?}");
    }

    assert_eq!(ann.balance().await, (100 + credits(&order), 0, 0));
    let payment = desk.usdt_payment(&tx, micros(&order)).await;
    assert_eq!((&payment["top_up_id"], &payment["trace"]), (&order["id"], &tx.into()), "{payment}");
    assert_eq!(desk.inbox_rows().await, 2, "one fact, one body");
    books::check(&desk.world).await;
}

#[tokio::test]
async fn what_is_not_final_waits_and_is_credited_when_it_is_also_after_ten_minutes() {
    for seconds in [60, 600] {
        let desk = Desk::open().await;
        let ann = desk.world.person("ann");
        let order = desk.order(&ann, "tron_usdt", 500).await;
        let wish = UsdtWish { confirm_after_seconds: Some(seconds), ..UsdtWish::of(micros(&order)) };
        send(&desk, wish);
        for _ in 0..seconds / 60 {
            assert_eq!(desk.poll().await, PollReport::default(), "nothing to tell yet");
            assert_eq!(ann.balance().await, (100, 0, 0));
            desk.world.advance(MINUTE);
        }
        assert_eq!(desk.poll().await.credited, 1, "after {seconds} s");
        assert_eq!(ann.balance().await, (100 + credits(&order), 0, 0));
        books::check(&desk.world).await;
    }
}

#[tokio::test]
async fn what_looks_like_money_and_is_none_changes_nothing() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "tron_usdt", 500).await;
    let tricks = [
        ("reverted", UsdtWish { reverted: true, ..exact(&order) }),
        ("failed", UsdtWish { contract_ret: Some("OUT_OF_ENERGY".to_owned()), ..exact(&order) }),
        ("another token", UsdtWish { contract: Some("fake".to_owned()), ..exact(&order) }),
        ("another wallet", UsdtWish { to: Some(STRANGER.to_owned()), ..exact(&order) }),
        ("an approval", UsdtWish { approval: true, ..exact(&order) }),
        ("never final", UsdtWish { confirmed: Some(false), ..exact(&order) }),
        ("nothing", UsdtWish { amount_micros: 0, ..exact(&order) }),
    ];
    for (_, trick) in &tricks {
        send(&desk, trick.clone());
    }
    for source in ["TronScan", "TronGrid"] {
        for _ in 0..3 {
            let report = desk.poll().await;
            assert_eq!((report.credited, report.kept, report.known, report.failed), (0, 0, 0, 0), "{source}");
            assert!(!report.is_cut_short, "{source}");
            desk.world.advance(MINUTE);
        }
        desk.world.sandbox.faults().set(Service::Tronscan, FaultRule::always(sandbox::Fault::Refuse));
    }
    assert_eq!((desk.inbox_rows().await, ann.balance().await), (0, (100, 0, 0)));
    assert_eq!(desk.show(&ann, &order).await["status"], "created");
    desk.world.sandbox.faults().clear();

    send(&desk, exact(&order));
    assert_eq!(desk.poll().await.credited, 1, "and the true one is found among them");
    books::check(&desk.world).await;
}

#[tokio::test]
async fn another_amount_than_any_orders_is_kept_and_not_guessed_at() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "tron_usdt", 500).await;
    for sent in [micros(&order) - 1, micros(&order) + 1, 5_000_000, 10_000] {
        let tx = desk.send_usdt(sent);
        assert_eq!(desk.poll().await.kept, 1);
        let payment = desk.usdt_payment(&tx, sent).await;
        assert_eq!(
            (&payment["state"], &payment["why"]),
            (&"unmatched".into(), &"no_order".into()),
            "{payment}"
        );
        assert!(payment["account_id"].is_null(), "{payment}");
    }
    assert_eq!(ann.balance().await, (100, 0, 0));
    assert_eq!(desk.waiting().await.len(), 4);
    books::check(&desk.world).await;
}

#[tokio::test]
async fn two_thousand_grains_of_dust_between_two_of_ours_leave_no_trace() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let (first, second) =
        (desk.order(&ann, "tron_usdt", 500).await, desk.order(&ann, "tron_usdt", 2000).await);
    desk.poll().await;
    send(&desk, exact(&first));
    desk.world.advance(5 * MINUTE);
    desk.world.sandbox.usdt_dust(2_000);
    desk.world.sandbox.usdt_transfer(UsdtWish { confirmed: Some(true), ..UsdtWish::of(9_999) });
    desk.world.advance(5 * MINUTE);
    send(&desk, exact(&second));

    let report = desk.poll().await;

    assert_eq!((report.credited, report.kept, report.dust), (2, 0, 2_001), "{report:?}");
    assert_eq!(ann.balance().await, (100 + credits(&first) + credits(&second), 0, 0));
    assert_eq!(desk.inbox_rows().await, 4);
    books::check(&desk.world).await;
}

#[tokio::test]
async fn two_thousand_transfers_of_other_tokens_and_people_hide_none_of_ours() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let (first, second) =
        (desk.order(&ann, "tron_usdt", 500).await, desk.order(&ann, "tron_usdt", 2000).await);
    send(&desk, exact(&first));
    desk.world.advance(5 * MINUTE);
    let due = micros(&second);
    send_many(&desk, &json!({ "amount_micros": due, "times": 1_000, "contract": "fake", "confirmed": true }))
        .await;
    send_many(&desk, &json!({ "amount_micros": due, "times": 1_000, "to": STRANGER, "confirmed": true }))
        .await;
    desk.world.advance(5 * MINUTE);
    send(&desk, exact(&second));

    let report = desk.poll().await;

    assert_eq!((report.credited, report.kept, report.dust), (2, 0, 0), "{report:?}");
    assert_eq!(ann.balance().await, (100 + credits(&first) + credits(&second), 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn each_transfer_of_one_transaction_counts_by_itself() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let (hers, his) = (desk.order(&ann, "tron_usdt", 500).await, desk.order(&bob, "tron_usdt", 500).await);
    let tx = "ab".repeat(32);
    let wishes = [exact(&hers), exact(&his), UsdtWish { amount_micros: 7_000_000, ..exact(&hers) }];
    for wish in wishes {
        send(&desk, UsdtWish { tx: Some(tx.clone()), ..wish });
    }

    let report = desk.poll().await;

    assert_eq!((report.credited, report.kept), (2, 1), "{report:?}");
    assert_eq!(ann.balance().await, (100 + credits(&hers), 0, 0));
    assert_eq!(bob.balance().await, (100 + credits(&his), 0, 0));
    assert_eq!(desk.usdt_payment(&tx, 7_000_000).await["why"], "no_order");
    books::check(&desk.world).await;
}

#[tokio::test]
async fn of_two_equal_amounts_in_one_transaction_one_is_credited_and_one_kept_at_either_indexer() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "tron_usdt", 500).await;
    let tx = "cd".repeat(32);
    for _ in 0..2 {
        send(&desk, UsdtWish { tx: Some(tx.clone()), ..exact(&order) });
    }

    let report = desk.poll().await;
    assert_eq!((report.credited, report.kept), (1, 1), "{report:?}");
    desk.world.sandbox.faults().set(Service::Tronscan, FaultRule::always(sandbox::Fault::Refuse));
    let again = desk.poll().await;
    assert_eq!((again.credited, again.kept, again.known), (0, 0, 2), "TronGrid names them alike: {again:?}");

    let second = desk.payment(&format!("tron_usdt.{tx}.{}-1", micros(&order))).await;
    assert_eq!((&second["state"], &second["why"]), (&"unmatched".into(), &"odd".into()), "{second}");
    assert_eq!(desk.show(&ann, &order).await["status"], "paid");
    assert_eq!(ann.balance().await, (100 + credits(&order), 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn within_the_quarantine_a_late_transfer_is_credited_and_after_it_kept() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let (late, last, gone) = (
        desk.order(&ann, "tron_usdt", 500).await,
        desk.order(&ann, "tron_usdt", 500).await,
        desk.order(&ann, "tron_usdt", 500).await,
    );
    desk.world.advance(HOUR + MINUTE);
    send(&desk, exact(&late));
    assert_eq!(desk.poll().await.credited, 1);
    assert_eq!(desk.show(&ann, &late).await["status"], "paid_late");
    desk.world.advance(24 * HOUR - MINUTE);
    send(&desk, exact(&last));
    desk.world.advance(Duration::from_secs(2));
    let tx = send(&desk, exact(&gone));

    let report = desk.poll().await;

    assert_eq!((report.credited, report.kept), (1, 1), "{report:?}");
    assert_eq!(desk.show(&ann, &last).await["status"], "paid_late");
    assert_eq!(desk.show(&ann, &gone).await["status"], "expired");
    assert_eq!(desk.usdt_payment(&tx, micros(&gone)).await["state"], "unmatched");
    assert_eq!(ann.balance().await, (100 + credits(&late) + credits(&last), 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn an_older_transfer_of_the_same_amount_is_not_the_orders() {
    let desk = Desk::open().await;
    let bob = desk.world.person("bob");
    let order = desk.order(&bob, "tron_usdt", 500).await;
    // Somebody paid it while the amount was another order's, and the indexers knew it late.
    let tx = send(&desk, UsdtWish { age_seconds: 1_800, ..exact(&order) });

    let report = desk.poll().await;

    assert_eq!((report.credited, report.kept), (0, 1), "{report:?}");
    assert_eq!(desk.usdt_payment(&tx, micros(&order)).await["why"], "no_order");
    assert_eq!(
        (desk.show(&bob, &order).await["status"].as_str(), bob.balance().await),
        (Some("created"), (100, 0, 0))
    );
    send(&desk, exact(&order));
    assert_eq!(desk.poll().await.credited, 1);
    books::check(&desk.world).await;
}

#[tokio::test]
async fn what_the_indexers_knew_after_twenty_minutes_is_found_by_the_comparison() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "tron_usdt", 500).await;
    send(&desk, UsdtWish { indexed_after_seconds: 1_200, ..exact(&order) });
    for _ in 0..21 {
        desk.world.advance(MINUTE);
        assert_eq!(desk.poll().await.credited, 0);
    }

    desk.reconcile().await;

    assert_eq!(desk.show(&ann, &order).await["status"], "paid", "it was paid in time");
    assert_eq!(ann.balance().await, (100 + credits(&order), 0, 0));
    assert_eq!(desk.poll().await.credited, 0);
    books::check(&desk.world).await;
}

#[tokio::test]
async fn a_cancelled_orders_amount_is_still_its_own() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "tron_usdt", 500).await;
    let path = format!("/v1/top-ups/{}/cancel", order["id"].as_str().unwrap());
    assert_eq!(ann.send("POST", &path, &json!({})).await.status, 200);
    send(&desk, exact(&order));
    assert_eq!(desk.poll().await.credited, 1);
    assert_eq!(desk.show(&ann, &order).await["status"], "paid");
    books::check(&desk.world).await;
}

/// Takes every exact amount near five dollars, as orders made together with this one would have.
async fn take_all_amounts(desk: &Desk, order: &Value) {
    let rows = books::scan(&desk.world, "payment_references").await;
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    let name = row["reference"].as_s().unwrap();
    let prefix = name.strip_suffix(&micros(order).to_string()).unwrap();
    let dynamo = desk.world.product.platform.dynamo();
    let amounts: Vec<u64> = (1..10_000).map(|step| 5_000_000 + step * 100).collect();
    for some in amounts.chunks(25) {
        let put = |amount: &u64| {
            let mut row = row.clone();
            let name = aws_sdk_dynamodb::types::AttributeValue::S(format!("{prefix}{amount}"));
            row.insert("reference".to_owned(), name);
            let put = aws_sdk_dynamodb::types::PutRequest::builder().set_item(Some(row)).build().unwrap();
            aws_sdk_dynamodb::types::WriteRequest::builder().put_request(put).build()
        };
        let puts = some.iter().map(put).collect::<Vec<_>>();
        dynamo
            .batch_write_item()
            .request_items(desk.world.table("payment_references"), puts)
            .send()
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn an_amount_is_used_again_only_when_all_that_was_paid_in_its_quarantine_is_known() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let order = desk.order(&ann, "tron_usdt", 500).await;
    desk.poll().await;
    take_all_amounts(&desk, &order).await;
    let is_free = async || {
        let answer = bob.send("POST", "/v1/top-ups", &super::desk::top_up("tron_usdt", 500)).await;
        match answer.status {
            201 => true,
            status => {
                assert_eq!((status, answer.problem()), (422, "method_unavailable"));
                false
            }
        }
    };
    assert!(!is_free().await, "all are taken");
    desk.world.advance(24 * HOUR);
    send(&desk, exact(&order));
    desk.world.advance(24 * HOUR);
    assert!(!is_free().await, "the quarantine has ended, but nobody has looked at the chain since");
    assert_eq!(bob.get("/v1/top-ups").await.body["top_ups"], json!([]), "a refused order leaves nothing");

    assert_eq!(desk.poll().await.credited, 1);

    assert_eq!(desk.show(&ann, &order).await["status"], "paid_late", "it was not given away");
    assert!(!is_free().await, "a claim may still name what was sent at the end of the quarantine");
    desk.world.advance(2 * HOUR);
    desk.poll().await;
    assert!(is_free().await);
    assert_eq!(ann.balance().await, (100 + credits(&order), 0, 0));
    assert_eq!(bob.balance().await, (100, 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn a_poll_that_was_cut_short_gives_no_amount_away() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let order = desk.order(&ann, "tron_usdt", 500).await;
    desk.poll().await;
    take_all_amounts(&desk, &order).await;
    desk.world.advance(20 * HOUR);
    send(&desk, exact(&order));
    desk.world.advance(30 * HOUR);
    for service in [Service::Tronscan, Service::Trongrid] {
        desk.world.sandbox.faults().set(service, FaultRule::always(sandbox::Fault::Garbage));
    }
    assert!(desk.poll().await.is_cut_short);
    let refused = bob.send("POST", "/v1/top-ups", &super::desk::top_up("tron_usdt", 500)).await;
    assert_eq!(refused.problem(), "method_unavailable");

    desk.world.sandbox.faults().clear();
    assert_eq!(desk.poll().await.credited, 1);
    desk.order(&bob, "tron_usdt", 500).await;
    assert_eq!(ann.balance().await, (100 + credits(&order), 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn when_one_indexer_fails_in_whatever_way_the_other_one_serves() {
    let faults = [
        sandbox::Fault::Refuse,
        sandbox::Fault::Status { status: 403, retry_after: None },
        sandbox::Fault::Status { status: 429, retry_after: Some(30) },
        sandbox::Fault::DropBefore,
        sandbox::Fault::DropConnection,
        sandbox::Fault::Garbage,
        sandbox::Fault::WrongShape,
    ];
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let mut total = 100;
    for fault in faults {
        let order = desk.order(&ann, "tron_usdt", 500).await;
        desk.world.sandbox.faults().set(Service::Tronscan, FaultRule::always(fault.clone()));
        send(&desk, exact(&order));
        let report = desk.poll().await;
        assert_eq!((report.credited, report.is_cut_short), (1, false), "{fault:?}: {report:?}");
        total += credits(&order);
        desk.world.sandbox.faults().clear();
        desk.world.advance(MINUTE);
        assert_eq!(desk.poll().await.credited, 0, "TronScan tells it again: {fault:?}");
    }
    assert_eq!(ann.balance().await, (total, 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn both_indexers_throttling_lose_nothing_and_the_next_poll_catches_up() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "tron_usdt", 500).await;
    send(&desk, exact(&order));
    let throttled = sandbox::Fault::Status { status: 429, retry_after: Some(30) };
    for service in [Service::Tronscan, Service::Trongrid] {
        desk.world.sandbox.faults().set(service, FaultRule::always(throttled.clone()));
    }
    for _ in 0..3 {
        let report = desk.poll().await;
        assert_eq!((report.credited, report.failed, report.is_cut_short), (0, 0, true), "{report:?}");
        desk.world.advance(20 * MINUTE);
    }
    assert_eq!((desk.inbox_rows().await, ann.balance().await), (0, (100, 0, 0)));
    desk.world.sandbox.faults().clear();

    assert_eq!(desk.poll().await.credited, 1);
    assert_eq!(
        desk.show(&ann, &order).await["status"],
        "paid",
        "it was paid in time, whenever we heard of it"
    );
    books::check(&desk.world).await;
}

#[tokio::test]
async fn after_a_day_without_indexers_everything_of_that_day_is_credited() {
    let desk = Desk::with(&[("OPEN_TOP_UPS_MAX", "30")]).await;
    let ann = desk.world.person("ann");
    desk.poll().await;
    for service in [Service::Tronscan, Service::Trongrid] {
        desk.world.sandbox.faults().set(service, FaultRule::always(sandbox::Fault::Refuse));
    }
    let mut total = 100;
    for _ in 0..30 {
        let order = desk.order(&ann, "tron_usdt", 500).await;
        desk.world.advance(30 * MINUTE);
        send(&desk, exact(&order));
        total += credits(&order);
        desk.world.advance(30 * MINUTE);
        assert!(desk.poll().await.is_cut_short);
    }
    desk.world.sandbox.faults().clear();

    let report = desk.poll().await;

    assert_eq!((report.credited, report.kept), (30, 0), "{report:?}");
    assert_eq!(ann.balance().await, (total, 0, 0));
    assert!(desk.waiting().await.is_empty());
    books::check(&desk.world).await;
}

#[tokio::test]
async fn a_poll_killed_at_any_store_call_loses_nothing_and_credits_nothing_twice() {
    let desk = Desk::with(&[("TOP_UPS_PER_DAY_MAX", "1000")]).await;
    let ann = desk.world.person("ann");
    let mut total = 100;
    for fault in [Fault::KilledBefore, Fault::KilledAfter] {
        let mut nth = 0;
        loop {
            let (one, two) =
                (desk.order(&ann, "tron_usdt", 500).await, desk.order(&ann, "tron_usdt", 2000).await);
            send(&desk, exact(&one));
            // Longer than a poll looks back: what the mark has passed without booking it would be lost.
            desk.world.advance(15 * MINUTE);
            send(&desk, exact(&two));
            desk.world.advance(15 * MINUTE);
            let victim = desk.world.instance(&[]).await;
            victim.meddler.plan(nth, fault);
            tokio::select! {
                () = victim.meddler.death() => {}
                report = poll(&victim) => assert_eq!(report.credited, 2, "{fault:?} at call {nth}"),
            }
            desk.world.advance(30 * MINUTE);
            desk.poll().await;
            total += credits(&one) + credits(&two);
            assert_eq!(ann.balance().await, (total, 0, 0), "{fault:?} at call {nth}");
            for order in [&one, &two] {
                let shown = desk.show(&ann, order).await;
                assert_eq!(
                    (&shown["status"], &shown["credited"]),
                    (&"paid".into(), &order["credits"]),
                    "{shown}"
                );
            }
            if !victim.meddler.has_struck() {
                assert!(nth >= 8, "a poll makes more store calls than {nth}");
                break;
            }
            nth += 1;
        }
    }
    assert!(desk.waiting().await.is_empty());
    books::check(&desk.world).await;
}

#[tokio::test]
async fn a_transfer_whose_order_can_not_be_read_is_kept_and_holds_up_nobody() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let (hers, his) = (desk.order(&ann, "tron_usdt", 500).await, desk.order(&bob, "tron_usdt", 500).await);
    // Nor can the end of the test read it.
    desk.world.keep(Books::Credit);
    damage(&desk, &hers).await;
    let tx = send(&desk, exact(&hers));
    desk.world.advance(MINUTE);
    send(&desk, exact(&his));

    let report = desk.poll().await;

    assert_eq!((report.credited, report.kept, report.failed), (1, 1, 0), "{report:?}");
    assert_eq!(desk.usdt_payment(&tx, micros(&hers)).await["why"], "odd");
    assert_eq!(bob.balance().await, (100 + credits(&his), 0, 0));
    assert_eq!(ann.balance().await, (100, 0, 0));
    books::check(&desk.world).await;
}

/// Makes an order unreadable.
pub(super) async fn damage(desk: &Desk, order: &Value) {
    let rows = books::scan(&desk.world, "top_ups").await;
    let is_it = |row: &std::collections::HashMap<String, _>| {
        let id: &aws_sdk_dynamodb::types::AttributeValue = &row["id"];
        id.as_s().is_ok_and(|id| order["id"] == id.as_str())
    };
    let mut row = rows.into_iter().find(is_it).unwrap();
    row.remove("due");
    let dynamo = desk.world.product.platform.dynamo();
    dynamo.put_item().table_name(desk.world.table("top_ups")).set_item(Some(row)).send().await.unwrap();
}
