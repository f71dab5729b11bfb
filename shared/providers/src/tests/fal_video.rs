//! Videos at fal: Kling and Wan.

use super::fal::{is_result, is_status, result};
use super::stand::{Answer, Headers, Received, Reply, Say, json, reply};
use super::world::{PROMPT, World, content, env, order, source};
use crate::{
    FailureClass, JobOrder, Next, ProviderName, Request, Sign, SourceFile, VideoRequest, VideoShape, Visit,
    Visited, Work,
};
use platform::Platform;
use primitives::{Clock, Private, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

const MP4: &[u8] = b"\0\0\0\x18ftypmp42 only its first bytes are a video";

/// A short patience, so that the chain gives up within a test what never comes.
const IMPATIENT: [(&str, &str); 1] = [("PROVIDER_FIRST_CONTENT_MS_VIDEO", "1600")];

/// The vendor's happy day, for each of its models.
fn vendor(request: &Received) -> Reply {
    match request.method.as_str() {
        "POST" => json(200, &submitted(request)),
        _ if is_status(request) => match request.nth {
            0 => json(202, &json!({"status": "IN_QUEUE", "queue_position": 2})),
            1 => json(202, &json!({"status": "IN_PROGRESS"})),
            _ => json(200, &json!({"status": "COMPLETED"})),
        },
        _ if is_result(request) => result(&output(request), "5.008"),
        _ if request.path == "/fal/files/v.mp4" => reply(200, &[("content-type", "video/mp4")], MP4),
        _ => reply(404, &[], "{}"),
    }
}

fn submitted(request: &Received) -> Value {
    let app: Vec<_> = request.path.split('/').skip(1).take(3).collect();
    let base = format!("http://{}/{}/requests/req-1", request.header("host").unwrap(), app.join("/"));
    json!({"request_id": "req-1", "status_url": format!("{base}/status"), "cancel_url": format!("{base}/cancel"),
           "response_url": base})
}

fn output(request: &Received) -> Value {
    let url = format!("http://{}/fal/files/v.mp4", request.header("host").unwrap());
    json!({"video": {"url": url, "content_type": "video/mp4", "file_name": "output.mp4", "file_size": 41}})
}

fn video(seconds: u32, shape: VideoShape, first_picture: Option<SourceFile>) -> Request {
    let prompt = Private::new(PROMPT.to_owned());
    Request::Video(VideoRequest { prompt, shape, seconds, seed: 7, first_picture })
}

fn landscape() -> JobOrder {
    order(video(5, VideoShape::Landscape, None))
}

#[tokio::test]
async fn a_video_is_submitted_followed_priced_and_passed_on() {
    let world = World::start(vendor).await;
    let told = world.order(&["fal/kling"], landscape()).await;

    let served = told.served();
    assert_eq!(
        (served.provider, served.model.as_str()),
        (ProviderName::Fal, "fal-ai/kling-video/v3/pro/text-to-video")
    );
    assert_eq!((served.cost, served.cost_is_estimated), ("140.224".parse().unwrap(), false));
    assert_eq!(served.usage.billable_units.as_deref(), Some("5.008"));
    assert_eq!(served.attempts[0].provider_request_id.as_deref(), Some("req-1"));
    assert_eq!(told.signs, [Sign::Queued { ahead: Some(2) }, Sign::Working { percent: None }]);
    let [made] = told.made.as_slice() else { panic!("one video") };
    assert_eq!(world.stand.count("GET /fal/files/"), 0, "it comes when it is opened");
    assert_eq!(content(made).await.unwrap(), MP4);
    assert_eq!(content(made).await.unwrap(), MP4, "and again");
    let requests = world.stand.requests();
    assert_eq!(requests.last().unwrap().header("authorization"), None, "files are fetched without the key");
}

#[tokio::test]
async fn kling_and_wan_are_asked_in_their_own_words() {
    let table = [
        (
            "fal/kling",
            video(15, VideoShape::Portrait, None),
            "/fal/fal-ai/kling-video/v3/pro/text-to-video",
            json!({"prompt": PROMPT, "duration": "15", "aspect_ratio": "9:16", "generate_audio": false}),
        ),
        (
            "fal/wan",
            video(10, VideoShape::Square, None),
            "/fal/fal-ai/wan-25-preview/text-to-video",
            json!({"prompt": PROMPT, "duration": "10", "aspect_ratio": "1:1", "resolution": "720p", "seed": 7,
                   "enable_safety_checker": true}),
        ),
    ];
    for (step, request, path, body) in table {
        let world = World::start(vendor).await;
        world.order(&[step], order(request)).await.served();
        let submit = &world.stand.requests()[0];
        assert_eq!((submit.path.as_str(), submit.json()), (path, body));
        assert_eq!(submit.header("authorization"), Some("Key id:secret"));
        assert_eq!(submit.header("x-fal-store-io"), Some("0"));
        assert_eq!(submit.header("x-fal-request-timeout"), Some("1200"));
    }
}

#[tokio::test]
async fn a_first_picture_has_each_models_own_name_and_decides_the_shape() {
    let table = [
        ("fal/kling", "fal-ai/kling-video/v3/pro/image-to-video", "start_image_url", "140.224"),
        ("fal/wan", "fal-ai/wan-25-preview/image-to-video", "image_url", "50.08"),
    ];
    for (step, model, name, cost) in table {
        let world = World::start(vendor).await;
        let request = video(5, VideoShape::Landscape, Some(source(&world, "kite.png")));
        let told = world.order(&[step], order(request)).await;
        assert_eq!((told.served().model.as_str(), told.served().cost), (model, cost.parse().unwrap()));
        let submit = &world.stand.requests()[0];
        assert_eq!(submit.path, format!("/fal/{model}"));
        let link = format!("http://{}/media/kite.png?signature=secret-link", world.stand.host);
        assert_eq!(submit.json()[name], link);
        assert_eq!(submit.json()["aspect_ratio"], Value::Null);
        assert!(!format!("{:?}", told.outcome).contains("secret-link"));
    }
}

#[tokio::test]
async fn what_a_model_does_not_make_is_left_to_the_next_one() {
    let at = |world: &World, pixels| {
        let picture = SourceFile { pixels: Some(pixels), ..source(world, "kite.png") };
        video(5, VideoShape::Square, Some(picture))
    };
    let long = |characters: usize| {
        let prompt = Private::new("ả".repeat(characters));
        Request::Video(VideoRequest {
            prompt,
            shape: VideoShape::Square,
            seconds: 5,
            seed: 7,
            first_picture: None,
        })
    };
    let world = World::start(vendor).await;
    let table = [
        (["fal/wan", "fal/kling"], video(7, VideoShape::Square, None), "kling"),
        (["fal/kling", "fal/wan"], video(10, VideoShape::Square, None), "kling"),
        (["fal/wan", "fal/kling"], long(1_500), "wan"),
        (["fal/wan", "fal/kling"], long(1_501), "kling"),
        (["fal/kling", "fal/wan"], at(&world, (2_000, 299)), "wan"),
        (["fal/kling", "fal/wan"], at(&world, (300, 300)), "kling"),
    ];
    for (steps, request, model) in table {
        let told = world.order(&steps, order(request)).await;
        assert!(told.served().model.contains(model), "{}", told.served().model);
        assert_eq!(told.served().attempts.len(), 1, "nothing was asked in vain");
    }
    let asked = world.stand.requests().len();
    for request in [video(2, VideoShape::Square, None), video(16, VideoShape::Square, None), long(2_501)] {
        let told = world.order(&["fal/kling", "fal/wan"], order(request)).await;
        assert_eq!(told.failure(), ("unavailable", vec![]));
    }
    assert_eq!(world.stand.requests().len(), asked);
}

#[tokio::test]
async fn a_video_whose_submit_has_no_answer_is_never_asked_for_again() {
    let table: Vec<Answer> = vec![
        Box::new(|_| vec![Say::Cut]),
        Box::new(|_| vec![Say::Hang]),
        Box::new(|_| reply(200, &[], "<html>")),
        Box::new(|_| json(200, &json!({"request_id": "req-1", "response_url": "http://elsewhere.test/x"}))),
    ];
    for (row, submit) in table.into_iter().enumerate() {
        let world = World::with(IMPATIENT, move |request| submit(request)).await;
        let told = world.order(&["fal/kling", "fal/wan"], landscape()).await;
        assert_eq!(told.failure(), ("unknown_outcome", vec!["unknown_outcome"]), "row {row}");
        assert_eq!(world.stand.requests().len(), 1, "row {row}");
        let attempt = told.outcome.unwrap_err().attempts.remove(0);
        assert_eq!((attempt.cost, attempt.cost_is_estimated), ("140".parse().unwrap(), true), "row {row}");
    }
}

#[tokio::test]
async fn a_video_fails_as_its_submit_or_its_result_says() {
    let at_submit = [
        (401, "{}", "auth"),
        (403, r#"{"detail":"User is locked. Reason: Exhausted balance."}"#, "no_balance"),
        (404, r#"{"detail":"Application not found"}"#, "model_gone"),
        (422, r#"{"detail":[{"loc":["body","duration"],"type":"literal_error"}]}"#, "request_refused"),
        (422, r#"{"detail":[{"loc":["body","prompt"],"type":"string_too_long"}]}"#, "bad_input"),
        (429, "{}", "rate_limited"),
        (500, "{}", "unavailable"),
    ];
    for (status, body, class) in at_submit {
        let world = World::with(IMPATIENT, move |_| reply(status, &[], body)).await;
        assert_eq!(world.order(&["fal/wan"], landscape()).await.failure().0, class, "{status} {body}");
    }
    let at_result = [
        (
            422,
            r#"{"detail":[{"loc":["body","prompt"],"type":"content_policy_violation"}]}"#,
            &[] as Headers,
            "content_rejected",
            "0",
        ),
        (500, r#"{"detail":[{"loc":["body"],"type":"internal_server_error"}]}"#, &[], "unavailable", "0"),
        (504, "{}", &[("x-fal-request-timeout-type", "user")], "unavailable", "0"),
        (200, r#"{"video":null}"#, &[], "unavailable", "50"),
        (200, r#"{"video":{"url":null},"seed":null}"#, &[("x-fal-billable-units", "5")], "unavailable", "50"),
        (200, r#"{"images":[{"url":"http://x.test/a.png"}]}"#, &[], "unavailable", "50"),
        (
            200,
            r#"{"video":{"url":"http://elsewhere.test/v.mp4"}}"#,
            &[("x-fal-billable-units", "4")],
            "unavailable",
            "40",
        ),
        (200, r#"{"video":{"url":"file:///etc/passwd"}}"#, &[], "unavailable", "50"),
        (200, r#"{"detail":"flagged"}"#, &[], "content_rejected", "50"),
    ];
    for (status, body, headers, class, cost) in at_result {
        let world = World::with(IMPATIENT, move |request| {
            if is_result(request) { reply(status, headers, body) } else { vendor(request) }
        })
        .await;
        let told = world.order(&["fal/wan"], landscape()).await;
        assert_eq!(told.failure().0, class, "{status} {body}");
        assert_eq!(told.outcome.unwrap_err().attempts[0].cost, cost.parse().unwrap(), "{status} {body}");
    }
}

#[tokio::test]
async fn a_videos_cost_is_what_fal_told_as_far_as_it_is_plausible() {
    let table = [
        ("5.008", "140.224", false),
        ("0", "0", false),
        ("20", "560", false),
        ("20.01", "560", true),
        ("", "140", true),
        ("many", "140", true),
        ("99999999999999999999", "140", true),
    ];
    for (units, cost, is_estimated) in table {
        let world = World::start(move |request| match is_result(request) {
            true => result(&output(request), units),
            false => vendor(request),
        })
        .await;
        let told = world.order(&["fal/kling"], landscape()).await;
        let served = told.served();
        assert_eq!((served.cost, served.cost_is_estimated), (cost.parse().unwrap(), is_estimated), "{units}");
    }
}

#[tokio::test]
async fn a_video_that_is_late_is_taken_back_or_taken() {
    let late = |said: &'static str, status: u16| {
        move |request: &Received| match request.method.as_str() {
            _ if is_status(request) => json(202, &json!({"status": "IN_PROGRESS"})),
            "PUT" => json(status, &json!({"status": said})),
            _ => vendor(request),
        }
    };
    let world = World::with(IMPATIENT, late("CANCELLATION_REQUESTED", 202)).await;
    let told = world.order(&["fal/kling"], landscape()).await;
    assert_eq!(told.failure(), ("unavailable", vec!["unavailable"]));
    assert_eq!(world.stand.count("PUT /fal/fal-ai/kling-video/requests/req-1/cancel"), 1);
    assert_eq!(told.outcome.unwrap_err().attempts[0].cost, "0".parse().unwrap(), "it is stopped");

    let world = World::with(IMPATIENT, late("ALREADY_COMPLETED", 400)).await;
    let told = world.order(&["fal/kling"], landscape()).await;
    assert_eq!(content(&told.made[0]).await.unwrap(), MP4, "it was finished meanwhile");
}

#[tokio::test]
async fn a_file_that_breaks_off_says_so_and_leads_nowhere_else() {
    let table: Vec<Answer> = vec![
        Box::new(|_| reply(404, &[], "")),
        Box::new(|_| reply(302, &[("location", "/fal/files/other.mp4")], "")),
        Box::new(|_| reply(206, &[], "part")),
        Box::new(|_| {
            vec![Say::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n\0\0".to_vec()), Say::Cut]
        }),
    ];
    for (row, file) in table.into_iter().enumerate() {
        let world =
            World::start(
                move |request| {
                    if request.path == "/fal/files/v.mp4" { file(request) } else { vendor(request) }
                },
            )
            .await;
        let told = world.order(&["fal/kling"], landscape()).await;
        assert!(content(&told.made[0]).await.is_err(), "row {row}");
        assert_eq!(world.stand.count("GET /fal/files/other"), 0, "row {row}");
    }
}

#[tokio::test]
async fn a_webhook_finds_the_video_of_a_process_that_was_killed_after_its_submit() {
    for first_picture in [false, true] {
        let world = World::start(vendor).await;
        let first_picture = first_picture.then(|| source(&world, "kite.png"));
        let webhooks = Some("https://ours.test/v1/webhooks/".parse().unwrap());
        let order = JobOrder { webhooks, ..order(video(5, VideoShape::Landscape, first_picture)) };
        let chain = world.providers.chain(&["fal/kling".to_owned()]).unwrap();
        let visit = Visit::new(world.clock.now(), Duration::from_secs(20), Duration::from_secs(20));
        let at = |seconds| visit.now().after(Duration::from_secs(seconds));
        let work = Work::new(visit.now(), at(600), at(900));
        let asking = chain.choose(&work, &order).await.unwrap().asking(&work, visit.now());
        // fal has it, and the process that asked is gone before it stored what fal said.
        drop(chain.ask(&asking, &order, visit).await);
        // HMAC-SHA256 of `fal-webhook:` and the job by `id:secret`, made with another library.
        let token = "584f1b2f837f61a74309e487e3a7e2cb57fd693960e5bf8c946fa5c312e3beed";
        let notify = "fal_webhook=https%3A%2F%2Fours.test%2Fv1%2Fwebhooks%2Ffal%2F01KAQ3V7W05A5XM3YFMXP5K4KG";
        let notify = format!("{notify}.{token}");
        assert!(world.stand.requests()[0].path.ends_with(&notify), "{}", world.stand.requests()[0].path);

        let asking: Work = serde_json::from_str(&serde_json::to_string(&asking).unwrap()).unwrap();
        assert!(chain.told(&asking, ProviderName::Fal, "../req-1", visit.now()).is_none(), "no id of fal's");
        let known = chain.told(&asking, ProviderName::Fal, "req-1", visit.now()).unwrap();
        let Next::Watch { ticket, until } = known.next(visit.now()) else { panic!("it is looked at") };
        let watched = chain.watch(&known, ticket, &order, visit, visit.until(until), &mut |_| {}).await;
        let Visited::Finished(finished) = watched else { panic!("it is finished: {watched:?}") };
        let made = chain.fetch(&known, &finished, &order, visit).await.unwrap();
        assert_eq!(content(&made[0]).await.unwrap(), MP4);
        assert_eq!(world.stand.count("POST"), 1);
    }
}

#[tokio::test]
async fn without_a_webhook_a_submit_that_was_cut_by_a_kill_stays_in_doubt() {
    let world = World::start(vendor).await;
    let chain = world.providers.chain(&["fal/wan".to_owned(), "fal/kling".to_owned()]).unwrap();
    let visit = Visit::new(world.clock.now(), Duration::from_secs(20), Duration::from_secs(20));
    let at = |seconds| visit.now().after(Duration::from_secs(seconds));
    let work = Work::new(visit.now(), at(600), at(900));
    let asking = chain.choose(&work, &landscape()).await.unwrap().asking(&work, visit.now());
    let found = chain.find(&asking, &landscape(), visit.now(), visit).await;
    assert!(found.is_doubtful());
    assert_eq!(
        found.attempts().last().and_then(|attempt| attempt.failure),
        Some(FailureClass::UnknownOutcome)
    );
    assert!(world.stand.requests().is_empty());
}

#[test]
fn a_model_that_begins_with_a_picture_is_of_the_same_application() {
    for (name, model, is_allowed) in [
        ("FAL_KLING_FROM_PICTURE_MODEL", "fal-ai/kling-video/o3/pro/image-to-video", true),
        ("FAL_KLING_FROM_PICTURE_MODEL", "fal-ai/kling-video", true),
        ("FAL_KLING_FROM_PICTURE_MODEL", "fal-ai/wan-25-preview/image-to-video", false),
        ("FAL_WAN_FROM_PICTURE_MODEL", "other/wan-25-preview/image-to-video", false),
        ("FAL_FLUX_DEV_FROM_PICTURE_MODEL", "fal-ai/flux-1/dev/image-to-image", false),
    ] {
        let clock = Clock::manual(Timestamp::from_seconds(0));
        let platform = Platform::build(env("127.0.0.1").with([(name, model)]), clock, None).unwrap();
        let told = crate::Providers::new(&platform).map(drop).map_err(|error| error.to_string());
        assert_eq!(told.is_ok(), is_allowed, "{model}");
        assert!(is_allowed || told.unwrap_err().contains(name), "{model}");
    }
}
