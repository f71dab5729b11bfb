use super::world::{NOW, World, key, key_set, signed};
use crate::{Reason, Unverified};
use serde_json::json;

fn token(world: &World, signer: &str, kid: &str, at: u64) -> String {
    let mut claims = world.claims();
    claims["iat"] = json!(at);
    claims["exp"] = json!(at + 60);
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": kid }).to_string();
    format!("Bearer {}", signed(&key(signer), &header, &claims.to_string()))
}

fn calls(world: &World) -> u32 {
    *world.clerk.key_set_calls.lock().unwrap()
}

#[tokio::test]
async fn parallel_first_requests_fetch_the_keys_once() {
    let world = World::start().await;
    let verifier = world.verifier();
    let token = token(&world, "clerk", "ins_1", NOW);
    let mut tasks = Vec::new();
    for _ in 0..20 {
        let (verifier, token) = (verifier.clone(), token.clone());
        tasks.push(tokio::spawn(async move { verifier.verify(Some(&token)).await }));
    }
    for task in tasks {
        assert!(task.await.unwrap().is_ok());
    }
    assert_eq!(calls(&world), 1);
}

#[tokio::test]
async fn invented_key_ids_cause_one_fetch_a_minute() {
    let world = World::start().await;
    let verifier = world.verifier();
    for kid in ["ins_1", "a", "b", "c", "d"] {
        let _ = verifier.verify(Some(&token(&world, "clerk", kid, NOW))).await;
    }
    assert_eq!(calls(&world), 2);
    world.advance(60);
    for kid in ["a", "b"] {
        let refused = verifier.verify(Some(&token(&world, "clerk", kid, NOW + 60))).await.err();
        assert_eq!(refused, Some(Unverified::Token(Reason::UnknownKey)));
    }
    assert_eq!(calls(&world), 3);
}

#[tokio::test]
async fn a_rotated_key_is_found_at_once_and_the_old_one_is_forgotten() {
    let world = World::start().await;
    let verifier = world.verifier();
    verifier.verify(Some(&token(&world, "clerk", "ins_1", NOW))).await.unwrap();
    *world.clerk.key_set.lock().unwrap() = Some(key_set("ins_2", &key("stranger")));

    verifier.verify(Some(&token(&world, "stranger", "ins_2", NOW))).await.unwrap();

    let refused = verifier.verify(Some(&token(&world, "clerk", "ins_1", NOW))).await.err();
    assert_eq!(refused, Some(Unverified::Token(Reason::UnknownKey)));
}

#[tokio::test]
async fn known_keys_outlive_a_failing_fetch() {
    let world = World::start().await;
    let verifier = world.verifier();
    verifier.verify(Some(&token(&world, "clerk", "ins_1", NOW))).await.unwrap();
    for broken in [None, Some(json!({ "keys": [] })), Some(json!("down for maintenance"))] {
        *world.clerk.key_set.lock().unwrap() = broken;
        world.advance(3600);
        let now = world.platform.now().seconds();
        verifier.verify(Some(&token(&world, "clerk", "ins_1", now))).await.unwrap();
    }
    assert_eq!(calls(&world), 4);
}

#[tokio::test]
async fn without_any_key_nobody_is_verified_and_nobody_is_called_a_forger() {
    let world = World::start().await;
    let verifier = world.verifier();
    let good = world.clerk.key_set.lock().unwrap().take();
    let token = token(&world, "clerk", "ins_1", NOW);
    for _ in 0..3 {
        assert_eq!(verifier.verify(Some(&token)).await.err(), Some(Unverified::KeysUnavailable));
    }
    assert_eq!(calls(&world), 1);

    *world.clerk.key_set.lock().unwrap() = good;
    world.advance(1);
    assert!(verifier.verify(Some(&token)).await.is_ok());
}
