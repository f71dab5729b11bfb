//! Content never leaves: a canary in every input is found only in the provider's request and in the output object.

use crate::books;
use crate::world::{World, http, image, script};
use platform::LogSettings;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

const CANARY: &str = "canary-7f3a91";

/// Keeps every log line of this process, at the most talkative level there is.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Captured {
    type Writer = Captured;

    fn make_writer(&self) -> Captured {
        self.clone()
    }
}

#[tokio::test]
async fn a_canary_in_every_input_reaches_only_the_provider_and_the_output() {
    let captured = Captured::default();
    // As the product starts its logs, but at its own most talkative level.
    let settings =
        LogSettings { level: "debug".to_owned(), metrics_namespace: Some("Citipen/test".to_owned()) };
    let subscriber = platform::subscriber(&settings, captured.clone());
    // For the whole process: the other tests' lines are caught too, and hold no canary.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let world = World::start().await;
    let ann = world.person("ann");
    let prompt = format!("a kite named {CANARY}");
    let run = ann.script(&prompt).await;
    assert!(run.body["outputs"][0]["text"].as_str().unwrap().contains(CANARY), "the provider did get it");
    let picture = ann.run(&image(&prompt)).await;
    assert_eq!(picture.status, 200);
    let quote = ann.send("POST", "/v1/quotes", &script(&prompt)).await;
    for marker in
        ["refuse", "cut_stream after=1", "garbage", "content_filter", "wrong_shape", "error_frame after=1"]
    {
        let failed = ann.script(&format!("{prompt} [[sandbox:{marker}]]")).await;
        assert!(failed.status == 200 || !failed.text.contains(CANARY), "{marker}: {}", failed.text);
    }
    let mut errors = String::new();
    for body in [
        format!("{{\"tool\":\"{CANARY}\",\"input\":{{\"prompt\":\"x\"}}}}"),
        format!("{{\"tool\":\"script\",\"input\":{{\"{CANARY}\":1,\"prompt\":\"x\"}}}}"),
        format!("{{\"tool\":\"script\",\"input\":{{\"prompt\":\"x\",\"model\":\"{CANARY}\"}}}}"),
        format!("{{\"tool\":\"script\",\"input\":{{\"prompt\":\"x\"}},\"{CANARY}\":1}}"),
        format!("{{\"tool\":\"script\",\"input\":{{\"prompt\":\"x\"}},\"run_id\":\"{CANARY}\"}}"),
        format!("{{\"tool\":\"script\",\"input\":{{\"prompt\":\"x\"}},\"quote_id\":\"{CANARY}\"}}"),
        CANARY.to_owned(),
    ] {
        let request = ann.request("POST", "/v1/runs").header("content-type", "application/json").body(body);
        errors += &request.send().await.unwrap().text().await.unwrap();
    }

    assert!(!errors.contains(CANARY), "{errors}");
    assert!(!quote.text.contains(CANARY));
    for table in citipen::tables() {
        for row in books::scan(&world, table.name).await {
            assert!(!format!("{row:?}").contains(CANARY), "{}: {row:?}", table.name);
        }
    }
    for path in ["/v1/runs", "/v1/account", "/v1/account/transactions"] {
        assert!(!ann.get(path).await.text.contains(CANARY), "{path}");
    }
    let logs = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(logs.contains("run finished"), "the logs were caught: {logs}");
    assert!(!logs.contains(CANARY), "{logs}");
    let token = world.sandbox.token("ann");
    assert!(!logs.contains(token.split('.').next_back().unwrap()) && !logs.contains("Bearer"));
    let object = http().get(run.body["outputs"][0]["download_url"].as_str().unwrap()).send().await.unwrap();
    assert!(object.text().await.unwrap().contains(CANARY), "the output object holds it");
}
