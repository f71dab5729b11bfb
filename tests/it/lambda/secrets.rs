//! Secrets lie in the Parameter Store: read once at a start, looked at again after a while.

use super::Cloud;
use super::cloud::{gateways, patiently};
use crate::world::{Answer, http};
use emulator::{Ending, Options, ParameterMood};
use sandbox::TransferWish;

/// A bank's message with the sandbox's signature, carried to the gateway.
async fn tell(cloud: &Cloud) -> u16 {
    let transfer = cloud.sandbox.bank_transfer(TransferWish::new(131_350, "no code"));
    let message = cloud.sandbox.bank_webhook(transfer).unwrap();
    let mut request = http().post(format!("{}{}", cloud.api(), message.path)).body(message.body);
    for (name, value) in message.headers {
        request = request.header(name, value);
    }
    let answer = Answer::of(patiently(request.send()).await.unwrap()).await;
    cloud.calm().await;
    answer.status
}

#[tokio::test]
async fn a_rotated_secret_reaches_a_warm_environment_without_a_deployment() {
    // The functions' clock is the machine's: what is five minutes in the cloud is at once here.
    let variables = [("SECRETS_REFRESH_SECONDS".to_owned(), "0".to_owned())].into();
    let cloud = Cloud::with(Options { variables, ..Options::default() }).await;
    let secret = cloud.parameter_of("SEPAY_BANK_HMAC_SECRETS");
    assert_eq!(tell(&cloud).await, 200);

    cloud.parameters.put(&secret, "another-one-of-which-the-bank-knows-nothing");
    assert_eq!(tell(&cloud).await, 401, "the old secret is believed no more");
    cloud.parameters.put(&secret, &format!("another-one,{}", sandbox::SEPAY_BANK_HMAC_SECRET));
    assert_eq!(tell(&cloud).await, 200, "during a rotation both are");

    cloud.parameters.set_mood(ParameterMood::Failing);
    assert_eq!(tell(&cloud).await, 200, "while the store fails, what is known serves");
    assert_eq!(cloud.polls("SepayWebhook"), [5], "all of it in one environment");
}

#[tokio::test]
async fn secrets_are_read_once_at_a_start_and_each_function_asks_for_its_own() {
    let cloud = Cloud::start().await;
    let ann = cloud.person("ann");
    for _ in 0..3 {
        assert_eq!(ann.get("/v1/pricing").await.status, 200);
        cloud.calm().await;
    }
    let calls = cloud.parameters.calls();
    assert_eq!(calls, [["PSEUDONYM_PEPPER", "QUOTE_SECRET"].map(|name| cloud.parameter_of(name))]);
}

#[tokio::test]
async fn without_its_secrets_a_function_does_not_start_and_the_next_request_tries_again() {
    let cloud = Cloud::start().await;
    let ann = cloud.person("ann");
    cloud.parameters.set_mood(ParameterMood::Throttled);

    let answer = patiently(ann.get("/v1/pricing")).await;

    assert_eq!(gateways(&answer), (502, "no_answer"));
    cloud.rest("Pricing").await;
    let course = &cloud.lambda.courses("Pricing")[0];
    assert!(course.polls.is_empty(), "it never asked for an event: {course:?}");
    assert!(matches!(course.ending, Some(Ending::Exited(Some(code))) if code != 0), "{course:?}");
    assert!(cloud.parameters.calls().len() > 1, "a throttled call is repeated");
    patiently(cloud.logs.line("Pricing", "the function can't start")).await;
    cloud.parameters.set_mood(ParameterMood::Calm);
    assert_eq!(ann.get("/v1/pricing").await.status, 200);
}
