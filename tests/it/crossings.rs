//! Two movements of one account that cross: the first was decided on what the account said before the second.
//!
//! The first one's transaction waits until the second is written. Afterwards the account must say what it says when the
//! second simply comes before the first.

use crate::books;
use crate::world::{Fault, World, image};
use aws_sdk_dynamodb::types::AttributeValue;
use credits::{CreditsError, Ledger, OnceKey, Origin, Posted, Posting, read_lots};
use primitives::{AccountId, Credits, EntryId, RunId, Timestamp};
use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn credits(units: u64) -> Credits {
    Credits::new(units).unwrap()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Movement {
    TopUp,
    OtherTopUp,
    Refund,
    /// Of a top-up whose credit is spent in part: it leaves a debt.
    Reversal,
    Reinstatement,
    SettleDebt,
    Suspension,
    Closing,
}

const MOVEMENTS: [Movement; 8] = [
    Movement::TopUp,
    Movement::OtherTopUp,
    Movement::Refund,
    Movement::Reversal,
    Movement::Reinstatement,
    Movement::SettleDebt,
    Movement::Suspension,
    Movement::Closing,
];

/// What an account went through before, so that each movement has something to move.
struct Past {
    id: AccountId,
    run: RunId,
    /// Takes back what is left of a top-up whose credit is spent in part, as its lots stand now.
    rest_back: Posting,
    taken_back: (EntryId, EntryId),
}

async fn past(world: &World, name: &str, has_debt: bool) -> Past {
    let person = world.person(name);
    person.balance().await;
    let id: AccountId = person.id().parse().unwrap();
    let ledger = Ledger::new(&world.accountant).unwrap();
    let now = || {
        world.advance(SECOND);
        world.now()
    };
    let welcome = ledger.entries(&id, 1, None).await.unwrap().items.remove(0).id;
    take_back(&ledger, &id, welcome, 100, now()).await;
    let spent = granted(&ledger, &id, 10, "spent", now()).await;
    now();
    let run = person.run(&image("x")).await.body["id"].as_str().unwrap().parse().unwrap();
    let other = granted(&ledger, &id, 3, "earlier", now()).await;
    let taken_back = (take_back(&ledger, &id, other, 3, now()).await, other);
    let left = if has_debt {
        take_back(&ledger, &id, spent, 8, now()).await;
        2
    } else {
        10
    };
    now();
    let rest_back = reversal(&ledger, &id, spent, left, "the rest back").await;
    Past { id, run, rest_back, taken_back }
}

async fn take_back(ledger: &Ledger, id: &AccountId, of: EntryId, units: u64, now: Timestamp) -> EntryId {
    let reversal = reversal(ledger, id, of, units, &format!("{of} back")).await;
    let Posted::Now(entry) = ledger.post(id, &reversal, now).await.unwrap() else { panic!("{of}") };
    entry
}

async fn granted(ledger: &Ledger, id: &AccountId, units: u64, name: &str, now: Timestamp) -> EntryId {
    let key = OnceKey::new("test", format!("{id} {name}"));
    let grant = Posting::Grant { amount: credits(units), origin: Origin::TopUp, key };
    let Posted::Now(entry) = ledger.post(id, &grant, now).await.unwrap() else { panic!("{name}") };
    entry
}

async fn reversal(ledger: &Ledger, id: &AccountId, of: EntryId, units: u64, name: &str) -> Posting {
    let entries = ledger.entries(id, 100, None).await.unwrap().items;
    let unspent = read_lots(&entries).unwrap().unspent_of(of);
    let key = OnceKey::new("test", format!("{id} {name}"));
    Posting::Reversal { of, amount: credits(units), unspent, key }
}

impl Past {
    async fn do_it(&self, movement: Movement, ledger: &Ledger, now: Timestamp) -> Result<(), CreditsError> {
        let id = &self.id;
        let top_up = |units: u64, name: &str| Posting::Grant {
            amount: credits(units),
            origin: Origin::TopUp,
            key: OnceKey::new("test", format!("{id} {name}")),
        };
        let posting = match movement {
            Movement::TopUp => top_up(7, "top-up"),
            Movement::OtherTopUp => top_up(11, "other"),
            Movement::Refund => {
                Posting::Refund { run: self.run, amount: credits(4), reason: "blurred".to_owned() }
            }
            Movement::Reversal => self.rest_back.clone(),
            Movement::Reinstatement => {
                let (reversal, of) = self.taken_back;
                Posting::Reinstatement { reversal, of, amount: credits(3) }
            }
            Movement::SettleDebt => return ledger.settle_debt(id).await.map(|_| ()),
            Movement::Suspension => return ledger.set_suspended(id, true).await,
            Movement::Closing => return ledger.close(id).await,
        };
        ledger.post(id, &posting, now).await.map(|_| ())
    }
}

/// What two accounts of one past must have in common.
async fn row(world: &World, id: &AccountId) -> BTreeMap<String, AttributeValue> {
    let rows = books::scan(world, "accounts").await;
    let row = rows.into_iter().find(|row| row["id"].as_s().unwrap() == id.as_str()).unwrap();
    let shared = ["avail", "debt", "paid", "budget", "blocked"];
    row.into_iter().filter(|(name, _)| shared.contains(&name.as_str())).collect()
}

async fn cross(has_debt: bool) {
    let world = World::with(&[("GIVEN_BACK_PERCENT_OF_PAID", "10")]).await;
    let ledger = Ledger::new(&world.accountant).unwrap();
    for first in MOVEMENTS {
        for second in MOVEMENTS {
            let what = format!("{first:?} decided before {second:?} and written after it, debt: {has_debt}");
            let name = format!("{first:?}_{second:?}").to_lowercase();
            let crossed = past(&world, &format!("{name}_crossed"), has_debt).await;
            let in_turn = past(&world, &format!("{name}_in_turn"), has_debt).await;
            let slow = world.instance(&[]).await;
            slow.meddler.plan(0, Fault::LateTransaction);
            let late = Ledger::new(&slow.platform).unwrap();

            let mut acting = pin!(crossed.do_it(first, &late, world.now()));
            let done = tokio::select! {
                done = &mut acting => done,
                () = slow.meddler.holding_back() => {
                    crossed.do_it(second, &ledger, world.now()).await.unwrap_or_else(|error| panic!("{what}: {error}"));
                    slow.meddler.let_go();
                    acting.await
                }
            };
            // What writes no transaction was not held back.
            if !slow.meddler.held_one_back() {
                crossed.do_it(second, &ledger, world.now()).await.ok();
                in_turn.do_it(first, &ledger, world.now()).await.ok();
                in_turn.do_it(second, &ledger, world.now()).await.ok();
            } else {
                in_turn.do_it(second, &ledger, world.now()).await.unwrap();
                let expected = in_turn.do_it(first, &ledger, world.now()).await;
                assert_eq!(done.is_ok(), expected.is_ok(), "{what}: {done:?}, in turn {expected:?}");
            }
            assert_eq!(row(&world, &crossed.id).await, row(&world, &in_turn.id).await, "{what}");
        }
    }
    books::check(&world).await;
}

#[tokio::test]
async fn two_movements_of_an_account_that_cross_come_out_as_if_one_came_after_the_other() {
    cross(false).await;
}

#[tokio::test]
async fn two_movements_of_an_account_in_debt_that_cross_come_out_as_if_one_came_after_the_other() {
    cross(true).await;
}
