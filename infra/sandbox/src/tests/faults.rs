use serde_json::{Value, json};

use super::deepseek::{chat, pieces, request};
use super::{ask, instant};
use crate::{DEEPSEEK_KEY, FAL_KEY, Fault, FaultRule, Service};

#[tokio::test]
async fn a_rule_counts_down_and_then_the_vendor_is_well_again() {
    let sandbox = instant();
    let order =
        json!({ "service": "deepseek", "fault": "status", "status": 429, "retry_after": 7, "times": 2 });
    let set = ask(&sandbox, "POST /sandbox/faults", &[], order.to_string()).await;
    assert_eq!(
        (set.status, set.json()),
        (201, {
            let mut shown = order.clone();
            shown["matching"] = Value::Null;
            shown
        })
    );
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let answer = chat(&sandbox, &request("x", true)).await;
        statuses.push((answer.status, answer.header("retry-after").to_owned()));
    }
    assert_eq!(statuses, [(429, "7".to_owned()), (429, "7".to_owned()), (200, String::new())]);
    let journal = sandbox.journal();
    assert_eq!(journal.iter().map(|line| line.status).collect::<Vec<_>>(), [Some(429), Some(429), Some(200)]);
    assert!(journal[0].headers.contains(&"authorization") && journal[0].body.contains("deepseek-v4-flash"));
    assert!(!format!("{journal:?}").contains(DEEPSEEK_KEY));
}

#[tokio::test]
async fn unknown_names_are_refused_with_the_valid_ones() {
    let sandbox = instant();
    let order = |service: &str, fault: &str| json!({ "service": service, "fault": fault }).to_string();
    let wrong_service = ask(&sandbox, "POST /sandbox/faults", &[], order("paypal", "slow")).await;
    assert_eq!(wrong_service.status, 422);
    assert!(
        wrong_service.json()["valid_services"]
            .as_array()
            .is_some_and(|list| list.len() == Service::ALL.len())
    );
    let wrong_fault = ask(&sandbox, "POST /sandbox/faults", &[], order("fal", "cut_stream")).await;
    assert_eq!(wrong_fault.status, 422);
    let valid = wrong_fault.json()["valid_faults"].clone();
    assert!(valid.as_array().is_some_and(|list| list.contains(&json!("result_504"))));
    assert_eq!(chat(&sandbox, &request("[[sandbox:explode]]", true)).await.status, 422);
    assert!(sandbox.faults().active().is_empty());
}

#[tokio::test]
async fn every_fault_of_the_list_can_be_ordered() {
    let sandbox = instant();
    let state = ask(&sandbox, "GET /sandbox/faults", &[], "").await.json();
    for line in state["catalogue"].as_array().expect("a list") {
        for service in line["services"].as_array().expect("services") {
            let order = json!({ "service": service, "fault": line["name"] });
            let set = ask(&sandbox, "POST /sandbox/faults", &[], order.to_string()).await;
            assert_eq!((set.status, &set.json()["fault"]), (201, &line["name"]));
        }
    }
    assert!(sandbox.faults().active().len() > 40);
    assert_eq!(ask(&sandbox, "DELETE /sandbox/faults", &[], "").await.status, 204);
    assert!(sandbox.faults().active().is_empty());
}

#[tokio::test]
async fn a_rule_waits_for_the_request_it_names() {
    let sandbox = instant();
    let rule = FaultRule { fault: Fault::Refuse, times: Some(1), matching: Some("blue".to_owned()) };
    sandbox.faults().set(Service::Deepseek, rule);
    assert_eq!(chat(&sandbox, &request("a red kite", true)).await.status, 200);
    assert_eq!(chat(&sandbox, &request("a blue kite", true)).await.status, 503);
    assert_eq!(chat(&sandbox, &request("a blue kite", true)).await.status, 200);
}

#[tokio::test]
async fn a_request_can_ask_for_its_own_fault() {
    let sandbox = instant();
    let cut = chat(&sandbox, &request("a kite [[sandbox:cut_stream after=2]]", true)).await;
    assert_eq!((cut.is_broken, pieces(&cut, "content").0.len()), (true, 2));

    let key = format!("Bearer {DEEPSEEK_KEY}");
    let headers = [("authorization", key.as_str()), ("x-sandbox-fault", "status status=402")];
    let order = "POST /sandbox/deepseek/chat/completions";
    let refused = ask(&sandbox, order, &headers, request("a kite", true).to_string()).await;
    assert_eq!((refused.status, &refused.json()["error"]["message"]), (402, &json!("Insufficient Balance")));
}

#[tokio::test]
async fn streams_break_in_every_way_ordered() {
    let sandbox = instant();
    let cases = [
        (Fault::CutStream { after: 0 }, true, 0, false),
        (Fault::CutStream { after: 99 }, true, 12, false),
        (Fault::EndEarly { after: 3 }, false, 3, false),
        (Fault::ErrorFrame { after: 1 }, false, 1, true),
        (Fault::Stall { ms: 1, after: 3 }, false, 12, true),
        (Fault::Empty, false, 0, true),
        (Fault::ContentFilter, false, 3, true),
        (Fault::WrongShape, false, 0, true),
    ];
    for (fault, is_broken, count, is_done) in cases {
        sandbox.faults().set(Service::Deepseek, FaultRule::once(fault.clone()));
        let answer = chat(&sandbox, &request("a kite", true)).await;
        let shown = (answer.is_broken, pieces(&answer, "content").0.len(), answer.text().contains("[DONE]"));
        assert_eq!(shown, (is_broken, count, is_done), "{fault:?}");
    }
    sandbox.faults().set(Service::Deepseek, FaultRule::once(Fault::Duplicate));
    let twice = chat(&sandbox, &request("a kite", true)).await;
    assert_eq!(twice.text().matches("total_tokens").count(), 2);
    sandbox.faults().set(Service::Deepseek, FaultRule::once(Fault::Garbage));
    assert!(chat(&sandbox, &request("a kite", true)).await.header("content-type").starts_with("text/html"));
}

#[tokio::test]
async fn a_dropped_submit_may_have_been_accepted_or_not() {
    let sandbox = instant();
    let key = format!("Key {FAL_KEY}");
    let headers = [("authorization", key.as_str())];
    for (fault, jobs) in [(Fault::DropBefore, 0), (Fault::DropConnection, 1)] {
        sandbox.faults().set(Service::Fal, FaultRule::once(fault));
        let answer = ask(&sandbox, "POST /sandbox/fal/fal-ai/flux/dev", &headers, r#"{"prompt":"x"}"#).await;
        assert!(answer.is_broken && answer.body.is_empty());
        assert_eq!(sandbox.world.fal.count(), jobs);
    }
    assert!(sandbox.journal().iter().all(|line| line.status.is_none()));
}

#[tokio::test]
async fn control_calls_are_never_disturbed() {
    let sandbox = instant();
    sandbox.faults().set(Service::Clerk, FaultRule::always(Fault::Refuse));
    assert_eq!(ask(&sandbox, "GET /sandbox/clerk/token?person=ann", &[], "").await.status, 200);
    assert_eq!(ask(&sandbox, "GET /sandbox/clerk/.well-known/jwks.json", &[], "").await.status, 503);
}

#[tokio::test]
async fn a_scripted_answer_is_exactly_the_ordered_one() {
    let sandbox = instant();
    let body = "data: {\"choices\":null}\r\n\r\n";
    let order = json!({
        "service": "deepseek", "fault": "scripted", "status": 203, "content_type": "text/event-stream",
        "headers": {"x-request-id": "<b>"}, "body": body, "times": 1,
    });
    assert_eq!(ask(&sandbox, "POST /sandbox/faults", &[], order.to_string()).await.status, 201);
    let answer = chat(&sandbox, &request("x", true)).await;
    assert_eq!((answer.status, answer.header("content-type")), (203, "text/event-stream"));
    assert_eq!((answer.header("x-request-id"), answer.text()), ("<b>", body));
    assert_eq!(chat(&sandbox, &request("x", true)).await.status, 200, "then the vendor is well again");
}
