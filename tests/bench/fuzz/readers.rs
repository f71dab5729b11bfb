//! What stands at the door, called directly: nothing may panic, and what is let in must hold what it promises.

use super::chance::Chance;
use super::mutation::mutated;
use http::{HeaderMap, HeaderValue};
use primitives::{Secret, Timestamp};
use rails::sepay_bank::{Transfer, WebhookKeys, authenticate, sign};
use rails::sepay_card::{Ipn, authenticate_ipn};
use rails::viet_qr::{CodePrefix, find_codes};
use std::collections::HashSet;

const OFFSET_MINUTES: i16 = 420;
const NOW_SECONDS: u64 = 1_767_225_600;

/// A transfer has a number and an amount, and its signature is for these bytes at this time only.
pub(crate) fn bank(chance: &mut Chance, body: &[u8], samples: &[Vec<u8>]) {
    if let Ok(transfer) = Transfer::parse(body, OFFSET_MINUTES) {
        assert!(transfer.id > 0 && transfer.amount.get() > 0, "{transfer:?}");
        assert!(transfer.codes(CodePrefix::CIT).iter().all(|code| code.prefix() == CodePrefix::CIT));
        assert_eq!(Transfer::parse(body, OFFSET_MINUTES).unwrap(), transfer, "the same again");
    }
    let secret = Secret::new(sandbox::SEPAY_BANK_HMAC_SECRET);
    let keys = WebhookKeys {
        hmac: vec![Secret::new(""), secret.clone()],
        api_keys: vec![Secret::new(sandbox::SEPAY_BANK_API_KEY)],
    };
    let now = Timestamp::from_seconds(NOW_SECONDS);
    let right = sign(&secret, NOW_SECONDS, body);
    let is_let_in = |signature: &[u8], timestamp: &[u8]| {
        let mut headers = HeaderMap::new();
        let values = [("x-sepay-signature", signature), ("x-sepay-timestamp", timestamp)];
        for (name, value) in values {
            let Ok(value) = HeaderValue::from_bytes(value) else { return false };
            headers.insert(name, value);
        }
        authenticate(&keys, &headers, body, now).is_ok()
    };
    let seconds = NOW_SECONDS.to_string();
    assert!(is_let_in(right.as_bytes(), seconds.as_bytes()), "its own signature");
    let other = chance.pick(samples);
    let others = sign(&secret, NOW_SECONDS, other);
    assert_eq!(is_let_in(others.as_bytes(), seconds.as_bytes()), other == body, "another body's signature");
    let spoilt = mutated(chance, &[right.clone().into_bytes()]);
    assert_eq!(is_let_in(&spoilt, seconds.as_bytes()), spoilt == right.as_bytes(), "a spoilt signature");
    let moment = mutated(chance, &[seconds.clone().into_bytes()]);
    assert_eq!(is_let_in(right.as_bytes(), &moment), moment == seconds.as_bytes(), "a spoilt time");
}

/// A message names an order and itself, and nothing but the secret lets it in.
pub(crate) fn ipn(chance: &mut Chance, body: &[u8], _: &[Vec<u8>]) {
    if let Ok(ipn) = Ipn::parse(body) {
        assert_eq!(ipn.event_key().matches('#').count(), 1, "{}", ipn.event_key());
        assert!((1..=100).contains(&ipn.invoice.as_str().len()), "{}", ipn.invoice);
        assert!(ipn.stated_payment().is_none_or(|amount| Some(amount) == ipn.stated().order_amount));
        assert_eq!(Ipn::parse(body).unwrap(), ipn, "the same again");
    }
    let secrets = [Secret::new(""), Secret::new(sandbox::SEPAY_IPN_SECRET)];
    let sent = mutated(chance, &[sandbox::SEPAY_IPN_SECRET.as_bytes().to_vec()]);
    if let Ok(value) = HeaderValue::from_bytes(&sent) {
        let headers = HeaderMap::from_iter([("x-secret-key".parse().unwrap(), value)]);
        let is_right = sent == sandbox::SEPAY_IPN_SECRET.as_bytes();
        assert_eq!(authenticate_ipn(&secrets, &headers).is_ok(), is_right, "a spoilt secret");
    }
}

/// A code that is found stands in the text, letter by letter, with nothing but separators between.
pub(crate) fn memo(_: &mut Chance, text: &[u8], _: &[Vec<u8>]) {
    let text = String::from_utf8_lossy(text);
    let codes = find_codes(CodePrefix::CIT, &text);
    assert_eq!(codes.iter().collect::<HashSet<_>>().len(), codes.len(), "each once");
    if !codes.is_empty() {
        let letters: String = text
            .to_string()
            .chars()
            .filter(|c| c.is_alphanumeric())
            .map(|c| c.to_ascii_uppercase())
            .collect();
        for code in &codes {
            assert!(letters.contains(&code.to_string()), "{code} is not in the text");
            assert_eq!(find_codes(CodePrefix::CIT, &code.to_string()), [*code], "a code reads as itself");
        }
    }
}
