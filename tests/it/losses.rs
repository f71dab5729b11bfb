//! What we pay for and give back is bounded per account and day, and counted exactly once.

use crate::books;
use crate::world::{Person, World, image, new_run_id, script};
use aws_sdk_dynamodb::types::AttributeValue;
use credits::{Ledger, OnceKey, Origin, Posting};
use primitives::{AccountId, Credits, EntryId};
use sandbox::{Fault, FaultRule, Service};
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;

/// Every picture is flagged from now on: fal bills 2.5 cents for it, and the customer pays nothing.
fn flag_every_picture(world: &World) {
    world.sandbox.faults().set(Service::Fal, FaultRule::always(Fault::Nsfw));
}

async fn top_up(world: &World, person: &Person, units: u64) -> EntryId {
    person.balance().await;
    let key = OnceKey::new("test", format!("{}-{units}", person.name));
    let grant = Posting::Grant { amount: Credits::new(units).unwrap(), origin: Origin::TopUp, key };
    let id: AccountId = person.id().parse().unwrap();
    let posted = Ledger::new(&world.product.platform).unwrap().post(&id, &grant, world.now()).await.unwrap();
    let credits::Posted::Now(entry) = posted else { panic!("{posted:?}") };
    entry
}

/// How many pictures are given back before the next one is refused.
async fn given_back(person: &Person, at_most: usize) -> usize {
    for count in 0..at_most {
        let answer = person.run(&image("a red kite")).await;
        if answer.status == 429 {
            assert_eq!(answer.problem(), "given_back_too_much", "{}", answer.text);
            return count;
        }
        assert_eq!(answer.problem(), "content_rejected", "{}", answer.text);
    }
    at_most
}

async fn account_row(world: &World, person: &Person) -> HashMap<String, AttributeValue> {
    let rows = books::scan(world, "accounts").await;
    rows.into_iter().find(|row| row["id"].as_s().unwrap() == &person.id()).unwrap()
}

/// Millionths of a cent by the day's attribute.
async fn losses(world: &World, person: &Person) -> Vec<(String, u64)> {
    let row = account_row(world, person).await;
    let counters = row.iter().filter(|(name, _)| name.starts_with('l'));
    let mut counters: Vec<_> =
        counters.map(|(name, value)| (name.clone(), value.as_n().unwrap().parse().unwrap())).collect();
    counters.sort();
    counters
}

#[tokio::test]
async fn flagged_pictures_in_a_row_stop_at_what_is_borne_and_go_on_the_next_day() {
    let world = World::start().await;
    let ann = world.person("ann");
    flag_every_picture(&world);

    // 25 cents are borne, a picture costs us 2.5.
    assert_eq!(given_back(&ann, 110).await, 10);
    assert_eq!(world.provider_calls(Service::Fal), 10, "what is refused is not sent");
    assert_eq!(ann.balance().await, (100, 0, 0));
    let refused = ann.run(&image("a red kite")).await;
    assert_eq!(refused.body["credit"], "not_taken");
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    let day_ends = world.now().after(Duration::from_secs(wait));
    assert_eq!(day_ends.seconds() % 86_400, 0, "until the UTC day ends");
    let told = refused.body["detail"].as_str().unwrap();
    assert!(told.contains(&day_ends.date()) && told.contains("00:00:00"), "{told}");
    // It is the account's budget: a script is refused too, other people are not.
    assert_eq!(ann.script("x").await.problem(), "given_back_too_much");
    assert_eq!(world.person("bob").run(&image("x")).await.problem(), "content_rejected");

    world.advance(Duration::from_secs(wait - 1));
    assert_eq!(ann.script("x").await.problem(), "given_back_too_much");
    world.advance(Duration::from_secs(1));
    assert_eq!(ann.script("x").await.status, 200);
    assert_eq!(given_back(&ann, 110).await, 10);
    assert_eq!(ann.balance().await, (99, 0, 0));
    books::check_losses(&world).await;
    books::check(&world).await;
}

#[tokio::test]
async fn for_who_has_paid_more_is_borne_until_the_payment_is_taken_back() {
    let world = World::start().await;
    let ann = world.person("ann");
    flag_every_picture(&world);
    let payment = top_up(&world, &ann, 500).await;

    // A tenth of five dollars.
    assert_eq!(given_back(&ann, 110).await, 20);
    top_up(&world, &ann, 700).await;
    assert_eq!(given_back(&ann, 110).await, 28, "a tenth of twelve dollars, of which half is used up");

    let key = OnceKey::new("test", "taken back");
    let unspent = Credits::new(500).unwrap();
    let reversal = Posting::Reversal { of: payment, amount: unspent, unspent, key };
    let id: AccountId = ann.id().parse().unwrap();
    let ledger = Ledger::new(&world.product.platform).unwrap();
    let reversed = ledger.post(&id, &reversal, world.now()).await.unwrap();
    world.advance(Duration::from_secs(86_400));
    assert_eq!(given_back(&ann, 110).await, 28, "a tenth of seven dollars");
    let credits::Posted::Now(reversal) = reversed else { panic!("{reversed:?}") };
    let won = Posting::Reinstatement { reversal, of: payment, amount: unspent };
    ledger.post(&id, &won, world.now()).await.unwrap();
    assert_eq!(given_back(&ann, 110).await, 20, "and of twelve again");
    books::check_losses(&world).await;
    books::check(&world).await;
}

#[tokio::test]
async fn whatever_was_paid_in_there_is_a_ceiling() {
    let world = World::with(&[("GIVEN_BACK_DAY_CENTS_MAX", "30")]).await;
    let ann = world.person("ann");
    flag_every_picture(&world);
    top_up(&world, &ann, 50_000).await;
    assert_eq!(given_back(&ann, 110).await, 12);
}

#[tokio::test]
async fn credit_that_is_given_for_nothing_buys_no_more_failures() {
    let world = World::start().await;
    let ann = world.person("ann");
    flag_every_picture(&world);
    ann.balance().await;
    let id: AccountId = ann.id().parse().unwrap();
    let key = OnceKey::new("test", "goodwill");
    let gift = Posting::Grant { amount: Credits::new(5_000).unwrap(), origin: Origin::Manual, key };
    Ledger::new(&world.product.platform).unwrap().post(&id, &gift, world.now()).await.unwrap();
    assert_eq!(given_back(&ann, 110).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_at_once_can_not_cost_more_than_the_few_that_may_be_open() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    flag_every_picture(&world);
    for _ in 0..3 {
        let at_once: Vec<_> = (0..20)
            .map(|_| {
                let ann = ann.clone();
                tokio::spawn(async move { ann.run(&image("a red kite")).await.status })
            })
            .collect();
        for answer in at_once {
            assert!([422, 429].contains(&answer.await.unwrap()));
        }
    }
    given_back(&ann, 30).await;
    let calls = world.provider_calls(Service::Fal);
    assert!((10..=13).contains(&calls), "ten are borne, and three more may have been open: {calls}");
    books::check_losses(&world).await;
    books::check(&world).await;
}

#[tokio::test]
async fn a_run_that_was_never_ended_is_lost_with_its_price_of_which_a_twentieth_counts() {
    let world = World::with(&[("GIVEN_BACK_DAY_CENTS", "0.4")]).await;
    let ann = world.person("ann");
    for counted_micro in [200_000, 400_000] {
        world.sandbox.faults().set(Service::Fal, FaultRule::once(Fault::DropConnection));
        let run = ann.run(&image("x")).await;
        assert_eq!(run.problem(), "outcome_unknown", "{}", run.text);
        world.advance_and_sweep().await;
        let counted = losses(&world, &ann).await;
        assert_eq!(counted.iter().map(|(_, lost)| *lost).collect::<Vec<_>>(), [counted_micro]);
        let told = ann.get(&format!("/v1/runs/{}", run.body["run_id"].as_str().unwrap())).await;
        assert_eq!(told.body["receipt"]["failed_cost_cents"], "4", "{}", told.text);
    }
    // Whoever could bring it about at will is stopped too.
    assert_eq!(ann.script("x").await.problem(), "given_back_too_much");
    books::check_losses(&world).await;
    books::check_settled(&world).await;
}

#[tokio::test]
async fn an_output_that_we_lost_counts_nothing_and_is_told_in_entry_and_receipt() {
    let world = World::with(&[("GIVEN_BACK_DAY_CENTS", "2")]).await;
    let ann = world.person("ann");
    ann.balance().await;
    let broken = world.instance(&[]).await;
    broken.meddler.break_media();
    let there = ann.at(&broken.base);
    for _ in 0..5 {
        let run = there.run(&image("x")).await;
        assert_eq!(run.problem(), "output_not_stored", "{}", run.text);
    }
    assert_eq!(losses(&world, &ann).await, []);
    let id: AccountId = ann.id().parse().unwrap();
    let entries = Ledger::new(&world.product.platform).unwrap().entries(&id, 100, None).await.unwrap().items;
    let lost: Vec<_> =
        entries.iter().filter_map(|entry| entry.run()).map(|run| run.lost().to_string()).collect();
    assert_eq!(lost, ["2.5"; 5], "the entry tells what fal billed");
    assert_eq!(ann.script("x").await.status, 200, "our fault locks no customer out");
    books::check_losses(&world).await;
    books::check(&world).await;
}

#[tokio::test]
async fn whether_an_account_has_paid_is_told_by_what_was_paid_in_and_not_by_a_percentage() {
    let world = World::with(&[("GIVEN_BACK_PERCENT_OF_PAID", "0"), ("UNPAID_OPEN_HOLDS_MAX", "0")]).await;
    let ann = world.person("ann");
    ann.balance().await;
    assert_eq!(ann.script("x").await.problem(), "too_many_open_runs");
    let payment = top_up(&world, &ann, 500).await;
    assert_eq!(ann.script("x").await.status, 200);

    // Taken back under another percentage: of nothing that was paid in, nothing is borne.
    let ten = world.instance(&[("GIVEN_BACK_PERCENT_OF_PAID", "10")]).await;
    let key = OnceKey::new("test", "taken back");
    let amount = Credits::new(500).unwrap();
    let reversal = Posting::Reversal { of: payment, amount, unspent: amount, key };
    let id: AccountId = ann.id().parse().unwrap();
    Ledger::new(&ten.platform).unwrap().post(&id, &reversal, world.now()).await.unwrap();
    let row = account_row(&world, &ann).await;
    assert_eq!((row["paid"].as_n().unwrap().as_str(), row["budget"].as_n().unwrap().as_str()), ("0", "0"));
    top_up(&world, &ann, 700).await;
    let other =
        Posting::Grant { amount, origin: Origin::TopUp, key: OnceKey::new("test", "under ten percent") };
    Ledger::new(&ten.platform).unwrap().post(&id, &other, world.now()).await.unwrap();
    let row = account_row(&world, &ann).await;
    assert_eq!(row["budget"].as_n().unwrap(), "120000000", "ten percent of all of twelve dollars");
    books::check(&world).await;
}

#[tokio::test]
async fn what_failed_attempts_cost_of_a_run_that_was_paid_is_not_counted() {
    let world = World::start().await;
    let ann = world.person("ann");
    // DeepSeek reads the prompt and answers nothing, which costs us; Claude serves.
    world.sandbox.faults().set(Service::Deepseek, FaultRule::always(Fault::Empty));
    let run = ann.script("a red kite").await;
    assert_eq!(
        (run.status, run.body["receipt"]["provider"].as_str()),
        (200, Some("anthropic")),
        "{}",
        run.text
    );
    assert_eq!(losses(&world, &ann).await, []);
    // Of a run that nobody serves it is.
    world.sandbox.faults().set(Service::Anthropic, FaultRule::always(Fault::Refuse));
    let failed = ann.script("a red kite").await;
    assert_eq!(failed.status, 502, "{}", failed.text);
    let counted = losses(&world, &ann).await;
    assert!(counted.len() == 1 && counted[0].1 > 0, "{counted:?}");
    books::check_losses(&world).await;
}

#[tokio::test]
async fn counters_of_days_gone_by_are_dropped() {
    let world = World::start().await;
    let ann = world.person("ann");
    flag_every_picture(&world);
    for _ in 0..5 {
        assert_eq!(ann.run(&image("x")).await.problem(), "content_rejected");
        world.advance(Duration::from_secs(86_400));
    }
    assert_eq!(losses(&world, &ann).await.len(), 2, "dropped by the next run's own write");
    world.advance(Duration::from_secs(10 * 86_400));
    world.sandbox.faults().clear();
    assert_eq!(ann.script("x").await.status, 200);
    world.advance_and_sweep().await;
    assert_eq!(losses(&world, &ann).await, [], "dropped by the sweep");
}

#[tokio::test]
async fn a_repeat_of_a_run_that_was_given_back_is_answered_although_nothing_more_is_borne() {
    let world = World::with(&[("GIVEN_BACK_DAY_CENTS", "2")]).await;
    let ann = world.person("ann");
    flag_every_picture(&world);
    let mut wish = image("x");
    wish["run_id"] = json!(new_run_id());
    assert_eq!(ann.run(&wish).await.problem(), "content_rejected");
    assert_eq!(ann.run(&wish).await.problem(), "content_rejected", "one terminal state, ever");
    assert_eq!(ann.run(&script("x")).await.problem(), "given_back_too_much");
    assert_eq!(world.provider_calls(Service::Fal), 1);
}

#[tokio::test]
async fn an_account_that_never_paid_has_fewer_runs_open() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let open = async |count: usize| {
        let before = world.provider_calls(Service::Deepseek);
        let slow: Vec<_> = (0..count)
            .map(|_| {
                let ann = ann.clone();
                tokio::spawn(async move { ann.script("x [[sandbox:slow ms=900]]").await })
            })
            .collect();
        while world.provider_calls(Service::Deepseek) < before + count {
            tokio::task::yield_now().await;
        }
        slow
    };
    let slow = open(4).await;
    assert_eq!(ann.script("x").await.problem(), "too_many_open_runs");
    for run in slow {
        assert_eq!(run.await.unwrap().status, 200);
    }
    top_up(&world, &ann, 500).await;
    let slow = open(9).await;
    assert_eq!(ann.script("x").await.status, 200);
    for run in slow {
        assert_eq!(run.await.unwrap().status, 200);
    }
    books::check(&world).await;
}
