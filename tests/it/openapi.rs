//! The OpenAPI document is the code's.

use crate::world::World;

#[tokio::test]
async fn the_served_document_is_what_the_code_says() {
    let world = World::start().await;
    let served = world.person("ann").get("/v1/openapi.json").await;
    let generated: serde_json::Value = serde_json::from_str(&citipen::openapi().to_json().unwrap()).unwrap();
    assert_eq!(
        served.body, generated,
        "functions/pricing/openapi.json is old: cargo run -- openapi > functions/pricing/openapi.json"
    );
    assert_eq!(served.body["openapi"].as_str().unwrap().get(..3), Some("3.1"));
}

#[tokio::test]
async fn every_documented_route_answers_and_every_private_one_asks_for_a_token() {
    let world = World::start().await;
    let document = serde_json::to_value(citipen::openapi()).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let url = format!("{}{}", world.product.base, path.replace("{id}", "01KABCDEFGHJKMNPQRSTVWXYZ0"));
            let request = crate::world::http().request(method.to_uppercase().parse().unwrap(), url);
            let answer = crate::world::Answer::of(
                request.header("content-type", "application/json").body("{}").send().await.unwrap(),
            )
            .await;
            let is_private = operation["security"].is_array();
            assert_eq!(
                answer.status == 401,
                is_private || path.contains("webhooks"),
                "{method} {path}: {}",
                answer.text
            );
            assert_ne!(answer.status, 404, "{method} {path}");
        }
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
