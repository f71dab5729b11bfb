//! `.env.example` lists every setting that the code reads, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if name.ends_with(".rs") && !name.starts_with("tests") {
            found.push(path);
        }
    }
}

/// Names in capitals between quotes, in files that read settings; those made up from parts are spelled out.
fn read_by_the_code() -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["shared", "functions"] {
        sources(&root().join(folder), &mut files);
    }
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
        // Crates read theirs in sections; a function that has some of its own asks the platform.
        let reads = ["Settings", ".env()", "env::var_os"];
        if !reads.iter().any(|sign| text.contains(sign)) {
            continue;
        }
        for quoted in text.split('"').skip(1).step_by(2) {
            let is_name = (quoted.contains('_') || ["PROFILE", "SECRETS"].contains(&quoted))
                && quoted.contains(|c: char| c.is_ascii_uppercase())
                && quoted.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
            if is_name {
                names.insert(quoted.to_owned());
            }
        }
    }
    // Parts of names, and one without an underscore: which names they are parts of follows below.
    let fal_models = [
        "FLUX_DEV",
        "FLUX_SCHNELL",
        "FLUX_DEV_FROM_PICTURE",
        "KLING",
        "KLING_FROM_PICTURE",
        "WAN",
        "WAN_FROM_PICTURE",
    ];
    for part in fal_models {
        names.remove(part);
    }
    for tier in ["CHAT", "REASONER"] {
        for price in ["HIT", "MISS", "OUTPUT"] {
            names.insert(format!("DEEPSEEK_{tier}_{price}_CENTS"));
        }
        names.insert(format!("PROVIDER_FIRST_CONTENT_MS_{tier}"));
    }
    for kind in ["VIDEOS", "CHANNELS", "MARKET"] {
        for what in ["ACTOR", "START_CENTS", "ROW_CENTS"] {
            names.insert(format!("APIFY_{kind}_{what}"));
        }
    }
    for kind in ["IMAGE", "VIDEO", "SPEECH", "CAPTIONS", "HEARING", "ROWS"] {
        names.insert(format!("PROVIDER_FIRST_CONTENT_MS_{kind}"));
    }
    for model in fal_models {
        names.insert(format!("FAL_{model}_MODEL"));
        names.insert(format!("FAL_{model}_UNIT_PRICE_CENTS"));
    }
    names
}

#[test]
fn the_example_lists_every_setting_the_code_reads_and_no_other() {
    let example = fs::read_to_string(root().join(".env.example")).unwrap();
    let listed: BTreeSet<String> = example
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('=').map(|(name, _)| name.to_owned()))
        .collect();
    let read = read_by_the_code();
    let missing: Vec<_> = read.difference(&listed).collect();
    let unread: Vec<_> = listed.difference(&read).collect();
    assert!(missing.is_empty(), "not in .env.example: {missing:?}");
    assert!(unread.is_empty(), "in .env.example, but nobody reads it: {unread:?}");
}

/// What a configured service needs is asked for at the start: a function that starts without it would refuse, or believe
/// nothing, in silence. An empty variable is an absent one.
#[tokio::test]
async fn what_a_configured_service_needs_is_required_at_the_start() {
    let world = crate::world::World::start().await;
    let started = |changes: &[(&str, &str)]| {
        let env = world.product.platform.env().with(changes.iter().copied());
        let platform = platform::Platform::build(env, world.clock.clone(), None).unwrap();
        citipen::functions(&platform).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(started(&[]), Ok(()));
    let needs: [(&[&str], &str); 10] = [
        (&["CLERK_ISSUER"], "CLERK_ISSUER"),
        (&["CLERK_WEBHOOK_SECRET"], "CLERK_WEBHOOK_SECRET"),
        (&["PSEUDONYM_PEPPER"], "PSEUDONYM_PEPPER"),
        (&["QUOTE_SECRET"], "QUOTE_SECRET"),
        (&["SEALING_KEYS"], "SEALING_KEYS"),
        (&["SEPAY_SECRET_KEY"], "SEPAY_SECRET_KEY"),
        (&["SEPAY_IPN_SECRETS"], "SEPAY_IPN_SECRETS"),
        (&["SITE_URL"], "SITE_URL"),
        (&["BANK_ACCOUNT_NAME"], "BANK_ACCOUNT_NAME"),
        (&["SEPAY_BANK_HMAC_SECRETS", "SEPAY_BANK_API_KEYS"], "SEPAY_BANK_HMAC_SECRETS"),
    ];
    for (missing, named) in needs {
        for empty in
            ["", "  ", if named.ends_with("SECRETS") || named.contains("WEBHOOK") { " , " } else { "" }]
        {
            let changes: Vec<(&str, &str)> = missing.iter().map(|name| (*name, empty)).collect();
            let refused = started(&changes).expect_err(named);
            assert!(refused.contains(named), "{named}: {refused}");
        }
    }
    // A service that is not configured needs nothing.
    for service in [
        &["SEPAY_MERCHANT_ID", "SEPAY_SECRET_KEY", "SEPAY_IPN_SECRETS", "SITE_URL"][..],
        &["BANK_ACCOUNT", "BANK_ACCOUNT_NAME", "SEPAY_BANK_HMAC_SECRETS", "SEPAY_BANK_API_KEYS"],
        &["TRON_WALLET", "TRONSCAN_API_KEY"],
        &["CLERK_SECRET_KEY"],
    ] {
        let changes: Vec<(&str, &str)> = service.iter().map(|name| (*name, "")).collect();
        assert_eq!(started(&changes), Ok(()), "{service:?}");
    }
}

/// Secrets that the run on one machine does not need, and why.
const NOT_GIVEN_HERE: &[(&str, &str)] = &[
    ("AWS_SESSION_TOKEN", "links are signed without one"),
    ("TRONGRID_API_KEY", "the sandbox's index asks for no key"),
    ("TRONSCAN_API_KEY", "the sandbox's index asks for no key"),
];

/// Without its secret a service that can be done without is missing, and nothing else says so.
#[tokio::test]
async fn every_secret_that_the_code_reads_is_given_on_one_machine() {
    let world = crate::world::World::start().await;
    let env = world.product.platform.env();
    let secrets = read_by_the_code();
    let words = ["KEY", "SECRET", "TOKEN", "PEPPER"];
    let secrets = secrets.iter().filter(|name| words.iter().any(|word| name.contains(word)));
    let secrets: Vec<&String> = secrets.filter(|name| !name.starts_with("SECRETS")).collect();
    assert!(secrets.len() > 15, "{secrets:?}");
    let missing: Vec<&str> = secrets
        .iter()
        .map(|name| name.as_str())
        .filter(|name| env.settings().optional(name).is_none())
        .collect();
    assert_eq!(missing, NOT_GIVEN_HERE.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

#[test]
fn the_example_as_it_stands_is_a_readable_file() {
    let names: Vec<String> =
        dotenvy::from_path_iter(root().join(".env.example")).unwrap().map(|line| line.unwrap().0).collect();
    assert!(names.len() > 40, "every line is read: {names:?}");
}
