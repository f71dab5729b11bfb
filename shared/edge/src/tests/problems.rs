use super::world::read;
use crate::{Problem, ProblemCode, ProblemResponse};
use axum::response::IntoResponse;
use primitives::{RunId, Timestamp};
use std::time::Duration;

#[tokio::test]
async fn every_problem_is_answered_with_its_status() {
    for code in ProblemCode::ALL {
        let answer = read(ProblemResponse::from(*code).into_response()).await;
        assert_eq!(answer.status, code.status());
        assert_eq!(answer.problem(), Problem::new(*code).document());
    }
}

#[tokio::test]
async fn a_problem_s_run_and_wait_are_headers_too() {
    let run = RunId::mint(Timestamp::from_seconds(1));
    let problem =
        Problem::new(ProblemCode::OutcomeUnknown).run(run).retry_after(Duration::from_millis(1_500));
    let answer = read(ProblemResponse::from(problem).into_response()).await;
    assert_eq!((answer.header("retry-after"), answer.header("x-run-id")), ("2", run.to_string().as_str()));
}

#[tokio::test]
async fn who_is_not_signed_in_is_told_how() {
    let answer = read(ProblemResponse::from(ProblemCode::Unauthenticated).into_response()).await;
    assert_eq!(answer.header("www-authenticate"), "Bearer");
}
