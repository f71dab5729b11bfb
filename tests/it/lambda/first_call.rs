use super::Cloud;
use super::programs::{cargo, of_release};
use emulator::Options;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a start and its first call may cost together; measured are four milliseconds.
const COLD_CALL_MAX: Duration = Duration::from_millis(15);
const STARTS: usize = 5;

/// The only test that asserts a time, because this is a mistake that nothing else shows: with the SDK's default TLS
/// provider all is well but for 60 ms more of processor time in the first HTTPS call of every cold start. It is
/// **processor** time as the kernel counts it for this process, not the clock's, and the least of five starts, so that
/// a busy machine does not matter; and it is measured on the release binary, the only one that says anything.
///
/// The start counts too: the first HTTPS calls are made there already, for the secrets and to the tables.
#[tokio::test]
async fn the_first_https_call_of_a_cold_start_is_cheap() {
    let pricing = tokio::task::spawn_blocking(|| of_release("pricing")).await.unwrap();
    let programs = BTreeMap::from([("pricing".to_owned(), pricing)]);
    let cloud = Cloud::with(Options { programs, ..Options::default() }).await;
    let ann = cloud.person("ann");
    for _ in 0..STARTS {
        let answer = ann.get("/v1/pricing").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        cloud.rest("Pricing").await;
        cloud.lambda.kill("Pricing");
        cloud.rest("Pricing").await;
    }
    let courses = cloud.lambda.courses("Pricing");
    assert_eq!(courses.len(), STARTS, "each was a cold start");
    let cold_calls: Vec<Duration> = courses.iter().map(|course| course.polls[1].cpu).collect();
    let least = cold_calls.iter().min().unwrap();
    assert!(*least > Duration::ZERO, "the kernel counts");
    assert!(*least < COLD_CALL_MAX, "processor time of starts with their first calls: {courses:#?}");
}

/// A second provider would be linked by a feature that some dependency switches on.
#[test]
fn no_function_links_another_tls_provider_than_ring() {
    let functions = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions");
    for folder in std::fs::read_dir(functions).unwrap() {
        let package = folder.unwrap().file_name().into_string().unwrap();
        let mut tree = cargo();
        tree.args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--package", &package]);
        let output = tree.output().unwrap();
        let tree = String::from_utf8(output.stdout).unwrap();
        let links = |name: &str| tree.lines().any(|line| line.starts_with(&format!("{name} v")));
        assert!(links("ring") && links("rustls"), "{package}: {}", String::from_utf8_lossy(&output.stderr));
        for other in ["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls", "boring"] {
            assert!(!links(other), "{package} links {other}");
        }
    }
}
