use crate::{Credit, Problem, ProblemCode, ProblemDocument, Wording};
use primitives::{Language, RunId, Timestamp, Unit};
use serde_json::json;
use std::collections::HashSet;
use std::time::Duration;
use utoipa::{PartialSchema, ToSchema};

#[test]
fn every_problem_tells_its_status_the_credit_and_what_to_do() {
    let mut names = HashSet::new();
    for code in ProblemCode::ALL {
        assert!(names.insert(code.as_str()), "{code:?} is there twice");
        let document = Problem::new(*code).document();

        assert_eq!(document["status"], code.status());
        assert!((400..=599).contains(&code.status()), "{code:?}");
        assert_eq!(document["type"], format!("urn:problem:{}", code.as_str()));
        assert_eq!(document["code"], code.as_str());
        let credit = document["credit"].as_str().unwrap();
        assert!(["not_taken", "held", "taken", "unchanged", "unknown"].contains(&credit), "{code:?}");
        assert!(document["detail"].as_str().unwrap().len() > 40, "{code:?} says too little");
        assert!(document["title"].as_str().unwrap().len() > 8);
    }
    assert_eq!(names.len(), ProblemCode::ALL.len());
}

/// `InsufficientCredit` is `insufficient_credit`: the table writes both, because one is Rust's and one the callers'.
#[test]
fn a_code_s_name_is_its_variant_s() {
    for code in ProblemCode::ALL {
        let mut name = String::new();
        for letter in format!("{code:?}").chars() {
            if letter.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
        }
        assert_eq!(code.as_str(), name);
    }
}

#[test]
fn a_problem_carries_what_its_place_knows() {
    let run = RunId::mint(Timestamp::from_seconds(1));
    let problem = Problem::new(ProblemCode::OutcomeUnknown)
        .detail("The provider may still be working.")
        .run(run)
        .credit(Credit::Taken)
        .pointer("/input/prompt", Wording::new("is too long", "quá dài"))
        .retry_after(Duration::from_millis(1_500));

    let document = problem.document();
    assert_eq!(document["run_id"], run.to_string());
    assert_eq!(document["credit"], "taken");
    assert_eq!(document["errors"][0]["pointer"], "/input/prompt");
    assert_eq!(document["retry_after_seconds"], 2);
    assert_eq!(document.get("request_id"), None);
}

#[test]
fn the_document_is_in_the_openapi() {
    assert_eq!(ProblemDocument::name(), "ProblemDocument");
    let schema = serde_json::to_value(ProblemDocument::schema()).unwrap();
    for field in ["type", "title", "status", "detail", "code", "credit", "request_id", "errors"] {
        assert!(schema["properties"][field].is_object(), "{field}: {schema}");
    }
}

#[test]
fn a_problem_is_told_in_the_callers_language_with_its_amounts_and_the_developers_hint_apart() {
    let short = |amount: u64| primitives::Credits::new(amount).unwrap();
    let problem = || {
        Problem::new(ProblemCode::InsufficientCredit)
            .price(short(4))
            .available(short(1))
            .detail("The run costs 4 and 1 is available.")
            .in_vietnamese("Giá 4, còn 1.")
    };
    let english = problem().told(Language::English, Unit::UsdCent).document();
    assert_eq!(english["detail"], "The run costs 4 and 1 is available.");
    assert_eq!(english["price"], json!({ "amount": 4, "unit": "USD cent" }));
    assert_eq!(english["available"], json!({ "amount": 1, "unit": "USD cent" }));
    assert!(english["hint"].is_string());

    let vietnamese = problem().told(Language::Vietnamese, Unit::UsdCent).document();
    assert_eq!(
        (&vietnamese["title"], &vietnamese["detail"]),
        (&json!("Không đủ số dư"), &json!("Giá 4, còn 1."))
    );
    for member in ["code", "status", "price", "available", "hint", "credit"] {
        assert_eq!(vietnamese[member], english[member], "{member}");
    }

    let usual = Problem::new(ProblemCode::NotFound).detail("Nobody is here.");
    assert_ne!(usual.told(Language::Vietnamese, Unit::UsdCent).document()["detail"], "Nobody is here.");
}

#[test]
fn what_is_wrong_with_each_field_is_told_in_the_callers_language() {
    let problem = || {
        Problem::new(ProblemCode::InvalidInput)
            .pointer("/input/prompt", Wording::new("is missing", "còn thiếu"))
            .pointer("?limit", Wording::new("must be a number", "phải là số"))
    };
    for (language, details) in [
        (Language::English, ["is missing", "must be a number"]),
        (Language::Vietnamese, ["còn thiếu", "phải là số"]),
    ] {
        let errors = &problem().told(language, Unit::UsdCent).document()["errors"];
        let expected = json!([
            { "pointer": "/input/prompt", "detail": details[0] },
            { "pointer": "?limit", "detail": details[1] },
        ]);
        assert_eq!(*errors, expected);
    }
}
