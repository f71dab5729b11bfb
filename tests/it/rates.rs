//! Prices and balances in other currencies: for reference only, and never in the way.

use crate::world::{Person, World, http};
use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Two feeds that quote the dollar at 26 270 dong, 0.91 euro and 155.4 yen, today.
async fn feeds(world: &World) -> String {
    let day = world.now().date();
    let middle = |quote: &str, rate: &str| {
        format!(r#"{{"date":"{day}","base":"USD","quote":"{quote}","rate":{rate}}}"#)
    };
    let middles = format!("[{},{}]", middle("EUR", "0.91"), middle("JPY", "155.4"));
    let [year, month, date] = day.split('-').collect::<Vec<_>>()[..] else { panic!("{day}") };
    let board = format!(
        "<ExrateList><DateTime>{month}/{date}/{year} 8:30:00 AM</DateTime>\
         <Exrate CurrencyCode=\"USD\" Buy=\"25,860.00\" Transfer=\"25,890.00\" Sell=\"26,270.00\" /></ExrateList>"
    );
    let router = Router::new()
        .route("/pXML.aspx", get(async move || board.clone()))
        .route("/v2/rates", get(async move || middles.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// The schedule ticks, as a function of its own.
async fn refresh(world: &World) {
    let feeds = feeds(world).await;
    let board = format!("{feeds}/pXML.aspx");
    let scheduled = world.instance(&[("VIETCOMBANK_RATES_URL", &board), ("FRANKFURTER_URL", &feeds)]).await;
    exchange_rates::handle(&scheduled.platform).await.unwrap();
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
        let cents = tool["price"].as_u64().unwrap();
        let dong = (cents * 26_270 + 50) / 100;
        let expected = json!({
            "amount_minor": dong, "currency": "VND", "text": format!("{dong} VND"), "rate_date": tool["reference"]["rate_date"],
        });
        assert_eq!(tool["reference"], expected);
        let mut without = tool.clone();
        without.as_object_mut().unwrap().remove("reference");
        assert!(plain.contains(&without), "{tool}");
    }
    assert_eq!(prices(&ann, "?currency=EUR").await[0]["reference"]["rate_date"], world.now().date());
    for query in ["", "?currency=USD", "?currency=XAU"] {
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
    for query in ["?currency=vnd", "?currency=", "?currency=VND&currency=EUR"] {
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
    let cents = account["available"].as_u64().unwrap();
    assert_eq!(account["reference"]["amount_minor"], (cents * 26_270 + 50) / 100);
    assert_eq!(ann.get("/v1/account").await.body["reference"], account["reference"]);
    ann.send("PATCH", "/v1/account", &json!({ "display_currency": "XAU" })).await;
    assert!(ann.get("/v1/account").await.body["reference"].is_null());
}

#[tokio::test]
async fn without_any_rate_everything_works_and_nothing_is_shown() {
    let world = World::start().await;
    let ann = world.person("ann");
    assert!(prices(&ann, "?currency=VND").await.iter().all(|tool| tool["reference"].is_null()));
    ann.send("PATCH", "/v1/account", &json!({ "display_currency": "VND" })).await;
    assert!(ann.get("/v1/account").await.body["reference"].is_null());
}
