//! Two movements of one account that cross: the first was decided on what the account said before the second.
//!
//! The first one's transaction waits until the second is written. Afterwards the account must say what it says when the
//! second simply comes before the first.

use crate::books;
use crate::world::{Fault, World, image};
use aws_sdk_dynamodb::types::AttributeValue;
use credits::{
    CreditsError, Ledger, OnceKey, Origin, Posted, Posting, PostingError, SuspensionError, read_lots,
};
use primitives::{AccountId, Credits, EntryId, RunId, Timestamp};
use std::collections::BTreeMap;
use std::error::Error;
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
    /// Of a top-up whose credit is all there: it leaves the debt as it is.
    ReversalOfUnspent,
    ReversalOfOtherUnspent,
    Reinstatement,
    SettleDebt,
    Suspension,
    Closing,
}

const MOVEMENTS: [Movement; 10] = [
    Movement::TopUp,
    Movement::OtherTopUp,
    Movement::Refund,
    Movement::Reversal,
    Movement::ReversalOfUnspent,
    Movement::ReversalOfOtherUnspent,
    Movement::Reinstatement,
    Movement::SettleDebt,
    Movement::Suspension,
    Movement::Closing,
];

/// The sum of what an account has paid in, less what was taken back. The table tells the three apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PaidIn {
    Never,
    AllTakenBack,
    Something,
}

impl PaidIn {
    /// Those that can cross. For the rarer pasts only those that look at the sum or at the debt beside it.
    fn movements(self) -> &'static [Movement] {
        match self {
            PaidIn::Something => &MOVEMENTS,
            PaidIn::Never | PaidIn::AllTakenBack => &[
                Movement::TopUp,
                Movement::Refund,
                Movement::Reversal,
                Movement::ReversalOfUnspent,
                Movement::ReversalOfOtherUnspent,
                Movement::SettleDebt,
            ],
        }
    }
}

/// What an account went through before, so that each movement has something to move.
struct Past {
    id: AccountId,
    run: RunId,
    /// Takes back what is left of a grant whose credit is spent in part, as its lots stand now.
    rest_back: Posting,
    unspent_back: [Posting; 2],
    /// A reversal, the grant it took back, and how much.
    taken_back: Option<(EntryId, EntryId, u64)>,
}

/// An account with two unspent grants of one, and the rest of ten, of which a run took four. In debt: eight of the ten are taken
/// back, so two are owed.
async fn past(world: &World, name: &str, paid_in: PaidIn, has_debt: bool) -> Past {
    let person = world.person(name);
    person.balance().await;
    let id: AccountId = person.id().parse().unwrap();
    let ledger = Ledger::new(&world.accountant).unwrap();
    let now = || {
        world.advance(SECOND);
        world.now()
    };
    // What the reversals take from the sum, these grants bring.
    let (of_ten, of_earlier, earlier_units) = match (paid_in, has_debt) {
        (PaidIn::Never, _) => (Origin::Manual, Origin::Manual, 0),
        (PaidIn::AllTakenBack, false) => (Origin::Manual, Origin::TopUp, 3),
        (PaidIn::AllTakenBack, true) => (Origin::TopUp, Origin::Manual, 2),
        (PaidIn::Something, _) => (Origin::TopUp, Origin::TopUp, 3),
    };
    let ten = granted(&ledger, &id, of_ten, 10, "ten", now()).await;
    now();
    let run = person.run(&image("x")).await.body["id"].as_str().unwrap().parse().unwrap();
    let ones = [
        granted(&ledger, &id, Origin::Manual, 1, "one", now()).await,
        granted(&ledger, &id, Origin::Manual, 1, "another", now()).await,
    ];
    let taken_back = if earlier_units > 0 {
        let earlier = granted(&ledger, &id, of_earlier, earlier_units, "earlier", now()).await;
        Some((take_back(&ledger, &id, earlier, earlier_units, now()).await, earlier, earlier_units))
    } else {
        None
    };
    if has_debt {
        take_back(&ledger, &id, ten, 8, now()).await;
    }
    now();
    let rest_back = reversal(&ledger, &id, ten, if has_debt { 2 } else { 10 }, "the rest back").await;
    let unspent_back = [
        reversal(&ledger, &id, ones[0], 1, "the one back").await,
        reversal(&ledger, &id, ones[1], 1, "the other back").await,
    ];
    Past { id, run, rest_back, unspent_back, taken_back }
}

async fn take_back(ledger: &Ledger, id: &AccountId, of: EntryId, units: u64, now: Timestamp) -> EntryId {
    let reversal = reversal(ledger, id, of, units, &format!("{of} back")).await;
    let Posted::Now(entry) = ledger.post(id, &reversal, now).await.unwrap() else { panic!("{of}") };
    entry
}

async fn granted(
    ledger: &Ledger,
    id: &AccountId,
    origin: Origin,
    units: u64,
    name: &str,
    now: Timestamp,
) -> EntryId {
    let key = OnceKey::new("test", format!("{id} {name}"));
    let grant = Posting::Grant { amount: credits(units), origin, key };
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
    async fn do_it(&self, movement: Movement, ledger: &Ledger, now: Timestamp) -> Result<(), Box<dyn Error>> {
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
            Movement::ReversalOfUnspent => self.unspent_back[0].clone(),
            Movement::ReversalOfOtherUnspent => self.unspent_back[1].clone(),
            Movement::Reinstatement => {
                let Some((reversal, of, units)) = self.taken_back else { return Ok(()) };
                Posting::Reinstatement { reversal, of, amount: credits(units) }
            }
            Movement::SettleDebt => return Ok(ledger.settle_debt(id).await.map(|_| ())?),
            Movement::Suspension => return Ok(ledger.set_suspended(id, true).await?),
            Movement::Closing => return Ok(ledger.close(id).await?),
        };
        Ok(ledger.post(id, &posting, now).await.map(|_| ())?)
    }
}

/// What two accounts of one past must have in common.
async fn row(world: &World, id: &AccountId) -> BTreeMap<String, AttributeValue> {
    let get = world.accountant.dynamo().get_item().table_name(world.table("accounts"));
    let get = get.set_key(Some(platform::key([("id", id.as_str())]))).consistent_read(true);
    let row = get.send().await.unwrap().item.unwrap();
    let shared = ["avail", "debt", "paid", "budget", "blocked"];
    row.into_iter().filter(|(name, _)| shared.contains(&name.as_str())).collect()
}

async fn cross(paid_in: PaidIn, has_debt: bool) {
    let settings = [("GIVEN_BACK_PERCENT_OF_PAID", "10"), ("WELCOMES_PER_NETWORK_DAY_MAX", "0")];
    let world = World::with(&settings).await;
    let ledger = Ledger::new(&world.accountant).unwrap();
    for &first in paid_in.movements() {
        for &second in paid_in.movements() {
            let what = format!(
                "{first:?} decided before {second:?} and written after it, {paid_in:?}, debt: {has_debt}"
            );
            let name = format!("pair_{}_{}", first as u8, second as u8);
            let crossed = past(&world, &format!("{name}_crossed"), paid_in, has_debt).await;
            let in_turn = past(&world, &format!("{name}_in_turn"), paid_in, has_debt).await;
            let slow = world.instance(&[]).await;
            slow.meddler.plan(0, first.fault());
            let late = Ledger::new(&slow.platform).unwrap();

            let mut acting = pin!(crossed.do_it(first, &late, world.now()));
            let done = tokio::select! {
                done = &mut acting => done,
                () = slow.meddler.holding_back() => {
                    let second = crossed.do_it(second, &ledger, world.now()).await;
                    second.unwrap_or_else(|error| panic!("{what}: {error}"));
                    slow.meddler.let_go();
                    acting.await
                }
            };
            // What had nothing to write was not held back.
            if !slow.meddler.held_one_back() {
                crossed.do_it(second, &ledger, world.now()).await.ok();
                in_turn.do_it(first, &ledger, world.now()).await.ok();
                in_turn.do_it(second, &ledger, world.now()).await.ok();
            } else {
                in_turn.do_it(second, &ledger, world.now()).await.unwrap();
                let expected = in_turn.do_it(first, &ledger, world.now()).await;
                assert_eq!(done.is_ok(), expected.is_ok(), "{what}: {done:?}, in turn {expected:?}");
            }
            // A debt that was changed meanwhile is left to the next call that meets it.
            for past in [&crossed, &in_turn] {
                ledger.settle_debt(&past.id).await.unwrap();
            }
            assert_eq!(row(&world, &crossed.id).await, row(&world, &in_turn.id).await, "{what}");
        }
    }
}

impl Movement {
    /// What holds this movement's write back.
    fn fault(self) -> Fault {
        match self {
            Movement::SettleDebt | Movement::Suspension | Movement::Closing => Fault::LateWriteTo("accounts"),
            _ => Fault::LateTransaction,
        }
    }
}

/// Every pair of movements, of accounts with every past.
macro_rules! crossings {
    ($($name:ident: $paid_in:ident, $has_debt:literal;)*) => {$(
        #[tokio::test]
        async fn $name() {
            cross(PaidIn::$paid_in, $has_debt).await;
        }
    )*};
}

crossings! {
    movements_that_cross_come_out_as_if_one_came_after_the_other: Something, false;
    movements_that_cross_beside_a_debt_come_out_as_if_one_came_after_the_other: Something, true;
    movements_of_an_account_that_never_paid_cross_without_harm: Never, false;
    movements_of_an_account_that_never_paid_cross_without_harm_beside_a_debt: Never, true;
    movements_of_an_account_that_took_all_back_cross_without_harm: AllTakenBack, false;
    movements_of_an_account_that_took_all_back_cross_without_harm_beside_a_debt: AllTakenBack, true;
}

/// Who opens an account has looked whether there is one. Meanwhile another request may have opened it and paid in.
#[tokio::test]
async fn an_account_that_is_opened_twice_at_once_keeps_what_was_paid_in() {
    let world = World::start().await;
    let ledger = Ledger::new(&world.accountant).unwrap();
    for (name, fault, welcome) in
        [("with_welcome", Fault::LateTransaction, 100), ("without", Fault::LateWriteTo("accounts"), 0)]
    {
        let id: AccountId = world.person(name).id().parse().unwrap();
        let slow = world.instance(&[]).await;
        slow.meddler.plan(0, fault);
        let late = Ledger::new(&slow.platform).unwrap();
        let mut opening = pin!(late.open(&id, credits(welcome), world.now()));
        tokio::select! {
            done = &mut opening => panic!("it was not overtaken: {done:?}"),
            () = slow.meddler.holding_back() => {
                ledger.open_awaiting_welcome(&id).await.unwrap();
                granted(&ledger, &id, Origin::TopUp, 7, "seven", world.now()).await;
                slow.meddler.let_go();
                opening.await.unwrap();
            }
        }
        let account = ledger.account(&id).await.unwrap().unwrap();
        assert_eq!((account.available, account.awaits_welcome), (credits(7), true), "{name}");
    }
}

/// Nothing but opening makes an account.
#[tokio::test]
async fn what_befalls_an_account_that_was_never_opened_makes_none() {
    let world = World::start().await;
    let ledger = Ledger::new(&world.accountant).unwrap();
    let id: AccountId = world.person("nobody").id().parse().unwrap();
    for is_suspended in [true, false] {
        let refused = ledger.set_suspended(&id, is_suspended).await;
        assert!(matches!(refused, Err(SuspensionError::NoAccount)), "{refused:?}");
    }
    let refused = ledger.refuse_welcome(&id).await;
    assert!(matches!(refused, Err(CreditsError::NoAccount)), "{refused:?}");
    let refused = ledger.give_welcome(&id, credits(100), world.now()).await;
    assert!(matches!(refused, Err(PostingError::NoAccount)), "{refused:?}");
    assert!(!ledger.settle_debt(&id).await.unwrap());
    assert!(books::scan(&world, "accounts").await.is_empty());
}
