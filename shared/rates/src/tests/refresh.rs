use super::world::{World, middles};
use super::{BOARD, rate};
use crate::{FeedReport, Rates, Report, Side, Source};
use primitives::Currency;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn read(renewed: u32, kept: u32) -> FeedReport {
    FeedReport::Read { renewed, kept }
}

async fn refresh(world: &World) -> Report {
    world.rates.refresh(world.now()).await
}

/// What an order would be fixed at.
async fn dong(world: &World) -> String {
    world.rates.for_orders(Currency::VND, world.now()).await.unwrap().rate.to_string()
}

#[tokio::test]
async fn both_feeds_are_kept_with_their_source_side_and_times() {
    let world = World::start().await;

    assert_eq!(refresh(&world).await, Report { vietcombank: read(1, 0), frankfurter: read(2, 0) });

    let vnd = world.rates.for_orders(Currency::VND, world.now()).await.unwrap();
    assert_eq!((vnd.rate, vnd.source, vnd.side), (rate("26270"), Source::Vietcombank, Side::Sell));
    assert_eq!(vnd.feed_at.to_string(), "2026-11-20T07:42:34.000Z");
    assert_eq!(vnd.fetched_at, world.now());
    let eur = world.rates.reference("EUR".parse().unwrap(), world.now()).await.unwrap();
    assert_eq!((eur.rate, eur.source, eur.side), (rate("0.91"), Source::Frankfurter, Side::Mid));
    assert_eq!(world.stored("VND", "rate").await.as_deref(), Some("26270"));
    assert_eq!(world.stored("VND", "side").await.as_deref(), Some("sell"));
}

#[tokio::test]
async fn the_feeds_are_asked_as_they_want_to_be() {
    let world = World::start().await;
    refresh(&world).await;

    let board = world.feeds.asked_vietcombank.lock().unwrap();
    assert!(board[0]["user-agent"].to_str().unwrap().starts_with("Mozilla/5.0"));
    let query = &world.feeds.asked_frankfurter.lock().unwrap()[0];
    assert!(query.starts_with("base=USD&quotes=AUD,") && query.ends_with(",VND"), "{query}");
}

#[tokio::test]
async fn the_side_is_a_setting() {
    let world = World::start_with([("RATE_SIDE", "transfer")]).await;
    refresh(&world).await;
    let vnd = world.rates.for_orders(Currency::VND, world.now()).await.unwrap();
    assert_eq!((vnd.rate, vnd.side), (rate("25890"), Side::Transfer));
}

#[tokio::test]
async fn vietcombank_is_asked_once_in_five_minutes_whoever_asks_and_however_it_ends() {
    let world = World::start().await;
    world.vietcombank_says(500, "");
    assert_eq!(refresh(&world).await.vietcombank, FeedReport::Failed);
    world.vietcombank_sells("26,270.00");

    world.advance(Duration::from_secs(299));
    let other = Rates::new(&world.platform).unwrap();
    assert_eq!(other.refresh(world.now()).await.vietcombank, FeedReport::Resting);
    assert_eq!(world.feeds.asked_vietcombank.lock().unwrap().len(), 1);

    world.advance(Duration::from_secs(1));
    let (one, two) = tokio::join!(world.rates.refresh(world.now()), other.refresh(world.now()));
    let both = [one.vietcombank, two.vietcombank];
    assert!(both.contains(&read(1, 0)) && both.contains(&FeedReport::Resting), "{both:?}");
    assert_eq!(world.feeds.asked_vietcombank.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_feed_that_gives_nothing_leaves_the_other_and_the_last_good_rate_alone() {
    let world = World::start().await;
    refresh(&world).await;
    for (status, body) in [
        (503, "later"),
        (302, ""),
        (200, "<html><body>The requested URL was rejected.</body></html>"),
        (200, ""),
        (200, &BOARD.replace("11/20/2026 2:42:34 PM", "soon")),
        (200, &BOARD.replace("26,270.00", "-")),
        (200, &"<Exrate ".repeat(200_000)),
    ] {
        world.advance(Duration::from_secs(301));
        world.vietcombank_says(status, body);
        assert_eq!(
            refresh(&world).await,
            Report { vietcombank: FeedReport::Failed, frankfurter: read(2, 0) }
        );
        assert_eq!(dong(&world).await, "26270");
    }
}

#[tokio::test]
async fn without_frankfurter_or_its_dong_vietcombank_is_taken_alone() {
    let world = World::start().await;
    world.frankfurter_fails(503);
    assert_eq!(refresh(&world).await, Report { vietcombank: read(1, 0), frankfurter: FeedReport::Failed });

    world.advance(DAY);
    world.vietcombank_sells("26,300.00");
    world.frankfurter_says(&[("EUR", "0.91")]);
    assert_eq!(refresh(&world).await, Report { vietcombank: read(1, 0), frankfurter: read(1, 0) });
    assert_eq!(dong(&world).await, "26300");
}

#[tokio::test]
async fn a_refused_rate_leaves_the_last_good_one_with_its_date() {
    let world = World::start().await;
    refresh(&world).await;
    let last_good = world.rates.for_orders(Currency::VND, world.now()).await.unwrap();
    for sells in ["262.70", "262,700.00", "27,100.00", "25,400.00"] {
        world.advance(Duration::from_secs(301));
        world.vietcombank_sells(sells);
        world.frankfurter_says(&[]);
        assert_eq!(refresh(&world).await.vietcombank, read(0, 1), "{sells}");
        assert_eq!(world.rates.for_orders(Currency::VND, world.now()).await.unwrap(), last_good);
    }
    world.advance(Duration::from_secs(301));
    world.vietcombank_says(200, &BOARD.replace("11/20/2026", "11/14/2026"));
    assert_eq!(refresh(&world).await.vietcombank, read(0, 1));
    assert_eq!(world.rates.for_orders(Currency::VND, world.now()).await.unwrap(), last_good);
}

#[tokio::test]
async fn sources_that_disagree_renew_nothing() {
    let world = World::start().await;
    world.frankfurter_says(&[("VND", "24900"), ("EUR", "0.91")]);
    assert_eq!(refresh(&world).await, Report { vietcombank: read(0, 1), frankfurter: read(1, 0) });
    assert!(world.rates.for_orders(Currency::VND, world.now()).await.is_err());
}

#[tokio::test]
async fn only_what_was_asked_for_is_kept_and_the_dong_never_from_frankfurter() {
    let world = World::start().await;
    world.vietcombank_says(503, "");
    let all = [("VND", "26120.0"), ("XAU", "0.00024"), ("THB", "32.4")];
    *world.feeds.frankfurter.lock().unwrap() = (200, middles(&all));
    assert_eq!(refresh(&world).await, Report { vietcombank: FeedReport::Failed, frankfurter: read(1, 0) });
    assert_eq!(world.stored("VND", "rate").await, None);
    assert_eq!(world.stored("XAU", "rate").await, None);
    assert_eq!(world.stored("THB", "rate").await.as_deref(), Some("32.4"));
}

#[tokio::test]
async fn a_shown_rate_that_jumped_comes_back_after_five_days_and_the_dong_does_not() {
    let world = World::start().await;
    refresh(&world).await;
    for _ in 0..5 {
        world.advance(DAY);
        world.frankfurter_says(&[("EUR", "0.99")]);
        world.vietcombank_sells("27,500.00");
        assert_eq!(refresh(&world).await, Report { vietcombank: read(0, 1), frankfurter: read(0, 1) });
    }
    world.advance(DAY);
    world.frankfurter_says(&[("EUR", "0.99")]);
    world.vietcombank_sells("27,500.00");
    assert_eq!(refresh(&world).await, Report { vietcombank: read(0, 1), frankfurter: read(1, 0) });
}

#[tokio::test]
async fn a_store_that_fails_renews_nothing_and_asks_vietcombank_nothing() {
    let world = World::start().await;
    world.break_store().await;
    assert_eq!(refresh(&world).await, Report { vietcombank: FeedReport::Failed, frankfurter: read(0, 2) });
    assert!(world.feeds.asked_vietcombank.lock().unwrap().is_empty());
    assert_eq!(world.rates.reference(Currency::VND, world.now()).await, None);
}
