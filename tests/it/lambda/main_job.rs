//! What people do, through the gateway.

use super::Cloud;
use super::cloud::{patiently, read_until};
use crate::world::{credit, events, image, script, text_of};
use sandbox::Service;
use serde_json::{Value, json};

/// One character a piece, so that a stream can be stopped between two.
const PACED: &str = "a red kite [[sandbox:pace ms=1]]";

#[tokio::test]
async fn a_signed_in_person_sees_the_price_runs_tools_and_reads_the_books() {
    let cloud = Cloud::start().await;
    let ann = cloud.person("ann");

    let prices = ann.get("/v1/pricing").await;
    assert_eq!(prices.status, 200, "{}", prices.text);
    let chat = prices.body["tools"].as_array().unwrap().iter().find(|row| row["model"] == "chat").unwrap();
    assert_eq!(chat["price"], credit(1));
    assert!(prices.headers.contains_key("x-amzn-requestid"), "it came through the gateway");
    assert_eq!(ann.balance().await, (100, 0, 0), "the welcome credit");
    cloud.calm().await;

    let told = ann.stream(&script("a red kite")).await.unwrap();
    let names: Vec<&str> = told.iter().map(|event| event.name.as_str()).collect();
    assert_eq!((names[0], names[names.len() - 1]), ("run", "done"));
    assert!(text_of(&told).contains("a red kite"));
    assert_eq!(told.last().unwrap().data["charged"], credit(1));
    cloud.calm().await;

    let picture = ann.run(&image("a red kite")).await;
    assert_eq!((picture.status, &picture.body["charged"]), (200, &credit(4)), "{}", picture.text);
    let url = picture.body["outputs"][0]["download_url"].as_str().unwrap();
    let file = cloud.browser().get(url).send().await.unwrap();
    assert!(file.bytes().await.unwrap().starts_with(b"\x89PNG"), "the link works");

    assert_eq!(ann.balance().await, (95, 0, 0));
    cloud.calm().await;
    let transactions = ann.transactions().await;
    let mut amounts: Vec<i64> =
        transactions.iter().map(|entry| entry["credits"]["amount"].as_i64().unwrap()).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, [-4, -1, 100]);
    let run = ann.get(&format!("/v1/runs/{}", told.last().unwrap().data["id"].as_str().unwrap())).await;
    assert_eq!(
        run.body["outputs"][0]["text"].as_str().unwrap(),
        text_of(&told),
        "fetched by another function"
    );

    for function in ["Pricing", "Account", "RunTool", "Runs"] {
        cloud.rest(function).await;
        let courses = cloud.lambda.courses(function);
        assert_eq!(courses.len(), 1, "one environment serves one event after the other");
        assert!(courses[0].is_frozen, "and {function} stands still between them");
    }
    assert_eq!(cloud.polls("RunTool"), [3], "its start, and two runs");
    cloud.check_books().await;
}

#[tokio::test]
async fn the_first_words_arrive_while_the_provider_still_speaks() {
    let cloud = Cloud::start().await;
    let ann = cloud.person("ann");
    let mut held = cloud.hold(Service::Deepseek, 8);

    let request = ann.request("POST", "/v1/runs").header("accept", "text/event-stream");
    let request = request.header("content-type", "application/json").body(script(PACED).to_string());
    let mut response = patiently(request.send()).await.unwrap();
    let first = read_until(&mut response, "event: delta").await;

    patiently(held.reached()).await;
    assert!(!first.contains("event: done"), "the provider has not said everything yet");
    assert!(!cloud.lambda.courses("RunTool")[0].is_frozen, "and the function waits for it");
    held.release();
    let rest = patiently(response.text()).await.unwrap();
    let told = events(&(first + &rest));
    assert_eq!(told.last().unwrap().name, "done");
    assert!(text_of(&told).contains("a red kite"));
    cloud.rest("RunTool").await;
    cloud.check_books().await;
}

#[tokio::test]
async fn two_runs_at_the_same_time_have_an_environment_each_which_serve_again() {
    let cloud = Cloud::start().await;
    let (ann, bob) = (cloud.person("ann"), cloud.person("bob"));
    let (mut first, mut second) = (cloud.hold(Service::Deepseek, 0), cloud.hold(Service::Deepseek, 0));

    let (of_ann, of_bob) = (ann.clone(), bob.clone());
    let of_ann = tokio::spawn(async move { of_ann.script("a red kite").await });
    patiently(first.reached()).await;
    let of_bob = tokio::spawn(async move { of_bob.script("a blue kite").await });
    patiently(second.reached()).await;
    second.release();
    assert_eq!(patiently(of_bob).await.unwrap().status, 200, "nobody waits for the other");
    first.release();
    assert_eq!(patiently(of_ann).await.unwrap().status, 200);

    cloud.rest("RunTool").await;
    assert_eq!(cloud.polls("RunTool"), [2, 2]);
    assert_eq!(ann.script("once more").await.status, 200);
    cloud.rest("RunTool").await;
    assert_eq!(cloud.polls("RunTool").iter().sum::<usize>(), 5, "no third environment");
    assert_eq!((ann.balance().await, bob.balance().await), ((98, 0, 0), (99, 0, 0)));
    cloud.check_books().await;
}

#[tokio::test]
async fn a_bank_transfer_told_by_webhook_is_credited_once() {
    let cloud = Cloud::start().await;
    let ann = cloud.person("ann");
    patiently(cloud.tick("ExchangeRates")).await.unwrap();
    let order =
        ann.send("POST", "/v1/top-ups", &json!({ "method": "viet_qr", "credits": credit(500) })).await;
    assert_eq!(order.status, 201, "{}", order.text);

    let amount: u64 = order.body["amount_due"]["decimal"].as_str().unwrap().parse().unwrap();
    let transfer = json!({ "amount": amount, "memo": order.body["reference"], "twice": true });
    let told = cloud.browser().post(format!("{}/transfers", cloud.service(Service::Bank)));
    let told = told.header("content-type", "application/json").body(transfer.to_string());
    let told = patiently(told.send()).await.unwrap().text().await.unwrap();

    cloud.rest("SepayWebhook").await;
    assert_eq!(cloud.polls("SepayWebhook").iter().map(|polls| polls - 1).sum::<usize>(), 2, "twice: {told}");
    assert_eq!(ann.balance().await, (600, 0, 0), "{told}");
    let shown = ann.get(&format!("/v1/top-ups/{}", order.body["id"].as_str().unwrap())).await;
    assert_eq!(shown.body["status"], "paid", "{}", shown.text);
    cloud.check_books().await;
}

#[tokio::test]
async fn every_schedule_ticks_on_the_schedulers_event() {
    let cloud = Cloud::start().await;
    let ticking: Vec<String> = cloud
        .deployment()
        .functions
        .iter()
        .filter(|plan| plan.schedule.is_some())
        .map(|plan| plan.name.clone())
        .collect();
    assert!(ticking.len() >= 4, "{ticking:?}");
    for function in &ticking {
        for _ in 0..2 {
            let told = patiently(cloud.tick(function)).await;
            assert!(told.is_ok(), "{function}: {told:?}\n{}", cloud.logs.of(function).join("\n"));
        }
        assert_eq!(cloud.polls(function), [3], "{function} rests in one environment");
        assert!(cloud.lambda.courses(function)[0].is_frozen);
    }
}

/// What the template gives a function is enough to start it, and each of its routes leads to it.
#[tokio::test]
async fn every_route_of_the_template_leads_to_a_function_that_answers() {
    let cloud = Cloud::start().await;
    let ann = cloud.person("ann");
    for route in cloud.deployment().routes.clone() {
        let path = route.path.replace("{id}", "01KABCDEFGHJKMNPQRSTVWXYZ0");
        let answer = ann.send(&route.method, &path, &json!({})).await;
        let what = format!("{} {path}: {} {}", route.method, answer.status, answer.text);
        cloud.calm().await;
        assert!(answer.status < 500 && !answer.headers.contains_key("x-amzn-errortype"), "{what}");
    }
    for function in cloud.deployment().functions.iter().filter(|plan| plan.schedule.is_none()) {
        cloud.rest(&function.name).await;
        assert_eq!(cloud.lambda.courses(&function.name).len(), 1, "{}", function.name);
    }
}

#[tokio::test]
async fn a_refusal_and_its_log_lines_name_the_trace_of_the_request() {
    let cloud = Cloud::start().await;
    let refused = cloud.person("ann").get("/v1/runs/01KABCDEFGHJKMNPQRSTVWXYZ0").await;
    assert_eq!(refused.status, 404, "{}", refused.text);
    let trace = refused.body["trace_id"].as_str().unwrap();
    assert!(trace.starts_with("1-") && trace.len() == 35, "X-Ray's form: {trace}");
    let line: Value = serde_json::from_str(&patiently(cloud.logs.line("Runs", trace)).await).unwrap();
    assert_eq!(
        (&line["span"]["trace_id"], &line["span"]["request_id"]),
        (&json!(trace), &refused.body["request_id"])
    );
}

#[tokio::test]
async fn a_number_of_the_log_is_a_metric_of_the_stack() {
    let cloud = Cloud::start().await;
    patiently(cloud.tick("ReservationSweep")).await.unwrap();
    let line = patiently(cloud.logs.line("ReservationSweep", "CloudWatchMetrics")).await;
    let line: Value = serde_json::from_str(&line).unwrap();
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert!(directive["Namespace"].as_str().unwrap().starts_with("Citipen/"), "{line}");
    assert_eq!(
        (&directive["Metrics"][0]["Name"], &line["held_overdue_seconds"]),
        (&json!("held_overdue_seconds"), &json!(0))
    );
}

/// CloudWatch reads a line as one JSON object; a line that is none hides from every filter and alarm.
#[tokio::test]
async fn what_functions_print_are_json_objects_without_contents() {
    let cloud = Cloud::start().await;
    let ann = cloud.person("ann");
    assert_eq!(ann.script("canary-in-a-prompt").await.status, 200);
    assert_eq!(
        ann.script("canary-in-a-prompt [[sandbox:deepseek.refuse]]").await.status,
        200,
        "a fallback serves"
    );
    patiently(cloud.tick("ReservationSweep")).await.unwrap();
    let finished = patiently(cloud.logs.line("RunTool", "run finished")).await;
    assert_eq!(serde_json::from_str::<Value>(&finished).unwrap()["level"], "INFO", "{finished}");
    for line in cloud.logs.all() {
        assert!(serde_json::from_str::<Value>(&line).is_ok_and(|line| line.is_object()), "{line}");
        assert!(!line.contains("canary-in-a-prompt"), "{line}");
    }
}
