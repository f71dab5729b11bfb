//! Who is calling: tokens, webhooks, the welcome credit, suspension.

use ::identity::svix;

use crate::books;
use crate::world::{Answer, Fault as WorldFault, World, credit, http, script};
use credits::Ledger;
use primitives::Secret;
use sandbox::{Fault, FaultRule, Service};
use serde_json::{Value, json};
use std::time::Duration;

async fn token(world: &World, query: &str) -> String {
    // The sandbox's own page gives tokens; the query makes a wrong one.
    let base = world.outside();
    http().get(format!("{base}/sandbox/clerk/token?{query}")).send().await.unwrap().text().await.unwrap()
}

async fn account_with(world: &World, token: &str) -> Answer {
    let request = http()
        .get(format!("{}/v1/account", world.product.base))
        .header("authorization", format!("Bearer {token}"));
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_wrong_token_is_refused_with_one_and_the_same_answer() {
    let world = World::start().await;
    let good = token(&world, "person=ann").await;
    assert_eq!(account_with(&world, &good).await.status, 200);
    let wrong = [
        token(&world, "person=ann&ttl=-120").await,
        token(&world, "person=ann&azp=https%3A%2F%2Fevil.example").await,
        token(&world, "person=ann&azp=").await,
        token(&world, "person=ann&sts=pending").await,
        token(&world, "person=ann&kid=somebody_else").await,
        token(&world, "person=ann&sub=ann").await,
        format!("{good}x"),
        good.rsplit_once('.').unwrap().0.to_owned(),
        "rubbish".to_owned(),
    ];
    let mut details = Vec::new();
    for token in &wrong {
        let answer = account_with(&world, token).await;
        assert_eq!((answer.problem(), answer.status), ("unauthenticated", 401), "{token}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        details.push(answer.body["detail"].clone());
    }
    details.dedup();
    assert_eq!(details.len(), 1, "the reason is for the log only");
}

#[tokio::test]
async fn unknown_keys_can_not_make_us_call_out_again_and_again() {
    let world = World::start().await;
    assert_eq!(world.person("ann").get("/v1/account").await.status, 200);
    let calls = |world: &World| world.sandbox.journal().iter().filter(|e| e.path.contains("jwks")).count();
    let before = calls(&world);
    for number in 0..20 {
        let forged = token(&world, &format!("person=ann&kid=k{number}")).await;
        assert_eq!(account_with(&world, &forged).await.status, 401);
    }
    assert!(calls(&world) <= before + 1, "{} calls", calls(&world) - before);
}

#[tokio::test]
async fn parallel_first_requests_open_one_account_with_one_welcome() {
    let world = World::start().await;
    let ann = world.person("ann");
    let at_once: Vec<_> = (0..20)
        .map(|turn| {
            let ann = ann.clone();
            tokio::spawn(async move {
                // No more than an account that never paid may have under way.
                let runs = turn % 5 == 0;
                if runs { ann.script("x").await.status } else { ann.get("/v1/account").await.status }
            })
        })
        .collect();
    for status in at_once {
        assert_eq!(status.await.unwrap(), 200);
    }
    assert_eq!(ann.balance().await, (96, 0, 0));
    assert_eq!(ann.transactions().await.iter().filter(|entry| entry["kind"] == "grant").count(), 1);
    books::check(&world).await;
}

async fn webhook(world: &World, person: &str, kind: &str) -> (Value, String) {
    let url = format!("{}/sandbox/clerk/people/{person}/webhook-request?type={kind}", world.outside());
    let made = Answer::of(http().get(url).send().await.unwrap()).await;
    (made.body["headers"].clone(), made.body["body"].as_str().unwrap().to_owned())
}

async fn deliver(world: &World, headers: &Value, body: &str) -> Answer {
    let mut request = http().post(format!("{}/v1/webhooks/clerk", world.product.base));
    for (name, value) in headers.as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    Answer::of(request.body(body.to_owned()).send().await.unwrap()).await
}

#[tokio::test]
async fn the_webhook_may_come_first_twice_late_or_never_and_the_welcome_is_given_once() {
    let world = World::start().await;
    let (headers, body) = webhook(&world, "ann", "user.created").await;
    for _ in 0..3 {
        assert_eq!(deliver(&world, &headers, &body).await.status, 204);
    }
    let ann = world.person("ann");
    assert_eq!(ann.balance().await, (100, 0, 0));
    assert_eq!(ann.get("/v1/account").await.body["email"], "ann@example.com");
    let (headers, body) = webhook(&world, "ann", "user.updated").await;
    assert_eq!(deliver(&world, &headers, &body).await.status, 204);
    assert_eq!(ann.balance().await, (100, 0, 0));

    let bob = world.person("bob");
    assert_eq!(bob.balance().await, (100, 0, 0), "no webhook ever");
    let (headers, body) = webhook(&world, "bob", "user.created").await;
    assert_eq!(deliver(&world, &headers, &body).await.status, 204, "and then a late one");
    assert_eq!(bob.balance().await, (100, 0, 0));
    books::check(&world).await;
}

#[tokio::test]
async fn a_webhook_that_is_not_clerks_changes_nothing() {
    let world = World::start().await;
    let (headers, body) = webhook(&world, "ann", "user.deleted").await;
    world.person("ann").balance().await;
    let mut forged = headers.clone();
    forged["svix-signature"] = json!("v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert_eq!(deliver(&world, &forged, &body).await.status, 401);
    assert_eq!(deliver(&world, &headers, &body.replace("ann", "bob")).await.status, 401);
    assert_eq!(deliver(&world, &json!({}), &body).await.status, 401);
    world.advance(Duration::from_secs(301));
    assert_eq!(deliver(&world, &headers, &body).await.status, 401, "too old to be believed");
    assert_eq!(world.person("ann").balance().await, (100, 0, 0));
}

#[tokio::test]
async fn a_deleted_person_is_signed_out_and_can_not_collect_a_second_welcome() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.script("x").await;
    let (headers, body) = webhook(&world, "ann", "user.deleted").await;
    assert_eq!(deliver(&world, &headers, &body).await.status, 204);

    assert_eq!(ann.get("/v1/account").await.problem(), "unauthenticated", "although the token is still good");
    assert_eq!(ann.script("x").await.problem(), "unauthenticated");
    for path in ["/v1/runs", "/v1/runs/01KABCDEFGHJKMNPQRSTVWXYZ0", "/v1/account/transactions"] {
        assert_eq!(ann.get(path).await.problem(), "unauthenticated", "{path}");
    }
    let (headers, body) = webhook(&world, "ann", "user.created").await;
    assert_eq!(deliver(&world, &headers, &body).await.status, 204, "a late event brings nobody back");
    assert_eq!(ann.script("x").await.problem(), "unauthenticated");

    // The same mailbox under a new sign-up.
    let url = format!("{}/sandbox/clerk/people/ann_again", world.outside());
    let same = json!({ "email": "Ann+again@example.com" });
    let set = http().post(url).header("content-type", "application/json").body(same.to_string());
    assert!(set.send().await.unwrap().status().is_success());
    assert_eq!(world.person("ann_again").balance().await, (0, 0, 0));
    books::check(&world).await;
}

/// Clerk refuses to show people, so many times.
fn clerk_refuses(world: &World, times: u32) {
    let fault = Fault::Status { status: 429, retry_after: Some(5) };
    let matching = Some("/v1/users/".to_owned());
    world.sandbox.faults().set(Service::Clerk, FaultRule { fault, times: Some(times), matching });
}

async fn rename(world: &World, name: &str, email: &str) {
    let url = format!("{}/sandbox/clerk/people/{name}", world.outside());
    let set = http().post(url).header("content-type", "application/json");
    assert!(set.body(json!({ "email": email }).to_string()).send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn an_alias_gets_no_second_welcome_because_clerk_was_busy_for_a_moment() {
    let world = World::start().await;
    assert_eq!(world.person("ann").balance().await, (100, 0, 0));
    rename(&world, "again", "Ann+again@example.com").await;
    clerk_refuses(&world, 1);
    let again = world.person("again");

    let first = again.get("/v1/account").await;
    assert_eq!((&first.body["available"], &first.body["welcome"]), (&credit(0), &json!("undecided")));
    let refused = again.script("x").await;
    assert_eq!((refused.status, refused.problem()), (402, "insufficient_credit"));
    assert!(refused.body["detail"].as_str().unwrap().contains("not decided yet"), "{}", refused.text);
    assert!(refused.headers.contains_key("retry-after"));

    world.advance(Duration::from_secs(5));
    let later = again.get("/v1/account").await;
    assert_eq!((&later.body["available"], &later.body["welcome"]), (&credit(0), &json!("not_granted")));
    let refused = again.script("x").await;
    assert!(!refused.body["detail"].as_str().unwrap().contains("welcome"), "{}", refused.text);
    books::check(&world).await;
}

#[tokio::test]
async fn a_welcome_that_was_undecided_comes_with_the_next_run_once() {
    let world = World::start().await;
    let ann = world.person("ann");
    clerk_refuses(&world, 1);
    assert_eq!(ann.script("x").await.status, 402);
    world.advance(Duration::from_secs(5));

    let at_once: Vec<_> = (0..8)
        .map(|turn| {
            let ann = ann.clone();
            tokio::spawn(async move {
                if turn % 2 == 0 { ann.get("/v1/account").await.status } else { ann.script("x").await.status }
            })
        })
        .collect();
    for status in at_once {
        assert_eq!(status.await.unwrap(), 200);
    }

    assert_eq!(ann.balance().await, (96, 0, 0));
    assert_eq!(ann.transactions().await.iter().filter(|entry| entry["kind"] == "grant").count(), 1);
    books::check(&world).await;
}

/// Whatever a run has read and done, the welcome may be given by another request before its next store call.
#[tokio::test]
async fn a_run_that_is_overtaken_by_the_welcome_at_any_store_call_is_served() {
    let world = World::start().await;
    for nth in 0.. {
        let ann = world.person(&format!("overtaken_{nth}"));
        clerk_refuses(&world, 1);
        assert_eq!(ann.balance().await, (0, 0, 0));
        world.advance(Duration::from_secs(60));
        let slow = world.instance(&[]).await;
        slow.meddler.plan(nth, WorldFault::Overtaken);
        let there = ann.at(&slow.base);
        let mut running = std::pin::pin!(there.script("x"));
        let (answer, was_overtaken) = tokio::select! {
            answer = &mut running => (answer, false),
            () = slow.meddler.holding_back() => {
                assert_eq!(ann.get("/v1/account").await.body["welcome"], "granted", "at call {nth}");
                slow.meddler.let_go();
                (running.await, true)
            }
        };
        assert_eq!(answer.status, 200, "overtaken at call {nth}: {}", answer.text);
        assert_eq!(ann.balance().await, (99, 0, 0));
        if !was_overtaken {
            assert!(nth > 8, "a run makes more store calls than that");
            break;
        }
    }
}

#[tokio::test]
async fn the_webhook_brings_what_clerk_would_not_show_and_the_next_call_gives_it() {
    let world = World::start().await;
    let ann = world.person("ann");
    clerk_refuses(&world, 1000);
    assert_eq!(ann.balance().await, (0, 0, 0));
    let order = json!({ "method": "tron_usdt", "credits": credit(500) });
    assert_eq!(ann.send("POST", "/v1/top-ups", &order).await.status, 201, "paying in does not wait for it");
    let (headers, body) = webhook(&world, "ann", "user.created").await;
    assert_eq!(deliver(&world, &headers, &body).await.status, 204);

    assert_eq!(ann.balance().await, (100, 0, 0));
    assert_eq!(ann.get("/v1/account").await.body["welcome"], "granted");
    books::check(&world).await;
}

/// Killed at every store call between the decision and the grant: the next call finishes it, and gives it once.
#[tokio::test]
async fn a_late_welcome_survives_being_killed_anywhere() {
    let world = World::start().await;
    for nth in 0..12 {
        let name = format!("late_{nth}");
        clerk_refuses(&world, 1);
        assert_eq!(world.person(&name).balance().await, (0, 0, 0));
        world.advance(Duration::from_secs(60));
        for fault in [WorldFault::KilledBefore, WorldFault::KilledAfter] {
            let instance = world.instance(&[]).await;
            instance.meddler.plan(nth, fault);
            let person = world.person(&name).at(&instance.base);
            tokio::select! {
                _ = person.get("/v1/account") => {}
                () = instance.meddler.death() => {}
            }
            world.advance(Duration::from_secs(60));
        }
        let person = world.person(&name);
        assert_eq!(person.balance().await, (100, 0, 0), "killed at call {nth}");
        assert_eq!(person.transactions().await.len(), 1);
    }
    books::check(&world).await;
}

#[tokio::test]
async fn odd_events_of_clerk_are_handled_and_a_deletion_stays_whatever_comes_late() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let secret = Secret::new(sandbox::CLERK_WEBHOOK_SECRET);
    let send = async |nth: u32, body: Value| {
        let (body, id) = (body.to_string(), format!("msg_{nth}"));
        let signature = svix::sign(&secret, &id, world.now(), body.as_bytes()).unwrap();
        let at = world.now().seconds().to_string();
        let headers = json!({ "svix-id": id, "svix-timestamp": at, "svix-signature": signature });
        deliver(&world, &headers, &body).await.status
    };
    let event = |kind: &str, data: Value| json!({ "type": kind, "instance_id": "ins_sandbox", "data": data });
    for (nth, data) in [
        json!({ "id": "user_sandbox_ann" }),
        json!({ "id": "user_sandbox_ann", "email_addresses": null, "updated_at": null }),
        json!({ "id": "user_sandbox_ann", "email_addresses": [null, 7], "first_name": 7, "image_url": [] }),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(send(nth.try_into().unwrap(), event("user.updated", data)).await, 204);
    }
    assert_eq!(
        send(10, event("user.deleted", json!({ "id": "user_sandbox_ann", "deleted": true }))).await,
        204
    );
    let late = json!({ "id": "user_sandbox_ann", "updated_at": 9_999_999_999_999_u64, "first_name": "Ann" });
    assert_eq!(send(11, event("user.updated", late.clone())).await, 204);
    assert_eq!(send(12, event("user.created", late)).await, 204);
    assert_eq!(ann.get("/v1/account").await.status, 401);
    assert_eq!(ann.script("x").await.status, 401);
    books::check(&world).await;
}

#[tokio::test]
async fn welcomes_per_network_are_limited() {
    let world = World::with(&[("WELCOMES_PER_NETWORK_DAY_MAX", "2")]).await;
    let mut given = 0;
    for name in ["ann", "bob", "cem", "dot"] {
        let (available, ..) = world.person(name).balance().await;
        given += available / 100;
    }
    assert_eq!(given, 2);
}

#[tokio::test]
async fn a_suspended_account_can_look_but_not_run() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let ledger = Ledger::new(&world.product.platform).unwrap();
    let id = ann.id().parse().unwrap();
    ledger.set_suspended(&id, true).await.unwrap();
    let refused = ann.script("x").await;
    assert_eq!((refused.problem(), refused.status), ("account_suspended", 403));
    assert_eq!(ann.get("/v1/account").await.body["status"], "suspended");
    ledger.set_suspended(&id, false).await.unwrap();
    assert_eq!(ann.script("x").await.status, 200);
}

#[tokio::test]
async fn country_and_currency_come_from_the_edge_and_people_correct_themselves() {
    let world = World::start().await;
    let ann = world.person("ann");
    let first =
        ann.request("GET", "/v1/account").header("cloudfront-viewer-country", "VN").send().await.unwrap();
    let first = Answer::of(first).await;
    assert_eq!(first.body["country"], "VN");
    assert_eq!(first.body["preferences"]["display_currency"], "VND");
    assert_eq!(first.body["preferences"]["language"], "vi");

    let change = json!({ "name": "Ánh Nguyễn", "theme": "dark", "display_currency": "EUR" });
    let changed = ann.send("PATCH", "/v1/account", &change).await;
    assert_eq!(changed.body["name"], "Ánh Nguyễn");
    assert_eq!(changed.body["preferences"]["theme"], "dark");
    let wrong = json!({ "theme": "pink", "display_currency": "dollars", "name": "x\u{202e}y" });
    let refused = ann.send("PATCH", "/v1/account", &wrong).await;
    assert_eq!((refused.problem(), refused.body["errors"].as_array().unwrap().len()), ("invalid_input", 3));
    assert_eq!(ann.get("/v1/account").await.body["preferences"]["display_currency"], "EUR");

    let (headers, body) = webhook(&world, "ann", "user.updated").await;
    deliver(&world, &headers, &body).await;
    assert_eq!(ann.get("/v1/account").await.body["name"], "Ánh Nguyễn", "their own name stays");
}

#[tokio::test]
async fn an_impersonator_can_look_but_not_spend() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let acting = token(&world, "person=ann&act=admin").await;
    let request = http().post(format!("{}/v1/runs", world.product.base)).bearer_auth(&acting);
    let request = request.header("content-type", "application/json").body(script("x").to_string());
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(answer.problem(), "impersonation_refused");
    assert_eq!(account_with(&world, &acting).await.status, 200);
}
