//! The ledger against the real store: grants, refunds, reversals, random sequences, many entries.

use crate::books;
use crate::world::{Fault, World, image};
use credits::{Decided, Decision, Hold, Ledger, OnceKey, Origin, Posted, Posting, Reservation, read_lots};
use primitives::{AccountId, CostCents, Credits, EntryId, Fingerprint, RunId};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

fn credits(units: u64) -> Credits {
    Credits::new(units).unwrap()
}

fn grant(units: u64, name: &str) -> Posting {
    Posting::Grant { amount: credits(units), origin: Origin::TopUp, key: OnceKey::new("test", name) }
}

async fn open(world: &World, name: &str) -> (Ledger, AccountId) {
    let ledger = Ledger::new(&world.product.platform).unwrap();
    let person = world.person(name);
    person.balance().await;
    (ledger, person.id().parse().unwrap())
}

#[tokio::test]
async fn an_outside_fact_is_granted_once_whoever_brings_it_how_often() {
    let world = World::start().await;
    let (ledger, ann) = open(&world, "ann").await;
    let (_, bob) = open(&world, "bob").await;
    let first = ledger.post(&ann, &grant(500, "tx1"), world.now()).await.unwrap();
    let Posted::Now(entry) = first else { panic!("{first:?}") };
    let at_once: Vec<_> = (0..20)
        .map(|turn| {
            let (ledger, account) = (ledger.clone(), if turn % 2 == 0 { ann.clone() } else { bob.clone() });
            let now = world.now();
            tokio::spawn(async move { ledger.post(&account, &grant(500, "tx1"), now).await.unwrap() })
        })
        .collect();
    for posted in at_once {
        assert_eq!(posted.await.unwrap(), Posted::Before { account: ann.clone(), entry });
    }
    assert_eq!(world.person("ann").balance().await, (600, 0, 0));
    assert_eq!(world.person("bob").balance().await, (100, 0, 0));
    books::check(&world).await;
}

#[tokio::test]
async fn a_grant_whose_reply_was_lost_or_that_met_a_conflict_is_granted_once() {
    for fault in [Fault::ReplyLost, Fault::Conflict, Fault::Throttled] {
        let world = World::start().await;
        let (ledger, ann) = open(&world, "ann").await;
        for nth in 0..3 {
            world.product.meddler.plan(nth, fault);
            let posting = grant(500, &format!("tx{nth}"));
            ledger.post(&ann, &posting, world.now()).await.unwrap();
        }
        world.product.meddler.forget();
        assert_eq!(world.person("ann").balance().await, (1600, 0, 0), "{fault:?}");
        books::check(&world).await;
    }
}

#[tokio::test]
async fn a_settled_run_is_refunded_at_most_once() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.advance(std::time::Duration::from_secs(1));
    let run: RunId = ann.run(&image("x")).await.body["id"].as_str().unwrap().parse().unwrap();
    let ledger = Ledger::new(&world.product.platform).unwrap();
    let refund = Posting::Refund { run, amount: credits(4), reason: "blurred".to_owned() };
    let account = ann.id().parse().unwrap();
    world.advance(std::time::Duration::from_secs(1));
    for wrong in [
        Posting::Refund { run, amount: credits(5), reason: "too much".to_owned() },
        Posting::Refund {
            run: RunId::mint(world.now()),
            amount: credits(4),
            reason: "no such run".to_owned(),
        },
    ] {
        let refused = ledger.post(&account, &wrong, world.now()).await;
        assert!(matches!(refused, Err(credits::PostingError::NothingToRefund)), "{refused:?}");
    }
    // What took the same amount and is no run: a chargeback.
    let Posted::Now(top_up) = ledger.post(&account, &grant(4, "tx"), world.now()).await.unwrap() else {
        panic!()
    };
    world.advance(std::time::Duration::from_secs(1));
    let key = OnceKey::new("test", "too much");
    let wrong = Posting::Reversal { of: top_up, amount: credits(5), unspent: credits(4), key };
    let refused = ledger.post(&account, &wrong, world.now()).await;
    assert!(matches!(refused, Err(credits::PostingError::NothingToReverse)), "{refused:?}");
    let key = OnceKey::new("test", "chargeback");
    let reversal = Posting::Reversal { of: top_up, amount: credits(4), unspent: credits(4), key };
    let Posted::Now(reversal) = ledger.post(&account, &reversal, world.now()).await.unwrap() else {
        panic!()
    };
    let wrong = Posting::Refund { run: reversal.into(), amount: credits(4), reason: "no run".to_owned() };
    let refused = ledger.post(&account, &wrong, world.now()).await;
    assert!(matches!(refused, Err(credits::PostingError::NothingToRefund)), "{refused:?}");
    world.advance(std::time::Duration::from_secs(1));
    let Posted::Now(refunded) = ledger.post(&account, &refund, world.now()).await.unwrap() else { panic!() };
    // A refund came of no payment that could be taken back.
    let key = OnceKey::new("test", "chargeback of a refund");
    let wrong = Posting::Reversal { of: refunded, amount: credits(4), unspent: credits(4), key };
    let refused = ledger.post(&account, &wrong, world.now()).await;
    assert!(matches!(refused, Err(credits::PostingError::NothingToReverse)), "{refused:?}");
    assert!(matches!(ledger.post(&account, &refund, world.now()).await.unwrap(), Posted::Before { .. }));
    assert_eq!(ann.balance().await, (100, 0, 0));
    let kinds: Vec<String> =
        ann.transactions().await.iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["refund", "reversal", "grant", "charge", "grant"]);
    books::check(&world).await;
}

#[tokio::test]
async fn a_reversal_leaves_debt_that_blocks_runs_until_new_credit_covers_it() {
    let world = World::start().await;
    let (ledger, id) = open(&world, "ann").await;
    let ann = world.person("ann");
    world.advance(std::time::Duration::from_secs(1));
    let Posted::Now(top_up) = ledger.post(&id, &grant(20, "tx"), world.now()).await.unwrap() else {
        panic!()
    };
    for _ in 0..27 {
        assert_eq!(ann.run(&image("x")).await.status, 200);
    }
    assert_eq!(ann.balance().await, (12, 0, 0), "the welcome is spent first, then 8 of the top-up");
    let entries = books::entries(&world, &id).await;
    let unspent = read_lots(&entries).unwrap().unspent_of(top_up);
    assert_eq!(unspent, credits(12));

    let second = std::time::Duration::from_secs(1);
    world.advance(second);
    let key = OnceKey::new("test", "chargeback");
    let reversal = Posting::Reversal { of: top_up, amount: credits(20), unspent, key };
    let Posted::Now(taken) = ledger.post(&id, &reversal, world.now()).await.unwrap() else { panic!() };
    assert_eq!(ann.balance().await, (0, 0, 8));
    let refused = ann.run(&image("x")).await;
    assert_eq!((refused.problem(), refused.status), ("debt_outstanding", 402));
    books::check(&world).await;

    world.advance(second);
    ledger.post(&id, &grant(50, "tx2"), world.now()).await.unwrap();
    assert_eq!(ann.balance().await, (42, 0, 0));
    world.advance(second);
    let won = |reversal, of, units| Posting::Reinstatement { reversal, of, amount: credits(units) };
    for unfounded in [won(taken, top_up, 21), won(top_up, top_up, 20), won(taken, taken, 20)] {
        let refused = ledger.post(&id, &unfounded, world.now()).await;
        assert!(matches!(refused, Err(credits::PostingError::NothingToReinstate)), "{refused:?}");
    }
    ledger.post(&id, &won(taken, top_up, 20), world.now()).await.unwrap();
    assert_eq!(ann.balance().await, (62, 0, 0), "exactly what was taken");
    let again = ledger.post(&id, &won(taken, top_up, 20), world.now()).await.unwrap();
    assert!(matches!(again, Posted::Before { .. }), "{again:?}");
    books::check(&world).await;
}

#[tokio::test]
async fn a_charge_decided_twice_is_taken_once_and_a_second_hold_goes_back_whole() {
    let world = World::start().await;
    let (ledger, id) = open(&world, "ann").await;
    let run = RunId::mint(world.now());
    let first = reserve(&ledger, &world, &id, run, 10).await;
    let charge = Decision::charge(&first, credits(10), "{}".to_owned()).unwrap();
    let Decided::Now(outcome) = ledger.decide(&id, &charge, world.now()).await.unwrap() else { panic!() };
    ledger.apply(&id, &first, &outcome, world.now()).await.unwrap();
    // A repeat that slipped past the look for an outcome holds again under the same id.
    let second = reserve(&ledger, &world, &id, run, 10).await;
    let charge = Decision::charge(&second, credits(10), "{}".to_owned()).unwrap();
    let Decided::Before(standing) = ledger.decide(&id, &charge, world.now()).await.unwrap() else { panic!() };
    ledger.apply(&id, &second, &standing, world.now()).await.unwrap();
    assert_eq!(ledger.apply(&id, &first, &outcome, world.now()).await.unwrap(), None, "applied before");
    assert_eq!(world.person("ann").balance().await, (90, 0, 0));
    books::check(&world).await;
}

async fn reserve(ledger: &Ledger, world: &World, id: &AccountId, run: RunId, price: u64) -> Hold {
    let wish = Reservation {
        account: id.clone(),
        run,
        price: credits(price),
        tool: "script/chat".to_owned(),
        fingerprint: Fingerprint::of(&[b"x"]),
        lifetime: ledger.hold_lifetime(),
    };
    ledger.reserve(&wish, world.now()).await.unwrap().unwrap().hold
}

#[derive(Debug, Clone)]
enum Step {
    Grant(u64),
    Reserve(u64),
    Decide(usize, bool),
    Apply(usize),
    Sweep,
}

/// The pure model of the crate's own tests says what must happen; this one checks that the store does it.
#[tokio::test]
async fn random_sequences_on_the_real_store_keep_the_books() {
    let step = prop_oneof![
        (1..200_u64).prop_map(Step::Grant),
        (0..60_u64).prop_map(Step::Reserve),
        (any::<usize>(), any::<bool>()).prop_map(|(hold, ok)| Step::Decide(hold, ok)),
        any::<usize>().prop_map(Step::Apply),
        Just(Step::Sweep),
    ];
    let steps = prop::collection::vec(step, 40);
    let mut runner = TestRunner::default();
    for case in 0..12 {
        // The credit alone decides here; what else a reservation waits for has tests of its own.
        let unlimited = [("UNPAID_OPEN_HOLDS_MAX", "64"), ("GIVEN_BACK_DAY_CENTS", "1000000")];
        let world = World::with(&unlimited).await;
        let (ledger, id) = open(&world, "ann").await;
        let steps = steps.new_tree(&mut runner).unwrap().current();
        let mut holds: Vec<Hold> = Vec::new();
        for (turn, step) in steps.iter().enumerate() {
            match step {
                Step::Grant(units) => {
                    let posting = grant(*units, &format!("{case}-{turn}"));
                    ledger.post(&id, &posting, world.now()).await.unwrap();
                }
                Step::Reserve(price) => {
                    let before = ledger.account(&id).await.unwrap().unwrap();
                    let wish = Reservation {
                        account: id.clone(),
                        run: RunId::mint(world.now()),
                        price: credits(*price),
                        tool: "script/chat".to_owned(),
                        fingerprint: Fingerprint::of(&[b"x"]),
                        lifetime: ledger.hold_lifetime(),
                    };
                    let reserved = ledger.reserve(&wish, world.now()).await.unwrap();
                    assert_eq!(reserved.is_ok(), before.available >= credits(*price), "{steps:?}");
                    holds.extend(reserved.ok().map(|reserved| reserved.hold));
                }
                Step::Decide(index, ok) if !holds.is_empty() => {
                    let hold = &holds[index % holds.len()];
                    let decision = match ok {
                        true => Decision::charge(hold, hold.amount, "{}".to_owned()).unwrap(),
                        false => Decision::release(hold, "unavailable", CostCents::ZERO, "{}".to_owned()),
                    };
                    ledger.decide(&id, &decision, world.now()).await.unwrap();
                }
                Step::Apply(index) if !holds.is_empty() => {
                    let hold = &holds[index % holds.len()];
                    if let Some(outcome) = ledger.outcome(&id, hold.run).await.unwrap() {
                        ledger.apply(&id, hold, &outcome, world.now()).await.unwrap();
                    }
                }
                Step::Sweep => {
                    world.advance_and_sweep().await;
                }
                Step::Decide(..) | Step::Apply(_) => {}
            }
            books::check(&world).await;
        }
        world.advance_and_sweep().await;
        books::check_settled(&world).await;
    }
}

#[tokio::test]
async fn lists_page_through_everything_once() {
    let world = World::start().await;
    let (ledger, id) = open(&world, "ann").await;
    let ann = world.person("ann");
    ledger.post(&id, &grant(1000, "tx"), world.now()).await.unwrap();
    for _ in 0..7 {
        world.advance(std::time::Duration::from_secs(61));
        ann.run(&image("x")).await;
    }
    for (path, list) in [("/v1/account/transactions", "transactions"), ("/v1/runs", "runs")] {
        let (mut seen, mut cursor) = (Vec::<EntryId>::new(), String::new());
        loop {
            let page = ann.get(&format!("{path}?limit=2{cursor}")).await;
            let rows = page.body[list].as_array().unwrap();
            assert!(rows.len() <= 2, "{}", page.text);
            seen.extend(rows.iter().map(|row| row["id"].as_str().unwrap().parse::<EntryId>().unwrap()));
            match page.body["next_cursor"].as_str() {
                Some(next) => {
                    assert_eq!(rows.len(), 2, "only the last page is short: {}", page.text);
                    cursor = format!("&cursor={next}");
                }
                None => break,
            }
        }
        let expected = if list == "runs" { 7 } else { 9 };
        assert_eq!(seen.len(), expected, "{path}");
        assert!(seen.is_sorted_by(|a, b| a > b), "newest first");
        assert_eq!(ann.get(&format!("{path}?cursor=rubbish")).await.problem(), "invalid_input");
        assert_eq!(ann.get(&format!("{path}?limit=0")).await.problem(), "invalid_input");
    }
}

#[tokio::test]
async fn many_runs_that_moved_nothing_do_not_hide_the_movements_before_them() {
    let world = World::with(&[("RUNS_PER_MINUTE_MAX", "100000")]).await;
    let (ledger, id) = open(&world, "ann").await;
    for _ in 0..450 {
        world.advance(std::time::Duration::from_millis(10));
        let hold = reserve(&ledger, &world, &id, RunId::mint(world.now()), 1).await;
        let released = Decision::release(&hold, "unavailable", CostCents::ZERO, "{}".to_owned());
        let Decided::Now(outcome) = ledger.decide(&id, &released, world.now()).await.unwrap() else {
            panic!()
        };
        ledger.apply(&id, &hold, &outcome, world.now()).await.unwrap();
    }
    world.product.meddler.forget();
    let page = world.person("ann").get("/v1/account/transactions?limit=1").await;
    assert_eq!(page.body["transactions"][0]["kind"], "grant");
    assert!(world.product.meddler.calls().len() < 8, "read in few queries");
}

/// Each movement shows the balance after it, page by page, also while a charge is decided and not yet taken.
#[tokio::test]
async fn a_statement_shows_the_balance_after_each_movement() {
    let world = World::start().await;
    let (ledger, id) = open(&world, "ann").await;
    let ann = world.person("ann");
    ledger.post(&id, &grant(1000, "tx"), world.now()).await.unwrap();
    for _ in 0..3 {
        world.advance(std::time::Duration::from_secs(61));
        ann.run(&image("x")).await;
    }
    world.advance(std::time::Duration::from_secs(61));
    let hold = reserve(&ledger, &world, &id, RunId::mint(world.now()), 7).await;
    let charge = Decision::charge(&hold, hold.amount, "{}".to_owned()).unwrap();
    let Decided::Now(outcome) = ledger.decide(&id, &charge, world.now()).await.unwrap() else { panic!() };

    let (mut rows, mut cursor) = (Vec::<serde_json::Value>::new(), String::new());
    loop {
        let page = ann.get(&format!("/v1/account/transactions?limit=2{cursor}")).await;
        rows.extend(page.body["transactions"].as_array().unwrap().iter().cloned());
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }

    let part = |row: &serde_json::Value, name: &str| row[name]["amount"].as_i64().unwrap();
    let before: Vec<i64> = rows.iter().map(|row| part(row, "balance_after") - part(row, "credits")).collect();
    let after: Vec<i64> = rows.iter().map(|row| part(row, "balance_after")).collect();
    assert_eq!((after[0], before.last()), (100 + 1000 - 3 * 4 - 7, Some(&0)), "{rows:?}");
    assert_eq!(&after[1..], &before[..before.len() - 1], "{rows:?}");

    ledger.apply(&id, &hold, &outcome, world.now()).await.unwrap();
    let settled = ann.get("/v1/account/transactions?limit=1").await;
    assert_eq!(
        part(&settled.body["transactions"][0], "balance_after"),
        after[0],
        "the same once it is taken"
    );
}
