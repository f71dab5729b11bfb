//! What each function is given: settings, secrets, rails.

use super::*;
use edge::Permission;

#[test]
fn every_function_is_given_the_settings_it_reads_and_no_others() {
    assert_fine(check_settings(&template(), &function_sources()));

    let variable = |function: &str, name: &str, value: Value| {
        changed(&format!("/Resources/{function}/Properties/Environment/Variables/{name}"), value)
    };
    let with = |function: &str, name: &str, value: &str| variable(function, name, json!(value));
    for (template, part) in [
        (without("/Resources/TopUps/Properties/Environment/Variables/BANK_BIN"), "TopUps lacks BANK_BIN"),
        (with("Runs", "SITE_URL", "x"), "Runs does not read SITE_URL"),
        (
            with("Pricing", "SECRETS", "PSEUDONYM_PEPPER"),
            "Pricing is told of the secrets \"PSEUDONYM_PEPPER\", not PSEUDONYM_PEPPER,QUOTE_SECRET",
        ),
        (with("Runs", "SECRETS", "FAL_KEY,PSEUDONYM_PEPPER"), "Runs is told of the secrets"),
        (with("Runs", "SECRETS_PATH", "/other/"), "Runs is told of the secrets"),
        (without("/Resources/TronPoll/Properties/Environment/Variables/SECRETS"), "TronPoll lacks SECRETS"),
        (with("ExchangeRates", "SECRETS", ""), "ExchangeRates does not read SECRETS"),
        // A secret in the environment could be read by everybody who may look at the function.
        (with("RunTool", "FAL_KEY", "id:secret"), "RunTool: FAL_KEY is a secret in an environment"),
        (
            variable(
                "RunTool",
                "FAL_KEY",
                json!({ "Fn::Sub": "{{resolve:ssm-secure:${SecretsPath}FAL_KEY}}" }),
            ),
            "RunTool: FAL_KEY is a secret in an environment",
        ),
    ] {
        assert_complains(check_settings(&template, &function_sources()), part);
    }
}

/// The names alone tell [`is_secret`] what is a secret: one that it misses would be wanted in an environment.
#[test]
fn every_setting_that_the_code_reads_as_a_secret_is_known_as_one_by_its_name() {
    let functions: String = function_sources().into_values().collect();
    let source = shared_source() + &functions;
    let mut read = BTreeSet::new();
    for reader in [".secret(\"", ".secrets(\"", ".optional_secret(\"", " secrets(\""] {
        read.extend(source.split(reader).skip(1).map(|rest| rest.split('"').next().unwrap()));
    }
    assert!(read.contains("SEALING_KEYS") && read.contains("SEPAY_BANK_HMAC_SECRETS"), "{read:?}");
    let given_by_lambda = |name: &&str| name.starts_with("AWS_");
    let missed: Vec<&str> =
        read.into_iter().filter(|name| !given_by_lambda(name) && !is_secret(name)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

/// No other check finds a secret that the code can do without and that the template gives to no function: what the
/// secret opens would be missing in the cloud, without an error.
#[test]
fn every_secret_that_the_code_reads_is_given_to_a_function() {
    let example = fs::read_to_string(root().join(".env.example")).unwrap();
    let names = example.lines().filter_map(|line| line.split_once('=').map(|(name, _)| name));
    let read: BTreeSet<&str> = names.filter(|name| !name.starts_with('#') && is_secret(name)).collect();
    assert!(read.contains("FAL_KEY") && read.contains("TRONGRID_API_KEY"), "{read:?}");
    assert_fine(check_secrets(&read));

    let more = read.iter().copied().chain(["UNUSED_API_KEY"]).collect();
    assert_complains(check_secrets(&more), "UNUSED_API_KEY is given to no function");
}

/// Holds [`SETTINGS`] to the crates: a new required setting must find its way into the table, and so the template.
#[test]
fn every_setting_that_must_be_there_is_in_the_table_and_every_one_in_the_table_is_read() {
    let functions: String = function_sources().into_values().collect();
    let source = shared_source() + &functions;
    let mut required = BTreeSet::new();
    for reader in ["settings.text(\"", "settings.url(\"", "settings.secret(\""] {
        required.extend(source.split(reader).skip(1).map(|rest| rest.split('"').next().unwrap()));
    }
    for (setting, beside) in ONLY_BESIDE {
        assert!(required.remove(setting), "{setting} is not required any more");
        assert!(source.contains(&format!("settings.optional(\"{beside}\")")), "{setting} hangs on {beside}");
    }
    let of_edges = EDGE_SETTINGS.iter().map(|(_, required, optional)| (*required, *optional));
    let tables: Vec<(&[&str], &[&str])> =
        SETTINGS.iter().map(|(_, required, optional)| (*required, *optional)).chain(of_edges).collect();
    let tabled: BTreeSet<&str> = tables.iter().flat_map(|(required, _)| required.iter().copied()).collect();
    let known: BTreeSet<&str> = tabled.iter().chain(GIVEN_BY_LAMBDA).copied().collect();
    assert_eq!(required, known);
    let of_the_host = WHERE_SECRETS_LIE.iter().chain([&METRICS_NAMESPACE]);
    let all = tables.iter().flat_map(|(required, optional)| required.iter().chain(*optional));
    for variable in all.chain(of_the_host) {
        assert!(source.contains(&format!("\"{variable}\"")), "nobody reads {variable}");
    }
}

#[test]
fn all_functions_start_with_the_settings_of_the_template_and_without_any_rail() {
    let template = template();
    let (mut variables, mut secrets) = (BTreeSet::new(), BTreeSet::new());
    for function in of_type(&template, "AWS::Serverless::Function").values() {
        let own = &function["Environment"]["Variables"];
        variables.extend(own.as_object().into_iter().flat_map(Map::keys).map(String::as_str));
        secrets.extend(own["SECRETS"].as_str().into_iter().flat_map(|names| names.split(',')));
    }
    let railless = |names: &BTreeSet<&'_ str>| -> BTreeSet<String> {
        let is_of_rail = |name: &&str| ["BANK_", "SEPAY_", "TRON"].iter().any(|rail| name.starts_with(rail));
        names.iter().filter(|name| !is_of_rail(name)).map(|&name| name.to_owned()).collect()
    };
    let all = |names: &BTreeSet<&str>| names.iter().map(|&name| name.to_owned()).collect();
    for (variables, secrets) in [
        (railless(&variables), railless(&secrets)),
        // The secrets of a rail may lie there without it.
        (railless(&variables), all(&secrets)),
        (all(&variables), all(&secrets)),
    ] {
        let given: Vec<(&str, &str)> =
            variables.union(&secrets).map(|name| (name.as_str(), given(name))).collect();
        let started = citipen::functions(&platform_with(&given));
        assert!(started.is_ok(), "{}", started.err().map(|error| error.to_string()).unwrap_or_default());
    }
}

/// What a deployment could give a function under a name.
fn given(name: &str) -> &'static str {
    match name {
        "ALLOWED_ORIGINS" | "API_URL" | "CLERK_ISSUER" | "COMFYUI_URL" | "DROPBOX_FOLDER_URL"
        | "SITE_URL" => "https://example.com",
        "OMNIVOICE_URL" | "REPLICATE_SPEAKER_URL" => "https://example.com",
        "CLERK_WEBHOOK_SECRET" | "REPLICATE_WEBHOOK_SECRETS" => "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
        "CLERK_ACCEPT_WITHOUT_AZP" => "false",
        "BANK_ACCOUNT" => sandbox::BANK_ACCOUNT,
        "BANK_BIN" => sandbox::BANK_BIN,
        "PROVIDER_BALANCE_MIN_CENTS" => "1000",
        "RATE_AGE_MAX_HOURS" => "120",
        "SEALING_KEYS" => "a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "TRON_WALLET" => sandbox::TRON_WALLET,
        _ => "given-by-the-deployment",
    }
}

/// The tables say who is given a secret, and [`check_settings`] holds the template to the tables.
fn check_secrets(read: &BTreeSet<&str>) -> Complaints {
    let of_edges = EDGE_SETTINGS.iter().map(|(_, required, optional)| (*required, *optional));
    let tables = SETTINGS.iter().map(|(_, required, optional)| (*required, *optional)).chain(of_edges);
    let given: BTreeSet<&str> =
        tables.flat_map(|(required, optional)| required.iter().chain(optional)).copied().collect();
    let is_of_the_host = |name: &str| name.starts_with("AWS_") || name.starts_with(WHERE_SECRETS_LIE[0]);
    let missing = read.iter().filter(|name| !given.contains(*name) && !is_of_the_host(name));
    missing.map(|name| format!("{name} is given to no function")).collect()
}

/// What a function reads, by [`SETTINGS`] and [`EDGE_SETTINGS`]; empty for what is no function of ours.
fn settings_of(name: &str, sources: &BTreeMap<String, String>) -> BTreeSet<&'static str> {
    let Some(source) = sources.get(name) else { return BTreeSet::new() };
    let built = SETTINGS.iter().filter(|(builder, ..)| source.contains(builder));
    let built = built.flat_map(|(_, required, optional)| required.iter().chain(*optional));
    let permissions: Vec<Permission> =
        declared_in(name, source).iter().filter_map(|route| route.permission).collect();
    let edge = EDGE_SETTINGS.iter().filter(|(holds, ..)| permissions.iter().copied().any(holds));
    let edge = edge.flat_map(|(_, required, optional)| required.iter().chain(*optional));
    built.chain(edge).copied().collect()
}

/// The secrets that a function reads.
pub(super) fn secrets_of(name: &str, sources: &BTreeMap<String, String>) -> BTreeSet<&'static str> {
    settings_of(name, sources).into_iter().filter(|setting| is_secret(setting)).collect()
}

/// `sources` are the functions' sources by resource name.
fn check_settings(template: &Value, sources: &BTreeMap<String, String>) -> Complaints {
    let mut complaints = Complaints::new();
    let keys =
        |values: &Value| values.as_object().into_iter().flat_map(Map::keys).cloned().collect::<Vec<_>>();
    for (name, function) in of_type(template, "AWS::Serverless::Function") {
        let own = &function["Environment"]["Variables"];
        let common = &template["Globals"]["Function"]["Environment"]["Variables"];
        let set: BTreeSet<String> = keys(own).into_iter().chain(keys(common)).collect();
        let secrets = secrets_of(name, sources);
        let mut wanted: BTreeSet<String> =
            settings_of(name, sources).difference(&secrets).map(|&variable| variable.to_owned()).collect();
        wanted.insert(METRICS_NAMESPACE.to_owned());
        if !secrets.is_empty() {
            wanted.extend(WHERE_SECRETS_LIE.map(str::to_owned));
            let names = Vec::from_iter(secrets).join(",");
            if own["SECRETS"] != names || own["SECRETS_PATH"] != json!({ "Ref": "SecretsPath" }) {
                complaints.push(format!("{name} is told of the secrets {}, not {names}", own["SECRETS"]));
            }
        }
        complaints.extend(wanted.difference(&set).map(|variable| format!("{name} lacks {variable}")));
        complaints.extend(set.difference(&wanted).map(|variable| format!("{name} does not read {variable}")));
        let exposed =
            set.iter().filter(|name| is_secret(name) && !WHERE_SECRETS_LIE.contains(&name.as_str()));
        complaints
            .extend(exposed.map(|variable| format!("{name}: {variable} is a secret in an environment")));
    }
    complaints
}
