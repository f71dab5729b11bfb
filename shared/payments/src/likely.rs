//! Which order a payment that waits probably means: for the person who decides about it. No credit follows from it.

use crate::arrival::Arrival;
use crate::order::TopUp;
use crate::{Amount, Payments, PaymentsError, Rail};
use primitives::{AccountId, TopUpId};
use std::time::Duration;

/// So many orders are shown beside a payment.
const LIKELY_MAX: usize = 5;
/// A transfer's code can't be known before its order, but some banks tell the day only.
const BANK_DAY: Duration = Duration::from_secs(86_400);

/// An order that a payment may have meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LikelyOrder {
    pub account: AccountId,
    pub order: TopUpId,
    pub due: Amount,
    pub why: LikelyWhy,
}

/// Why an order is likely; the likeliest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LikelyWhy {
    /// The text names several orders, and the payment is exactly what they cost together.
    SumOfOrders,
    /// The text names this order, and the payment is exactly what it costs.
    Named,
    /// The text has a code that is one mistake away from the order's, and the payment is exactly what it costs.
    NearCode,
    /// The text names this order, which costs something else.
    NamedOtherAmount,
    /// The code is one mistake away, and the order costs something else.
    NearCodeOtherAmount,
    /// An unpaid order of that time costs exactly as much.
    SameAmount,
}

impl Payments {
    /// The likely orders of an arrival that waits. What can't be read now is left out: the payment must be kept all the
    /// same.
    pub(crate) async fn likely_orders(&self, arrival: &Arrival) -> Vec<LikelyOrder> {
        match self.find_likely(arrival).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(payment = %arrival.key, error = %error, "its likely orders could not be looked up");
                Vec::new()
            }
        }
    }

    async fn find_likely(&self, arrival: &Arrival) -> Result<Vec<LikelyOrder>, PaymentsError> {
        let Some(marks) = &arrival.marks else { return Ok(Vec::new()) };
        let named = self.orders_of(arrival.claim.names()).await?;
        let mut near = self.orders_of(&marks.near).await?;
        near.retain(|order| named.iter().all(|named| named.id != order.id));
        let mut found = judged(arrival.amount, &named, &near);
        if !found.iter().any(|likely| likely.due == arrival.amount || likely.why == LikelyWhy::SumOfOrders) {
            let by_amount = self.unpaid_of_amount(arrival).await?;
            let known: Vec<TopUpId> = found.iter().map(|likely| likely.order).collect();
            let by_amount = by_amount.iter().filter(|order| !known.contains(&order.id));
            found.extend(by_amount.map(|order| likely(order, LikelyWhy::SameAmount)));
        }
        found.truncate(LIKELY_MAX);
        Ok(found)
    }

    async fn orders_of(&self, names: &[String]) -> Result<Vec<TopUp>, PaymentsError> {
        let mut orders = Vec::new();
        for row in self.store.references(names).await?.iter().take(2 * LIKELY_MAX) {
            orders.extend(self.store.top_up(&row.account, row.order).await?);
        }
        Ok(orders)
    }

    /// Unpaid transfer orders that could have been paid with exactly this amount at that time, newest first.
    async fn unpaid_of_amount(&self, arrival: &Arrival) -> Result<Vec<TopUp>, PaymentsError> {
        let (rules, paid_at) = (&self.rules, arrival.paid_at);
        let from = paid_at.before(rules.order_lifetime()).before(rules.grace());
        let awaited = awaited_name(Rail::VietQr, arrival.amount);
        let keys = self.store.awaited(&awaited, from, paid_at.after(BANK_DAY), LIKELY_MAX).await?;
        let mut orders = Vec::new();
        for (account, id) in keys {
            orders.extend(self.store.top_up(&account, id).await?);
        }
        orders.retain(|order| order.payments.is_empty());
        Ok(orders)
    }
}

/// The partition of orders that wait for a payment: of a rail, and of exactly this amount where the payer types it in.
pub(crate) fn awaited_name(rail: Rail, due: Amount) -> String {
    match rail {
        Rail::VietQr => format!("{rail}#{}", due.units()),
        Rail::SepayCard | Rail::TronUsdt => rail.to_string(),
    }
}

fn judged(amount: Amount, named: &[TopUp], near: &[TopUp]) -> Vec<LikelyOrder> {
    let sum = named.iter().try_fold(0_u64, |sum, order| sum.checked_add(order.due.units()));
    let is_sum = named.len() > 1 && sum == Some(amount.units());
    let why =
        |order: &TopUp, same: LikelyWhy, other: LikelyWhy| if order.due == amount { same } else { other };
    let named = named.iter().map(|order| match is_sum {
        true => likely(order, LikelyWhy::SumOfOrders),
        false => likely(order, why(order, LikelyWhy::Named, LikelyWhy::NamedOtherAmount)),
    });
    let near = near
        .iter()
        .map(|order| likely(order, why(order, LikelyWhy::NearCode, LikelyWhy::NearCodeOtherAmount)));
    let mut found: Vec<LikelyOrder> = named.chain(near).collect();
    found.sort_by_key(|likely| (likely.why, std::cmp::Reverse(likely.order)));
    found
}

fn likely(order: &TopUp, why: LikelyWhy) -> LikelyOrder {
    LikelyOrder { account: order.account.clone(), order: order.id, due: order.due, why }
}
