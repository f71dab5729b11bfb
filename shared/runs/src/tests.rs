mod prices;

use crate::quote::{Quote, QuoteSeal};
use crate::receipt::{Receipt, ServedBy, TEXT_BYTES_MAX};
use crate::{FieldError, ImageSize, ToolInput, Tried};
use media::{OutputKind, StoredOutput};
use primitives::{CostCents, Credits, Fingerprint, RunId, Secret, Timestamp};
use proptest::prelude::*;
use providers::Ending;
use serde_json::{Value, json};

fn now() -> Timestamp {
    Timestamp::from_seconds(1_800_000_000)
}

fn quote() -> Quote {
    Quote {
        account: "user_ann".parse().unwrap(),
        name: "image/flux-dev".to_owned(),
        price: Credits::new(4).unwrap(),
        cost: "2.5".parse().unwrap(),
        markup: "1.6".parse().unwrap(),
        fingerprint: Fingerprint::of(&[b"a red kite"]),
        expires_at: now(),
        number: RunId::mint(now()),
    }
}

#[test]
fn a_quote_is_read_back_by_whoever_has_the_secret_and_by_nobody_else() {
    let seal = QuoteSeal::new(&Secret::new("one"));
    let text = seal.seal(&quote());
    assert_eq!(seal.open(&text).map(|open| open.price), Some(Credits::new(4).unwrap()));
    assert_eq!(QuoteSeal::new(&Secret::new("two")).open(&text), None);
    for wrong in ["", "q1.", "q1..", "q2.a.b", "q1.a.b", text.trim_end_matches(|c| c != '.')] {
        assert_eq!(seal.open(wrong), None, "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_changed_quote_is_ours(at in 3..200_usize, with in "[A-Za-z0-9_-]") {
        let seal = QuoteSeal::new(&Secret::new("one"));
        let text = seal.seal(&quote());
        let at = at % text.len();
        let mut changed = text.clone();
        changed.replace_range(at..=at, &with);
        // The last character of unpadded base64 has bits that mean nothing; they decode to the same bytes or not at all.
        prop_assume!(changed != text && at != text.len() - 1);
        prop_assert_eq!(seal.open(&changed), None);
    }

    #[test]
    fn whatever_is_sent_as_input_is_read_or_refused(prompt in ".{0,40}", seed in any::<i64>(), size in "[a-z_0-9]{0,14}") {
        let input = json!({ "prompt": prompt, "seed": seed, "size": size });
        let fits = !primitives::is_blank(&prompt)
            && !prompt.contains('\0')
            && u32::try_from(seed).is_ok()
            && ImageSize::ALL.iter().any(|known| known.as_str() == size);
        prop_assert_eq!(ToolInput::parse("image", &input).is_ok(), fits);
    }
}

fn parsed(tool: &str, input: Value) -> ToolInput {
    ToolInput::parse(tool, &input).unwrap().unwrap()
}

#[test]
fn an_input_is_the_same_only_if_every_part_is() {
    let base = json!({ "prompt": "a red kite", "model": "flux-dev", "size": "square", "seed": 7 });
    let fingerprint = parsed("image", base.clone()).fingerprint();
    for (field, value) in [
        ("prompt", json!("a red kite ")),
        ("model", json!("flux-schnell")),
        ("size", json!("square_hd")),
        ("seed", json!(8)),
    ] {
        let mut other = base.clone();
        other[field] = value;
        assert_ne!(parsed("image", other).fingerprint(), fingerprint, "{field}");
    }
    assert_eq!(parsed("image", base).fingerprint(), fingerprint);
}

#[test]
fn complaints_name_the_place_and_never_what_was_sent() {
    let input =
        json!({ "prompt": 7, "model": "x".repeat(50), "size": "canary", "seed": "canary", "canary": 1 });
    let complaints: Vec<FieldError> = ToolInput::parse("image", &input).unwrap_err();
    let pointers: Vec<&str> = complaints.iter().map(|complaint| complaint.pointer.as_str()).collect();
    assert_eq!(pointers, ["/input", "/input/prompt", "/input/size", "/input/seed", "/input/model"]);
    assert!(complaints.iter().all(|FieldError { why, .. }| {
        !why.english.contains("canary") && !why.vietnamese.contains("canary")
    }));
}

/// As long as a receipt gets, with the attempts given.
fn longest_receipt(tried: Vec<Tried>) -> Receipt {
    Receipt {
        tool: "script".to_owned(),
        option: "flux-schnell".to_owned(),
        price: Credits::new(9_999).unwrap(),
        quote: Some(RunId::mint(now())),
        cost: "123.456789".parse().unwrap(),
        markup: Some("12345/1000".parse().unwrap()),
        chars: Some(20_000),
        consent: false,
        fp: Fingerprint::of(&[b"x"]).encode(),
        reserved_at: now().millis(),
        first_at: Some(now().millis()),
        finished_at: now().millis(),
        served: Some(ServedBy {
            by: "anthropic".to_owned(),
            model: "claude-sonnet-5-5-20261101".to_owned(),
            cost: "123.456789".parse().unwrap(),
            estimated: true,
            tokens_in: 123_456,
            tokens_out: 123_456,
            cut: true,
            filtered: false,
        }),
        summed: None,
        output: Some(StoredOutput {
            kind: OutputKind::Text,
            key: format!("tmp30/user_{}/2026-11-22/{}-AbCdEf.txt", "x".repeat(27), RunId::mint(now())),
            bytes: 1_234_567,
            sha256: "x".repeat(43),
            expires_at: now(),
            file_name: None,
            pixels: None,
            millis: None,
            thumbnail: None,
        }),
        more: Vec::new(),
        tried,
        left: true,
    }
}

fn attempt(failure: Option<&str>, cost: &str) -> Tried {
    Tried {
        by: "anthropic".to_owned(),
        failure: failure.map(str::to_owned),
        after_ms: 280_000,
        ms: 280_000,
        cost: cost.parse().unwrap(),
        id: Some("x".repeat(36)),
    }
}

#[test]
fn the_longest_receipt_keeps_every_attempt_and_leaves_room_in_the_entrys_kilobyte() {
    // Two tries at each of two providers, the last of which served: more a run can't have.
    let failed = || attempt(Some("request_refused"), "0.123456");
    let served = longest_receipt(vec![failed(), failed(), failed(), attempt(None, "12.123456")]);
    // Nothing was served: there is room for the providers' own ids.
    let lost = Receipt {
        served: None,
        output: None,
        ..longest_receipt(vec![failed(), failed(), failed(), failed()])
    };
    for (receipt, keeps_ids) in [(served, false), (lost, true)] {
        let text = receipt.to_text();
        let read = Receipt::parse(&text).unwrap();
        assert_eq!(read.tried.len(), 4);
        assert_eq!(read.tried.iter().all(|tried| tried.id.is_some()), keeps_ids, "{text}");
        assert_eq!((read.whole_cost(), read.left), (receipt.whole_cost(), true));
        assert!(text.len() <= TEXT_BYTES_MAX, "{} bytes: {text}", text.len());
    }
}

#[test]
fn a_receipt_knows_how_its_output_ended_and_what_all_of_it_cost() {
    let receipt = longest_receipt(vec![attempt(Some("empty_answer"), "0.5"), attempt(None, "123.456789")]);
    assert_eq!(receipt.whole_cost(), "123.956789".parse().unwrap());
    let served = receipt.served.unwrap();
    assert_eq!(served.ending(), Ending::LengthLimit);
    assert_eq!(ServedBy { filtered: true, ..served.clone() }.ending(), Ending::ContentFilter);
    assert_eq!(ServedBy { cut: false, ..served }.ending(), Ending::Complete);
}

#[test]
fn a_receipt_of_an_older_version_is_read() {
    let older = r#"{"tool":"image","option":"flux-dev","price":4,"cost":"2.5","markup":"8/5","chars":10,"fp":"AAAAAAAAAAA","reserved_at":1,"finished_at":2,"tried":[{"by":"fal","why":"unavailable","ms":3}]}"#;
    let read = Receipt::parse(older).unwrap();
    assert_eq!((read.tried.len(), read.left, read.whole_cost()), (1, false, CostCents::ZERO));
}
