//! Claims of which only part succeeds, objections beyond the day's claims, and a chain that was not read whole.

use super::claims::{HOUR, MINUTE, WAIT, assert_unclear, assert_waits, claim, ordered, with, withdrawn};
use super::desk::{Desk, micros};
use crate::books;
use crate::world::{Fault as WorldFault, Person};
use sandbox::{FaultRule, Service, UsdtWish};
use serde_json::json;
use std::time::Duration;

/// Names so many transfers that are nobody's as a person may in a day: of amounts that no order here may get.
async fn use_up_the_days_claims(desk: &Desk, person: &Person) {
    person.balance().await;
    let sent: Vec<(String, u64)> =
        (0..10).map(|nth| 70_000_000 + nth * 1_000).map(|micros| (desk.send_usdt(micros), micros)).collect();
    desk.poll().await;
    for (tx, micros) in &sent {
        assert_unclear(desk, person, tx, *micros).await;
    }
}

#[tokio::test]
async fn what_of_a_transaction_is_the_claimants_is_told_although_the_rest_can_not_be_claimed_now() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    use_up_the_days_claims(&desk, &ann).await;
    for rest in [1_000_000, 60_000_000] {
        let order = ordered(&desk, &ann, 2000).await;
        let wish = |micros| UsdtWish { confirmed: Some(true), ..UsdtWish::of(micros) };
        let tx = desk.world.sandbox.usdt_transfer(wish(micros(&order)));
        desk.world.sandbox.usdt_transfer(UsdtWish { tx: Some(tx.clone()), ..wish(rest) });
        assert_eq!(desk.poll().await.credited, 1);

        let told = claim(&ann, &tx).await;

        assert_eq!((told.status, &told.body["top_up_ids"]), (200, &json!([order["id"]])), "{}", told.text);
        let alone = desk.send_usdt(rest + 1);
        desk.poll().await;
        assert_eq!(claim(&ann, &alone).await.status, 429, "where nothing succeeds the reason is told");
    }
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn who_has_used_up_the_days_claims_may_still_object_to_anothers() {
    let desk = Desk::open().await;
    let (ann, mallory) = (desk.world.person("ann"), desk.world.person("mallory"));
    use_up_the_days_claims(&desk, &ann).await;
    let (first, second) = (ordered(&desk, &mallory, 2000).await, ordered(&desk, &mallory, 3000).await);
    let (tx, sent) = withdrawn(&desk, &first).await;
    let (late, sent_late) = withdrawn(&desk, &second).await;
    assert_waits(&desk, &mallory, &first, &tx, sent).await;
    assert_waits(&desk, &mallory, &second, &late, sent_late).await;

    assert_unclear(&desk, &ann, &tx, sent).await;

    desk.world.advance(WAIT);
    assert_eq!(desk.poll().await.claims_granted, 1);
    assert_eq!(mallory.balance().await, with(sent_late));
    // And after the grant, on a day whose claims are used up too.
    use_up_the_days_claims(&desk, &ann).await;
    assert_eq!(claim(&ann, &late).await.problem(), "nothing_to_claim");
    let payment = desk.usdt_payment(&late, sent_late).await;
    assert_eq!(payment["claimant_ids"], json!([mallory.id(), ann.id()]), "{payment}");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_wait_ends_although_the_poll_does_not_come_to_its_end() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = ordered(&desk, &ann, 2000).await;
    let (tx, sent) = withdrawn(&desk, &order).await;
    assert_waits(&desk, &ann, &order, &tx, sent).await;
    desk.world.advance(WAIT);
    for service in [Service::Tronscan, Service::Trongrid] {
        let hangs = FaultRule::always(sandbox::Fault::Slow { ms: 600_000 });
        desk.world.sandbox.faults().set(service, hangs);
    }

    // As Lambda ends a function whose time is over.
    let polled = tokio::time::timeout(Duration::from_secs(4), desk.poll()).await;

    assert!(polled.is_err(), "{polled:?}");
    assert_eq!(ann.balance().await, with(sent));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn while_a_row_of_the_chain_can_not_be_read_a_claim_asks_to_come_back() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    ann.balance().await;
    // More USDT than there are: the row may be the claimant's, and its amount can't be read.
    let tx = desk.send_usdt(u64::MAX);
    desk.send_usdt(30_000_000);
    for _ in 0..2 {
        let refused = claim(&ann, &tx).await;
        assert_eq!((refused.status, refused.problem()), (502, "processor_unavailable"), "{}", refused.text);
        assert_eq!(refused.headers["retry-after"], "60");
    }
    desk.world.advance(25 * HOUR);
    desk.poll().await;
    desk.world.advance(MINUTE);
    assert_eq!(claim(&ann, &tx).await.problem(), "transfer_unknown", "of the last day all was read");
}

/// The claim has found the transfer and is about to credit it; the schedule's poll is faster.
#[tokio::test]
async fn a_claim_that_a_poll_overtakes_is_credited_once() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = ordered(&desk, &ann, 2000).await;
    let tx = desk.send_usdt(micros(&order));
    let slow = desk.world.instance(&[]).await;
    slow.meddler.plan(0, WorldFault::LateTransaction);
    let there = ann.at(&slow.base);
    let mut claiming = std::pin::pin!(claim(&there, &tx));
    tokio::select! {
        told = &mut claiming => panic!("it was not overtaken: {}", told.text),
        () = slow.meddler.holding_back() => {}
    }
    assert_eq!(desk.poll().await.credited, 1);
    slow.meddler.let_go();
    let told = claiming.await;

    assert_eq!(told.status, 200, "{}", told.text);
    assert_eq!(ann.balance().await, with(micros(&order)));
    books::check_payments(&desk.world).await;
}
