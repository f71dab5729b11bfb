use serde_json::{Value, json};

use super::{ask, instant};
use crate::civil::Civil;
use crate::{Fault, FaultRule, Sandbox, Service};

const BOARD: &str = "GET /sandbox/vietcombank/Usercontrols/TVPortal.TyGia/pXML.aspx?b=10";
/// 20 November 2026, 19:42:34 UTC: already the 21st in Vietnam.
const NOW: u64 = 1_795_203_754;

fn world() -> Sandbox {
    let sandbox = instant();
    sandbox.set_now(Some(NOW));
    sandbox
}

async fn board(sandbox: &Sandbox) -> String {
    let answer = ask(sandbox, BOARD, &[], "").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/xml; charset=utf-8"));
    answer.text().to_owned()
}

async fn frankfurter(sandbox: &Sandbox, path: &str) -> (u16, String) {
    let answer = ask(sandbox, &format!("GET /sandbox/frankfurter{path}"), &[], "").await;
    (answer.status, answer.text().to_owned())
}

#[test]
fn dates_are_right_around_leap_days_midnight_and_noon() {
    let cases = [
        (0, "1970-01-01", "1/1/1970 12:00:00 AM"),
        (951_782_400 + 43_200, "2000-02-29", "2/29/2000 12:00:00 PM"),
        (1_709_251_199, "2024-02-29", "2/29/2024 11:59:59 PM"),
        (1_709_251_200, "2024-03-01", "3/1/2024 12:00:00 AM"),
        (NOW, "2026-11-20", "11/20/2026 7:42:34 PM"),
        (4_107_542_400, "2100-03-01", "3/1/2100 12:00:00 AM"),
    ];
    for (seconds, date, text) in cases {
        let civil = Civil::utc(seconds);
        assert_eq!((civil.iso_date().as_str(), civil.us_text().as_str()), (date, text));
    }
}

#[tokio::test]
async fn the_banks_board_looks_as_the_portal_writes_it() {
    let text = board(&world()).await;
    assert!(text.starts_with("<!--For reference only. Only one request every 5 minutes!-->\r\n<ExrateList>"));
    for line in [
        "<DateTime>11/21/2026 2:42:34 AM</DateTime>",
        r#"<Exrate CurrencyCode="USD" CurrencyName="US DOLLAR           " Buy="25,860.00" Transfer="25,890.00" Sell="26,270.00" />"#,
        r#"<Exrate CurrencyCode="KWD" CurrencyName="KUWAITI DINAR       " Buy="-" Transfer="85,000.00" Sell="88,000.00" />"#,
        "<Source>Joint Stock Commercial Bank for Foreign Trade of Vietnam - Vietcombank</Source>",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(text.matches("<Exrate ").count(), 20);
}

#[tokio::test]
async fn the_bank_shows_the_rate_and_the_date_it_is_given() {
    let sandbox = world();
    sandbox.set_usd_sell("26,301.50");
    sandbox.set_feed_date(Some("21/11/2026 14:42:34"));
    let text = board(&sandbox).await;
    assert!(text.contains("Sell=\"26,301.50\"") && text.contains("<DateTime>21/11/2026 14:42:34</DateTime>"));

    let order = json!({ "usd_sell": "-", "usd_buy": "<&\">", "date": null }).to_string();
    let set = ask(&sandbox, "POST /sandbox/vietcombank/rate", &[], order).await;
    assert_eq!((set.status, &set.json()["usd_transfer"]), (200, &json!("25,890.00")));
    let text = board(&sandbox).await;
    assert!(text.contains("Buy=\"&lt;&amp;&quot;&gt;\" Transfer=\"25,890.00\" Sell=\"-\""));
    assert!(text.contains("<DateTime>11/21/2026 2:42:34 AM</DateTime>"));

    for order in [json!({ "usd_sell": 26_270 }), json!({ "eur_sell": "1" }), json!([])] {
        let answer = ask(&sandbox, "POST /sandbox/vietcombank/rate", &[], order.to_string()).await;
        assert_eq!(answer.status, 422, "{order}");
    }
}

#[tokio::test]
async fn the_feeds_fail_in_every_way_ordered() {
    let sandbox = world();
    let reads = [
        (Service::Vietcombank, BOARD, "<Exrate "),
        (Service::Frankfurter, "GET /sandbox/frankfurter/v2/rates", "\"quote\""),
        (Service::Frankfurter, "GET /sandbox/frankfurter/v1/latest", "\"USD\":"),
    ];
    for (service, read, content) in reads {
        let strike = |fault| sandbox.faults().set(service, FaultRule::once(fault));
        strike(Fault::Status { status: 503, retry_after: None });
        assert_eq!(ask(&sandbox, read, &[], "").await.status, 503);
        strike(Fault::Garbage);
        let blocked = ask(&sandbox, read, &[], "").await;
        assert_eq!((blocked.status, blocked.text().contains("<h1>")), (200, true));
        strike(Fault::DropBefore);
        assert!(ask(&sandbox, read, &[], "").await.is_broken);
        for fault in [Fault::WrongShape, Fault::Empty] {
            strike(fault.clone());
            let answer = ask(&sandbox, read, &[], "").await;
            assert_eq!((answer.status, answer.text().contains(content)), (200, false), "{fault:?}");
        }
        assert!(ask(&sandbox, read, &[], "").await.text().contains(content));
    }
    sandbox.faults().set(Service::Vietcombank, FaultRule::always(Fault::Refuse));
    let order = json!({ "usd_sell": "26,000.00" }).to_string();
    assert_eq!(ask(&sandbox, "POST /sandbox/vietcombank/rate", &[], order).await.status, 200);
}

#[tokio::test]
async fn rates_of_the_second_version_are_a_list_with_the_dong_in_it() {
    let sandbox = world();
    let expected = concat!(
        r#"[{"date":"2026-11-20","base":"USD","quote":"EUR","rate":0.86588},"#,
        r#"{"date":"2026-11-20","base":"USD","quote":"VND","rate":26120.0}]"#,
    );
    let asked = frankfurter(&sandbox, "/v2/rates?base=USD&quotes=VND,XXX,EUR").await;
    assert_eq!(asked, (200, expected.to_owned()));

    let (_, all) = frankfurter(&sandbox, "/v2/rates").await;
    let all: Value = serde_json::from_str(&all).expect("JSON");
    let all = all.as_array().expect("a list");
    assert!(all.len() > 30 && all.iter().all(|row| row["base"] == "EUR" && row["quote"] != "EUR"));
    assert!(all.iter().all(|row| row["rate"].is_number()));
}

#[tokio::test]
async fn a_pair_is_one_object_and_other_bases_are_calculated() {
    let sandbox = world();
    sandbox.set_frankfurter_rate("VND", "26120.5");
    sandbox.set_frankfurter_rate("EUR", "0.8");
    let cases = [
        ("USD", "VND", "26120.5"),
        ("EUR", "USD", "1.25"),
        ("EUR", "VND", "32650.625"),
        ("VND", "USD", "0.0000382841"),
        ("EUR", "EUR", "1.0"),
    ];
    for (base, quote, rate) in cases {
        let expected = format!(r#"{{"date":"2026-11-20","base":"{base}","quote":"{quote}","rate":{rate}}}"#);
        let answer = frankfurter(&sandbox, &format!("/v2/rate/{base}/{quote}")).await;
        assert_eq!(answer, (200, expected));
    }
    sandbox.set_frankfurter_rate("EUR", "0.6");
    let (_, rounded) = frankfurter(&sandbox, "/v2/rate/EUR/USD").await;
    assert!(rounded.ends_with(r#""rate":1.6666666667}"#), "{rounded}");

    let order = json!({ "currency": "VND", "rate": "26000.123456789" }).to_string();
    assert_eq!(ask(&sandbox, "POST /sandbox/frankfurter/rate", &[], order).await.status, 200);
    let (_, text) = frankfurter(&sandbox, "/v2/rate/USD/VND").await;
    assert!(text.ends_with(r#""rate":26000.123456789}"#), "{text}");
    let refused =
        ask(&sandbox, "POST /sandbox/frankfurter/rate", &[], r#"{"currency":"VND","rate":1}"#).await;
    assert_eq!(refused.status, 422);
}

#[tokio::test]
async fn what_the_second_version_does_not_know_is_refused() {
    let cases = [
        ("/v2/rates?base=USD&symbols=VND", 422),
        ("/v2/rates?base=XXX", 422),
        ("/v2/rates?date=yesterday", 422),
        ("/v2/rate/USD/XXX", 404),
        ("/v2/rate/XXX/USD", 404),
        ("/v2/nothing", 404),
    ];
    for (path, status) in cases {
        let (answered, text) = frankfurter(&world(), path).await;
        let body: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((answered, &body["status"]), (status, &json!(status)), "{path}");
        assert!(body["message"].is_string());
    }
    let dated = frankfurter(&world(), "/v2/rates?base=USD&quotes=VND&date=2026-11-02").await.1;
    assert!(dated.contains("\"date\":\"2026-11-02\""));
}

#[tokio::test]
async fn the_first_version_has_a_map_and_no_dong() {
    let sandbox = world();
    let expected = r#"{"amount":1.0,"base":"USD","date":"2026-11-20","rates":{"EUR":0.86588}}"#;
    for query in ["base=USD&symbols=EUR,VND", "from=USD&to=EUR"] {
        let answer = frankfurter(&sandbox, &format!("/v1/latest?{query}")).await;
        assert_eq!(answer, (200, expected.to_owned()));
    }
    let (_, all) = frankfurter(&sandbox, "/v1/latest").await;
    let all: Value = serde_json::from_str(&all).expect("JSON");
    assert_eq!(all["base"], "EUR");
    assert_eq!(all["rates"].as_object().map(serde_json::Map::len), Some(30));
    assert!(all["rates"].get("VND").is_none());
    let unknown = frankfurter(&sandbox, "/v1/latest?base=VND").await;
    assert_eq!(unknown, (404, r#"{"message":"not found"}"#.to_owned()));
}
