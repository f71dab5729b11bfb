pub(crate) mod toy;

use crate::methods::Methods;
use crate::order::{FixedRate, PAYMENTS_MAX, Payment, TopUp};
use crate::{FactKey, Rail, Ruling, Status, TopUpRules, Unmatched, credits_for};
use platform::Platform;
use primitives::{
    Clock, Credits, Currency, EntryId, Money, Overflow, Rate, Secret, Timestamp, TopUpId, Unit,
};
use proptest::prelude::*;
use std::time::Duration;

const HOUR: u64 = 3600;

fn cents(units: u64) -> Credits {
    Credits::new(units).unwrap()
}

fn dong(units: u64) -> Money {
    Money::new(units, Currency::VND).unwrap()
}

fn usdt(micros: u64) -> Money {
    Money::new(micros, Currency::USDT).unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(1_000_000 + seconds)
}

/// The real profile's rules.
fn rules() -> TopUpRules {
    platform(&[]).rules(TopUpRules::read).unwrap()
}

fn platform(settings: &[(&str, &str)]) -> Platform {
    let usual = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("MEDIA_BUCKET", "x"),
    ];
    let settings = usual.iter().chain(settings);
    let env = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Platform::build(env, Clock::system(), None).unwrap()
}

#[test]
fn a_wallet_that_is_no_address_is_refused_with_what_is_wrong_with_it() {
    let table = [
        ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6T", "checksum"),
        ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6", "34 characters"),
        ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj60", "a character that no address has"),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "another network"),
    ];
    for (wallet, wrong) in table {
        let Err(refused) = Methods::new(&platform(&[("TRON_WALLET", wallet)]), &rules()) else {
            panic!("{wallet}")
        };
        let told = refused.to_string();
        assert!(told.contains("TRON_WALLET") && told.contains(wrong), "{wallet}: {told}");
    }
}

fn judge(order: &TopUp, amount: Money, paid_at: Timestamp, rules: &TopUpRules) -> Result<Ruling, Overflow> {
    crate::judge_payment(order, amount, paid_at, rules, Unit::UsdCent)
}

/// 500 cents at 26,270 dong, made at 0, expiring after an hour.
fn order(rail: Rail) -> TopUp {
    let rate = Rate::from_micros(26_270_000_000).unwrap();
    let is_usdt = rail == Rail::TronUsdt;
    TopUp {
        id: TopUpId::mint(at(0)),
        account: "ann".parse().unwrap(),
        rail,
        credits: cents(if is_usdt { 512 } else { 500 }),
        ordered: is_usdt.then(|| cents(500)),
        price: if is_usdt { usdt(5_123_000) } else { dong(131_350) },
        rate: (!is_usdt).then(|| FixedRate { rate, source: "vietcombank sell".to_owned(), at: at(0) }),
        reference: "CITAB2CDE".to_owned(),
        page_key: Secret::new("key"),
        created_at: at(0),
        expires_at: at(HOUR),
        cancelled_at: None,
        look_at: None,
        payments: Vec::new(),
        version: 0,
    }
}

fn paid(order: &TopUp, amount: Money, credits: u64, paid_at: Timestamp) -> TopUp {
    let nth = order.payments.len().to_string();
    order.paid(Payment {
        key: FactKey::new(order.rail, &nth, "0").unwrap(),
        amount,
        credits: cents(credits),
        reversed: Credits::ZERO,
        paid_at,
        entry: EntryId::mint(paid_at),
        shown_as: None,
    })
}

#[test]
fn what_arrives_is_credited_and_what_is_strange_is_kept() {
    let (rules, bank, chain) = (rules(), order(Rail::VietQr), order(Rail::TronUsdt));
    let credit = |units| Ruling::Credit(cents(units));
    let grace = HOUR + rules.grace().as_secs();
    let table = [
        (&bank, dong(131_350), 10, credit(500), "exact"),
        (&bank, dong(131_349), 10, credit(499), "a dong less"),
        (&bank, dong(131_351), 10, credit(500), "a dong more"),
        (&bank, dong(262_700), 10, credit(1000), "twice as much"),
        (&bank, dong(2_627), 10, credit(10), "little"),
        (&bank, dong(2_626), 10, Ruling::Keep(Unmatched::TooLittle), "less than ten cents"),
        (&bank, dong(26_270_000), 10, credit(100_000), "a thousand dollars"),
        (&bank, dong(26_270_263), 10, Ruling::Keep(Unmatched::TooMuch), "a cent more"),
        (&bank, dong(131_350), grace, credit(500), "in the last second of the grace"),
        (&bank, dong(131_350), grace + 1, Ruling::Keep(Unmatched::TooLate), "a second later"),
        (&bank, usdt(5_000_000), 10, Ruling::Keep(Unmatched::Odd), "another currency"),
        (&chain, usdt(5_123_000), 10, credit(512), "exact"),
        (&chain, usdt(5_123_000), HOUR + 10, credit(512), "late"),
        (&chain, usdt(5_123_000), grace + 1, Ruling::Keep(Unmatched::TooLate), "too late"),
    ];
    for (order, amount, seconds, expected, case) in table {
        assert_eq!(judge(order, amount, at(seconds), &rules).unwrap(), expected, "{case}");
    }
    let before = at(0).before(Duration::from_secs(6));
    assert_eq!(judge(&chain, usdt(5_123_000), before, &rules).unwrap(), Ruling::Keep(Unmatched::TooEarly));
    let midnight = at(0).before(Duration::from_secs(14 * HOUR));
    assert_eq!(
        judge(&bank, dong(131_350), midnight, &rules).unwrap(),
        credit(500),
        "a bank that tells the day only"
    );
}

#[test]
fn a_card_is_paid_as_ordered_and_once_or_looked_at() {
    let (rules, card) = (rules(), order(Rail::SepayCard));
    let late = at(7 * 24 * HOUR);
    assert_eq!(
        judge(&card, dong(131_350), late, &rules).unwrap(),
        Ruling::Credit(cents(500)),
        "captured is paid"
    );
    assert_eq!(judge(&card, dong(131_349), at(1), &rules).unwrap(), Ruling::Keep(Unmatched::OtherAmount));
    let hoarded = judge(&card, dong(131_350), at(8 * 24 * HOUR), &rules).unwrap();
    assert_eq!(hoarded, Ruling::Keep(Unmatched::TooLate), "a form signed long ago");
    let card = paid(&card, dong(131_350), 500, at(1));
    assert_eq!(judge(&card, dong(131_350), at(2), &rules).unwrap(), Ruling::Keep(Unmatched::OrderFull));
}

#[test]
fn an_order_takes_many_transfers_but_not_any_number() {
    let rules = rules();
    let mut bank = order(Rail::VietQr);
    for _ in 0..PAYMENTS_MAX {
        assert_eq!(judge(&bank, dong(131_350), at(1), &rules).unwrap(), Ruling::Credit(cents(500)));
        bank = paid(&bank, dong(131_350), 500, at(1));
    }
    assert_eq!(judge(&bank, dong(131_350), at(1), &rules).unwrap(), Ruling::Keep(Unmatched::OrderFull));
}

#[test]
fn an_orders_status_follows_from_what_happened() {
    let bank = order(Rail::VietQr);
    let (soon, later) = (at(60), at(2 * HOUR));
    assert_eq!((bank.status(soon), bank.status(later)), (Status::Created, Status::Expired));
    let cancelled = TopUp { cancelled_at: Some(soon), ..bank.clone() };
    assert_eq!((cancelled.status(soon), cancelled.status(later)), (Status::Cancelled, Status::Cancelled));
    assert_eq!(paid(&cancelled, dong(131_350), 500, soon).status(later), Status::Paid);
    assert_eq!(paid(&bank, dong(131_350), 500, soon).status(later), Status::Paid);
    assert_eq!(paid(&bank, dong(131_350), 500, later).status(later), Status::PaidLate);
    let part = paid(&bank, dong(100_000), 380, soon);
    assert_eq!(part.status(soon), Status::PartlyPaid);
    assert_eq!(paid(&part, dong(31_350), 119, soon).status(soon), Status::Paid);
    let over = paid(&part, dong(131_350), 500, soon);
    assert_eq!(over.status(soon), Status::Overpaid);
    let mut reversed = over.clone();
    reversed.payments[0].reversed = cents(380);
    assert_eq!(reversed.status(soon), Status::Overpaid, "a part still stands");
    reversed.payments[1].reversed = cents(500);
    assert_eq!(reversed.status(soon), Status::Reversed);
    assert!(!over.is_open(soon) && bank.is_open(soon) && !bank.is_open(later));
}

#[test]
fn a_payments_name_is_read_as_it_is_written() {
    for text in ["viet_qr.92704.0", "sepay_card.CIT-01M8.0", "tron_usdt.ab12.5123000-0"] {
        assert_eq!(text.parse::<FactKey>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "viet_qr",
        "viet_qr.1",
        "stripe.1.0",
        "viet_qr..0",
        "viet_qr.1.",
        "viet_qr.1.0/event",
        "viet_qr.a#b.0",
    ] {
        assert!(text.parse::<FactKey>().is_err(), "{text}");
    }
}

#[test]
fn parts_bring_what_the_whole_would_have_brought() {
    let (rules, bank) = (rules(), order(Rail::VietQr));
    let first = judge(&bank, dong(100_000), at(1), &rules).unwrap();
    assert_eq!(first, Ruling::Credit(cents(380)));
    let bank = paid(&bank, dong(100_000), 380, at(1));
    assert_eq!(judge(&bank, dong(31_350), at(2), &rules).unwrap(), Ruling::Credit(cents(120)), "500 in all");
    let bank = paid(&bank, dong(31_350), 120, at(2));
    assert_eq!(judge(&bank, dong(131_350), at(3), &rules).unwrap(), Ruling::Credit(cents(500)), "once more");
}

proptest! {
    /// Paying more never brings less, and nobody gains more than a cent by splitting or rounding.
    #[test]
    fn more_dong_are_worth_at_least_as_much(first in 1_u64..1_000_000_000, more in 0_u64..1_000_000_000) {
        let bank = order(Rail::VietQr);
        let worth_of = |units| credits_for(&bank, dong(units), Unit::UsdCent).unwrap().unwrap().get();
        prop_assert!(worth_of(first + more) >= worth_of(first));
        let (whole, parts) = (worth_of(first + more), worth_of(first) + worth_of(more));
        prop_assert!(parts <= whole + 2, "{} {}", parts, whole);
    }
}
