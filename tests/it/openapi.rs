//! The OpenAPI document is the code's, and the table of problem codes in `docs/API.md` is too.

use crate::world::World;
use edge::ProblemCode;

#[tokio::test]
async fn the_served_document_is_what_the_code_says() {
    let world = World::start().await;
    let served = world.person("ann").get("/v1/openapi.json").await;
    let generated: serde_json::Value = serde_json::from_str(&citipen::openapi().to_json().unwrap()).unwrap();
    assert!(
        served.body == generated,
        "functions/pricing/openapi.json is old: cargo run -- openapi > functions/pricing/openapi.json"
    );
    assert_eq!(served.body["openapi"].as_str().unwrap().get(..3), Some("3.1"));
}

/// What answers without a token: how it answers a stranger, and what a request shows in place of a token.
const PUBLIC: &[(&str, u16, &[&str])] = &[
    // How to call everything else, the prices and the ways to pay are shown before anybody signs in.
    // A browser that a drive sent back has no token; the state and the cookie stand for the person. This drive there is not.
    ("get /v1/oauth/{drive}/callback", 404, &["link_cookie"]),
    ("get /v1/openapi.json", 200, &[]),
    ("get /v1/pricing", 200, &[]),
    ("get /v1/top-ups/methods", 200, &[]),
    // The order's own key is in the link: pictures and page loads carry no token. Without it there is nothing there.
    ("get /v1/top-ups/{id}/checkout", 404, &["order_key"]),
    ("get /v1/top-ups/{id}/qr.png", 404, &["order_key"]),
    ("get /v1/top-ups/{id}/qr.svg", 404, &["order_key"]),
    // Other services sign what they send.
    ("post /v1/webhooks/clerk", 401, &["clerk_signature"]),
    ("post /v1/webhooks/providers/apify/{id}", 401, &["apify_token"]),
    ("post /v1/webhooks/providers/fal/{id}", 401, &["fal_signature"]),
    ("post /v1/webhooks/providers/replicate/{id}", 401, &["replicate_signature"]),
    ("post /v1/webhooks/sepay/bank", 401, &["sepay_signature", "sepay_api_key"]),
    ("post /v1/webhooks/sepay/ipn", 401, &["sepay_secret"]),
];

#[tokio::test]
async fn every_documented_route_answers_and_all_but_the_public_ones_ask_for_a_token() {
    let world = World::start().await;
    let document = serde_json::to_value(citipen::openapi()).unwrap();
    let mut unseen = PUBLIC.to_vec();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let url = format!("{}{}", world.product.base, path.replace("{id}", "01KABCDEFGHJKMNPQRSTVWXYZ0"));
            let request = crate::world::http().request(method.to_uppercase().parse().unwrap(), url);
            let answer = crate::world::Answer::of(
                request.header("content-type", "application/json").body("{}").send().await.unwrap(),
            )
            .await;
            let name = format!("{method} {path}");
            let public = PUBLIC.iter().find(|(public, ..)| *public == name);
            let ways = operation["security"].as_array().expect("every operation says who may call it");
            let ways: Vec<&str> =
                ways.iter().flat_map(|way| way.as_object().unwrap().keys()).map(String::as_str).collect();
            assert_eq!(ways, public.map_or(&["sign_in_token"][..], |(_, _, ways)| ways), "{name}");
            let row =
                edge::ROUTES.iter().find(|row| row.method == *method.to_uppercase() && row.path == path);
            let row = row.unwrap_or_else(|| panic!("{name} has no row in edge::ROUTES"));
            assert_eq!(row.permission.needs_sign_in(), public.is_none(), "{name}: let in otherwise");
            let expected = public.map_or(401, |(_, status, _)| *status);
            assert_eq!(answer.status, expected, "{name}: {}", answer.text);
            unseen.retain(|(public, ..)| *public != name);
        }
    }
    assert!(unseen.is_empty(), "public, but not documented: {unseen:?}");
}

/// The document is one for all; what it says of amounts must be what the profile says.
#[tokio::test]
async fn the_amounts_of_the_document_are_the_profiles() {
    let world = World::start().await;
    let rules = world.product.platform.rules(payments::TopUpRules::read).unwrap();
    let document = serde_json::to_value(citipen::openapi()).unwrap();
    let amount =
        &document["components"]["schemas"]["TopUpRequest"]["properties"]["credits"]["properties"]["amount"];
    for (bound, credits) in
        [("minimum", rules.amount_min), ("maximum", rules.amount_max), ("multipleOf", rules.amount_step)]
    {
        assert_eq!(amount[bound], credits.get(), "{bound} in {amount}");
    }
    for tier in &rules.tiers {
        assert!(
            (rules.amount_min..=rules.amount_max).contains(tier),
            "{tier} lies beside the document's bounds"
        );
        assert_eq!(tier.get() % rules.amount_step.get(), 0, "{tier}");
    }
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let document = serde_json::to_value(citipen::openapi()).unwrap();
    let methods =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let mut names: Vec<&str> = methods.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
}

/// The table that callers read has every code of `shared/problems/src/codes.rs` once, and no other.
#[test]
fn the_api_lists_every_problem_code_under_its_status_and_no_other() {
    let (_, table) = include_str!("../../docs/API.md").split_once("| status | codes |\n").unwrap();
    let mut listed = Vec::new();
    // The first line only divides the table's head from its rows.
    for row in table.lines().skip(1).take_while(|line| line.starts_with('|')) {
        let (statuses, codes) = row.trim_matches('|').split_once('|').unwrap();
        let statuses: Vec<&str> = statuses.split(',').map(str::trim).collect();
        // A header's name (`Allow`) has a capital.
        let is_code = |name: &&str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        for name in codes.split('`').skip(1).step_by(2).filter(is_code) {
            let code = ProblemCode::ALL.iter().find(|code| code.as_str() == name);
            let status = code.unwrap_or_else(|| panic!("{name} is no code")).status().to_string();
            assert!(statuses.contains(&status.as_str()), "{name} has the status {status}, not {statuses:?}");
            assert!(!listed.contains(&name), "{name} is there twice");
            listed.push(name);
        }
    }
    let names = ProblemCode::ALL.iter().map(|code| code.as_str());
    let missing: Vec<&str> = names.filter(|name| !listed.contains(name)).collect();
    assert!(missing.is_empty(), "not in docs/API.md: {missing:?}");
}
