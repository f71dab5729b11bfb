use super::{VIETNAM, paid_order, payment, with};
use crate::sepay_card::{CardOrder, CardOutcome, Oddity, reading};
use crate::{Unreadable, Vnd};
use serde_json::{Value, json};

#[test]
fn a_captured_order_is_worth_its_one_payment() {
    let CardOutcome::Captured { amount, transaction_id, at, card } = outcome(&paid_order()) else { panic!() };
    assert_eq!(amount, Vnd::new(100_000).unwrap());
    assert_eq!(transaction_id, "384c66dd-41e6-4316-a544-b4141682595c");
    // The documents' IPN sample gives the same second both ways: 1759134682 and this date in Vietnam.
    assert_eq!(at.seconds(), 1_759_134_682);
    let card = card.unwrap();
    assert_eq!((card.last4(), card.brand()), ("1234", Some("VISA")));
    assert_eq!(card.expiry().unwrap().to_string(), "12/30");
}

#[test]
fn each_condition_alone_can_stop_a_capture() {
    use Oddity::*;
    let first = |field: &str| format!("/transactions/0/{field}");
    let odd = CardOutcome::Odd;
    let table = [
        ("/order_status".to_owned(), json!("CANCELLED"), odd(PaidThoughCancelled)),
        ("/order_status".to_owned(), json!("CANCELED"), odd(PaidThoughCancelled)),
        ("/order_status".to_owned(), json!("AUTHENTICATION_NOT_NEEDED"), CardOutcome::Waiting),
        ("/order_status".to_owned(), json!("SETTLED"), odd(UnknownStatus)),
        ("/order_status".to_owned(), json!(null), odd(UnknownStatus)),
        ("/order_amount".to_owned(), json!("100001.00"), odd(AmountsDiffer)),
        ("/order_amount".to_owned(), json!("100000.50"), odd(UnreadableAmount)),
        ("/order_amount".to_owned(), json!("-100000"), odd(UnreadableAmount)),
        ("/order_amount".to_owned(), json!("1e5"), odd(UnreadableAmount)),
        ("/order_amount".to_owned(), json!(9_007_199_254_740_992_u64), odd(UnreadableAmount)),
        ("/order_amount".to_owned(), json!(null), odd(UnreadableAmount)),
        ("/order_currency".to_owned(), json!("USD"), odd(NotInDong)),
        ("/order_currency".to_owned(), json!("VND$"), odd(NotInDong)),
        ("/order_currency".to_owned(), json!(null), odd(NotInDong)),
        ("/transactions".to_owned(), json!([]), odd(NoApprovedPayment)),
        ("/transactions".to_owned(), json!(null), odd(TransactionsNotShown)),
        (first("transaction_status"), json!("DECLINED"), odd(NoApprovedPayment)),
        (first("transaction_status"), json!("PENDING"), CardOutcome::Waiting),
        (first("transaction_status"), json!("SETTLED"), odd(NoApprovedPayment)),
        (first("transaction_type"), json!("REFUND"), odd(NoApprovedPayment)),
        (first("transaction_type"), json!("CHARGEBACK"), odd(UnknownTransaction)),
        (first("transaction_amount"), json!("99999"), odd(AmountsDiffer)),
        (first("transaction_amount"), json!("0"), odd(UnreadableAmount)),
        (first("transaction_currency"), json!("USD"), odd(NotInDong)),
        (first("transaction_currency"), json!(null), odd(NotInDong)),
    ];
    for (pointer, value, expected) in table {
        assert_eq!(outcome(&with(paid_order(), &pointer, value.clone())), expected, "{pointer} {value}");
    }
}

#[test]
fn an_order_for_nothing_is_not_captured() {
    let verified = with(paid_order(), "/order_amount", json!("0.00"));
    let verified = with(verified, "/transactions/0/transaction_amount", json!("0"));
    assert_eq!(outcome(&verified), CardOutcome::Odd(Oddity::UnreadableAmount));
}

#[test]
fn an_amount_is_the_same_in_all_whole_spellings_and_in_no_other() {
    for spelling in
        ["\"100000\"", "\"100000.00\"", "\"100000.0\"", "100000", "100000.0", "100000.00", "\" 100000\""]
    {
        let order: Value = spelled(spelling);
        assert!(matches!(outcome(&order), CardOutcome::Captured { .. }), "{spelling}");
    }
    for spelling in ["100000.5", "-100000.0", "1e5", "\"100,000\"", "\"100.000\"", "[100000]", "true"] {
        assert_eq!(outcome(&spelled(spelling)), CardOutcome::Odd(Oddity::UnreadableAmount), "{spelling}");
    }
}

#[test]
fn other_tries_do_not_hide_the_payment_unless_they_are_unclear() {
    let kinds = ["PAYMENT", "REFUND", "VOID", "CHARGEBACK"];
    for kind in kinds {
        let declined = movement("other", kind, "DECLINED", "100000");
        assert!(matches!(outcome(&paid_with([declined])), CardOutcome::Captured { .. }), "{kind}");
        let unclear = movement("other", kind, "SETTLED", "100000");
        assert_eq!(outcome(&paid_with([unclear])), CardOutcome::Odd(Oddity::UnknownTransaction), "{kind}");
    }
    let expected = |kind| match kind {
        "REFUND" | "VOID" => "waiting",
        "CHARGEBACK" => "odd",
        _ => "captured",
    };
    for kind in kinds {
        let pending = outcome(&paid_with([movement("other", kind, "PENDING", "100000")]));
        let is_expected = match expected(kind) {
            "waiting" => pending == CardOutcome::Waiting,
            "odd" => pending == CardOutcome::Odd(Oddity::UnknownTransaction),
            _ => matches!(pending, CardOutcome::Captured { .. }),
        };
        assert!(is_expected, "{kind} {pending:?}");
    }
}

#[test]
fn two_payments_are_for_a_person_to_judge() {
    let twice = paid_with([movement("second", "PAYMENT", "APPROVED", "100000")]);
    assert_eq!(outcome(&twice), CardOutcome::Odd(Oddity::SeveralPayments));
    let second = movement("second", "PAYMENT", "APPROVED", "100000");
    let one_back = paid_with([second, movement("void", "VOID", "APPROVED", "100000")]);
    assert_eq!(outcome(&one_back), CardOutcome::Odd(Oddity::SeveralPayments));
}

#[test]
fn a_payment_given_back_in_full_is_voided_whatever_the_orders_status() {
    let [half, rest] = ["half", "rest"].map(|id| movement(id, "REFUND", "APPROVED", "50000"));
    let reversals = [
        vec![movement("back", "VOID", "APPROVED", "100000.00")],
        vec![movement("back", "REFUND", "APPROVED", "100000")],
        vec![half, with(rest, "/transaction_date", json!("2025-09-30 00:00:00"))],
    ];
    for reversal in reversals {
        for status in ["CAPTURED", "CANCELLED", "AUTHENTICATION_NOT_NEEDED", "VOIDED"] {
            let order = with(paid_with(reversal.clone()), "/order_status", json!(status));
            let CardOutcome::Voided { amount, transaction_id, at } = outcome(&order) else {
                panic!("{status}")
            };
            assert_eq!(amount.get(), 100_000);
            let last = reversal.last().unwrap();
            assert_eq!(last["id"], transaction_id);
            assert!(at.seconds() > 1_759_134_682);
        }
    }
}

#[test]
fn a_void_alone_undoes_the_whole_order() {
    let alone = with(paid_order(), "/transactions", json!([movement("v", "VOID", "APPROVED", "100000")]));
    assert!(matches!(outcome(&alone), CardOutcome::Voided { .. }));
    let part = with(paid_order(), "/transactions", json!([movement("v", "VOID", "APPROVED", "1")]));
    assert_eq!(outcome(&part), CardOutcome::Odd(Oddity::PartlyReversed));
}

#[test]
fn what_is_not_given_back_exactly_is_for_a_person_to_judge() {
    let void = |amount| movement("void", "VOID", "APPROVED", amount);
    let table = [
        (vec![movement("part", "REFUND", "APPROVED", "40000")], Oddity::PartlyReversed),
        (vec![void("99999")], Oddity::PartlyReversed),
        (vec![void("100001")], Oddity::PartlyReversed),
        (vec![void("100000"), movement("again", "REFUND", "APPROVED", "100000")], Oddity::PartlyReversed),
        (vec![void("100000.5")], Oddity::UnreadableAmount),
        (vec![with(void("100000"), "/transaction_currency", json!("USD"))], Oddity::NotInDong),
        (
            vec![with(void("100000"), "/transaction_date", json!("2025-09-29 15:31:21"))],
            Oddity::ReversedBeforePaid,
        ),
        (vec![void("100000"), movement("x", "REPAYMENT", "APPROVED", "100000")], Oddity::UnknownTransaction),
    ];
    for (reversals, oddity) in table {
        assert_eq!(outcome(&paid_with(reversals)), CardOutcome::Odd(oddity));
    }
}

#[test]
fn an_unpaid_order_waits_until_it_is_cancelled() {
    let unpaid = |status: &str, transactions: Value| {
        outcome(&with(with(paid_order(), "/order_status", json!(status)), "/transactions", transactions))
    };
    let declined = || json!([movement("d", "PAYMENT", "DECLINED", "100000")]);
    for transactions in [json!(null), json!([]), declined()] {
        assert_eq!(unpaid("AUTHENTICATION_NOT_NEEDED", transactions.clone()), CardOutcome::Waiting);
        assert_eq!(unpaid("SOMETHING_NEW", transactions.clone()), CardOutcome::Waiting);
        assert_eq!(unpaid("CANCELLED", transactions), CardOutcome::Cancelled);
    }
}

#[test]
fn a_payment_without_a_date_is_dated_by_its_order() {
    let undated = with(paid_order(), "/transactions/0/transaction_date", json!("yesterday"));
    let CardOutcome::Captured { at, .. } = outcome(&undated) else { panic!() };
    assert_eq!(at.seconds(), 1_759_134_683);
    let undated =
        with(with(undated, "/updated_at", json!(null)), "/created_at", json!("2025-13-01 00:00:00"));
    assert_eq!(outcome(&undated), CardOutcome::Odd(Oddity::Undated));
}

#[test]
fn a_date_with_a_zone_of_its_own_keeps_it() {
    let zoned = with(paid_order(), "/transactions/0/transaction_date", json!("2025-09-29T08:31:22.000000Z"));
    let CardOutcome::Captured { at, .. } = outcome(&zoned) else { panic!() };
    assert_eq!(at.seconds(), 1_759_134_682);
}

#[test]
fn a_transfer_has_no_card_and_no_holders_name_is_kept() {
    let transfer = with(paid_order(), "/transactions/0/card_number", json!(null));
    let CardOutcome::Captured { card, .. } = outcome(&transfer) else { panic!() };
    assert_eq!(card, None);

    let full = with(paid_order(), "/transactions/0/card_number", json!("4111111111111234"));
    let kept = format!("{:?}", read(&full).unwrap());
    assert!(!kept.contains("NGUYEN") && !kept.contains("4111") && kept.contains("1234"));
    let number = with(paid_order(), "/transactions/0/card_number", json!(4_111_111_111_111_234_u64));
    assert!(!format!("{:?}", read(&number).unwrap()).contains("4111"));
}

#[test]
fn an_order_with_a_nameless_transaction_is_unreadable_as_a_whole() {
    let table = [
        ("/transactions/0/id", json!(null), "transactions.id"),
        ("/transactions/0", json!("PAYMENT"), "transactions.id"),
        ("/transactions", json!({}), "transactions"),
        ("/order_invoice_number", json!("a b"), "order_invoice_number"),
    ];
    for (pointer, value, field) in table {
        assert_eq!(read(&with(paid_order(), pointer, value)), Err(Unreadable(field)), "{pointer}");
    }
}

fn read(order: &Value) -> Result<CardOrder, Unreadable> {
    CardOrder::read(order, VIETNAM)
}

fn outcome(order: &Value) -> CardOutcome {
    read(order).unwrap().outcome()
}

/// A paid order whose `order_amount` is this piece of JSON.
fn spelled(json_amount: &str) -> Value {
    let text = paid_order().to_string().replace("\"100000.00\"", json_amount);
    reading::document(text.as_bytes()).unwrap()
}

#[test]
fn a_word_counts_in_any_case_and_with_blanks_around_it() {
    for (pointer, value) in [
        ("/order_status", json!(" captured ")),
        ("/order_currency", json!("vnd")),
        ("/order_invoice_number", json!(" CIT-7 ")),
        ("/transactions/0/transaction_status", json!("Approved")),
        ("/transactions/0/transaction_type", json!("payment")),
        ("/transactions/0/transaction_currency", json!("Vnd")),
    ] {
        let order = with(paid_order(), pointer, value.clone());
        assert!(matches!(outcome(&order), CardOutcome::Captured { .. }), "{pointer} {value}");
    }
}

fn paid_with(others: impl IntoIterator<Item = Value>) -> Value {
    let transactions: Vec<Value> = [payment()].into_iter().chain(others).collect();
    with(paid_order(), "/transactions", Value::Array(transactions))
}

/// A minute after the payment.
fn movement(id: &str, kind: &str, status: &str, amount: &str) -> Value {
    json!({
        "id": id,
        "transaction_type": kind,
        "transaction_status": status,
        "transaction_amount": amount,
        "transaction_currency": "VND",
        "transaction_date": "2025-09-29 15:32:22",
    })
}
