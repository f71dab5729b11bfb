//! fal's word that a job is through: believed when it is signed, and only as far as fal then says so itself.

use crate::books;
use crate::jobs::webhook;
use crate::world::{Answer, Person, World, credit, http, image, new_run_id};
use sandbox::{Delivery, FaultRule, Service, WebhookFault};
use serde_json::{Value, json};
use std::time::Duration;

/// fal does not begin it by being looked at.
const NEVER: sandbox::Fault = sandbox::Fault::Late { polls: u32::MAX };

/// A run whose process is gone for good, and fal's name for its job.
pub(crate) struct Lost {
    pub(crate) world: World,
    pub(crate) ann: Person,
    pub(crate) run: String,
    job: String,
}

impl Lost {
    /// Gone when `writes` writes of its job were answered: with one fal was asked, with two its answer is stored.
    pub(crate) async fn after(writes: usize) -> Lost {
        let world = World::start().await;
        let ann = world.person("ann");
        ann.balance().await;
        let (run, instance) = (new_run_id(), world.instance(&[]).await);
        let there = ann.at(&instance.base);
        world.sandbox.faults().set(Service::Fal, FaultRule::once(NEVER));
        let mut wish = image("a red kite");
        wish["run_id"] = json!(run);
        let asked = tokio::spawn(async move { there.run(&wish).await });
        let is_of_jobs =
            |call: &crate::world::StoreCall| call.rights.iter().any(|(table, _)| table == "run_jobs");
        while instance.meddler.calls().iter().filter(|call| is_of_jobs(call)).count() < writes
            || world.sandbox.fal_jobs().is_empty()
        {
            tokio::task::yield_now().await;
        }
        instance.meddler.kill();
        asked.abort();
        let job = world.sandbox.fal_jobs()[0].clone();
        Lost { world, ann, run, job }
    }

    pub(crate) fn word(&self, how: Option<WebhookFault>) -> Delivery {
        self.world.sandbox.finish_fal_job(&self.job);
        self.world.sandbox.fal_webhook(&self.job, how).unwrap()
    }

    pub(crate) async fn tell(&self, word: &Delivery) -> Answer {
        self.tell_at(word, &webhook(&self.ann, "fal", &self.run)).await
    }

    async fn tell_at(&self, word: &Delivery, path: &str) -> Answer {
        let url = format!("{}{path}", self.world.product.base);
        let mut request = http().post(url).body(word.body.clone());
        for (name, value) in &word.headers {
            request = request.header(name, value);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    async fn shown(&self) -> Value {
        self.ann.get(&format!("/v1/runs/{}", self.run)).await.body
    }

    async fn check_charged_once(&self) {
        let shown = self.shown().await;
        assert_eq!((&shown["status"], &shown["charged"]), (&json!("succeeded"), &credit(4)), "{shown}");
        assert_eq!(self.ann.balance().await, (96, 0, 0));
        self.world.advance_and_sweep().await;
        books::check_settled(&self.world).await;
    }
}

#[tokio::test]
async fn fals_word_ends_a_run_whose_process_is_gone_and_a_repeat_changes_nothing() {
    let lost = Lost::after(2).await;
    let word = lost.word(None);
    for _ in 0..3 {
        assert_eq!(lost.tell(&word).await.status, 200);
    }
    lost.check_charged_once().await;
}

#[tokio::test]
async fn fals_word_names_the_job_of_a_process_that_was_gone_before_it_could_store_the_answer() {
    let lost = Lost::after(1).await;
    assert_eq!(lost.tell(&lost.word(None)).await.status, 200);
    lost.check_charged_once().await;
    assert_eq!(lost.world.provider_calls(Service::Fal), 1);
}

#[tokio::test]
async fn without_fals_word_a_job_without_a_name_stays_in_doubt_until_its_hold_ends() {
    let lost = Lost::after(1).await;
    for _ in 0..5 {
        lost.world.advance(Duration::from_secs(61));
        let poller = lost.world.instance(&[]).await;
        run_poll::handle(&poller.role("RunPoll")).await.unwrap();
        assert_eq!(lost.shown().await["status"], "running", "nobody is asked twice, and nothing is given up");
    }
    assert_eq!(lost.world.provider_calls(Service::Comfyui), 0);
    assert_eq!(lost.tell(&lost.word(None)).await.status, 200);
    lost.check_charged_once().await;
}

#[tokio::test]
async fn what_fal_has_not_signed_or_signed_long_ago_changes_nothing() {
    let lost = Lost::after(2).await;
    for how in [WebhookFault::Forged, WebhookFault::Stale] {
        let refused = lost.tell(&lost.word(Some(how))).await;
        assert_eq!((refused.status, refused.problem()), (401, "webhook_refused"), "{how:?}");
        assert_eq!(lost.shown().await["status"], "running", "{how:?}");
    }
    let word = lost.word(None);
    let changed = Delivery { body: [&word.body[..], b" "].concat(), ..word };
    assert_eq!(lost.tell(&changed).await.status, 401);
    assert_eq!(lost.shown().await["status"], "running");
}

#[tokio::test]
async fn fals_word_about_another_runs_job_ends_neither() {
    let lost = Lost::after(2).await;
    let word = lost.word(None);
    assert_eq!(
        lost.tell_at(&word, &webhook(&lost.ann, "fal", &new_run_id())).await.status,
        200,
        "nothing would come of sending it again"
    );
    // Addresses that fal was not given: the owner of a run can know all of them but the token.
    let (real, _) = word.path.rsplit_once('.').unwrap();
    for address in ["/v1/webhooks/providers/fal/x", real, &format!("{real}.{}", "00".repeat(32))] {
        let refused = lost.tell_at(&word, address).await;
        assert_eq!((refused.status, refused.problem()), (401, "webhook_refused"), "{address}");
    }
    assert_eq!(lost.shown().await["status"], "running");

    let done = lost.ann.run(&image("another kite")).await;
    let other = done.body["id"].as_str().unwrap();
    assert_eq!(lost.tell_at(&word, &webhook(&lost.ann, "fal", other)).await.status, 200);
    assert_eq!(lost.ann.get(&format!("/v1/runs/{other}")).await.body["charged"], credit(4));
    assert_eq!(lost.shown().await["status"], "running");
}

#[tokio::test]
async fn a_result_that_fal_tells_of_after_the_release_is_a_gift() {
    let lost = Lost::after(2).await;
    lost.world.advance_and_sweep().await;
    assert_eq!(lost.ann.balance().await, (100, 0, 0));
    let word = lost.word(None);
    for _ in 0..2 {
        assert_eq!(lost.tell(&word).await.status, 200);
    }
    let shown = lost.shown().await;
    assert_eq!((&shown["status"], &shown["gift"]), (&json!("failed"), &json!(true)), "{shown}");
    let file = http().get(shown["outputs"][0]["download_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!((file.status().as_u16(), lost.ann.balance().await), (200, (100, 0, 0)));
    books::check_settled(&lost.world).await;
}

#[tokio::test]
async fn fals_word_that_something_went_wrong_is_not_believed_against_its_own_result() {
    for how in [WebhookFault::Error, WebhookFault::PayloadError, WebhookFault::OtherGateway] {
        let lost = Lost::after(2).await;
        assert_eq!(lost.tell(&lost.word(Some(how))).await.status, 200, "{how:?}");
        lost.check_charged_once().await;
    }
}

/// fal's answer to every question for the result; for the state it answers as ever. (The process that is gone asks fal, too: only
/// its stores are closed to it.)
fn answered_with(lost: &Lost, status: u16, body: &str) {
    let rule =
        |fault, matching: &str| FaultRule { matching: Some(matching.to_owned()), ..FaultRule::always(fault) };
    let faults = lost.world.sandbox.faults();
    faults.set(Service::Fal, rule(sandbox::Fault::Slow { ms: 1 }, "/status"));
    let scripted = sandbox::Fault::Scripted {
        status,
        headers: Default::default(),
        content_type: "application/json".to_owned(),
        body: body.to_owned(),
        then: sandbox::Then::End,
    };
    faults.set(Service::Fal, rule(scripted, "/requests/"));
}

#[tokio::test]
async fn a_refusal_behind_fals_word_gives_the_credit_back_and_pays_a_debt_first() {
    let lost = Lost::after(2).await;
    crate::jobs::take_the_welcome_back(&lost.world, &lost.ann).await;
    let word = lost.word(None);
    answered_with(&lost, 422, r#"{"detail":[{"type":"content_policy_violation"}]}"#);
    assert_eq!(lost.tell(&word).await.status, 200);
    assert_eq!(lost.shown().await["failure"], "content_rejected");
    assert_eq!(lost.ann.balance().await, (0, 0, 0));
}

#[tokio::test]
async fn a_failure_behind_fals_word_is_made_good_by_the_fallback() {
    let lost = Lost::after(2).await;
    let word = lost.word(None);
    answered_with(&lost, 500, r#"{"detail":"x","error_type":"internal_error"}"#);
    assert_eq!(lost.tell(&word).await.status, 200);
    assert_eq!(lost.shown().await["receipt"]["provider"], "comfyui");
    lost.check_charged_once().await;
}
