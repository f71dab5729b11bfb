//! Looks at a job that works elsewhere: one that hangs or is refused decides nothing, and nothing is bought twice.

use super::comfyui;
use super::fal::{IMPATIENT, is_result, is_status, is_submit, output, result, vendor};
use super::stand::{Answer, Received, Reply, Say, json, reply};
use super::world::World;
use crate::ProviderName;
use serde_json::json;

const CHAIN: &[&str] = &["fal/flux-dev", "comfyui/image"];

/// Long enough for looks that hang, an eighth of it each at first.
const PATIENCE: (&str, &str) = ("PROVIDER_FIRST_CONTENT_MS_IMAGE", "4000");

fn at(request: &Received, odd: impl Fn() -> Reply) -> Reply {
    match request.path.split('/').nth(1).unwrap() {
        "fal" => odd(),
        _ => comfyui::vendor(request),
    }
}

fn odd_looks() -> Vec<Answer> {
    vec![
        Box::new(|_| vec![Say::Hang]),
        Box::new(|_| vec![Say::Cut]),
        Box::new(|_| vec![Say::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec()), Say::Hang]),
        Box::new(|_| reply(404, &[], r#"{"detail":"Not Found"}"#)),
        Box::new(|_| reply(401, &[], r#"{"detail":"Authentication is required"}"#)),
        Box::new(|_| reply(403, &[], "{}")),
        Box::new(|_| reply(500, &[], "{}")),
        Box::new(|_| reply(500, &[], "<html>")),
        Box::new(|_| reply(502, &[], "<html>nginx</html>")),
        Box::new(|_| reply(503, &[], "")),
        Box::new(|_| reply(504, &[], "{}")),
        Box::new(|_| reply(429, &[], "{}")),
        Box::new(|_| reply(302, &[("location", "/login")], "")),
        Box::new(|_| reply(200, &[], "<html>")),
        Box::new(|_| reply(200, &[], "")),
        Box::new(|_| reply(200, &[], "null")),
        Box::new(|_| reply(200, &[], "[]")),
        Box::new(|_| reply(200, &[], r#"{"status":"IN_PROGRESS"}"#)),
    ]
}

#[tokio::test]
async fn one_odd_look_at_fal_does_not_buy_a_second_image() {
    for is_it in [is_status as fn(&Received) -> bool, is_result] {
        for (row, odd) in odd_looks().into_iter().enumerate() {
            let world = World::with([PATIENCE], move |request| match request.nth {
                0 if is_it(request) => odd(request),
                _ if request.path.starts_with("/comfyui") => comfyui::vendor(request),
                _ => vendor(request),
            })
            .await;
            let told = world.image(CHAIN).await;
            assert_eq!(
                (told.served().provider, told.served().attempts.len()),
                (ProviderName::Fal, 1),
                "row {row}"
            );
            assert_eq!(world.stand.count("POST"), 1, "row {row}");
        }
    }
}

#[tokio::test]
async fn one_odd_look_at_comfyui_ends_nothing() {
    for path in ["/comfyui/history/", "/comfyui/queue"] {
        for (row, odd) in odd_looks().into_iter().enumerate() {
            let world = World::with([PATIENCE], move |request| {
                let is_it = request.path.starts_with(path) && request.method == "GET";
                match request.nth {
                    0 if is_it => odd(request),
                    0 | 1 if request.path.starts_with("/comfyui/history/") => json(200, &json!({})),
                    _ => comfyui::vendor(request),
                }
            })
            .await;
            world.image(&["comfyui/image"]).await.served();
            assert_eq!(world.stand.count("POST"), 1, "{path} row {row}");
        }
    }
}

#[tokio::test]
async fn a_status_without_a_state_is_looked_at_again() {
    for status in [
        "{}",
        r#"{"status":null}"#,
        r#"{"status":7}"#,
        r#"{"status":""}"#,
        r#"{"logs":1e999,"status":"IN_QUEUE"}"#,
    ] {
        let world = World::start(move |request| match request.nth {
            0 | 1 if is_status(request) => reply(200, &[], status),
            _ => vendor(request),
        })
        .await;
        world.image(&["fal/flux-dev"]).await.served();
    }
}

#[tokio::test]
async fn a_job_that_can_not_be_seen_nor_taken_back_is_not_bought_again() {
    let table: [fn() -> Reply; 4] =
        [|| reply(401, &[], "{}"), || reply(500, &[], ""), || vec![Say::Hang], || reply(200, &[], "<html>")];
    for (row, odd) in table.into_iter().enumerate() {
        let settings = IMPATIENT;
        let world = World::with(settings, move |request| {
            if is_submit(request) && request.path.starts_with("/fal") {
                vendor(request)
            } else {
                at(request, odd)
            }
        })
        .await;
        let told = world.image(CHAIN).await;
        // A 200 to the withdrawal is its acceptance, whatever is in it.
        let class = if row == 3 { None } else { Some("unknown_outcome") };
        assert_eq!(told.outcome.as_ref().err().map(|failed| failed.class.as_str()), class, "row {row}");
        assert_eq!(world.stand.count("POST /comfyui/prompt"), usize::from(row == 3), "row {row}");
        let attempt = told.outcome.map_or_else(|failed| failed.attempts, |served| served.attempts).remove(0);
        assert!(row == 3 || (attempt.cost.micro_cents() > 0 && attempt.cost_is_estimated), "row {row}");
    }
}

#[tokio::test]
async fn a_job_that_was_completed_when_it_was_taken_back_is_looked_at_again() {
    for (row, odd) in odd_looks().into_iter().enumerate() {
        let settings = [("PROVIDER_FIRST_CONTENT_MS_IMAGE", "3200")];
        let world = World::with(settings, move |request| match (request.method.as_str(), request.nth) {
            _ if is_status(request) => json(202, &json!({"status": "IN_PROGRESS"})),
            ("PUT", _) => json(400, &json!({"status": "ALREADY_COMPLETED"})),
            (_, 0) if is_result(request) => odd(request),
            _ => vendor(request),
        })
        .await;
        let told = world.image(CHAIN).await;
        assert_eq!(told.served().provider, ProviderName::Fal, "row {row}");
    }
}

#[tokio::test]
async fn an_image_is_not_flagged_by_null() {
    for flags in [json!(null), json!([null]), json!([]), json!("x"), json!({}), json!([0]), json!(["false"])]
    {
        let world = World::start(move |request| match is_result(request) {
            true => {
                let mut body = output(request, false);
                body["has_nsfw_concepts"] = flags.clone();
                result(&body, "1")
            }
            false => vendor(request),
        })
        .await;
        world.image(CHAIN).await.served();
        assert_eq!(world.stand.count("POST"), 1);
    }
    for flags in [json!([true]), json!(true), json!(["true"]), json!([null, 1])] {
        let world = World::start(move |request| match is_result(request) {
            true => {
                let mut body = output(request, false);
                body["has_nsfw_concepts"] = flags.clone();
                result(&body, "1")
            }
            false => vendor(request),
        })
        .await;
        assert_eq!(world.image(CHAIN).await.failure().0, "content_rejected");
    }
}

#[tokio::test]
async fn odd_units_are_estimated_and_implausible_ones_bounded() {
    // One megapixel begun: 2.5 cents; four times that at most.
    let table = [
        ("1", "2.5", false),
        ("", "2.5", true),
        ("-1", "2.5", true),
        ("1e3", "2.5", true),
        ("NaN", "2.5", true),
        ("1,5", "2.5", true),
        ("0", "0", false),
        ("4", "10", false),
        ("1152921504606846976", "2.5", true),
        ("1000000", "10", true),
    ];
    for (units, cost, is_estimated) in table {
        let world = World::start(move |request| match is_result(request) {
            true => result(&output(request, false), units),
            false => vendor(request),
        })
        .await;
        let told = world.image(&["fal/flux-dev"]).await;
        let served = told.served();
        assert_eq!((served.cost, served.cost_is_estimated), (cost.parse().unwrap(), is_estimated), "{units}");
    }
}

#[tokio::test]
async fn a_refused_submit_has_the_class_its_words_have() {
    let table = [
        (400, "{}", "request_refused"),
        (402, "{}", "no_balance"),
        (403, r#"{"detail":"User is locked. Reason: Exhausted balance. Top up your balance"}"#, "no_balance"),
        (403, "{}", "auth"),
        (404, "{}", "model_gone"),
        (422, r#"{"detail":[{"loc":["body","prompt"],"msg":"x","type":"string_too_long"}]}"#, "bad_input"),
        (422, r#"{"detail":[{"loc":["body","image_size"],"msg":"x","type":"enum"}]}"#, "request_refused"),
        (422, r#"{"detail":[{"type":"content_policy_violation"}]}"#, "content_rejected"),
        (200, r#"{"detail":"User is locked. Reason: Exhausted balance."}"#, "no_balance"),
    ];
    for (status, body, class) in table {
        let world = World::start(move |request| at(request, || reply(status, &[], body))).await;
        let told = world.image(&["fal/flux-dev"]).await;
        assert_eq!(told.failure().0, class, "{status} {body}");
        assert_eq!(world.stand.count("POST"), 1, "{status} {body}");
    }
}
