//! Card orders: first our own that nobody has paid, each asked for at SePay; then SePay's list.
//!
//! Everybody who posts one of our forms makes an order at SePay, so the list can be filled with orders that nobody pays.
//! What was paid is found without it: an unpaid order of ours says itself when it is looked at next. The time between two
//! looks doubles, so every order has its turn however many there are.

use super::desk::{CardDesk, CardNews};
use super::{GRACE, WINDOW};
use crate::compared::{Compared, Listed};
use crate::fact::{Fact, FactKey, FactState, Unmatched, Via};
use crate::items::awaited_name;
use crate::order::TopUp;
use crate::rails::kind::ProcessorList;
use crate::{PaymentsError, Rail, Received};
use async_trait::async_trait;
use platform::with_causes;
use primitives::{AccountId, Currency, Money, Timestamp, TopUpId};
use rails::sepay_card::{CardOrder, InvoiceNumber, OrderStatus};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

const DAY: Duration = Duration::from_secs(86_400);
/// So many unpaid orders are looked at in one comparison, half of them the newest, half those that wait longest.
const LOOKS_MAX: usize = 150;
/// Among so many of each they are chosen, so that one person's orders don't crowd out another's.
const CANDIDATES_MAX: usize = 1_000;
/// The shortest time between two looks: the comparison's own pace.
const LOOK_EVERY: Duration = Duration::from_secs(15 * 60);
/// When an order that SePay did not answer for is asked for again: not by the next comparison, which begins with others.
const REFUSED_LOOK_AFTER: Duration = Duration::from_secs(30 * 60);
/// SePay fails at so many orders in a row: it is down, and is not asked for the next.
const FAILURES_MAX: u32 = 3;
/// When each part of a comparison ends, from its begin. One question takes up to 30 seconds, the rail has 200.
const LOOKS_UNTIL: Duration = Duration::from_secs(50);
const LIST_UNTIL: Duration = Duration::from_secs(100);
const ASKS_UNTIL: Duration = Duration::from_secs(160);
/// Of each stretch of days at most so much of the list is read, so that a flood of one day hides no other.
const PAGES_MAX: u32 = 40;

/// Something SePay was asked for.
enum Asked {
    /// Something was booked that nobody had told us of.
    News,
    Nothing,
    Failed,
    /// SePay asks us to slow down: it is asked for no further order.
    TooFast,
}

#[async_trait]
impl ProcessorList for CardDesk {
    async fn compare(&self, from: Timestamp, now: Timestamp) -> Result<Compared, PaymentsError> {
        let (mut compared, begun) = (Compared::default(), Instant::now());
        let compare = async {
            let may_ask = self.look_for_unpaid(&mut compared, begun + LOOKS_UNTIL, now).await?;
            let listed = self.read_list(from, now, begun + LIST_UNTIL, &mut compared).await?;
            let unsettled = self.unsettled(&listed, &mut compared, now).await?;
            if may_ask {
                self.ask_for(unsettled, &mut compared, begun + ASKS_UNTIL, now).await;
            }
            Ok::<_, PaymentsError>(())
        };
        if let Err(error) = compare.await {
            compared.fail(error.to_string());
        }
        Ok(compared)
    }
}

impl CardDesk {
    /// Asks SePay for our own unpaid orders whose time has come. False: SePay asks us to slow down.
    async fn look_for_unpaid(
        &self,
        compared: &mut Compared,
        until: Instant,
        now: Timestamp,
    ) -> Result<bool, PaymentsError> {
        let store = &self.payments().store;
        let awaited = awaited_name(Rail::SepayCard, Money::zero(Currency::VND));
        let newest = store.awaited(&awaited, Timestamp::from_millis(0), now, CANDIDATES_MAX).await?;
        let longest = store.longest_awaited(&awaited, now, CANDIDATES_MAX).await?;
        let mut failures = 0;
        for (account, id) in chosen(newest, longest) {
            if Instant::now() >= until {
                break;
            }
            let Some(order) = store.top_up(&account, id).await?.filter(|order| order.payments.is_empty())
            else {
                continue;
            };
            let Ok(invoice) = order.reference.parse::<InvoiceNumber>() else { continue };
            let asked = ask(self, &invoice, now).await;
            failures = if matches!(asked, Asked::Failed) { failures + 1 } else { 0 };
            compared.repaired += u32::from(matches!(asked, Asked::News));
            store.look_again(&account, id, next_look(&asked, &order, now)).await?;
            if matches!(asked, Asked::TooFast) {
                compared.is_cut_short = true;
                return Ok(false);
            }
            if failures >= FAILURES_MAX {
                break;
            }
        }
        Ok(true)
    }

    /// SePay's list, the latest days first.
    async fn read_list(
        &self,
        from: Timestamp,
        now: Timestamp,
        until: Instant,
        compared: &mut Compared,
    ) -> Result<HashMap<String, CardOrder>, PaymentsError> {
        let mut orders = HashMap::new();
        for (first, last) in stretches(from, now) {
            let mut page = 1;
            loop {
                let listed = self.api().orders(first, last, page).await?;
                let unreadable = u32::try_from(listed.unreadable).unwrap_or(u32::MAX);
                compared.unreadable = compared.unreadable.saturating_add(unreadable);
                orders.extend(
                    listed.orders.into_iter().map(|order| (order.invoice.as_str().to_owned(), order)),
                );
                if !listed.has_more {
                    break;
                }
                page += 1;
                if page > PAGES_MAX || Instant::now() >= until {
                    compared.is_cut_short = true;
                    break;
                }
            }
        }
        Ok(orders)
    }

    /// Notes what is listed, and returns the orders that are not settled in our books: what we have not heard of first,
    /// the newest first.
    async fn unsettled(
        &self,
        listed: &HashMap<String, CardOrder>,
        compared: &mut Compared,
        now: Timestamp,
    ) -> Result<Vec<InvoiceNumber>, PaymentsError> {
        let mut orders = Vec::new();
        for order in listed.values() {
            let Ok(key) = FactKey::new(Rail::SepayCard, order.invoice.as_str(), "0") else { continue };
            if let (OrderStatus::Captured, Some(amount)) = (order.status, order.amount) {
                let (key, amount) = (key.clone(), amount.into());
                compared.listed.push(Listed { key, amount, at: order.created_at });
            }
            orders.push((key, order));
        }
        let keys: Vec<FactKey> = orders.iter().map(|(key, _)| key.clone()).collect();
        let facts = self.payments().store.facts(&keys).await?;
        orders.retain(|(key, order)| is_worth_asking(order, facts.get(key), now));
        orders.sort_by_key(|(key, order)| (facts.contains_key(key), Reverse(order.created_at)));
        let unlisted = self.unlisted(listed, compared.is_cut_short, now).await?;
        Ok(orders.iter().map(|(_, order)| order.invoice.clone()).chain(unlisted).collect())
    }

    /// Asks SePay for each of the orders, and for no more after SePay asks us to slow down.
    async fn ask_for(
        &self,
        invoices: Vec<InvoiceNumber>,
        compared: &mut Compared,
        until: Instant,
        now: Timestamp,
    ) {
        for invoice in invoices {
            if Instant::now() >= until {
                compared.is_cut_short = true;
                return;
            }
            match ask(self, &invoice, now).await {
                Asked::News => compared.repaired += 1,
                Asked::Nothing | Asked::Failed => {}
                Asked::TooFast => {
                    compared.is_cut_short = true;
                    return;
                }
            }
        }
    }

    /// Orders that the list does not show and that SePay's record may settle: those that a message called paid while the
    /// record did not, and, when only part of the list was read, credited ones that may have been voided.
    async fn unlisted(
        &self,
        listed: &HashMap<String, CardOrder>,
        is_cut_short: bool,
        now: Timestamp,
    ) -> Result<Vec<InvoiceNumber>, PaymentsError> {
        let mut facts = self.payments().facts_within(Rail::SepayCard, now.before(WINDOW), now).await?;
        facts.retain(|fact| {
            let may_be_voided = is_cut_short && fact.stands() && now.since(looked_at(fact)) >= DAY;
            fact.key.part() == "0"
                && !listed.contains_key(fact.key.outside())
                && (is_open_to_news(fact) || may_be_voided)
        });
        facts.sort_by_key(|fact| (!is_open_to_news(fact), looked_at(fact)));
        Ok(facts.iter().filter_map(|fact| fact.key.outside().parse().ok()).collect())
    }
}

/// Half of them the newest, half those that wait longest, and of one person's orders no second before every person's
/// first.
fn chosen(
    newest: Vec<(AccountId, TopUpId)>,
    longest: Vec<(AccountId, TopUpId)>,
) -> Vec<(AccountId, TopUpId)> {
    let mut seen = HashSet::new();
    let halves = [newest, longest].map(|half| in_turns(half).into_iter());
    let [mut newest, mut longest] = halves;
    let mut chosen = Vec::new();
    while chosen.len() < LOOKS_MAX {
        let mut fresh = |order: &(AccountId, TopUpId)| seen.insert(order.1);
        let pair = [newest.find(&mut fresh), longest.find(&mut fresh)];
        if pair.iter().all(Option::is_none) {
            break;
        }
        chosen.extend(pair.into_iter().flatten());
    }
    chosen
}

fn in_turns(orders: Vec<(AccountId, TopUpId)>) -> Vec<(AccountId, TopUpId)> {
    let mut turns: HashMap<AccountId, usize> = HashMap::new();
    let mut ranked: Vec<_> = orders
        .into_iter()
        .map(|order| {
            let turn = turns.entry(order.0.clone()).or_default();
            *turn += 1;
            (*turn, order)
        })
        .collect();
    ranked.sort_by_key(|(turn, _)| *turn);
    ranked.into_iter().map(|(_, order)| order).collect()
}

/// As long again as the order is old, the last time when a payment begins to be too late. One that SePay asked us to
/// slow down at has had no look, so it keeps its turn, behind the others.
fn next_look(asked: &Asked, order: &TopUp, now: Timestamp) -> Option<Timestamp> {
    let (age, last) = (now.since(order.created_at), order.grace_ends(GRACE));
    match asked {
        Asked::News => None,
        Asked::TooFast => Some(now.after(REFUSED_LOOK_AFTER)),
        Asked::Nothing | Asked::Failed => (now < last).then(|| now.after(age.max(LOOK_EVERY)).min(last)),
    }
}

/// One day, then two, then four, back to `from`.
fn stretches(from: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let (mut stretches, mut last, mut length) = (Vec::new(), now, DAY);
    loop {
        let first = last.before(length).max(from);
        stretches.push((first, last));
        if first <= from {
            return stretches;
        }
        (last, length) = (first, length * 2);
    }
}

fn looked_at(fact: &Fact) -> Timestamp {
    fact.checked_at.unwrap_or(fact.heard_at).max(fact.heard_at)
}

/// Whether SePay's record may say more than our books.
fn is_worth_asking(order: &CardOrder, fact: Option<&Fact>, now: Timestamp) -> bool {
    let Some(fact) = fact else {
        return matches!(order.status, OrderStatus::Captured | OrderStatus::Unknown);
    };
    match &fact.state {
        FactState::Credited(credited) if credited.reversed < credited.credits => {
            // Nobody knows whether a voided order stays captured: one that changed since is asked for again, and one
            // that does not tell when it changed, once a day.
            let has_changed = match order.updated_at {
                Some(updated_at) => updated_at > looked_at(fact),
                None => now.since(looked_at(fact)) >= DAY,
            };
            order.status != OrderStatus::Captured || has_changed
        }
        _ => order.status != OrderStatus::Waiting && is_open_to_news(fact),
    }
}

/// Whether SePay's word may still settle it.
fn is_open_to_news(fact: &Fact) -> bool {
    match &fact.state {
        FactState::Unmatched { why, .. } => why.is_open_to_news(),
        FactState::Dismissed { why } => *why == Unmatched::Unconfirmed,
        _ => false,
    }
}

async fn ask(desk: &CardDesk, invoice: &InvoiceNumber, now: Timestamp) -> Asked {
    match desk.ask(invoice, Via::Reconciliation, now).await {
        Ok(CardNews::Received(Received::Credited { .. } | Received::Kept(_)) | CardNews::Voided) => {
            Asked::News
        }
        Ok(CardNews::Received(_) | CardNews::Nothing | CardNews::Later) => Asked::Nothing,
        Err(PaymentsError::Processor(error @ rails::ApiError::TooFast { .. })) => {
            tracing::warn!(%invoice, error = %error, "SePay asks us to slow down; the next comparison goes on");
            Asked::TooFast
        }
        Err(error) => {
            tracing::error!(%invoice, error = %with_causes(&error), "an order could not be settled");
            Asked::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(person: &str, count: usize) -> Vec<(AccountId, TopUpId)> {
        let now = Timestamp::from_seconds(1_000_000);
        (0..count).map(|_| (person.parse().unwrap(), TopUpId::mint(now))).collect()
    }

    #[test]
    fn one_persons_orders_keep_no_other_waiting() {
        let (flood, ann) = (orders("mallory", 400), orders("ann", 1));
        let all = [flood.clone(), ann.clone()].concat();

        let looked_at = chosen(all.clone(), all);

        assert!(looked_at[..3].contains(&ann[0]));
        assert!((LOOKS_MAX..=LOOKS_MAX + 1).contains(&looked_at.len()));
        let distinct: HashSet<_> = looked_at.iter().collect();
        assert_eq!(distinct.len(), looked_at.len());
    }

    #[test]
    fn newest_and_longest_waiting_share_a_round() {
        let people: Vec<Vec<_>> = (0..400).map(|nth| orders(&format!("p{nth}"), 1)).collect();
        let (newest, longest) = (people[..200].concat(), people[200..].concat());

        let looked_at = chosen(newest.clone(), longest.clone());

        assert!(looked_at.contains(&newest[0]) && looked_at.contains(&longest[0]));
        assert_eq!(looked_at.iter().filter(|order| longest.contains(order)).count(), LOOKS_MAX / 2);
    }

    #[test]
    fn the_list_is_read_from_its_newest_day_backwards_without_a_gap() {
        let now = Timestamp::from_seconds(100 * 86_400);
        for days in [0, 1, 3, 7, 45] {
            let from = now.before(DAY * days);
            let stretches = stretches(from, now);
            assert_eq!((stretches[0].1, stretches.last().unwrap().0), (now, from));
            assert!(stretches.windows(2).all(|pair| pair[0].0 == pair[1].1));
            assert!(stretches.len() <= 6, "{days} days are few questions");
        }
    }
}
