//! Voices and transcripts.

use super::{
    TRANSCRIPT, charges, check_files, check_settled, failures, finished, transcript, uploaded, voice, wav,
};
use crate::books;
use crate::uploads::{M4A, WAV};
use crate::world::{World, credit};
use sandbox::{Fault, FaultRule, Service};
use serde_json::{Value, json};

#[tokio::test]
async fn vietnamese_is_spoken_by_omnivoice() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let run = finished(&world, &ann, &voice("Một con diều đỏ.")).await;
    assert_eq!((&run["receipt"]["provider"], &run["charged"]), (&json!("omnivoice"), &credit(9)), "{run}");
    let journal = world.sandbox.journal();
    let asked = journal.iter().find(|entry| entry.path.ends_with("/v1/audio/speech")).unwrap();
    assert!(asked.body.contains(r#""language":"vi""#), "{}", asked.body);
    assert_eq!(world.provider_calls(Service::Replicate), 0);
    check_settled(&world).await;
}

#[tokio::test]
async fn what_omnivoice_refuses_or_loses_is_spoken_by_replicate() {
    for (fault, outcome) in [(Fault::Refuse, "unavailable"), (Fault::DropConnection, "broken_stream")] {
        let world = World::start().await;
        let ann = world.person("ann");
        ann.balance().await;
        world.sandbox.faults().set(Service::Omnivoice, FaultRule::always(fault));
        let run = finished(&world, &ann, &voice("Một con diều đỏ.")).await;
        assert_eq!(
            (&run["receipt"]["provider"], &run["charged"]),
            (&json!("replicate"), &credit(9)),
            "{run}"
        );
        assert_eq!(failures(&run)[0], ("omnivoice", outcome), "{run}");
        check_files(&run, &[("audio", "audio/wav", "wav", b"RIFF")]).await;
        check_settled(&world).await;
    }
}

#[tokio::test]
async fn a_voice_like_in_a_recording_needs_the_speakers_consent_which_the_receipt_keeps() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let id = uploaded(&ann, "audio", "audio/x-wav", &wav(4)).await;
    let with = |consent: Value| {
        let mut wish = voice("Một con diều đỏ.");
        wish["input"]["recording"] = json!(id);
        wish["input"]["consent"] = consent;
        wish
    };
    for no in [Value::Null, json!(false), json!("true"), json!(1)] {
        let refused = ann.run(&with(no)).await;
        assert_eq!((refused.status, refused.problem()), (422, "invalid_input"), "{}", refused.text);
        assert_eq!(refused.body["errors"][0]["pointer"], "/input/consent", "{}", refused.text);
    }
    assert_eq!((ann.balance().await, world.provider_calls(Service::Omnivoice)), ((100, 0, 0), 0));

    let run = finished(&world, &ann, &with(json!(true))).await;

    assert_eq!((&run["receipt"]["consent"], &run["charged"]), (&json!(true), &credit(9)), "{run}");
    let plain = finished(&world, &ann, &voice("Một con diều đỏ.")).await;
    assert_eq!(plain["receipt"].get("consent"), None, "{plain}");
    let short = uploaded(&ann, "audio", "audio/x-wav", WAV).await;
    let mut wish = with(json!(true));
    wish["input"]["recording"] = json!(short);
    let refused = ann.run(&wish).await;
    assert_eq!(refused.body["errors"][0]["pointer"], "/input/recording", "{}", refused.text);
    check_settled(&world).await;
}

/// OmniVoice hears no M4A, and Replicate speaks no Japanese. Replicate speaks Vietnamese like in such a recording, and
/// OmniVoice Japanese with a voice of ours.
#[tokio::test]
async fn what_no_provider_of_the_model_makes_is_refused_before_any_credit_is_held() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let id = uploaded(&ann, "audio", "audio/x-m4a", M4A).await;
    let mut wish = voice("赤い凧。");
    wish["input"]["language"] = json!("ja");
    let mut unmade = wish.clone();
    unmade["input"]["recording"] = json!(id);
    unmade["input"]["consent"] = json!(true);

    let told = [ann.run(&unmade).await, ann.stream(&unmade).await.unwrap_err()];

    for refused in told {
        assert_eq!((refused.status, refused.problem()), (422, "invalid_input"), "{}", refused.text);
        assert_eq!(refused.body["errors"][0]["pointer"], "/input", "{}", refused.text);
        assert_eq!(refused.body["credit"], "not_taken", "{}", refused.text);
    }
    assert_eq!((ann.balance().await, ann.transactions().await.len()), ((100, 0, 0), 1));
    assert_eq!((world.provider_calls(Service::Omnivoice), world.provider_calls(Service::Replicate)), (0, 0));
    for table in ["usage_log", "run_jobs"] {
        assert!(books::scan(&world, table).await.is_empty(), "{table}");
    }

    let mut vietnamese = unmade;
    (vietnamese["input"]["language"], vietnamese["input"]["text"]) = (json!("vi"), json!("Một con diều đỏ."));
    for (wish, provider) in [(wish, "omnivoice"), (vietnamese, "replicate")] {
        let run = finished(&world, &ann, &wish).await;
        assert_eq!((&run["receipt"]["provider"], &run["charged"]), (&json!(provider), &credit(9)), "{run}");
        assert!(failures(&run).is_empty(), "a provider that does not make it is not asked: {run}");
    }
    check_settled(&world).await;
}

#[tokio::test]
async fn a_recording_is_heard_by_groq() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let id = uploaded(&ann, "audio", "audio/x-wav", &wav(9)).await;
    let wish = json!({ "tool": "transcript", "input": { "recording": id, "language": "vi" } });
    let run = finished(&world, &ann, &wish).await;
    assert_eq!(
        (&run["model"], &run["receipt"]["provider"], &run["charged"]),
        (&json!("whisper"), &json!("groq"), &credit(4)),
        "{run}"
    );
    check_files(&run, &TRANSCRIPT).await;
    let both = json!({ "recording": id, "url": "https://youtu.be/dQw4w9WgXcQ" });
    for input in [both, json!({}), json!({ "recording": id, "model": "captions" })] {
        let refused = ann.run(&json!({ "tool": "transcript", "input": input })).await;
        assert_eq!((refused.status, refused.problem()), (422, "invalid_input"), "{}", refused.text);
    }
    check_settled(&world).await;
}

#[tokio::test]
async fn a_video_without_captions_gives_the_credit_back() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let failed = ann.run(&transcript("https://youtu.be/nocaption12")).await;
    assert_eq!((failed.status, failed.problem()), (502, "provider_failed"), "{}", failed.text);
    assert_eq!(ann.get("/v1/runs").await.body["runs"][0]["failure"], "empty_answer");
    assert_eq!((ann.balance().await, charges(&ann.transactions().await)), ((100, 0, 0), 0));
    check_settled(&world).await;
}
