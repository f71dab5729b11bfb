use super::stand::{Received, Reply, Say, closed_port, reply, then};
use super::world::{PROMPT, World, image, job, order, speech, spoken, text};
use super::{anthropic, apify, comfyui, deepseek, fal, groq};
use crate::adapter::{Adapter, Answer, Kind, Step, Worker};
use crate::at_worst::StepPrice;
use crate::failure::{Again, Failure};
use crate::outlet::Outlet;
use crate::prices::TokenPrices;
use crate::{
    Event, FailureClass, Job, JobOrder, ProviderName, Request, TextRequest, UnknownStep, VideoRequest,
    VideoShape, Visit, Voice, Work,
};
use async_trait::async_trait;
use primitives::{CostCents, Private};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// DeepSeek answers with `first`, everybody else is well.
fn all_but_deepseek(request: &Received, first: impl Fn() -> Reply) -> Reply {
    match request.path.split('/').nth(1).unwrap() {
        "deepseek" => first(),
        "anthropic" => anthropic::whole(),
        "comfyui" => comfyui::vendor(request),
        _ => fal::vendor(request),
    }
}

#[tokio::test]
async fn a_fallback_is_silent_until_the_first_content() {
    type Row = (&'static str, fn() -> Reply, usize);
    let table: [Row; 10] = [
        ("request_refused", || reply(400, &[], ""), 1),
        ("empty_answer", deepseek::blank, 1),
        ("unavailable", || reply(500, &[], ""), 1),
        ("unavailable", || vec![Say::Cut], 1),
        ("unavailable", || reply(503, &[], ""), 2),
        ("rate_limited", || reply(429, &[], ""), 2),
        ("auth", || reply(401, &[], ""), 1),
        ("no_balance", || reply(402, &[], ""), 1),
        ("model_gone", || reply(404, &[], ""), 1),
        ("broken_stream", || then(super::stand::stream(&["data: {}\n\n"]), Say::Cut), 1),
    ];
    for (class, first, tries) in table {
        let world = World::start(move |request| all_but_deepseek(request, first)).await;
        let told = world.text(&["deepseek/chat", "anthropic/premium"]).await;

        let served = told.served();
        assert_eq!((served.provider, told.text().as_str()), (ProviderName::Anthropic, "Chào"), "{class}");
        assert_eq!(served.attempts.len(), tries + 1, "{class}");
        assert_eq!(served.attempts[0].failure.unwrap().as_str(), class);
        assert_eq!(world.stand.count("POST /deepseek"), tries, "{class}");
    }
}

#[tokio::test]
async fn an_image_falls_back_too() {
    let world = World::start(|request| {
        if request.path.starts_with("/fal") { reply(402, &[], "{}") } else { comfyui::vendor(request) }
    })
    .await;
    let told = world.image(&["fal/flux-dev", "comfyui/image"]).await;
    assert_eq!(told.served().provider, ProviderName::Comfyui);
    assert_eq!(told.files.len(), 1);
}

#[tokio::test]
async fn what_the_customer_asked_for_is_refused_once() {
    let table = [
        (400, r#"{"error":{"message":"This model's maximum context length is 65536 tokens."}}"#, "bad_input"),
        (413, "", "bad_input"),
        (400, r#"{"error":{"message":"Content Exists Risk"}}"#, "content_rejected"),
        (451, "", "content_rejected"),
    ];
    for (status, body, class) in table {
        let world = World::start(move |request| all_but_deepseek(request, || reply(status, &[], body))).await;
        let told = world.text(&["deepseek/chat", "anthropic/premium"]).await;
        assert_eq!(told.failure(), (class, vec![class]));
        assert_eq!(world.stand.requests().len(), 1);
    }
}

#[tokio::test]
async fn after_the_first_content_nobody_else_is_asked() {
    let world = World::start(|request| all_but_deepseek(request, deepseek::cut_after_content)).await;
    let told = world.text(&["deepseek/chat", "anthropic/premium"]).await;

    assert_eq!(told.failure(), ("broken_stream", vec!["broken_stream"]));
    assert!(told.outcome.unwrap_err().content_was_sent);
    assert_eq!(world.stand.count("POST /anthropic"), 0);
}

#[tokio::test]
async fn a_request_that_was_never_sent_is_sent_again_once() {
    let port = closed_port().await;
    let url = format!("http://{port}");
    let world = World::with([("DEEPSEEK_URL", url.as_str())], |_| anthropic::whole()).await;
    let told = world.text(&["deepseek/chat", "anthropic/premium"]).await;

    let classes: Vec<_> = told.served().attempts.iter().map(|a| a.failure.map(|f| f.as_str())).collect();
    assert_eq!(classes, [Some("unavailable"), Some("unavailable"), None]);
}

#[tokio::test]
async fn a_provider_that_asks_for_patience_gets_a_little() {
    let after = |seconds: &'static str| move || reply(429, &[("retry-after", seconds)], "");
    for (seconds, tries) in [("0", 2), ("60", 1)] {
        let world = World::start(move |request| all_but_deepseek(request, after(seconds))).await;
        world.text(&["deepseek/chat", "anthropic/premium"]).await.served();
        assert_eq!(world.stand.count("POST /deepseek"), tries, "retry-after {seconds}");
    }
}

#[tokio::test]
async fn the_second_try_may_serve() {
    let world = World::start(|request| match request.nth {
        0 => reply(503, &[], ""),
        _ => deepseek::whole(),
    })
    .await;
    let told = world.text(&["deepseek/chat"]).await;
    assert_eq!(told.served().attempts.len(), 2);
    assert_eq!(told.text(), "Xin chào");
}

#[tokio::test]
async fn the_budget_covers_the_whole_chain() {
    let world = World::start(|_| vec![Say::Hang]).await;
    let budget = Duration::from_millis(600);
    let told = world.job(&["deepseek/chat", "anthropic/premium"], Job { budget, ..job(text()) }).await;

    assert_eq!(told.failure(), ("unavailable", vec!["unavailable"]));
    assert_eq!(world.stand.requests().len(), 1, "no time was left for the fallback");

    let nothing = Job { budget: Duration::ZERO, ..job(text()) };
    let told = world.job(&["deepseek/chat"], nothing).await;
    assert_eq!(told.failure(), ("unavailable", vec![]));
}

#[tokio::test]
async fn a_receiver_that_left_stops_nothing() {
    let world = World::start(|_| deepseek::whole()).await;
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    let chain = world.providers.chain(&["deepseek/chat".to_owned()]).unwrap();

    let served = chain.run(&job(text()), &sender).await.unwrap();
    assert_eq!(served.usage.output_tokens, 50);
}

#[tokio::test]
async fn a_slow_receiver_gets_every_piece() {
    let world = World::start(|_| deepseek::whole()).await;
    let (sender, mut receiver) = mpsc::channel(1);
    let chain = world.providers.chain(&["deepseek/chat".to_owned()]).unwrap();
    let run = job(text());

    let (served, events) = tokio::join!(chain.run(&run, &sender), async {
        let mut events = Vec::new();
        while events.len() < 3 {
            tokio::task::yield_now().await;
            events.extend(receiver.recv().await);
        }
        events
    });
    served.unwrap();
    assert_eq!(events[0], Event::Asked);
    assert_eq!(events[1..], [Event::Delta("Xin ".to_owned()), Event::Delta("chào".to_owned())]);
}

#[tokio::test]
async fn a_provider_without_a_key_is_skipped() {
    let world = World::with([("DEEPSEEK_API_KEY", "")], |_| anthropic::whole()).await;
    let told = world.text(&["deepseek/chat", "anthropic/premium"]).await;
    assert_eq!(told.served().attempts.len(), 1);

    let told = world.text(&["deepseek/chat"]).await;
    assert_eq!(told.failure(), ("auth", vec![]));
}

#[tokio::test]
async fn a_chain_knows_its_steps_and_makes_one_kind_of_thing() {
    let world = World::start(|_| vec![]).await;
    let chain = |steps: &[&str]| {
        let steps: Vec<_> = steps.iter().map(|step| (*step).to_owned()).collect();
        world.providers.chain(&steps).err()
    };
    assert_eq!(chain(&[]), Some(UnknownStep::Empty));
    assert_eq!(chain(&["deepseek/chat", "x/y"]), Some(UnknownStep::Unknown("x/y".to_owned())));
    assert_eq!(
        chain(&["deepseek/chat", "fal/flux-dev"]),
        Some(UnknownStep::OtherKind("fal/flux-dev".to_owned()))
    );
    assert_eq!(chain(&["fal/flux-schnell", "comfyui/image"]), None);

    let told = world.job(&["deepseek/chat"], job(image())).await;
    assert_eq!(told.failure(), ("bad_input", vec![]));
}

#[tokio::test]
async fn every_wrong_setting_is_named_at_the_start() {
    let stand = World::start(|_| vec![]).await;
    let wrong = [("FAL_FLUX_DEV_UNIT_PRICE_CENTS", "2,5"), ("PROVIDER_POLL_MS", "soon"), ("FAL_KEY", "a\nb")];
    let env = super::world::env(&stand.stand.host).with(wrong);
    let platform = platform::Platform::build(env, stand.clock.clone(), None).unwrap();

    let message = crate::Providers::new(&platform).err().unwrap().to_string();
    for (name, _) in wrong {
        assert!(message.contains(name), "{message}");
    }
    assert!(!message.contains("a\nb"));
}

#[test]
fn nothing_private_can_be_printed() {
    let request =
        Request::Text(TextRequest { prompt: Private::new(PROMPT.to_owned()), output_tokens_max: 1 });
    let printed = format!("{:?} {:?}", job(request), Event::Delta("an answer".to_owned()));
    assert!(!printed.contains("kite") && !printed.contains("answer"), "{printed}");
}

fn paid(cents: &str) -> Job {
    Job { cost_max: cents.parse().unwrap(), ..job(text()) }
}

/// `max_tokens` as Claude was asked for; `None`: it was not asked.
async fn asked_of_claude(world: &World, job: Job) -> Option<u64> {
    let before = world.stand.requests().len();
    world.job(&["deepseek/chat", "anthropic/premium"], job).await;
    let requests = world.stand.requests();
    let claude = requests[before..].iter().find(|request| request.path.starts_with("/anthropic"));
    claude.map(|request| request.json()["max_tokens"].as_u64().unwrap())
}

#[tokio::test]
async fn a_fallback_is_asked_for_no_more_than_the_price_pays() {
    let world = World::start(|request| all_but_deepseek(request, || reply(500, &[], ""))).await;
    // The prompt's 27 bytes and the template are 91 tokens at most, at 250 cents a million; an answer's cost 1,000.
    for (cents, tokens) in [
        ("9", Some(500)),
        ("0.52275", Some(500)),
        ("0.4", Some(376)),
        ("0.28", Some(256)),
        ("0.27", None),
        ("0.01", None),
    ] {
        assert_eq!(asked_of_claude(&world, paid(cents)).await, tokens, "{cents}");
    }
}

#[tokio::test]
async fn what_a_failed_attempt_cost_is_no_longer_there_for_its_fallback() {
    let world = World::start(|request| all_but_deepseek(request, deepseek::empty)).await;
    // It cost 0.003 cents, and what is left of 0.28 pays fewer tokens than make sense.
    assert_eq!(asked_of_claude(&world, paid("0.28")).await, None);
    assert_eq!(asked_of_claude(&world, paid("0.284")).await, Some(257));
}

#[tokio::test]
async fn an_image_that_the_price_does_not_pay_is_not_asked_for() {
    let world = World::start(|request| all_but_deepseek(request, || reply(500, &[], ""))).await;
    let steps = ["fal/flux-dev", "comfyui/image"];
    let of = |cents: &str| JobOrder { cost_max: cents.parse().unwrap(), ..order(image()) };
    assert_eq!(world.order(&steps, of("2.5")).await.served().provider, ProviderName::Fal);
    assert_eq!(world.order(&steps, of("2.499999")).await.served().provider, ProviderName::Comfyui);
    let asked = world.stand.requests().len();
    assert_eq!(world.order(&steps, of("0.1")).await.failure(), ("unavailable", vec![]));
    assert_eq!(world.stand.requests().len(), asked, "nothing is asked for");
}

/// A provider that says that it may be asked again, although its first attempt was billed.
struct Billing(CostCents);

#[async_trait]
impl Adapter for Billing {
    fn model(&self) -> &'static str {
        "billing"
    }

    async fn attempt(&self, _: &Job, _: Instant, _: &mut Outlet<'_>) -> Result<Answer, Failure> {
        let failure = Failure { again: Again::Soon, ..Failure::new(FailureClass::Unavailable) };
        Err(failure.costing(self.0, false))
    }
}

#[tokio::test]
async fn a_second_try_is_paid_by_what_the_first_one_left() {
    let world = World::start(|_| vec![]).await;
    let nothing = CostCents::ZERO;
    // 256 tokens, the fewest that are asked for, cost 1.28 cents.
    let output = "5000".parse().unwrap();
    let prices = TokenPrices { input: nothing, cached_input: nothing, cache_write: nothing, output };
    for (cost_max, tries) in [("3.779999", 1), ("3.785", 2), ("100", 2)] {
        let step = Step {
            name: "deepseek/chat",
            provider: ProviderName::Deepseek,
            kind: Kind::Text,
            price: StepPrice::Tokens(prices),
            worker: Some(Worker::Stream(Arc::new(Billing("2.5".parse().unwrap())))),
        };
        let mut chain = world.providers.chain(&["deepseek/chat".to_owned()]).unwrap();
        chain.steps = vec![Arc::new(step)];
        let (sender, _receiver) = mpsc::channel(8);
        let of = paid(cost_max);
        let failed = chain.run(&of, &sender).await.unwrap_err();
        assert_eq!(failed.attempts.len(), tries, "{cost_max}");
    }
}

/// Whether the step works while it is asked, and whether a choice of it outlasts a visit of so many seconds.
async fn while_asked(world: &World, step: &str, order: &JobOrder, seconds: u64) -> (bool, bool) {
    let (chain, now) = (world.chain(&[step]), world.clock.now());
    let later = now.after(Duration::from_secs(900));
    let begun = Work::new(now, later, later);
    assert!(!chain.works_while_asked(&begun), "{step} was not asked yet");
    let choice = chain.choose(&begun, order).await.unwrap();
    let patience = Duration::from_secs(seconds);
    let outlasts = choice.outlasts(Visit::new(now, patience, patience));
    (chain.works_while_asked(&choice.asking(&begun, now)), outlasts)
}

#[tokio::test]
async fn omnivoice_and_groq_work_while_they_are_asked_whatever_their_patience_is() {
    for (millis, shorter, longer) in [("3000", 2, 60), ("600000", 500, 700)] {
        let settings =
            [("PROVIDER_FIRST_CONTENT_MS_SPEECH", millis), ("PROVIDER_FIRST_CONTENT_MS_HEARING", millis)];
        let world = World::with(settings, |_| vec![]).await;
        let heard = groq::hearing(groq::sound(&world, "mp3", 1_000), 13, None);
        for (step, order) in [("omnivoice/speech", order(speech("vi"))), ("groq/whisper", heard)] {
            let visited = async |seconds| while_asked(&world, step, &order, seconds).await;
            assert_eq!(visited(shorter).await, (true, true), "{step} {millis}");
            assert_eq!(visited(longer).await, (true, false), "{step} {millis}");
        }
    }
}

#[tokio::test]
async fn a_provider_that_names_a_job_does_not_work_while_it_is_asked_whatever_its_patience_is() {
    for millis in ["3000", "600000"] {
        let kinds = ["IMAGE", "VIDEO", "SPEECH", "CAPTIONS", "ROWS"];
        let names = kinds.map(|kind| format!("PROVIDER_FIRST_CONTENT_MS_{kind}"));
        let settings = names.each_ref().map(|name| (name.as_str(), millis));
        let world = World::with(settings, |_| vec![]).await;
        let video = || {
            let (prompt, shape) = (Private::new(PROMPT.to_owned()), VideoShape::Landscape);
            order(Request::Video(VideoRequest { prompt, shape, seconds: 5, seed: 7, first_picture: None }))
        };
        for (step, order) in [
            ("fal/flux-dev", order(image())),
            ("fal/kling", video()),
            ("comfyui/image", order(image())),
            ("comfyui/video", video()),
            ("replicate/xtts", order(speech("vi"))),
            ("apify/captions", apify::captions(None)),
            ("apify/videos", apify::videos(20)),
        ] {
            // Even a visit without any time left is not too short for a provider that only names its job.
            assert_eq!(while_asked(&world, step, &order, 0).await, (false, false), "{step} {millis}");
        }
    }
}

#[tokio::test]
async fn a_chain_serves_what_one_of_its_configured_steps_makes() {
    let long = "a".repeat(10_001);
    // OmniVoice alone speaks Danish, Replicate alone so long a text, and both of them English.
    let requests = || {
        let long = spoken(&long, "en", Voice::Named("man_deep".to_owned()));
        [speech("da"), long, speech("en"), speech("xx")]
    };
    let (omnivoice, replicate) = (("OMNIVOICE_URL", ""), ("REPLICATE_API_TOKEN", ""));
    let nothing = ("FAL_KEY", "");
    let table = [
        ([nothing, nothing], [true, true, true, false]),
        ([nothing, replicate], [true, false, true, false]),
        ([nothing, omnivoice], [false, true, true, false]),
        // The run fails by itself, with an alarm.
        ([omnivoice, replicate], [true, true, true, true]),
    ];
    for (unset, expected) in table {
        let world = World::with(unset, |_| vec![]).await;
        for steps in [["omnivoice/speech", "replicate/xtts"], ["replicate/xtts", "omnivoice/speech"]] {
            let chain = world.chain(&steps);
            assert_eq!(requests().map(|request| chain.serves(&request)), expected, "{steps:?} {unset:?}");
        }
        assert_eq!(world.stand.connections(), 0, "nothing is asked for");
    }
}
