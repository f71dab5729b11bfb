use crate::account::{Account, Block, Refusal, Reservation};
use crate::ceilings::Ceilings;
use crate::entry::{Decision, Entry, OnceKey, Origin, Outcome};
use crate::items::{entry_item, read_entry};
use crate::lots::read_lots;
use crate::posting::Posting;
use crate::{Hold, Limits, Nonce};
use primitives::{AccountId, CostCents, Credits, CreditsDelta, EntryId, Fingerprint, RunId, Timestamp, Unit};
use proptest::prelude::*;
use std::collections::HashMap;
use std::time::Duration;

fn credits(units: u64) -> Credits {
    Credits::new(units).unwrap()
}

fn start() -> Timestamp {
    Timestamp::from_seconds(1_800_000_000)
}

fn account(available: u64) -> Account {
    Account {
        id: "user_ann".parse().unwrap(),
        available: credits(available),
        debt: Credits::ZERO,
        holds: Vec::new(),
        block: None,
        awaits_welcome: false,
        run_counts: Vec::new(),
        losses: Vec::new(),
        loss_budget: CostCents::ZERO,
        paid: CreditsDelta::ZERO,
        ended: Vec::new(),
        due: None,
    }
}

fn cents(text: &str) -> CostCents {
    text.parse().unwrap()
}

/// At most two open holds (one without a payment), five runs a minute, and losses of 25 cents or a tenth of what was
/// paid, 1,000 at most.
fn ceilings() -> Ceilings {
    let limits = Limits {
        open_holds_max: 2,
        unpaid_open_holds_max: 1,
        runs_per_minute_max: 5,
        given_back_day_cents: cents("25"),
        given_back_percent_of_paid: 10,
        given_back_day_cents_max: cents("1000"),
    };
    Ceilings::of(&limits, Unit::UsdCent)
}

fn wish(price: u64) -> Reservation {
    Reservation {
        account: "user_ann".parse().unwrap(),
        run: RunId::mint(start()),
        price: credits(price),
        tool: "script/chat".to_owned(),
        fingerprint: Fingerprint::of(&[b"a red kite"]),
        lifetime: Duration::from_secs(900),
    }
}

fn hold(price: u64) -> Hold {
    wish(price).hold(Nonce::random(), start())
}

#[test]
fn a_hold_survives_being_stored_and_is_short() {
    let hold = hold(4);
    let text = hold.encode();
    assert_eq!(Hold::decode(hold.run, &text), Some(hold));
    assert!(text.len() <= 48, "{text}");
    for broken in ["", "4", "4.1", "x.1.AAAAAAAAAAA.AAAAAA.t", "4.1.AAAAAAAAAAA.AAAA.t"] {
        assert_eq!(Hold::decode(RunId::mint(start()), broken), None, "{broken}");
    }
}

#[test]
fn each_refusal_is_named_and_the_gravest_comes_first() {
    let wish = wish(10);
    let minute = start().seconds() / 60;
    let ours = Nonce::random();
    let judge = |account: &Account| account.refusal(&wish, &[Nonce::random(), ours], start(), &ceilings());

    assert_eq!(judge(&account(9)), Some(Refusal::InsufficientCredit { available: credits(9) }));

    let counted = Account { run_counts: vec![(minute, 5)], ..account(9) };
    assert!(matches!(judge(&counted), Some(Refusal::TooManyRunsThisMinute { .. })));

    let full = Account { holds: vec![hold(1)], ..counted };
    assert_eq!(judge(&full), Some(Refusal::TooManyOpenRuns { open: 1 }));

    let day = start().seconds() / 86_400;
    let costly = Account { losses: vec![(day - 1, cents("900")), (day, cents("25"))], ..full };
    let until = Timestamp::from_seconds((day + 1) * 86_400);
    let retry_after = until.since(start());
    assert_eq!(judge(&costly), Some(Refusal::LossesUsedUp { until, retry_after }));

    let indebted = Account { debt: credits(3), ..costly };
    assert_eq!(judge(&indebted), Some(Refusal::DebtOutstanding { debt: credits(3) }));

    let suspended = Account { block: Some(Block::Suspended), ..indebted };
    assert_eq!(judge(&suspended), Some(Refusal::Suspended));

    let theirs = wish.hold(Nonce::random(), start());
    let running = Account { holds: vec![theirs.clone()], ..suspended.clone() };
    assert_eq!(judge(&running), Some(Refusal::Running(Box::new(theirs))));

    let closed = Account { block: Some(Block::Closed), ..running };
    assert_eq!(judge(&closed), Some(Refusal::Closed), "a deleted person is not told of a run that goes on");

    let ours = Account { holds: vec![wish.hold(ours, start())], ..suspended };
    assert_eq!(judge(&ours), None, "a lost reply is no refusal");
}

#[test]
fn what_is_borne_in_a_day_grows_with_what_was_paid_in_up_to_a_ceiling() {
    let day = start().seconds() / 86_400;
    let is_refused = |lost: &str, loss_budget: CostCents| {
        let account = Account { losses: vec![(day, cents(lost))], loss_budget, ..account(9) };
        account.has_used_up_losses(start(), &ceilings())
    };
    let paid = |units| ceilings().budget_of(credits(units).gained());
    for (lost, paid_in, refused) in [
        ("24.999999", 0, false),
        ("25", 0, true),
        // A tenth of 200 is less than everybody has.
        ("24.999999", 200, false),
        ("25", 200, true),
        ("49.999999", 500, false),
        ("50", 500, true),
        ("999.999999", 10_000, false),
        ("1000", 10_000, true),
        ("1000", 500_000, true),
        ("1000", Credits::MAX.get(), true),
    ] {
        assert_eq!(is_refused(lost, paid(paid_in)), refused, "{lost} lost, {paid_in} paid");
    }
    let yesterday = Account { losses: vec![(day - 1, cents("25"))], ..account(9) };
    assert!(!yesterday.has_used_up_losses(start(), &ceilings()));
}

#[test]
fn only_who_has_paid_may_have_many_runs_open() {
    let paid = Account { paid: credits(1).gained(), ..account(9) };
    assert_eq!((account(9).open_holds_max(&ceilings()), paid.open_holds_max(&ceilings())), (1, 2));
}

#[test]
fn old_counters_are_dropped_and_those_of_a_clock_that_lags_a_little_are_kept() {
    let (day, minute) = (start().seconds() / 86_400, start().seconds() / 60);
    let losses = [day - 2, day - 1, day, day + 1].map(|day| (day, cents("1"))).to_vec();
    let run_counts = [minute - 2, minute - 1, minute].map(|minute| (minute, 1)).to_vec();
    let account = Account { losses, run_counts, ..account(9) };
    assert_eq!(
        (account.stale_days(start()), account.stale_minutes(start())),
        (vec![day - 2], vec![minute - 2])
    );
}

#[test]
fn a_loss_counts_with_the_hold_it_was_decided_for_and_with_no_other() {
    let first = hold(4);
    let second = Hold { nonce: Nonce::random(), ..first.clone() };
    let of = |decision: Decision| Entry::of_decision(&"user_ann".parse().unwrap(), &decision, start());
    let released = of(Decision::release(&first, "content_rejected", cents("2.5"), String::new()));
    assert_eq!((released.counted(&first), released.counted(&second)), (cents("2.5"), CostCents::ZERO));
    let expired = of(Decision::release_unseen(&first, "expired", cents("4"), String::new()));
    assert_eq!(expired.run().unwrap().lost(), cents("4"), "its cost is not known, at most its price");
    assert_eq!(expired.counted(&first), cents("0.2"), "a twentieth");
    let ours = of(Decision::release_for_our_fault(&first, "output_lost", cents("2.5"), String::new()));
    assert_eq!((ours.run().unwrap().lost(), ours.counted(&first)), (cents("2.5"), CostCents::ZERO));
    for entry in [&released, &expired, &ours] {
        assert_eq!(read_entry(&entry_item(entry)).unwrap(), *entry, "stored and read back");
    }
    let charged = of(Decision::charge(&first, credits(4), String::new()).unwrap());
    assert_eq!((charged.run().unwrap().lost(), charged.counted(&first)), (CostCents::ZERO, CostCents::ZERO));
}

#[test]
fn one_fault_that_ends_all_runs_of_an_account_uses_up_less_than_is_borne() {
    // Whoever holds more than the welcome credit of 100 paid it in; the dearest run costs less than a dollar.
    for held in (4..=6_400).step_by(4) {
        let hold = hold(held);
        let expired = Decision::release_unseen(
            &hold,
            "expired",
            Unit::UsdCent.cost_paid_by(hold.amount),
            String::new(),
        );
        let counted = Entry::of_decision(&"user_ann".parse().unwrap(), &expired, start()).counted(&hold);
        let paid = credits(held.saturating_sub(100)).gained();
        let loss_budget = ceilings().budget_of(paid);
        let losses = vec![(start().seconds() / 86_400, counted)];
        let account = Account { losses, loss_budget, paid, ..account(9) };
        assert!(!account.has_used_up_losses(start(), &ceilings()), "{held} held");
    }
}

#[test]
fn a_charge_never_exceeds_its_reservation() {
    assert!(Decision::charge(&hold(4), credits(5), String::new()).is_err());
    assert!(Decision::charge(&hold(4), credits(4), String::new()).is_ok());
}

#[test]
fn a_second_hold_under_a_finished_run_id_is_given_back_whole() {
    let first = hold(4);
    let second = Hold { nonce: Nonce::random(), ..first.clone() };
    let decision = Decision::charge(&first, credits(3), String::new()).unwrap();
    let outcome = Entry::of_decision(&"user_ann".parse().unwrap(), &decision, start());

    assert_eq!(outcome.returned(&first).unwrap(), credits(1));
    assert_eq!(outcome.returned(&second).unwrap(), credits(4));
}

#[test]
fn only_holds_past_expiry_and_grace_are_overdue() {
    let holder = Account { holds: vec![hold(4)], ..account(0) };
    let grace = Duration::from_secs(60);
    let expiry = holder.holds[0].expires_at;
    assert!(holder.overdue(expiry.after(Duration::from_secs(59)), grace).is_empty());
    assert_eq!(holder.overdue(expiry.after(grace), grace).len(), 1);
}

#[test]
fn a_reversal_takes_what_is_left_and_books_the_rest_as_debt_until_credit_covers_it() {
    let mut book = Book::new();
    let top_up = book.grant(500);
    book.run(80, true);
    book.reverse(top_up, 500);
    assert_eq!((book.account.available, book.account.debt), (credits(0), credits(80)));
    assert_eq!(
        book.account.refusal(&wish(1), &[], start(), &ceilings()),
        Some(Refusal::DebtOutstanding { debt: credits(80) })
    );

    book.reinstate(top_up);
    assert_eq!((book.account.available, book.account.debt), (credits(420), Credits::ZERO));
    book.check();
}

#[test]
fn lots_are_read_in_the_order_of_writing_not_of_ids() {
    let mut book = Book::new();
    let early = book.reserve(0).map(|hold| hold.run).unwrap();
    let top_up = book.grant(10);
    let hold = Hold { run: early, ..hold(4) };
    let decision = Decision::charge(&hold, credits(4), String::new()).unwrap();
    let charge = Entry::of_decision(&book.id(), &decision, book.now.after(Duration::from_secs(1)));
    let grant = book.entries[0].clone();
    assert!(charge.id < grant.id);
    for entries in [[charge.clone(), grant.clone()], [grant.clone(), charge.clone()]] {
        assert_eq!(read_lots(&entries).unwrap().unspent_of(top_up), credits(6));
    }
    // Two clocks that differ: the charge seems to be older than what paid it.
    let skewed = Entry { at: Timestamp::from_seconds(1), ..charge };
    assert_eq!(read_lots(&[skewed, grant]).unwrap().unspent_of(top_up), credits(6));
}

/// The account as the store would keep it, with every rule of the crate and none of its own.
struct Book {
    account: Account,
    entries: Vec<Entry>,
    grants: Vec<EntryId>,
    outcomes: HashMap<RunId, Outcome>,
    charged: Vec<(RunId, Credits)>,
    reversed: HashMap<EntryId, (EntryId, Credits)>,
    now: Timestamp,
}

impl Book {
    fn new() -> Book {
        Book {
            account: account(0),
            entries: Vec::new(),
            grants: Vec::new(),
            outcomes: HashMap::new(),
            charged: Vec::new(),
            reversed: HashMap::new(),
            now: start(),
        }
    }

    fn id(&self) -> AccountId {
        self.account.id.clone()
    }

    fn post(&mut self, posting: &Posting) -> EntryId {
        self.now = self.now.after(Duration::from_secs(1));
        let effect = posting.effect(&self.account).unwrap();
        self.account = self.account.after(&effect).unwrap();
        let id = EntryId::mint(self.now);
        let account = self.id();
        self.entries.push(Entry {
            id,
            account,
            kind: effect.kind,
            amount: effect.entry_amount,
            at: self.now,
        });
        id
    }

    fn grant(&mut self, units: u64) -> EntryId {
        let key = OnceKey::new("test", self.entries.len());
        let id = self.post(&Posting::Grant { amount: credits(units), origin: Origin::TopUp, key });
        self.grants.push(id);
        id
    }

    fn reverse(&mut self, of: EntryId, units: u64) {
        let unspent = read_lots(&self.entries).unwrap().unspent_of(of);
        let key = OnceKey::new("test", self.entries.len());
        let reversal = self.post(&Posting::Reversal { of, amount: credits(units), unspent, key });
        self.reversed.insert(of, (reversal, credits(units)));
    }

    fn reinstate(&mut self, of: EntryId) {
        let (reversal, amount) = self.reversed.remove(&of).unwrap();
        self.post(&Posting::Reinstatement { reversal, of, amount });
    }

    fn reserve(&mut self, price: u64) -> Option<Hold> {
        let wish = Reservation { run: RunId::mint(self.now), ..wish(price) };
        let a = &self.account;
        let can = a.available >= wish.price && a.holds.len() < 64 && a.block.is_none() && a.debt.is_zero();
        can.then(|| {
            let hold = wish.hold(Nonce::random(), self.now);
            self.account.available = self.account.available.checked_sub(hold.amount).unwrap();
            self.account.holds.push(hold.clone());
            hold
        })
    }

    fn decide(&mut self, hold: &Hold, succeeds: bool) {
        let decision = match succeeds {
            true => Decision::charge(hold, hold.amount, String::new()).unwrap(),
            false => Decision::release(hold, "unavailable", CostCents::ZERO, String::new()),
        };
        let outcome = Entry::of_decision(&self.id(), &decision, self.now);
        if self.outcomes.contains_key(&hold.run) {
            return;
        }
        if succeeds {
            self.charged.push((hold.run, hold.amount));
        }
        self.outcomes.insert(hold.run, outcome.clone());
        self.entries.push(outcome);
    }

    fn apply(&mut self, hold: &Hold) {
        let Some(outcome) = self.outcomes.get(&hold.run) else { return };
        let Some(at) = self.account.holds.iter().position(|open| open == hold) else { return };
        let back = outcome.returned(hold).unwrap();
        self.account.holds.remove(at);
        self.account.available = self.account.available.checked_add(back).unwrap();
        let covered = self.account.coverable_debt();
        self.account.available = self.account.available.checked_sub(covered).unwrap();
        self.account.debt = self.account.debt.checked_sub(covered).unwrap();
    }

    fn run(&mut self, price: u64, succeeds: bool) {
        if let Some(hold) = self.reserve(price) {
            self.decide(&hold, succeeds);
            self.apply(&hold);
        }
    }

    /// Balance = sum of entries, with charged holds counted as spent; and the lots tell the same sum.
    fn check(&self) {
        let sum = |mut amounts: &mut dyn Iterator<Item = CreditsDelta>| {
            Iterator::try_fold(&mut amounts, CreditsDelta::ZERO, CreditsDelta::checked_add).unwrap()
        };
        let ledger = sum(&mut self.entries.iter().map(|entry| entry.amount));
        let charged_but_held = sum(&mut self.account.holds.iter().map(|hold| {
            let back = self.outcomes.get(&hold.run).map_or(hold.amount, |o| o.returned(hold).unwrap());
            hold.amount.checked_sub(back).unwrap().spent()
        }));
        let total = self.account.balance().unwrap().total().unwrap();
        assert_eq!(total.checked_add(charged_but_held), Ok(ledger), "balance = sum of entries");

        let lots = read_lots(&self.entries).unwrap();
        let unspent = sum(&mut lots.lots.iter().map(|lot| lot.unspent.gained()));
        assert_eq!(unspent.checked_add(lots.debt.spent()), Ok(ledger), "lots tell the same sum");
        assert!(lots.lots.iter().all(|lot| lot.unspent <= lot.granted));
    }
}

#[derive(Debug, Clone)]
enum Step {
    Grant(u64),
    Reserve(u64),
    Decide(usize, bool),
    Apply(usize),
    Refund(usize),
    Reverse(usize, u64),
    Reinstate(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..500_u64).prop_map(Step::Grant),
        (0..60_u64).prop_map(Step::Reserve),
        (any::<usize>(), any::<bool>()).prop_map(|(hold, ok)| Step::Decide(hold, ok)),
        any::<usize>().prop_map(Step::Apply),
        any::<usize>().prop_map(Step::Refund),
        (any::<usize>(), 1..500_u64).prop_map(|(grant, units)| Step::Reverse(grant, units)),
        any::<usize>().prop_map(Step::Reinstate),
    ]
}

fn pick<T: Clone>(from: &[T], index: usize) -> Option<T> {
    (!from.is_empty()).then(|| from[index % from.len()].clone())
}

proptest! {
    #[test]
    fn whatever_happens_in_whatever_order_the_books_balance(steps in prop::collection::vec(step(), 1..80)) {
        let mut book = Book::new();
        for step in steps {
            match step {
                Step::Grant(units) => { book.grant(units); }
                Step::Reserve(price) => { book.reserve(price); }
                Step::Decide(index, ok) => if let Some(hold) = pick(&book.account.holds, index) {
                    book.decide(&hold, ok);
                },
                Step::Apply(index) => if let Some(hold) = pick(&book.account.holds, index) {
                    book.apply(&hold);
                },
                Step::Refund(index) => if let Some((run, amount)) = pick(&book.charged, index) {
                    book.charged.retain(|(charged, _)| *charged != run);
                    book.post(&Posting::Refund { run, amount, reason: "bad output".to_owned() });
                },
                Step::Reverse(index, units) => if let Some(grant) = pick(&book.grants, index) {
                    let granted = read_lots(&book.entries).unwrap();
                    let granted = granted.lots.iter().find(|lot| lot.entry == grant).unwrap().granted;
                    if !book.reversed.contains_key(&grant) {
                        book.reverse(grant, units.min(granted.get()));
                    }
                },
                Step::Reinstate(index) => if let Some(grant) = pick(&book.grants, index)
                    && book.reversed.contains_key(&grant) {
                    book.reinstate(grant);
                },
            }
            book.check();
        }
    }
}
