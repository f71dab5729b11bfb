//! What one grant costs at the store, by rail: its calls in their order, and the write units.

use super::desk::{Desk, dong, micros};
use crate::books;
use crate::world::{Instance, StoreCall};
use sandbox::{IpnKind, TransferWish};

/// Operations, write units of the tables, write units of the indexes; and forgets them.
fn cost(instance: &Instance) -> (Vec<String>, u64, u64) {
    let calls = instance.meddler.calls();
    instance.meddler.forget();
    let sum = |units: fn(&StoreCall) -> u64| calls.iter().map(units).sum();
    let operations = calls.iter().map(|call| call.operation.clone()).collect();
    (operations, sum(|call| call.table_units), sum(|call| call.index_units))
}

#[tokio::test]
async fn a_bank_transfer_takes_one_transaction_of_eight_items_and_a_repeat_takes_a_read() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let memo = order["reference"].as_str().unwrap();
    let id = desk.world.sandbox.bank_transfer(TransferWish::new(dong(&order), memo));
    let webhook = desk.world.sandbox.bank_webhook(id).unwrap();
    desk.world.product.meddler.forget();

    assert_eq!(desk.deliver(&webhook).await.status, 200);

    // The payment, the reference with what was told alike, the order, the account; then all at once; then the sign of life.
    let (operations, table, index) = cost(&desk.world.product);
    let expected = ["GetItem", "BatchGetItem", "GetItem", "GetItem", "TransactWriteItems", "UpdateItem"];
    assert_eq!(operations, expected);
    assert!(table <= 17 && index <= 4, "twice for each item, once for the sign of life: {table} + {index}");
    assert_eq!(desk.deliver(&webhook).await.status, 200);
    let (operations, table, index) = cost(&desk.world.product);
    assert_eq!((operations, table, index), (vec!["GetItem".to_owned(), "UpdateItem".to_owned()], 1, 0));
    assert_eq!(ann.balance().await, (600, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_card_payment_takes_one_write_more_because_its_message_is_kept_first() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "sepay_card", 500).await;
    desk.pay_by_card(&order).await;
    desk.world.product.meddler.forget();

    assert_eq!(desk.ipn(&order, IpnKind::OrderPaid).await.status, 200);

    let (operations, table, index) = cost(&desk.world.product);
    let expected =
        ["PutItem", "UpdateItem", "GetItem", "BatchGetItem", "GetItem", "GetItem", "TransactWriteItems"];
    assert_eq!(operations, expected);
    // A message with its seal is longer than a kilobyte.
    assert!(table <= 17 && index <= 2, "{table} + {index}");
    assert_eq!(desk.ipn(&order, IpnKind::OrderPaid).await.status, 200);
    let (operations, table, index) = cost(&desk.world.product);
    assert_eq!(operations, ["PutItem", "UpdateItem", "GetItem"]);
    assert!(table <= 3 && index == 0, "{table} + {index}");
    assert_eq!(ann.balance().await, (600, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_poll_costs_the_same_however_many_transfers_it_knows_already() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "tron_usdt", 500).await;
    desk.send_usdt(micros(&order));
    desk.world.product.meddler.forget();

    assert_eq!(desk.poll().await.credited, 1);

    let (operations, table, index) = cost(&desk.world.product);
    let expected = [
        // Claims whose wait is over.
        "Query",
        "GetItem",
        "BatchGetItem",
        "GetItem",
        "BatchGetItem",
        "GetItem",
        "GetItem",
        "TransactWriteItems",
        "UpdateItem",
        "UpdateItem",
    ];
    assert_eq!(operations, expected);
    assert!(table <= 14 && index <= 2, "{table} + {index}");
    let quiet = ["Query", "GetItem", "BatchGetItem", "UpdateItem", "UpdateItem"];
    for _ in 0..2 {
        let report = desk.poll().await;
        assert_eq!(report.credited, 0);
        assert_eq!(cost(&desk.world.product), (quiet.map(str::to_owned).to_vec(), 2, 0), "{report:?}");
        // Forty more transfers that nobody ordered, booked and then known.
        for nth in 0..40 {
            desk.send_usdt(7_000_000 + nth);
        }
        assert_eq!(desk.poll().await.kept % 40, 0);
        cost(&desk.world.product);
    }
    books::check_payments(&desk.world).await;
}

/// Money that left the account: known, and nothing to be judged again.
async fn sent_away(desk: &Desk, amount: u64) {
    let wish = TransferWish { outgoing: true, ..TransferWish::new(amount, "rent") };
    let id = desk.world.sandbox.bank_transfer(wish);
    assert_eq!(desk.deliver(&desk.world.sandbox.bank_webhook(id).unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_comparison_reads_what_it_knows_in_batches() {
    let desk = Desk::open().await;
    for nth in 0..30 {
        sent_away(&desk, 10_000 + nth).await;
    }
    // The first comparison of all notes where it began.
    desk.reconcile().await;
    desk.world.product.meddler.forget();
    desk.reconcile().await;
    let (few, ..) = cost(&desk.world.product);
    for nth in 0..60 {
        sent_away(&desk, 20_000 + nth).await;
    }
    desk.world.product.meddler.forget();

    desk.reconcile().await;

    let (many, table, index) = cost(&desk.world.product);
    assert_eq!(many.len(), few.len(), "not one read for each transfer: {many:?}");
    assert!(table <= 4 && index == 0, "only the signs of life: {table} + {index}");
    books::check_payments(&desk.world).await;
}
