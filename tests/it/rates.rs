//! Prices and balances in other currencies: for reference only, and never in the way.

use crate::books;
use crate::world::{Fault, Person, World, http};
use rates::FeedReport;
use serde_json::{Value, json};
use std::time::Duration;

/// The schedule ticks, as a function of its own.
async fn refresh(world: &World) -> rates::Report {
    let scheduled = world.instance(&[]).await;
    exchange_rates::handle(&scheduled.role("ExchangeRates")).await.unwrap()
}

async fn prices(person: &Person, query: &str) -> Vec<Value> {
    let list = person.get(&format!("/v1/pricing{query}")).await;
    assert_eq!(list.status, 200, "{}", list.text);
    list.body["tools"].as_array().unwrap().clone()
}

#[tokio::test]
async fn prices_are_shown_in_the_currency_that_is_asked_for_and_stay_what_they_are() {
    let world = World::start().await;
    refresh(&world).await;
    let ann = world.person("ann");
    let plain = prices(&ann, "").await;

    for tool in prices(&ann, "?currency=VND").await {
        let cents = tool["price"]["amount"].as_u64().unwrap();
        let dong = (cents * 26_270 + 50) / 100;
        let expected = json!({
            "minor": dong, "currency": "VND", "decimal": dong.to_string(), "text": tool["reference"]["text"],
            "rate_date": tool["reference"]["rate_date"],
        });
        assert_eq!(tool["reference"], expected);
        let digits: String = tool["reference"]["text"].as_str().unwrap().replace(',', "");
        assert_eq!(digits, format!("{dong} VND"));
        let mut without = tool.clone();
        without.as_object_mut().unwrap().remove("reference");
        assert!(plain.contains(&without), "{tool}");
    }
    assert_eq!(prices(&ann, "?currency=EUR").await[0]["reference"]["rate_date"], world.now().date());
    for query in ["", "?currency=USD"] {
        assert!(prices(&ann, query).await.iter().all(|tool| tool["reference"].is_null()), "{query}");
    }
}

#[tokio::test]
async fn a_stranger_sees_reference_prices_too_and_a_wrong_currency_is_named() {
    let world = World::start().await;
    refresh(&world).await;
    let get = async |query: &str| {
        let url = format!("{}/v1/pricing{query}", world.product.base);
        crate::world::Answer::of(http().get(url).send().await.unwrap()).await
    };
    assert_eq!(get("?currency=JPY").await.body["tools"][0]["reference"]["currency"], "JPY");
    for query in ["?currency=vnd", "?currency=", "?currency=XAU", "?currency=VND&currency=EUR"] {
        let refused = get(query).await;
        assert_eq!((refused.status, refused.problem()), (422, "invalid_input"), "{query}");
    }
}

#[tokio::test]
async fn an_account_shows_what_is_available_in_its_owners_currency() {
    let world = World::start().await;
    refresh(&world).await;
    let ann = world.person("ann");
    let account = ann.get("/v1/account").await.body;
    assert!(account["reference"].is_null(), "dollars need none: {account}");

    let account = ann.send("PATCH", "/v1/account", &json!({ "display_currency": "VND" })).await.body;
    let cents = account["available"]["amount"].as_u64().unwrap();
    assert_eq!(account["reference"]["minor"], (cents * 26_270 + 50) / 100);
    assert_eq!(account["reference"]["text"], "26,270 VND");
    let request = ann.request("GET", "/v1/account").header("accept-language", "vi");
    let vietnamese = crate::world::Answer::of(request.send().await.unwrap()).await;
    assert_eq!(vietnamese.body["reference"]["text"], "26.270 VND");
    assert_eq!(ann.get("/v1/account").await.body["reference"], account["reference"]);
    let refused = ann.send("PATCH", "/v1/account", &json!({ "display_currency": "XAU" })).await;
    assert_eq!(
        (refused.problem(), &refused.body["errors"][0]["pointer"]),
        ("invalid_input", &json!("/display_currency"))
    );
    assert_eq!(ann.get("/v1/account").await.body["reference"], account["reference"], "nothing was changed");
}

#[tokio::test]
async fn without_any_rate_everything_works_and_nothing_is_shown() {
    let world = World::start().await;
    let ann = world.person("ann");
    assert!(prices(&ann, "?currency=VND").await.iter().all(|tool| tool["reference"].is_null()));
    ann.send("PATCH", "/v1/account", &json!({ "display_currency": "VND" })).await;
    assert!(ann.get("/v1/account").await.body["reference"].is_null());
}

#[tokio::test]
async fn a_feeds_mistake_is_shown_to_nobody_and_the_last_good_rate_stays() {
    let world = World::start().await;
    let good = FeedReport::Read { renewed: 1, kept: 0 };
    assert_eq!(refresh(&world).await.vietcombank, good);
    for (sells, report) in [
        ("26.27", FeedReport::Read { renewed: 0, kept: 1 }),
        ("27,270.00", FeedReport::Read { renewed: 0, kept: 1 }),
        ("-", FeedReport::Failed),
        ("26,300.00", good),
    ] {
        world.sandbox.set_usd_sell(sells);
        assert_eq!(refresh(&world).await.vietcombank, FeedReport::Resting);
        world.advance(Duration::from_secs(300));
        assert_eq!(refresh(&world).await.vietcombank, report, "{sells}");
        let shown = if report == good { 26_300 } else { 26_270 };
        let ann = world.instance(&[]).await;
        let tool = &prices(&world.person("ann").at(&ann.base), "?currency=VND").await[0];
        let cents = tool["price"]["amount"].as_u64().unwrap();
        assert_eq!(tool["reference"]["minor"], (cents * shown + 50) / 100, "{sells}");
    }
}

#[tokio::test]
async fn a_rate_that_is_written_late_does_not_replace_a_newer_one() {
    let world = World::start().await;
    refresh(&world).await;
    world.advance(Duration::from_secs(300));
    world.sandbox.set_usd_sell("26,300.00");
    let slow = world.instance(&[]).await;
    // Behind the write that takes the feed's turn.
    slow.meddler.plan(1, Fault::LateWriteTo("exchange_rates"));
    let role = slow.role("ExchangeRates");
    let mut late = std::pin::pin!(exchange_rates::handle(&role));

    let report = tokio::select! {
        report = &mut late => panic!("it was not overtaken: {report:?}"),
        () = slow.meddler.holding_back() => {
            world.advance(Duration::from_secs(300));
            world.sandbox.set_usd_sell("26,400.00");
            assert_eq!(refresh(&world).await.vietcombank, FeedReport::Read { renewed: 1, kept: 0 });
            slow.meddler.let_go();
            late.await.unwrap()
        }
    };

    assert_eq!(report.vietcombank, FeedReport::Read { renewed: 0, kept: 1 });
    let rows = books::scan(&world, "exchange_rates").await;
    let dong = rows.iter().find(|row| row["currency"].as_s().unwrap() == "VND").unwrap();
    assert_eq!(dong["rate"].as_s().unwrap(), "26400");
    assert_eq!(dong["fetched_at"].as_n().unwrap(), &world.now().millis().to_string());
}
