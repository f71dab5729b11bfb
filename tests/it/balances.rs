//! What is left of our money at the providers, and that they refuse us, becomes a number somebody is woken by.

use crate::world::World;
use providers::Balance;
use sandbox::{Fault, FaultRule, Service};

async fn look(world: &World, settings: &[(&str, &str)]) -> Vec<Balance> {
    provider_balances::handle(&world.instance(settings).await.role("ProviderBalances")).await.unwrap()
}

fn deepseek(cents: Option<u64>, is_low: bool) -> Vec<Balance> {
    vec![Balance { provider: "deepseek", cents, is_low }]
}

#[tokio::test]
async fn a_provider_s_balance_is_told_and_judged() {
    let world = World::start().await;
    assert_eq!(look(&world, &[]).await, deepseek(Some(4200), false));
    assert_eq!(look(&world, &[("PROVIDER_BALANCE_MIN_CENTS", "5000")]).await, deepseek(Some(4200), true));
}

#[tokio::test]
async fn a_provider_that_refuses_us_counts_as_empty_and_one_that_fails_as_silent() {
    let world = World::start().await;
    let there = format!("{}/sandbox/deepseek", world.outside());
    let refused = [("DEEPSEEK_API_KEY", "sk-wrong"), ("DEEPSEEK_URL", &there)];
    assert_eq!(look(&world, &refused).await, deepseek(None, true));
    world.sandbox.faults().set(Service::Deepseek, FaultRule::always(Fault::Refuse));
    assert_eq!(look(&world, &[]).await, []);
    world.sandbox.faults().clear();
    assert_eq!(look(&world, &[]).await, deepseek(Some(4200), false));
}
