//! Which order a payment that waits probably means: for the person who decides about it. No credit follows from it.

use crate::arrival::Arrival;
use crate::fact::{LikelyOrder, LikelyWhy};
use crate::items::awaited_name;
use crate::order::TopUp;
use crate::rail::{Acceptance, Recognition};
use crate::{Payments, PaymentsError};
use platform::with_causes;
use primitives::{Money, TopUpId};

/// So many orders are shown beside a payment.
const LIKELY_MAX: usize = 5;

impl Payments {
    /// The likely orders of an arrival that waits. What can't be read now is left out: the payment must be kept all the
    /// same.
    pub(crate) async fn likely_orders(&self, arrival: &Arrival) -> Vec<LikelyOrder> {
        match self.find_likely(arrival).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(
                    payment = %arrival.key, error = %with_causes(&error),
                    "its likely orders could not be looked up"
                );
                Vec::new()
            }
        }
    }

    async fn find_likely(&self, arrival: &Arrival) -> Result<Vec<LikelyOrder>, PaymentsError> {
        let Some(marks) = &arrival.marks else { return Ok(Vec::new()) };
        let named = self.orders_of(arrival.destination.names()).await?;
        let mut near = self.orders_of(&marks.near).await?;
        near.retain(|order| named.iter().all(|named| named.id != order.id));
        let mut found = judged(arrival.amount, &named, &near);
        if !found.iter().any(|likely| likely.price == arrival.amount || likely.why == LikelyWhy::SumOfOrders)
        {
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

    /// Unpaid orders of the rail that could have been paid with exactly this amount at that time, newest first; of rails
    /// whose payers type the order's code, and mistype it.
    async fn unpaid_of_amount(&self, arrival: &Arrival) -> Result<Vec<TopUp>, PaymentsError> {
        let rail = arrival.key.rail();
        let (Recognition::Code, Acceptance::AsArrived { slack }) =
            (rail.policy().recognition, rail.policy().acceptance)
        else {
            return Ok(Vec::new());
        };
        let (rules, paid_at) = (&self.rules, arrival.paid_at);
        let from = paid_at.before(rules.order_lifetime()).before(rules.grace());
        let awaited = awaited_name(rail, arrival.amount);
        let keys = self.store.awaited(&awaited, from, paid_at.after(slack), LIKELY_MAX).await?;
        let mut orders = Vec::new();
        for (account, id) in keys {
            orders.extend(self.store.top_up(&account, id).await?);
        }
        orders.retain(|order| order.payments.is_empty());
        Ok(orders)
    }
}

fn judged(amount: Money, named: &[TopUp], near: &[TopUp]) -> Vec<LikelyOrder> {
    let sum = named.iter().try_fold(0_u64, |sum, order| sum.checked_add(order.price.minor()));
    let is_sum = named.len() > 1 && sum == Some(amount.minor());
    let why =
        |order: &TopUp, same: LikelyWhy, other: LikelyWhy| if order.price == amount { same } else { other };
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
    LikelyOrder { account: order.account.clone(), order: order.id, price: order.price, why }
}
