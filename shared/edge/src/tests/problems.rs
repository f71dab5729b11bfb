use super::world::read;
use crate::{Credit, Problem, ProblemCode, ProblemDocument};
use axum::response::IntoResponse;
use primitives::{Language, RunId, Timestamp};
use serde_json::json;
use std::collections::HashSet;
use std::time::Duration;
use utoipa::{PartialSchema, ToSchema};

#[tokio::test]
async fn every_problem_tells_its_status_the_credit_and_what_to_do() {
    let mut names = HashSet::new();
    for code in ProblemCode::ALL {
        assert!(names.insert(code.as_str()), "{code:?} is there twice");
        let answer = read(Problem::new(*code).into_response()).await;
        let document = answer.problem();

        assert_eq!(answer.status, code.status());
        assert_eq!(document["status"], code.status().as_u16());
        assert!(code.status().is_client_error() || code.status().is_server_error());
        assert_eq!(document["type"], format!("urn:problem:{}", code.as_str()));
        assert_eq!(document["code"], code.as_str());
        let credit = document["credit"].as_str().unwrap();
        assert!(["not_taken", "held", "taken", "unchanged", "unknown"].contains(&credit), "{code:?}");
        assert!(document["detail"].as_str().unwrap().len() > 40, "{code:?} says too little");
        assert!(document["title"].as_str().unwrap().len() > 8);
    }
    // Whoever adds a code also lists it: the last one of the enum closes the list.
    assert_eq!(ProblemCode::Internal as usize + 1, ProblemCode::ALL.len());
}

#[tokio::test]
async fn a_problem_carries_what_its_place_knows() {
    let run = RunId::mint(Timestamp::from_seconds(1));
    let problem = Problem::new(ProblemCode::OutcomeUnknown)
        .detail("The provider may still be working.")
        .run(run)
        .credit(Credit::Taken)
        .pointer("/input/prompt", "is too long")
        .retry_after(Duration::from_millis(1_500));

    let document = problem.document();
    assert_eq!(document["run_id"], run.to_string());
    assert_eq!(document["credit"], "taken");
    assert_eq!(document["errors"][0]["pointer"], "/input/prompt");
    assert_eq!(document["retry_after_seconds"], 2);
    assert_eq!(document.get("request_id"), None);
    let answer = read(problem.into_response()).await;
    assert_eq!((answer.header("retry-after"), answer.header("x-run-id")), ("2", run.to_string().as_str()));
}

#[tokio::test]
async fn who_is_not_signed_in_is_told_how() {
    let answer = read(Problem::new(ProblemCode::Unauthenticated).into_response()).await;
    assert_eq!(answer.header("www-authenticate"), "Bearer");
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
    let english = problem().told(Language::English, "USD cent").document();
    assert_eq!(english["detail"], "The run costs 4 and 1 is available.");
    assert_eq!(english["price"], json!({ "amount": 4, "unit": "USD cent" }));
    assert_eq!(english["available"], json!({ "amount": 1, "unit": "USD cent" }));
    assert!(english["hint"].is_string());

    let vietnamese = problem().told(Language::Vietnamese, "USD cent").document();
    assert_eq!(
        (&vietnamese["title"], &vietnamese["detail"]),
        (&json!("Không đủ số dư"), &json!("Giá 4, còn 1."))
    );
    for member in ["code", "status", "price", "available", "hint", "credit"] {
        assert_eq!(vietnamese[member], english[member], "{member}");
    }

    let usual = Problem::new(ProblemCode::NotFound).detail("Nobody is here.");
    assert_ne!(usual.told(Language::Vietnamese, "").document()["detail"], "Nobody is here.");
}
