use super::world::World;
use crate::{RatesError, items};
use platform::StoreError;
use primitives::Currency;
use std::time::Duration;

#[tokio::test]
async fn without_a_rate_no_order_is_made() {
    let world = World::start().await;
    let missing = world.rates.for_orders(Currency::VND, world.now()).await;
    assert!(matches!(missing, Err(RatesError::Missing)), "{missing:?}");

    // Euros are shown at a middle rate, and sold at none.
    world.rates.refresh(world.now()).await;
    let euro = "EUR".parse().unwrap();
    assert!(world.rates.reference(euro, world.now()).await.is_some());
    let sold = world.rates.for_orders(euro, world.now()).await;
    assert!(matches!(sold, Err(RatesError::Missing)), "{sold:?}");
    let world = World::start().await;

    // A feed that was asked in vain leaves a row without a rate.
    let pause = Duration::from_secs(1);
    assert!(items::take_call(&world.platform, Currency::VND, pause, world.now()).await.unwrap());
    let missing = world.rates.for_orders(Currency::VND, world.now()).await;
    assert!(matches!(missing, Err(RatesError::Missing)), "{missing:?}");
}

#[tokio::test]
async fn an_order_is_refused_when_the_feed_is_too_old_however_lately_it_was_fetched() {
    let world = World::start_with([("RATE_AGE_MAX_HOURS", "48")]).await;
    world.rates.refresh(world.now()).await;
    let feed_at = world.rates.for_orders(Currency::VND, world.now()).await.unwrap().feed_at;

    let until = feed_at.after(Duration::from_secs(48 * 3600));
    assert!(world.rates.for_orders(Currency::VND, until).await.is_ok());
    let late = world.rates.for_orders(Currency::VND, until.after(Duration::from_millis(1))).await;
    assert!(matches!(late, Err(RatesError::Stale { feed_at: at }) if at == feed_at), "{late:?}");
}

#[tokio::test]
async fn an_order_sees_a_new_rate_at_once() {
    let world = World::start().await;
    world.rates.refresh(world.now()).await;
    assert!(world.rates.reference(Currency::VND, world.now()).await.is_some());
    world.advance(Duration::from_secs(300));
    world.vietcombank_sells("26,300.00");
    world.rates.refresh(world.now()).await;
    assert_eq!(world.rates.for_orders(Currency::VND, world.now()).await.unwrap().rate.to_string(), "26300");
}

#[tokio::test]
async fn whoever_was_slower_does_not_overwrite_a_newer_rate() {
    let world = World::start().await;
    let first = super::quote("VND", "26000");
    assert!(items::replace(&world.platform, None, &first).await.unwrap());
    let newer = crate::Quote {
        fetched_at: world.now().after(Duration::from_secs(1)),
        ..super::quote("VND", "26100")
    };
    assert!(items::replace(&world.platform, Some(&first), &newer).await.unwrap());

    let late = super::quote("VND", "26200");
    assert!(!items::replace(&world.platform, Some(&first), &late).await.unwrap());
    assert!(!items::replace(&world.platform, None, &late).await.unwrap());
    assert_eq!(items::read(&world.platform, Currency::VND, true).await.unwrap(), Some(newer));
}

#[tokio::test]
async fn a_row_that_can_not_be_read_is_no_rate() {
    let world = World::start().await;
    world.rates.refresh(world.now()).await;
    for (attribute, value) in [("rate", "0"), ("rate", "2e4"), ("side", "middle"), ("source", "")] {
        let update = world.platform.dynamo().update_item();
        let update = update.table_name(world.platform.table(&crate::EXCHANGE_RATES));
        let update = update.set_key(Some(platform::key([("currency", "VND")])));
        let update = update.update_expression("SET #a = :v").expression_attribute_names("#a", attribute);
        update.expression_attribute_values(":v", platform::text(value)).send().await.unwrap();
        let read = world.rates.for_orders(Currency::VND, world.now()).await;
        assert!(matches!(read, Err(RatesError::Store(StoreError::Corrupt { .. }))), "{attribute}: {read:?}");
    }
}
