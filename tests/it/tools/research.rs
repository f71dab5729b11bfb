//! Research: rows from Apify, and a text about them.

use super::{
    NEVER, charges, check_settled, cost_of, enrich, finished, market, named, outputs, poll, shown, tell,
    transcript, webhook,
};
use crate::world::{Answer, World, credit, http, new_run_id};
use primitives::{CostCents, Credits, Unit};
use sandbox::{Fault, FaultRule, Service};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn apifys_word_makes_a_research_due_and_that_of_another_run_changes_nothing() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Apify, FaultRule::once(NEVER));
    let run = new_run_id();
    assert_eq!(ann.run(&named(market("x"), &run)).await.status, 202);
    let list = http().get(format!("{}/sandbox/apify/v2/actor-runs", world.outside()));
    let list = Answer::of(list.bearer_auth(sandbox::APIFY_TOKEN).send().await.unwrap()).await;
    let job = list.body["data"]["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{}", list.text));
    assert!(world.sandbox.finish_actor_run(job));
    let word = world.sandbox.actor_run_webhook(job).unwrap();

    let foreign = tell(&world, &webhook(&ann, "apify", &new_run_id()), &word).await;
    assert_eq!((foreign.status, foreign.problem()), (401, "webhook_refused"));
    assert_eq!(poll(&world).await.jobs, 0);
    assert_eq!(tell(&world, &webhook(&ann, "apify", &run), &word).await.status, 200);
    assert_eq!(shown(&ann, &run).await["status"], "running");
    world.advance(Duration::from_secs(1));
    assert_eq!(poll(&world).await.ended, 1);
    assert_eq!(shown(&ann, &run).await["charged"], credit(14));
    check_settled(&world).await;
}

#[tokio::test]
async fn an_address_that_is_not_youtubes_is_refused_before_apify_is_asked() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    for address in [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/watch?v=dQw4w9WgXcQ",
        "http://127.0.0.1/watch?v=dQw4w9WgXcQ",
        "http://[::1]/watch?v=dQw4w9WgXcQ",
        "http://2852039166/watch?v=dQw4w9WgXcQ",
        "file:///etc/passwd",
        "gopher://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com@169.254.169.254/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com:x@localhost/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com.example.org/watch?v=dQw4w9WgXcQ",
        "https://example.org/?u=https://youtu.be/dQw4w9WgXcQ",
    ] {
        for (tool, field, value) in [
            ("transcript", "url", json!(address)),
            ("analytics", "urls", json!(["https://youtu.be/dQw4w9WgXcQ", address])),
            ("channel_research", "channels", json!([address])),
        ] {
            let refused = ann.run(&json!({ "tool": tool, "input": { field: value } })).await;
            assert_eq!((refused.status, refused.problem()), (422, "invalid_input"), "{tool} {address}");
            assert_eq!(refused.body["errors"][0]["pointer"], format!("/input/{field}").as_str());
            assert!(!refused.text.contains(address), "{tool}: {}", refused.text);
        }
    }
    assert_eq!((ann.balance().await, world.provider_calls(Service::Apify)), ((100, 0, 0), 0));

    // Of an address at YouTube only the video's id goes to Apify.
    let run = ann.run(&transcript("https://ann:hunter2@www.youtube.com/watch?v=dQw4w9WgXcQ&t=hunter2")).await;
    assert_eq!(run.status, 200, "{}", run.text);
    assert!(world.sandbox.journal().iter().all(|entry| !entry.body.contains("hunter2")));
}

#[tokio::test]
async fn a_research_whose_text_fails_or_that_finds_nothing_gives_the_credit_back() {
    for (services, fault, failure) in [
        (&[Service::Deepseek, Service::Anthropic][..], Fault::Refuse, "unavailable"),
        (&[Service::Apify][..], Fault::Empty, "empty_answer"),
        (&[Service::Apify][..], Fault::ErrorRows, "empty_answer"),
    ] {
        let world = World::start().await;
        let ann = world.person("ann");
        ann.balance().await;
        for service in services {
            world.sandbox.faults().set(*service, FaultRule::always(fault.clone()));
        }
        let run = finished(&world, &ann, &market("x")).await;
        assert_eq!(
            (&run["status"], &run["failure"]),
            (&json!("failed"), &json!(failure)),
            "{fault:?}: {run}"
        );
        assert!(outputs(&run).is_empty(), "{run}");
        assert_eq!((ann.balance().await, charges(&ann.transactions().await)), ((100, 0, 0), 0), "{fault:?}");
        assert_eq!(world.provider_calls(Service::Deepseek) > 0, services.contains(&Service::Deepseek));
        check_settled(&world).await;
    }
}

#[tokio::test]
async fn the_price_of_a_research_pays_for_both_of_its_steps() {
    let world = World::start().await;
    let ann = world.person("ann");
    enrich(&world, &ann, 500).await;
    for (rows, price) in [(10, 14), (25, 41), (50, 68)] {
        let mut wish = market("x");
        wish["input"]["rows"] = json!(rows);
        let quote = ann.send("POST", "/v1/quotes", &wish).await;
        assert_eq!(quote.body["price"], credit(price), "{}", quote.text);
        let run = finished(&world, &ann, &wish).await;
        assert_eq!(run["charged"], credit(price), "{run}");
        assert_eq!(
            (&run["receipt"]["provider"], &run["receipt"]["summary_provider"]),
            (&json!("apify"), &json!("deepseek")),
            "{run}"
        );
        let paid = Unit::UsdCent.cost_paid_by(Credits::new(price).unwrap());
        assert!(cost_of(&run) > CostCents::ZERO && cost_of(&run) <= paid, "{run}");
    }
    check_settled(&world).await;
}

#[tokio::test]
async fn a_research_whose_first_writer_is_down_is_written_by_the_other() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Deepseek, FaultRule::always(Fault::Refuse));
    let run = finished(&world, &ann, &market("x")).await;
    assert_eq!((&run["status"], &run["charged"]), (&json!("succeeded"), &credit(14)), "{run}");
    assert_eq!(run["receipt"]["summary_provider"], "anthropic", "{run}");
    assert!(cost_of(&run) <= Unit::UsdCent.cost_paid_by(Credits::new(14).unwrap()), "{run}");
    check_settled(&world).await;
}
