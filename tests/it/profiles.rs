//! What a deployment is comes from its profile: each crate reads its section of it, and no other.

use crate::world::{World, credit, image};
use citipen::sections;
use platform::{InvalidSettings, Platform, Profile};
use serde_json::json;
use std::collections::BTreeSet;

const CITIPEN: &str = include_str!("../../infra/profiles/citipen.toml");

/// A service with nothing of citipen's numbers: it takes USDT alone, and sells pictures of its own server alone.
const BAZAAR: &str = r#"
name = "bazaar"
brand = "Bazaar"
unit = "USD cent"

[ledger]
hold_seconds = 1800
hold_grace_seconds = 120

[limits]
open_holds_max = 2
unpaid_open_holds_max = 2
runs_per_minute_max = 7
given_back_day_cents = "3"
given_back_percent_of_paid = 1
given_back_day_cents_max = "30"

[welcome]
credits = 33
per_network_day_max = 5

[requests]
user_per_minute_max = 50
network_per_minute_max = 60

[drives]
offered = []
save_tries_max = 1
save_days = 30

[media]
output_days = 7
upload_days = 3
uploads_open_max = 2
upload_day_bytes_max = 100000
image_bytes_max = 10000
audio_bytes_max = 20000
video_bytes_max = 30000
side_max = 100
pixels_max = 5000
audio_seconds_max = 10
video_seconds_max = 5

[runs]
quote_seconds = 30
pricing_cache_seconds = 1
waiting_repeats_max = 1
usage_log_days = 14

[logs]
days = 14

[top_ups]
tiers = [700]
amount_min = 700
amount_max = 7000
amount_step = 700
methods = ["tron_usdt"]
order_minutes = 15
grace_hours = 1
open_max = 1
orders_per_day_max = 3
arrival_min = 1
arrival_max = 7000
claim_wait_hours = 1
claim_credits_day_max = 700
claims_day_max = 1
body_days = 200
reference_prefix = "BAZ"

[[tools]]
tool = "image"
option = "own"
title = "A picture of our own server"
provider_cost_cents = "2"
markup_ratio = "3"
enabled = true
chain = ["comfyui/image"]
prompt_chars_max = 100
"#;

/// What is wrong with who owns what of a profile.
fn check_owners(profile: &Profile, owned: &[&str]) -> Vec<String> {
    let (there, known) = (profile.sections().collect::<BTreeSet<_>>(), owned.iter().copied().collect());
    let name = &profile.name;
    let unowned = there.difference(&known).map(|section| format!("{name}: [{section}] belongs to no crate"));
    let missing = known.difference(&there).map(|section| format!("{name} has no [{section}]"));
    let mut complaints: Vec<String> = unowned.chain(missing).collect();
    if known.len() < owned.len() {
        complaints.push(format!("two crates own one section: {owned:?}"));
    }
    complaints
}

/// Starts every function by itself, as its own `main` does.
fn start(world: &World, platform: &Platform) -> Result<(), InvalidSettings> {
    drop(citipen::functions_in_roles(&world.product.platform, |_| Ok(platform.clone()))?);
    for check in [
        exchange_rates::check,
        payment_reconciliation::check,
        provider_balances::check,
        reservation_sweep::check,
        tron_poll::check,
    ] {
        check(platform)?;
    }
    Ok(())
}

#[tokio::test]
async fn every_section_of_every_profile_belongs_to_one_crate() {
    let world = World::start().await;
    let env = world.product.platform.env();
    for name in Profile::names() {
        let platform = Platform::build(env.with([("PROFILE", name)]), world.clock.clone(), None).unwrap();
        assert_eq!(check_owners(platform.profile(), &sections()), Vec::<String>::new());
        assert_eq!(start(&world, &platform), Ok(()), "{name}");
    }
    let changed = |written, instead| Profile::parse("citipen", &CITIPEN.replace(written, instead)).unwrap();
    let misspelt = check_owners(&changed("[media]", "[medja]"), &sections());
    assert_eq!(misspelt, ["citipen: [medja] belongs to no crate", "citipen has no [media]"]);
    let twice = check_owners(&changed("", ""), &[sections().as_slice(), &["media"]].concat());
    assert!(twice[0].contains("two crates"), "{twice:?}");
}

/// Whatever is misspelt, a function that reads it does not start, and says where to look.
#[tokio::test]
async fn a_mistake_in_a_profile_stops_the_start_and_is_told_with_section_and_key() {
    let world = World::start().await;
    let refused = |written: &str, instead: &str| {
        assert!(CITIPEN.contains(written), "{written}");
        let platform = |profile| world.product.platform.with_profile(profile);
        let started = Profile::parse("citipen", &CITIPEN.replacen(written, instead, 1));
        let started = started.and_then(|profile| start(&world, &platform(profile)));
        started.expect_err(instead).to_string()
    };
    for (written, instead, parts) in [
        // A section of each crate, and a key in each.
        ("[ledger]", "[legder]", ["no section", "[ledger]"]),
        ("[limits]", "[limit]", ["no section", "[limits]"]),
        ("[welcome]", "[welcomes]", ["no section", "[welcome]"]),
        ("[requests]", "[request]", ["no section", "[requests]"]),
        ("[media]", "[medias]", ["no section", "[media]"]),
        ("[runs]", "[run]", ["no section", "[runs]"]),
        ("[top_ups]", "[topups]", ["no section", "[top_ups]"]),
        ("hold_seconds", "hold_secs", ["[ledger]", "`hold_secs`"]),
        ("open_holds_max", "open_hold_max", ["[limits]", "`open_hold_max`"]),
        ("per_network_day_max", "per_network_max", ["[welcome]", "`per_network_max`"]),
        ("network_per_minute_max", "networks_per_minute_max", ["[requests]", "`networks_per_minute_max`"]),
        ("output_days", "days", ["[media]", "`days`"]),
        ("quote_seconds", "quote_minutes", ["[runs]", "`quote_minutes`"]),
        ("claims_day_max", "claim_day_max", ["[top_ups]", "`claim_day_max`"]),
        ("brand", "brnad", ["can't be read", "`brnad`"]),
        ("USD cent", "gem", ["can't be read", "expected `USD cent`"]),
        // What is named must exist.
        ("\"viet_qr\"", "\"vietqr\"", ["[top_ups]", "methods: `vietqr`"]),
        ("\"CIT\"", "\"Citipen\"", ["[top_ups]", "reference_prefix: `Citipen`"]),
        ("tool = \"image\"", "tool = \"imgae\"", ["[[tools]] 4", "there is no tool `imgae`"]),
        ("markup_ratio", "markup", ["[[tools]] 1", "`markup`"]),
        ("fal/flux-dev", "fal/flux-pro", ["image/flux-dev", "the step `fal/flux-pro`"]),
        ("\"deepseek/reasoner\"", "\"comfyui/image\"", ["script/reasoner", "the step `comfyui/image`"]),
        ("[\"anthropic/premium\"]", "[]", ["script/premium", "an empty chain"]),
        ("\"flux-schnell\"", "\"flux-dev\"", ["image/flux-dev", "is there twice"]),
    ] {
        let told = refused(written, instead);
        for part in ["PROFILE", "`citipen`"].iter().chain(&parts) {
            assert!(told.contains(part), "{instead}: {part} in {told}");
        }
    }
    // A function does not know the sections of crates that it is not built of; all together do.
    let more =
        CITIPEN.replacen("[[tools]]", "[[tool]]", 1).replace("[media]", "[gems]\nper_dollar = 10\n[media]");
    let more = world.product.platform.with_profile(Profile::parse("citipen", &more).unwrap());
    assert_eq!(start(&world, &more), Ok(()));
    let told = citipen::functions(&more).map(drop).expect_err("two sections of nobody").to_string();
    for part in
        ["has a section [tool] that belongs to no crate", "has a section [gems] that belongs to no crate"]
    {
        assert!(told.contains(part), "{part} in {told}");
    }
    // All that is wrong with what one crate reads comes at once.
    let told = refused("[ledger]\nhold_seconds", "[ledger]\nhold = 1\nhold_seconds");
    assert!(told.contains("`hold`"), "{told}");
    let twice = CITIPEN.replace("hold_seconds", "hold").replace("open_holds_max", "holds_max");
    let platform = world.product.platform.with_profile(Profile::parse("citipen", &twice).unwrap());
    let told = start(&world, &platform).expect_err("two mistakes").to_string();
    assert!(told.contains("`hold`") && told.contains("`holds_max`"), "{told}");
}

#[tokio::test]
async fn another_profile_is_another_service_by_the_same_code() {
    let world = World::start().await;
    let profile = Profile::parse("bazaar", BAZAAR).unwrap();
    assert_eq!(check_owners(&profile, &sections()), Vec::<String>::new());
    let bazaar = world.service(profile).await;
    assert_eq!(start(&world, &bazaar.platform), Ok(()));
    let ann = world.person("ann").at(&bazaar.base);

    assert_eq!(ann.balance().await, (33, 0, 0), "its welcome");

    let methods = ann.get("/v1/top-ups/methods").await;
    assert_eq!(methods.body["tiers"], json!([credit(700)]), "{}", methods.text);
    let offered: Vec<_> =
        methods.body["methods"].as_array().unwrap().iter().map(|one| &one["method"]).collect();
    assert_eq!(offered, ["tron_usdt"]);
    let order = |method: &str| json!({ "method": method, "credits": credit(700) });
    let refused = ann.send("POST", "/v1/top-ups", &order("viet_qr")).await;
    assert_eq!(refused.problem(), "method_unavailable");
    let taken = ann.send("POST", "/v1/top-ups", &order("tron_usdt")).await;
    assert_eq!(taken.status, 201, "{}", taken.text);
    let second = ann.send("POST", "/v1/top-ups", &order("tron_usdt")).await;
    assert_eq!(second.problem(), "too_many_open_top_ups", "one open order, not five");
    // SePay is not heard here, although its settings are there.
    let webhook = ann.send("POST", "/v1/webhooks/sepay/bank", &json!({})).await;
    assert_eq!(webhook.status, 404, "{}", webhook.text);

    let run = ann.run(&image("a kite")).await;
    assert_eq!((run.status, &run.body["model"]), (200, &json!("own")), "{}", run.text);
    assert_eq!(ann.balance().await, (27, 0, 0), "2 cents, three times");
    let reference = bazaar.platform.rules(payments::TopUpRules::read).unwrap().reference_prefix;
    assert_eq!(reference.to_string(), "BAZ");
}
