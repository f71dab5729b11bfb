use super::world::World;
use primitives::Currency;
use std::time::Duration;

#[tokio::test]
async fn a_shown_rate_is_read_at_most_every_ten_minutes() {
    let world = World::start().await;
    assert_eq!(world.rates.reference(Currency::VND, world.now()).await, None);
    world.rates.refresh(world.now()).await;
    assert_eq!(world.rates.reference(Currency::VND, world.now()).await, None, "its absence is remembered");

    world.advance(Duration::from_secs(600));
    let shown = world.rates.reference(Currency::VND, world.now()).await;
    assert_eq!(shown.unwrap().rate.to_string(), "26270");
    world.break_store().await;
    world.advance(Duration::from_secs(599));
    assert_eq!(world.rates.reference(Currency::VND, world.now()).await, shown);
    world.advance(Duration::from_secs(1));
    assert_eq!(
        world.rates.reference(Currency::VND, world.now()).await,
        shown,
        "a store that fails hides nothing"
    );
}

#[tokio::test]
async fn the_last_good_rate_is_shown_with_its_day_however_old() {
    let world = World::start().await;
    world.rates.refresh(world.now()).await;
    world.advance(Duration::from_secs(30 * 24 * 3600));
    let shown = world.rates.reference(Currency::VND, world.now()).await.unwrap();
    assert_eq!(shown.feed_at.date(), "2026-11-20");
    assert!(world.rates.for_orders(Currency::VND, world.now()).await.is_err());
}

#[tokio::test]
async fn dollars_and_currencies_nobody_asks_for_have_no_reference_and_cost_no_read() {
    let world = World::start().await;
    world.rates.refresh(world.now()).await;
    world.break_store().await;
    for code in ["USD", "XAU", "AAA"] {
        assert_eq!(world.rates.reference(code.parse().unwrap(), world.now()).await, None, "{code}");
    }
}
