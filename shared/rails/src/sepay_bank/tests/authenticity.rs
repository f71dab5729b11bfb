use http::{HeaderMap, HeaderName, HeaderValue};
use primitives::{Secret, Timestamp};

use crate::NotAuthentic;
use crate::sepay_bank::{WebhookKeys, authenticate, sign};

const SECRET: &str = "whsec_a1b2c3d4e5f60718293a4b5c6d7e8f90";
const NOW: u64 = 1_767_225_600;
const BODY: &str = r#"{"id":92704,"gateway":"ACB","transactionDate":"2026-01-01 07:00:00","accountNumber":"12345678","code":"CITAB12CD","content":"CITAB12CD","transferType":"in","transferAmount":250000,"accumulated":1250000,"subAccount":null,"referenceCode":"FT26001000001","description":"ACB CITAB12CD"}"#;
const SIGNATURE: &str = "sha256=03d77575e3cb8ad7bd421678f024270bbdb0674bdd2136cf5e11a96c04856519";

fn keys(hmac: &[&str], api_keys: &[&str]) -> WebhookKeys {
    let secrets = |texts: &[&str]| texts.iter().map(|text| Secret::new(*text)).collect();
    WebhookKeys { hmac: secrets(hmac), api_keys: secrets(api_keys) }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    let mut headers = HeaderMap::new();
    for (name, value) in pairs.iter().map(pair) {
        headers.append(name, value);
    }
    headers
}

fn signed(signature: &str, timestamp: &str) -> HeaderMap {
    headers(&[("x-sepay-signature", signature), ("x-sepay-timestamp", timestamp)])
}

fn check(keys: &WebhookKeys, headers: &HeaderMap, body: &str, now: u64) -> Result<(), NotAuthentic> {
    authenticate(keys, headers, body.as_bytes(), Timestamp::from_seconds(now))
}

#[test]
fn the_published_signatures_are_made_and_believed() {
    let second = (
        1_767_225_661,
        r#"{"id":92705,"content":"Nạp tiền CITAB12CD","transferAmount":250000}"#,
        "sha256=47db140b7480b50a32c275d6ac704ff4ee060d675e6908189853318e86cbd2c6",
    );
    for (at, body, signature) in [(NOW, BODY, SIGNATURE), second] {
        assert_eq!(sign(&Secret::new(SECRET), at, body.as_bytes()), signature);
        let headers = signed(signature, &at.to_string());
        assert_eq!(check(&keys(&[SECRET], &[]), &headers, body, at), Ok(()));
    }
}

#[test]
fn a_forged_signature_is_refused() {
    let right = signed(SIGNATURE, &NOW.to_string());
    let reordered = r#"{"gateway":"ACB","id":92704"#.to_owned()
        + BODY.strip_prefix(r#"{"id":92704,"gateway":"ACB""#).unwrap();
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(parsed(&reordered), parsed(BODY), "the same content in other bytes");
    for body in [&reordered, "", &BODY.replace("250000", "950000"), &format!("{BODY}\n")] {
        assert_eq!(check(&keys(&[SECRET], &[]), &right, body, NOW), Err(NotAuthentic::Mismatch));
    }
    assert_eq!(check(&keys(&["whsec_other"], &[]), &right, BODY, NOW), Err(NotAuthentic::Mismatch));
    let later = signed(SIGNATURE, &(NOW + 1).to_string());
    assert_eq!(check(&keys(&[SECRET], &[]), &later, BODY, NOW), Err(NotAuthentic::Mismatch));
}

#[test]
fn any_secret_of_a_rotation_may_have_signed() {
    let right = signed(SIGNATURE, &NOW.to_string());
    for secrets in [["whsec_new", SECRET], [SECRET, "whsec_new"], ["", SECRET]] {
        assert_eq!(check(&keys(&secrets, &[]), &right, BODY, NOW), Ok(()));
    }
}

#[test]
fn a_timestamp_may_lie_five_minutes_beside_our_clock() {
    let right = signed(SIGNATURE, &NOW.to_string());
    for (now, outcome) in [
        (NOW + 300, Ok(())),
        (NOW - 300, Ok(())),
        (NOW + 301, Err(NotAuthentic::Timestamp)),
        (NOW - 301, Err(NotAuthentic::Timestamp)),
    ] {
        assert_eq!(check(&keys(&[SECRET], &[]), &right, BODY, now), outcome, "{now}");
    }
    let stale_and_forged = check(&keys(&["whsec_other"], &[]), &right, BODY, NOW + 301);
    assert_eq!(stale_and_forged, Err(NotAuthentic::Mismatch), "nobody but SePay fills the log");
}

#[test]
fn malformed_headers_are_refused() {
    let now = NOW.to_string();
    let (signature, timestamp) = ("x-sepay-signature", "x-sepay-timestamp");
    let upper = SIGNATURE.to_uppercase().replace("SHA256", "sha256");
    let bare = SIGNATURE.trim_start_matches("sha256=");
    for wrong in [
        "",
        "sha256=",
        bare,
        &upper,
        &format!("{SIGNATURE} "),
        &format!("{SIGNATURE}00"),
        &SIGNATURE[..70],
        "sha256=ộ",
    ] {
        let outcome = check(&keys(&[SECRET], &[]), &signed(wrong, &now), BODY, NOW);
        assert_eq!(outcome, Err(NotAuthentic::Header(signature)), "{wrong}");
    }
    for wrong in ["", "+1767225600", "-1", "1767225600 ", "1767225600.0", "99999999999999999999999", "giờ"]
    {
        let outcome = check(&keys(&[SECRET], &[]), &signed(SIGNATURE, wrong), BODY, NOW);
        assert_eq!(outcome, Err(NotAuthentic::Header(timestamp)), "{wrong}");
    }
    for (pairs, name) in [
        (&[(signature, SIGNATURE), (signature, SIGNATURE), (timestamp, &now)][..], signature),
        (&[(signature, SIGNATURE), (timestamp, &now), (timestamp, &now)], timestamp),
        (&[(signature, SIGNATURE)], timestamp),
        (&[(timestamp, &now)], signature),
        (&[], signature),
    ] {
        let outcome = check(&keys(&[SECRET], &[]), &headers(pairs), BODY, NOW);
        assert_eq!(outcome, Err(NotAuthentic::Header(name)), "{pairs:?}");
    }
}

#[test]
fn an_api_key_is_compared_whole_and_exactly() {
    let keys = keys(&[], &["old-key", "new-key"]);
    let with = |value: &str| check(&keys, &headers(&[("authorization", value)]), BODY, NOW);
    assert_eq!(with("Apikey old-key"), Ok(()));
    assert_eq!(with("Apikey new-key"), Ok(()));
    for wrong in
        ["Apikey new-ke", "Apikey new-key ", "Apikey  new-key", "Apikey ", "Apikey NEW-KEY", "Apikey khoá"]
    {
        assert_eq!(with(wrong), Err(NotAuthentic::Mismatch), "{wrong}");
    }
    for wrong in [
        "",
        "Apikey",
        "apikey new-key",
        "Bearer new-key",
        "Bearer Apikey new-key",
        " Apikey new-key",
        "new-key",
    ] {
        assert_eq!(with(wrong), Err(NotAuthentic::Header("authorization")), "{wrong}");
    }
    let twice = headers(&[("authorization", "Apikey new-key"), ("authorization", "Apikey new-key")]);
    assert_eq!(check(&keys, &twice, BODY, NOW), Err(NotAuthentic::Header("authorization")));
    assert_eq!(check(&keys, &HeaderMap::new(), BODY, NOW), Err(NotAuthentic::Header("authorization")));
}

#[test]
fn a_right_key_does_not_rescue_a_wrong_signature() {
    let both = keys(&[SECRET], &["the-key"]);
    let now = NOW.to_string();
    let forged = SIGNATURE.replace("03d7", "13d7");
    let key = ("authorization", "Apikey the-key");
    for (pairs, outcome) in [
        (&[key][..], Ok(())),
        (&[("x-sepay-signature", SIGNATURE), ("x-sepay-timestamp", &now)], Ok(())),
        (&[key, ("x-sepay-signature", &forged), ("x-sepay-timestamp", &now)], Err(NotAuthentic::Mismatch)),
        (&[key, ("x-sepay-signature", SIGNATURE)], Err(NotAuthentic::Header("x-sepay-timestamp"))),
        (&[key, ("x-sepay-timestamp", &now)], Err(NotAuthentic::Header("x-sepay-signature"))),
        (&[("authorization", "Apikey another")], Err(NotAuthentic::Mismatch)),
        (&[], Err(NotAuthentic::Header("authorization"))),
    ] {
        assert_eq!(check(&both, &headers(pairs), BODY, NOW), outcome, "{pairs:?}");
    }
    let key_beside_unconfigured_hmac = headers(&[key, ("x-sepay-signature", &forged)]);
    assert_eq!(check(&keys(&[], &["the-key"]), &key_beside_unconfigured_hmac, BODY, NOW), Ok(()));
}

#[test]
fn without_a_secret_nothing_is_believed() {
    let empty_key = headers(&[("authorization", "Apikey ")]);
    let signed_with_nothing = signed(&sign(&Secret::new(""), NOW, BODY.as_bytes()), &NOW.to_string());
    for keys in [keys(&[], &[]), keys(&[""], &[""])] {
        for headers in [&empty_key, &signed_with_nothing, &HeaderMap::new()] {
            assert_eq!(check(&keys, headers, BODY, NOW), Err(NotAuthentic::NoSecret));
        }
    }
    assert_eq!(
        check(&keys(&["", SECRET], &[]), &signed_with_nothing, BODY, NOW),
        Err(NotAuthentic::Mismatch)
    );
    assert_eq!(check(&keys(&[], &["", "key"]), &empty_key, BODY, NOW), Err(NotAuthentic::Mismatch));
}
