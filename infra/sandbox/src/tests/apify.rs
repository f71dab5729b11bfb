use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Answer, ask, config, instant};
use crate::{APIFY_TOKEN, Fault, FaultRule, Sandbox, Service};

const TRANSCRIPT: &str = "/sandbox/apify/v2/actors/sandbox~youtube-transcript";
const VIDEO: &str = "https://www.youtube.com/watch?v=dQw4w9WgXcQ";
const NOON: u64 = 1_790_000_000;

async fn call(sandbox: &Sandbox, order: &str, body: &Value) -> Answer {
    let token = format!("Bearer {APIFY_TOKEN}");
    let headers = [("authorization", token.as_str()), ("content-type", "application/json; charset=utf-8")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    ask(sandbox, order, &headers, body).await
}

async fn data(sandbox: &Sandbox, order: &str) -> Value {
    call(sandbox, order, &Value::Null).await.json()["data"].clone()
}

async fn started(sandbox: &Sandbox, query: &str, input: &Value) -> Value {
    let answer = call(sandbox, &format!("POST {TRANSCRIPT}/runs{query}"), input).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["data"].clone()
}

async fn looked(sandbox: &Sandbox, run: &Value) -> Value {
    data(sandbox, &format!("GET /sandbox/apify/v2/actor-runs/{}", id(run))).await
}

async fn rows(sandbox: &Sandbox, actor: &str, input: &Value) -> Vec<Value> {
    let order = format!("POST /sandbox/apify/v2/acts/{actor}/run-sync-get-dataset-items");
    let answer = call(sandbox, &order, input).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json().as_array().expect("a bare list").clone()
}

fn id(run: &Value) -> &str {
    run["id"].as_str().expect("an id")
}

fn error(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"]["type"].as_str().expect("a type").to_owned())
}

fn video() -> Value {
    json!({ "videoUrls": [VIDEO] })
}

#[tokio::test]
async fn a_run_ends_and_its_cost_is_told_a_look_later() {
    let sandbox = instant();
    sandbox.set_now(Some(NOON));
    let run = started(&sandbox, "?timeout=120&memory=512&maxItems=50&maxTotalChargeUsd=0.5", &video()).await;
    assert_eq!(
        (&run["status"], &run["usageTotalUsd"], &run["exitCode"]),
        (&json!("READY"), &Value::Null, &Value::Null)
    );
    assert_eq!(run["startedAt"], "2026-09-21T14:13:20.000Z");
    let options = json!({
        "build": "latest", "timeoutSecs": 120, "memoryMbytes": 512, "diskMbytes": 1024, "maxItems": 50, "maxTotalChargeUsd": 0.5,
    });
    assert_eq!(run["options"], options);
    assert_eq!(
        data(
            &sandbox,
            &format!("GET /sandbox/apify/v2/datasets/{}", run["defaultDatasetId"].as_str().expect("an id"))
        )
        .await["itemCount"],
        0
    );

    let done = looked(&sandbox, &run).await;
    assert_eq!(
        (&done["status"], &done["exitCode"], &done["usageTotalUsd"]),
        (&json!("SUCCEEDED"), &json!(0), &Value::Null)
    );
    let settled = looked(&sandbox, &run).await;
    assert_eq!(settled["usageTotalUsd"].to_string(), "0.00205");
    assert_eq!(settled["chargedEventCounts"], json!({ "actor-start": 1, "result": 1 }));
}

#[tokio::test]
async fn waiting_for_the_finish_looks_as_often_as_it_has_seconds() {
    let sandbox = instant();
    let late = json!({ "videoUrls": [VIDEO], "note": "[[sandbox:late polls=5]]" });
    assert_eq!(started(&sandbox, "?waitForFinish=3", &late).await["status"], "READY");
    let run = started(&sandbox, "", &late).await;
    let order = format!("GET /sandbox/apify/v2/actor-runs/{}?waitForFinish=60", id(&run));
    assert_eq!(data(&sandbox, &order).await["status"], "SUCCEEDED");
}

#[tokio::test]
async fn transcripts_have_a_row_for_each_video_and_language() {
    let sandbox = instant();
    let input = json!({ "videoUrls": [VIDEO, "https://youtu.be/abcdefghijk"], "languages": ["vi", "en"] });
    let found = rows(&sandbox, "sandbox~youtube-transcript", &input).await;
    let names: Vec<(&Value, &Value)> = found.iter().map(|row| (&row["videoId"], &row["language"])).collect();
    let (first, second) = (json!("dQw4w9WgXcQ"), json!("abcdefghijk"));
    let (vietnamese, english) = (json!("vi"), json!("en"));
    assert_eq!(
        names,
        [(&first, &vietnamese), (&first, &english), (&second, &vietnamese), (&second, &english)]
    );
    let segments = found[0]["segments"].as_array().expect("segments");
    assert!(segments[0]["start"].is_number() && segments[0]["duration"].is_number());
    let together: Vec<&str> =
        segments.iter().map(|segment| segment["text"].as_str().expect("text")).collect();
    assert_eq!(found[0]["text"], together.join(" "));
    assert!(!together[0].is_ascii(), "Vietnamese: {}", together[0]);
    assert_eq!(
        found,
        rows(&sandbox, "sandbox~youtube-transcript", &input).await,
        "the same input gives the same rows"
    );
}

#[tokio::test]
async fn what_has_no_transcript_is_a_row_and_free() {
    let sandbox = instant();
    let input = json!({ "startUrls": [
        { "url": "https://www.youtube.com/watch?v=nocaptions0" }, { "url": "https://vimeo.example/1" }, "https://youtube.com/shorts/abcdefghijk",
    ], "language": "fr" });
    let found = rows(&sandbox, "sandbox~youtube-transcript", &input).await;
    let errors: Vec<&str> = found.iter().map(|row| row["error"].as_str().expect("an error")).collect();
    let expected = [
        "Captions are disabled for this video",
        "Invalid YouTube URL",
        "No captions in language 'fr'. Available: vi, en",
    ];
    assert_eq!(errors, expected);
    let run = started(&sandbox, "", &input).await;
    looked(&sandbox, &run).await;
    assert_eq!(looked(&sandbox, &run).await["usageTotalUsd"].to_string(), "0.00005");

    sandbox.faults().set(Service::Apify, FaultRule::once(Fault::ErrorRows));
    let blocked = rows(&sandbox, "sandbox~youtube-transcript", &video()).await;
    assert_eq!((&blocked[0]["url"], blocked[0]["error"].is_string()), (&json!(VIDEO), true));
}

#[tokio::test]
async fn other_actors_answer_in_their_own_shapes() {
    let sandbox = instant();
    let one = rows(&sandbox, "pintostudio~youtube-transcript-scraper", &json!({ "videoUrl": VIDEO })).await;
    let caption = &one[0]["data"][0];
    assert!(caption["start"].is_string() && caption["dur"].is_string() && caption["text"].is_string());
    assert_eq!(one.len(), 1);

    let input = json!({ "startUrls": [{ "url": "https://www.youtube.com/@nauan" }], "maxResults": 3 });
    let videos = rows(&sandbox, "streamers~youtube-scraper", &input).await;
    assert_eq!((videos.len(), &videos[0]["channelName"]), (3, &json!("nauan")));
    assert!(videos.iter().all(|video| video["viewCount"].is_u64() && video.get("likes").is_some()));
    assert!(videos[0]["duration"].as_str().is_some_and(|text| text.len() == 8 && text.contains(':')));
    assert!(rows(&sandbox, "streamers~youtube-channel-scraper", &input).await[0].get("likes").is_none());

    let input = json!({ "queries": "diều tre\nphở bò", "maxPagesPerQuery": 2, "countryCode": "vn" });
    let pages = rows(&sandbox, "apify~google-search-scraper", &input).await;
    assert_eq!((pages.len(), &pages[3]["searchQuery"]["term"]), (4, &json!("phở bò")));
    let result = &pages[1]["organicResults"][0];
    assert_eq!(
        (&result["position"], result["title"].is_string(), result["url"].is_string()),
        (&json!(11), true, true)
    );
    assert!(pages[0]["paidProducts"][0]["prices"][0].as_str().is_some_and(|price| price.ends_with('₫')));

    let products = rows(
        &sandbox,
        "apify~e-commerce-scraping-tool",
        &json!({ "keyword": "xe đạp", "maxProductResults": 30 }),
    )
    .await;
    let prices: Vec<&Value> = products.iter().map(|product| &product["offers"]["price"]).collect();
    assert!(prices.iter().any(|price| price.is_string()) && prices.iter().any(|price| price.is_number()));
    let market = rows(&sandbox, "sandbox~market-search", &json!({ "query": "xe đạp", "maxItems": 6 })).await;
    let kinds: Vec<&Value> = market.iter().map(|row| &row["type"]).collect();
    assert_eq!(kinds, ["result", "result", "product", "result", "result", "product"]);
    assert!(market[2]["price"].is_u64() && market[2]["currency"] == "VND");
}

#[tokio::test]
async fn a_dataset_comes_in_pages_with_their_numbers() {
    let sandbox = instant();
    let input = json!({ "query": "xe đạp", "maxItems": 25 });
    let order = "POST /sandbox/apify/v2/acts/sandbox~market-search/runs?waitForFinish=10";
    let run = call(&sandbox, order, &input).await.json()["data"].clone();
    let items =
        format!("GET /sandbox/apify/v2/datasets/{}/items", run["defaultDatasetId"].as_str().expect("an id"));
    let page = call(&sandbox, &format!("{items}?offset=20&limit=10"), &Value::Null).await;
    let facts = ["total", "offset", "limit", "count", "desc"]
        .map(|name| page.header(&format!("x-apify-pagination-{name}")).to_owned());
    assert_eq!(facts, ["25", "20", "10", "5", "false"]);
    assert_eq!(page.json()[0]["position"], 21);
    let all = call(&sandbox, &items, &Value::Null).await;
    assert_eq!(
        (all.header("x-apify-pagination-limit"), all.json().as_array().map(Vec::len)),
        ("999999999999", Some(25))
    );
    let last =
        call(&sandbox, &format!("{items}?desc=1&limit=1&fields=position,title"), &Value::Null).await.json();
    assert_eq!((&last[0]["position"], last[0].as_object().map(serde_json::Map::len)), (&json!(25), Some(2)));

    let csv =
        call(&sandbox, &format!("{items}?format=csv&fields=position,title,query&limit=2"), &Value::Null)
            .await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(csv.text().starts_with("\u{feff}position,query,title\n1,xe đạp,"), "{}", csv.text());
    let odd = [json!({ "a": "x;\"y\"\nz", "n": { "b": [1, null] } }), json!({ "c": true })];
    let query = [("bom".to_owned(), "0".to_owned()), ("delimiter".to_owned(), ";".to_owned())].into();
    assert_eq!(crate::apify::csv_table(&odd, &query), "a;n/b/0;n/b/1;c\n\"x;\"\"y\"\"\nz\";1;;\n;;;true\n");
}

#[tokio::test]
async fn hidden_fields_go_and_lists_unwind() {
    let sandbox = instant();
    let order = "POST /sandbox/apify/v2/acts/apify~google-search-scraper/run-sync-get-dataset-items";
    let input = json!({ "queries": "phở" });
    let raw = call(&sandbox, order, &input).await.json();
    let clean = call(&sandbox, &format!("{order}?clean=1"), &input).await.json();
    assert_eq!((raw[0].get("#debug").is_some(), clean[0].get("#debug").is_some()), (true, false));
    let unwound =
        call(&sandbox, &format!("{order}?unwind=organicResults&fields=title,url"), &input).await.json();
    assert_eq!(unwound.as_array().map(Vec::len), Some(10));
    assert_eq!(unwound[2]["title"], raw[0]["organicResults"][2]["title"]);
}

#[tokio::test]
async fn a_lost_start_is_found_by_its_input() {
    let sandbox = instant();
    sandbox.set_now(Some(NOON));
    started(&sandbox, "", &video()).await;
    sandbox.set_now(Some(NOON + 60));
    sandbox.faults().set(Service::Apify, FaultRule::once(Fault::DropConnection));
    let lost = json!({ "videoUrls": [VIDEO], "languages": ["en"] });
    assert!(call(&sandbox, &format!("POST {TRANSCRIPT}/runs"), &lost).await.is_broken);

    for root in ["actors", "acts"] {
        let list = data(
            &sandbox,
            &format!("GET /sandbox/apify/v2/{root}/sandbox~youtube-transcript/runs?desc=1&limit=1"),
        )
        .await;
        assert_eq!((&list["total"], &list["count"], &list["desc"]), (&json!(2), &json!(1), &json!(true)));
        let run = &list["items"][0];
        assert_eq!(run["usageTotalUsd"], 0);
        let order = format!(
            "GET /sandbox/apify/v2/key-value-stores/{}/records/INPUT",
            run["defaultKeyValueStoreId"].as_str().expect("an id")
        );
        let input = call(&sandbox, &order, &Value::Null).await;
        assert_eq!(
            (input.json(), input.header("content-type")),
            (lost.clone(), "application/json; charset=utf-8")
        );
    }
    let since = format!("GET {TRANSCRIPT}/runs?startedAfter=2026-09-21T14:14:00.000Z&status=READY");
    assert_eq!(data(&sandbox, &since).await["total"], 1);
    let other = data(&sandbox, "GET /sandbox/apify/v2/actors/apify~google-search-scraper/runs").await;
    assert_eq!(other["items"], json!([]));
}

#[tokio::test]
async fn a_run_can_fail_be_empty_time_out_or_be_aborted() {
    let sandbox = instant();
    sandbox.set_now(Some(NOON));
    let order = format!("POST {TRANSCRIPT}/run-sync-get-dataset-items");
    let with = |fault: &str| json!({ "videoUrls": [VIDEO], "note": format!("[[sandbox:{fault}]]") });
    assert_eq!(error(&call(&sandbox, &order, &with("error_frame")).await), (400, "run-failed".to_owned()));
    assert_eq!(call(&sandbox, &order, &with("empty")).await.json(), json!([]));
    let late = call(&sandbox, &order, &with("late polls=400")).await;
    assert_eq!(error(&late), (408, "run-timeout-exceeded".to_owned()));
    let running = data(&sandbox, &format!("GET {TRANSCRIPT}/runs/last")).await;
    assert_eq!(running["status"], "READY", "it goes on");

    let run = started(&sandbox, "?timeout=60", &with("late polls=400")).await;
    sandbox.set_now(Some(NOON + 60));
    assert_eq!(looked(&sandbox, &run).await["status"], "TIMING-OUT");
    assert_eq!(looked(&sandbox, &run).await["status"], "TIMED-OUT");

    let run = started(&sandbox, "", &with("late polls=400")).await;
    let abort = format!("POST /sandbox/apify/v2/actor-runs/{}/abort", id(&run));
    assert_eq!(call(&sandbox, &abort, &Value::Null).await.json()["data"]["status"], "ABORTING");
    assert_eq!(looked(&sandbox, &run).await["status"], "ABORTED");
    assert_eq!(call(&sandbox, &abort, &Value::Null).await.json()["data"]["status"], "ABORTED");
}

#[tokio::test]
async fn a_run_stops_when_its_money_is_used_up_and_items_beyond_the_limit_are_free() {
    let sandbox = instant();
    let input = json!({ "query": "xe đạp", "maxItems": 100 });
    let order = |query: &str| {
        format!("POST /sandbox/apify/v2/acts/sandbox~market-search/runs?waitForFinish=9{query}")
    };
    let run = call(&sandbox, &order("&maxTotalChargeUsd=0.0200"), &input).await.json()["data"].clone();
    let settled = looked(&sandbox, &run).await;
    assert_eq!(
        (&settled["status"], settled["usageTotalUsd"].to_string()),
        (&json!("SUCCEEDED"), "0.01955".to_owned())
    );
    assert!(settled["statusMessage"].as_str().is_some_and(|text| text.contains("maximum total charge")));
    let run = call(&sandbox, &order("&maxItems=10"), &input).await.json()["data"].clone();
    let settled = looked(&sandbox, &run).await;
    assert_eq!(
        (&settled["chargedEventCounts"]["result"], settled["usageTotalUsd"].to_string()),
        (&json!(10), "0.01505".to_owned())
    );
    let about = data(
        &sandbox,
        &format!("GET /sandbox/apify/v2/datasets/{}", run["defaultDatasetId"].as_str().expect("an id")),
    )
    .await;
    assert_eq!(about["itemCount"], 100);
    for (query, kind) in [
        ("&maxTotalChargeUsd=0", "max-total-charge-usd-must-be-greater-than-zero"),
        ("&maxTotalChargeUsd=0.0001", "max-total-charge-usd-below-minimum"),
        ("&maxItems=0", "max-items-must-be-greater-than-zero"),
        ("&memory=1000", "invalid-value"),
        ("&webhooks=%25%25", "invalid-value"),
    ] {
        assert_eq!(error(&call(&sandbox, &order(query), &input).await), (400, kind.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn errors_have_a_type_and_a_message() {
    let sandbox = instant();
    let order = format!("POST {TRANSCRIPT}/runs");
    assert_eq!(error(&ask(&sandbox, &order, &[], "{}").await), (401, "token-not-provided".to_owned()));
    let stranger = ask(&sandbox, &order, &[("authorization", "Bearer apify_api_other")], "{}").await;
    assert_eq!(error(&stranger), (401, "user-or-token-not-found".to_owned()));
    assert_eq!(error(&call(&sandbox, &order, &json!({})).await), (400, "invalid-input".to_owned()));
    let unknown = call(&sandbox, "POST /sandbox/apify/v2/actors/nobody~nothing/runs", &json!({})).await;
    assert_eq!(error(&unknown), (404, "actor-not-found".to_owned()));
    let gone = call(&sandbox, "GET /sandbox/apify/v2/actor-runs/none", &Value::Null).await;
    assert_eq!(error(&gone), (404, "record-not-found".to_owned()));
    for (status, kind) in [
        (402, "not-enough-usage-to-run-paid-actor"),
        (429, "rate-limit-exceeded"),
        (500, "internal-server-error"),
    ] {
        sandbox.faults().set(Service::Apify, FaultRule::once(Fault::Status { status, retry_after: None }));
        assert_eq!(error(&call(&sandbox, &order, &video()).await), (status, kind.to_owned()));
    }
    // The token in the query works, and is not kept.
    let path = format!("GET {TRANSCRIPT}/runs?token={APIFY_TOKEN}&desc=1");
    assert_eq!(ask(&sandbox, &path, &[], "").await.status, 200);
    assert!(!format!("{:?}", sandbox.journal()).contains(APIFY_TOKEN));
    assert!(sandbox.journal().last().is_some_and(|line| line.path.ends_with("?token=…&desc=1")));
}

fn webhooks(hooks: &Value) -> String {
    let encoded = STANDARD.encode(hooks.to_string());
    format!("?webhooks={}", url::form_urlencoded::byte_serialize(encoded.as_bytes()).collect::<String>())
}

#[tokio::test]
async fn the_webhook_is_unsigned_and_has_the_default_or_the_given_shape() {
    let sandbox = instant();
    let hooks = json!([
        {
            "eventTypes": ["ACTOR.RUN.SUCCEEDED", "ACTOR.RUN.FAILED"], "requestUrl": "https://product.test/hook?secret=abc",
            "headersTemplate": "{\"X-Secret\": \"long\", \"Content-Type\": \"text/plain\"}",
        },
        {
            "eventTypes": ["ACTOR.RUN.CREATED"], "requestUrl": "https://product.test/other",
            "payloadTemplate": "{\"run\": {{resource.id}}, \"event\": {{eventType}}, \"mine\": 7}",
        },
    ]);
    let run = started(&sandbox, &webhooks(&hooks), &video()).await;
    assert!(sandbox.actor_run_webhook(id(&run)).is_none());
    assert!(sandbox.finish_actor_run(id(&run)));
    let sent = sandbox.actor_run_webhook(id(&run)).expect("it has ended");
    assert_eq!(sent.path, "/hook?secret=abc");
    let header = |wanted: &str| {
        sent.headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!((header("x-secret"), header("content-type")), (vec!["long"], vec!["application/json"]));
    assert_eq!(header("x-apify-webhook-dispatch-id").len(), 1);
    let body: Value = serde_json::from_slice(&sent.body).expect("JSON");
    assert_eq!(
        (&body["eventType"], &body["eventData"]["actorRunId"]),
        (&json!("ACTOR.RUN.SUCCEEDED"), &run["id"])
    );
    assert_eq!(
        (&body["resource"]["status"], &body["resource"]["defaultDatasetId"]),
        (&json!("SUCCEEDED"), &run["defaultDatasetId"])
    );

    let request = format!("GET /sandbox/apify/runs/{}/webhook-request", id(&run));
    let created = ask(&sandbox, &format!("{request}?event=ACTOR.RUN.CREATED"), &[], "").await.json();
    assert_eq!(
        created["body"],
        format!("{{\"run\": \"{}\", \"event\": \"ACTOR.RUN.CREATED\", \"mine\": 7}}", id(&run))
    );
    let forged = ask(&sandbox, &format!("{request}?forged=1"), &[], "").await.json();
    let forged: Value = serde_json::from_str(forged["body"].as_str().expect("a body")).expect("JSON");
    assert_ne!(forged["resource"]["defaultDatasetId"], run["defaultDatasetId"]);
    assert_eq!(ask(&sandbox, &format!("{request}?event=ACTOR.RUN.FAILED"), &[], "").await.status, 409);
}

async fn received(fault: Option<Fault>, count: usize) -> (Vec<Value>, Value) {
    let (received, address) = super::product("/hook").await;
    let sandbox = instant();
    if let Some(fault) = fault {
        sandbox.faults().set(Service::Apify, FaultRule::once(fault));
    }
    let hooks = json!([{ "eventTypes": ["ACTOR.RUN.SUCCEEDED"], "requestUrl": format!("{address}/hook") }]);
    let run = started(&sandbox, &webhooks(&hooks), &video()).await;
    let before = received.lock().expect("no test panicked").len();
    looked(&sandbox, &run).await;
    super::until(|| received.lock().expect("no test panicked").len() >= count).await;
    let received = received.lock().expect("no test panicked");
    let bodies = received.iter().map(|(_, body)| serde_json::from_slice(body).expect("JSON")).collect();
    (bodies, json!({ "run": run, "before": before }))
}

#[tokio::test]
async fn webhooks_go_to_the_address_given_once_twice_early_or_forged() {
    let (once, facts) = received(None, 1).await;
    assert_eq!((once.len(), &once[0]["resource"]["id"]), (1, &facts["run"]["id"]));
    let (twice, _) = received(Some(Fault::Duplicate), 2).await;
    assert_eq!(twice[0], twice[1]);
    let (early, facts) = received(Some(Fault::Early), 1).await;
    assert_eq!((early.len(), &facts["before"], &facts["run"]["status"]), (1, &json!(1), &json!("READY")));
    let (forged, facts) = received(Some(Fault::Forged), 2).await;
    let genuine =
        forged.iter().filter(|told| told["resource"]["defaultDatasetId"] == facts["run"]["defaultDatasetId"]);
    assert_eq!((genuine.count(), forged.len()), (1, 2));
}

#[tokio::test]
async fn in_a_patient_sandbox_a_run_ends_by_itself_and_says_so() {
    let (received, address) = super::product("/hook").await;
    let sandbox = Sandbox::new(config(false));
    let hooks = json!([{ "eventTypes": ["ACTOR.RUN.SUCCEEDED"], "requestUrl": format!("{address}/hook") }]);
    let paced = |ms: u64| json!({ "videoUrls": [VIDEO], "note": format!("[[sandbox:pace ms={ms}]]") });
    let run = started(&sandbox, &webhooks(&hooks), &paced(1)).await;
    super::until(|| !received.lock().expect("no test panicked").is_empty()).await;
    assert_eq!(looked(&sandbox, &run).await["status"], "SUCCEEDED");
    assert_eq!(
        rows(&sandbox, "sandbox~youtube-transcript", &paced(1)).await.len(),
        1,
        "and can be waited for"
    );

    let slow = started(&sandbox, "", &paced(100_000)).await;
    for _ in 0..5 {
        assert_eq!(looked(&sandbox, &slow).await["status"], "READY", "looks do not move it");
    }
}
