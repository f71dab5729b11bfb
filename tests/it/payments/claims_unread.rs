//! Claims of transfers that no poll has read yet: a claim looks at the chain itself, once a minute, and says what it can't know.

use super::claims::{FEE, MINUTE, assert_waits, claim, ordered};
use super::desk::{Desk, micros};
use crate::books;
use sandbox::{FaultRule, Service, UsdtWish};
use serde_json::json;

#[tokio::test]
async fn an_unknown_transaction_is_looked_for_once_a_minute_and_the_claimant_told_to_come_back() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    ordered(&desk, &ann, 2000).await;
    let looks =
        || desk.world.sandbox.journal().iter().filter(|entry| entry.service == Service::Tronscan).count();
    let unknown = "ef".repeat(32);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let refused = claim(&ann, &unknown).await;
        assert_eq!((refused.status, refused.problem()), (404, "transfer_unknown"), "{}", refused.text);
        assert_eq!(refused.headers["retry-after"], "60");
        seen.push(looks());
    }
    assert!(seen[0] > 0 && seen.iter().all(|looks| *looks == seen[0]), "one look for all three: {seen:?}");
    desk.world.advance(MINUTE);
    claim(&ann, &unknown).await;
    assert!(looks() > seen[0], "and another one a minute later");
    assert_eq!(desk.inbox_rows().await, 0);

    let two = format!("{unknown} {}", "ab".repeat(32));
    let long = format!("https://tronscan.org/{}/{unknown}", "a/".repeat(300));
    for wrong in
        ["", "ef", &"eg".repeat(32), &"ef".repeat(33), "tron_usdt.x", "https://tronscan.org", &two, &long]
    {
        let refused = claim(&ann, wrong).await;
        assert_eq!((refused.status, refused.problem()), (422, "invalid_input"), "{wrong}");
    }
}

#[tokio::test]
async fn a_claim_right_after_a_poll_still_knows_whether_there_is_such_a_transaction() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    for _ in 0..3 {
        desk.poll().await;
        let refused = claim(&ann, &"ef".repeat(32)).await;
        assert_eq!((refused.status, refused.problem()), (404, "transfer_unknown"), "{}", refused.text);
        desk.world.advance(MINUTE);
    }
}

/// The id as people paste it.
#[tokio::test]
async fn the_address_of_an_explorers_page_names_its_transaction() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = ordered(&desk, &ann, 2000).await;
    let tx = desk.send_usdt(micros(&order));
    desk.poll().await;
    let expected = json!({ "credited": order["credits"], "top_up_ids": [order["id"]] });
    for pasted in [
        format!("https://tronscan.org/#/transaction/{tx}"),
        format!(" https://www.oklink.com/tron/tx/{}?tab=1 \n", tx.to_uppercase()),
        format!("https://blockchair.com/tron/transaction/{tx}"),
        format!("0x{tx}"),
        format!("0X{}", tx.to_uppercase()),
    ] {
        let claimed = claim(&ann, &pasted).await;
        assert_eq!((claimed.status, &claimed.body), (200, &expected), "{pasted}: {}", claimed.text);
    }
}

#[tokio::test]
async fn a_claim_before_the_next_poll_makes_one() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let (hers, his) = (ordered(&desk, &ann, 2000).await, ordered(&desk, &bob, 500).await);
    let sent = micros(&hers) - FEE;
    let tx = desk.send_usdt(sent);
    desk.send_usdt(micros(&his));

    assert_waits(&desk, &ann, &hers, &tx, sent).await;

    assert_eq!(bob.balance().await, (100 + micros(&his) / 10_000, 0, 0), "the poll serves everybody");
    // And an exact transfer that its owner is impatient about.
    desk.world.advance(MINUTE);
    let exact = ordered(&desk, &ann, 500).await;
    let tx = desk.send_usdt(micros(&exact));
    let claimed = claim(&ann, &tx).await;
    assert_eq!(claimed.body, json!({ "credited": exact["credits"], "top_up_ids": [exact["id"]] }));
    assert_eq!(desk.show(&ann, &exact).await["status"], "paid");
    assert_eq!(desk.poll().await.credited, 0);
    books::check(&desk.world).await;
}

#[tokio::test]
async fn a_claim_of_what_is_not_final_yet_works_a_minute_later() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = ordered(&desk, &ann, 2000).await;
    let sent = micros(&order) - FEE;
    let tx = desk.world.sandbox.usdt_transfer(UsdtWish::of(sent));
    assert_eq!(claim(&ann, &tx).await.problem(), "transfer_unknown");
    assert_eq!(ann.balance().await, (100, 0, 0));
    desk.world.advance(MINUTE);
    assert_waits(&desk, &ann, &order, &tx, sent).await;
    books::check(&desk.world).await;
}

#[tokio::test]
async fn while_no_indexer_answers_a_claim_asks_to_come_back() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = ordered(&desk, &ann, 2000).await;
    let sent = micros(&order) - FEE;
    let tx = desk.send_usdt(sent);
    for service in [Service::Tronscan, Service::Trongrid] {
        desk.world.sandbox.faults().set(service, FaultRule::always(sandbox::Fault::Refuse));
    }
    for _ in 0..2 {
        let refused = claim(&ann, &tx).await;
        assert_eq!((refused.status, refused.problem()), (502, "processor_unavailable"), "{}", refused.text);
        assert_eq!(refused.headers["retry-after"], "60");
    }
    assert_eq!((desk.inbox_rows().await, ann.balance().await), (0, (100, 0, 0)));
    // One index alone is no proof that there is no such transfer.
    desk.world.sandbox.faults().clear();
    desk.world.sandbox.faults().set(Service::Trongrid, FaultRule::always(sandbox::Fault::Refuse));
    desk.world.advance(MINUTE);
    for _ in 0..2 {
        assert_eq!(claim(&ann, &"ef".repeat(32)).await.problem(), "processor_unavailable");
    }
    desk.world.sandbox.faults().clear();
    desk.world.advance(MINUTE);
    assert_waits(&desk, &ann, &order, &tx, sent).await;
    books::check(&desk.world).await;
}
