use super::world::{NOW, ORIGIN, World, key, signed, signed_as};
use crate::Reason::{self, *};
use crate::Unverified;
use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::signature::{RSA_PKCS1_SHA512, RSA_PSS_SHA256};
use serde_json::{Value, json};

const HEADER: &str = r#"{"alg":"RS256","typ":"JWT","kid":"ins_1","oiat":1}"#;

/// The good claims with one of them replaced, or removed by null.
fn with(world: &World, name: &str, value: Value) -> String {
    let mut claims = world.claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims.to_string()
}

/// The good claims with one member written once more.
fn doubled(world: &World, member: &str) -> String {
    world.claims().to_string().replacen('{', &format!("{{{member},"), 1)
}

#[tokio::test]
async fn claims_that_are_not_ours_are_refused() {
    let world = World::start().await;
    let verifier = world.verifier();
    let slash = format!("{}/", world.issuer);
    let table: Vec<(&str, String, Result<(), Reason>)> = vec![
        ("good", world.claims().to_string(), Ok(())),
        ("expired, within the skew", with(&world, "exp", json!(NOW - 4)), Ok(())),
        ("expired at the skew", with(&world, "exp", json!(NOW - 5)), Err(Expired)),
        ("expired long ago", with(&world, "exp", json!(NOW - 3600)), Err(Expired)),
        ("no exp", with(&world, "exp", Value::Null), Err(Claims)),
        ("exp as text", with(&world, "exp", json!((NOW + 60).to_string())), Err(Claims)),
        ("negative exp", with(&world, "exp", json!(-1)), Err(Claims)),
        ("fractional exp", doubled(&world, r#""exp":1795000060.5"#), Err(Claims)),
        ("exp at the end of time", with(&world, "exp", json!(u64::MAX)), Err(LivesTooLong)),
        ("a life of 24 hours", with(&world, "exp", json!(NOW + 86_400)), Ok(())),
        ("a life above 24 hours", with(&world, "exp", json!(NOW + 86_401)), Err(LivesTooLong)),
        ("doubled exp", doubled(&world, r#""exp":1"#), Err(Claims)),
        ("doubled exp, escaped", doubled(&world, r#""\u0065xp":1"#), Err(Claims)),
        ("no nbf", with(&world, "nbf", Value::Null), Err(Claims)),
        ("nbf within the skew", with(&world, "nbf", json!(NOW + 5)), Ok(())),
        ("nbf in the future", with(&world, "nbf", json!(NOW + 6)), Err(NotYetValid)),
        ("no iat", with(&world, "iat", Value::Null), Err(Claims)),
        ("iat within the skew", with(&world, "iat", json!(NOW + 5)), Ok(())),
        ("iat in the future", with(&world, "iat", json!(NOW + 3600)), Err(IssuedInFuture)),
        ("another issuer", with(&world, "iss", json!("https://clerk.example.org")), Err(Issuer)),
        ("the issuer with a slash", with(&world, "iss", json!(slash)), Err(Issuer)),
        ("the issuer in a list", with(&world, "iss", json!([world.issuer])), Err(Claims)),
        ("no issuer", with(&world, "iss", Value::Null), Err(Claims)),
        ("doubled issuer", doubled(&world, r#""iss":"https://clerk.example.org""#), Err(Claims)),
        ("no subject", with(&world, "sub", Value::Null), Err(Claims)),
        ("empty subject", with(&world, "sub", json!("")), Err(Subject)),
        ("only the prefix", with(&world, "sub", json!("user_")), Err(Subject)),
        ("numeric subject", with(&world, "sub", json!(7)), Err(Claims)),
        ("an organisation", with(&world, "sub", json!("org_ann")), Err(Subject)),
        ("a subject with a hash", with(&world, "sub", json!("user_a#b")), Err(Subject)),
        ("no azp", with(&world, "azp", Value::Null), Err(AuthorizedParty)),
        ("empty azp", with(&world, "azp", json!("")), Err(AuthorizedParty)),
        ("another azp", with(&world, "azp", json!("https://evil.example.com")), Err(AuthorizedParty)),
        ("a longer azp", with(&world, "azp", json!(format!("{ORIGIN}.evil.example"))), Err(AuthorizedParty)),
        ("azp in a list", with(&world, "azp", json!([ORIGIN])), Err(Claims)),
        ("pending", with(&world, "sts", json!("pending")), Err(NotActive)),
        ("revoked", with(&world, "sts", json!("revoked")), Err(NotActive)),
        ("no status (token version 1)", with(&world, "sts", Value::Null), Ok(())),
        ("no login id", with(&world, "sid", Value::Null), Err(Claims)),
        ("an audience", with(&world, "aud", json!("anything")), Ok(())),
        ("not an object", "[]".to_owned(), Err(Claims)),
        ("not JSON", "claims".to_owned(), Err(Claims)),
    ];
    for (name, claims, expected) in table {
        let token = format!("Bearer {}", signed(&key("clerk"), HEADER, &claims));
        let outcome = verifier.verify(Some(&token)).await.map(drop);
        assert_eq!(outcome, expected.map_err(Unverified::Token), "{name}");
    }
}

#[tokio::test]
async fn a_setting_lets_in_native_apps_whose_tokens_name_no_party() {
    let world = World::start_with([("CLERK_ACCEPT_WITHOUT_AZP", "true")]).await;
    let verifier = world.verifier();
    let mut without = world.claims();
    without.as_object_mut().unwrap().remove("azp");
    let table = [
        ("no azp", without.to_string(), Ok(())),
        ("azp null", with(&world, "azp", Value::Null), Ok(())),
        ("ours", with(&world, "azp", json!(ORIGIN)), Ok(())),
        ("empty azp", with(&world, "azp", json!("")), Err(AuthorizedParty)),
        ("another azp", with(&world, "azp", json!("https://evil.example.com")), Err(AuthorizedParty)),
        ("azp in a list", with(&world, "azp", json!([ORIGIN])), Err(Claims)),
    ];
    for (name, claims, expected) in table {
        let token = format!("Bearer {}", signed(&key("clerk"), HEADER, &claims));
        assert_eq!(
            verifier.verify(Some(&token)).await.map(drop),
            expected.map_err(Unverified::Token),
            "{name}"
        );
    }
}

#[tokio::test]
async fn tokens_that_clerk_did_not_make_are_refused() {
    let world = World::start().await;
    let verifier = world.verifier();
    let (ours, strange) = (key("clerk"), key("stranger"));
    let claims = world.claims().to_string();
    let good = signed(&ours, HEADER, &claims);
    let parts: Vec<&str> = good.split('.').collect();
    let header = |json: &str| signed(&ours, json, &claims);
    let embedded = super::world::key_set("ins_1", &strange)["keys"][0].clone();
    let with_jwk = json!({ "alg": "RS256", "typ": "JWT", "kid": "ins_1", "jwk": embedded }).to_string();
    let with_jku = r#"{"alg":"RS256","kid":"ins_1","jku":"https://evil.example.com/jwks"}"#;
    let swapped = URL_SAFE_NO_PAD.encode(with(&world, "sub", json!("user_bob")));
    let table = [
        ("good", good.clone(), None),
        ("no type", header(r#"{"alg":"RS256","kid":"ins_1"}"#), None),
        ("an unknown header field", header(r#"{"alg":"RS256","kid":"ins_1","oiat":7}"#), None),
        ("a stranger's key under our kid", signed(&strange, HEADER, &claims), Some(Signature)),
        ("a key brought along", signed(&strange, &with_jwk, &claims), Some(Signature)),
        ("a key address brought along", signed(&strange, with_jku, &claims), Some(Signature)),
        ("alg none", header(r#"{"alg":"none","kid":"ins_1"}"#), Some(Algorithm)),
        ("alg none, unsigned", unsigned(&claims), Some(Algorithm)),
        ("HS256 with the public key", hs256(&claims), Some(Algorithm)),
        ("RS512", header(r#"{"alg":"RS512","kid":"ins_1"}"#), Some(Algorithm)),
        ("RS512 called RS256", signed_as(&RSA_PKCS1_SHA512, &ours, HEADER, &claims), Some(Signature)),
        ("PSS called RS256", signed_as(&RSA_PSS_SHA256, &ours, HEADER, &claims), Some(Signature)),
        ("alg in lower case", header(r#"{"alg":"rs256","kid":"ins_1"}"#), Some(Algorithm)),
        ("no alg", header(r#"{"kid":"ins_1"}"#), Some(Header)),
        ("doubled alg", header(r#"{"alg":"none","alg":"RS256","kid":"ins_1"}"#), Some(Header)),
        ("no kid", header(r#"{"alg":"RS256"}"#), Some(Header)),
        ("numeric kid", header(r#"{"alg":"RS256","kid":1}"#), Some(Header)),
        ("another kid", header(r#"{"alg":"RS256","kid":"ins_2"}"#), Some(UnknownKey)),
        ("empty kid", header(r#"{"alg":"RS256","kid":""}"#), Some(UnknownKey)),
        ("crit", header(r#"{"alg":"RS256","kid":"ins_1","crit":["b64"],"b64":false}"#), Some(Critical)),
        ("empty crit", header(r#"{"alg":"RS256","kid":"ins_1","crit":[]}"#), Some(Critical)),
        ("another type", header(r#"{"alg":"RS256","kid":"ins_1","typ":"at+jwt"}"#), Some(Type)),
        ("swapped claims", format!("{}.{swapped}.{}", parts[0], parts[2]), Some(Signature)),
        ("cut signature", good[..good.len() - 2].to_owned(), Some(Signature)),
        ("no signature", format!("{}.{}.", parts[0], parts[1]), Some(Signature)),
        ("padded base64", padded(&good), Some(NotThreeParts)),
        ("standard base64", format!("{}.{}+/.{}", parts[0], parts[1], parts[2]), Some(NotThreeParts)),
        ("two parts", format!("{}.{}", parts[0], parts[1]), Some(NotThreeParts)),
        ("four parts", format!("{good}.e30"), Some(NotThreeParts)),
        ("nothing", String::new(), Some(NotThreeParts)),
        ("a newline", format!("{good}\n"), Some(NotThreeParts)),
        ("too long", "x".repeat(8 * 1024), Some(TooLong)),
    ];
    for (name, token, expected) in table {
        let outcome = verifier.verify(Some(&format!("Bearer {token}"))).await.err();
        assert_eq!(outcome, expected.map(Unverified::Token), "{name}");
    }
}

#[tokio::test]
async fn only_one_bearer_token_in_one_spelling_counts() {
    let world = World::start().await;
    let verifier = world.verifier();
    let token = signed(&key("clerk"), HEADER, &world.claims().to_string());
    let table = [
        (format!("Bearer {token}"), None),
        (format!("bearer {token}"), None),
        (format!("Bearer  {token}"), Some(NotBearer)),
        (format!("Bearer {token} "), Some(NotBearer)),
        (format!("Basic {token}"), Some(NotBearer)),
        (token.clone(), Some(NotBearer)),
        (format!("Bearer\t{token}"), Some(NotBearer)),
    ];
    for (header, expected) in table {
        assert_eq!(verifier.verify(Some(&header)).await.err(), expected.map(Unverified::Token));
    }
    assert_eq!(verifier.verify(None).await.err(), Some(Unverified::Token(Missing)));
}

#[tokio::test]
async fn a_caller_carries_what_dangerous_actions_ask_for() {
    let world = World::start().await;
    let verifier = world.verifier();
    let of = async |claims: String| {
        let token = format!("Bearer {}", signed(&key("clerk"), HEADER, &claims));
        verifier.verify(Some(&token)).await.unwrap()
    };

    let ann = of(world.claims().to_string()).await;
    assert_eq!((ann.user.as_str(), ann.login.as_str()), ("user_ann", "sess_1"));
    assert_eq!((ann.is_impersonated, ann.factor_age_minutes), (false, Some(3)));

    let support = of(with(&world, "act", json!({ "sub": "user_support" }))).await;
    assert!(support.is_impersonated);

    for unknown in [Value::Null, json!([-1, -1]), json!([])] {
        assert_eq!(of(with(&world, "fva", unknown)).await.factor_age_minutes, None);
    }
}

fn unsigned(claims: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"ins_1"}"#);
    format!("{header}.{}.", URL_SAFE_NO_PAD.encode(claims))
}

fn hs256(claims: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","kid":"ins_1"}"#);
    let content = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let public = super::world::key_set("ins_1", &key("clerk"))["keys"][0]["n"].to_string();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes()), content.as_bytes());
    format!("{content}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn padded(token: &str) -> String {
    let (content, signature) = token.rsplit_once('.').unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    format!("{content}.{}", URL_SAFE.encode(bytes))
}
