//! `template.yaml` against the code: folders, routes, tables, profile, settings and rights say the same.
//!
//! Each check takes the template and returns what is wrong with it, so that the tests also show, on changed
//! templates, that it would complain. What only SAM's transform can tell is checked by `infra/deploy/validate.sh`.

mod disk;
mod functions;
mod permitted;
mod reading;
mod rights;
mod stores;

use platform::{Env, Platform, Profile, TableSpec};
use primitives::Clock;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use disk::*;
use functions::*;
use permitted::*;
use reading::*;
use rights::*;
use stores::*;

type Complaints = Vec<String>;
/// Actions by the place they are done at.
type Places = &'static [(&'static str, &'static [&'static str])];

#[test]
fn every_function_folder_has_its_resource_and_the_reverse() {
    assert_fine(check_functions(&template(), &folders()));

    let mut more = folders();
    more.insert("tron-poll".to_owned());
    assert_complains(check_functions(&template(), &more), "functions/tron-poll has no resource TronPoll");
    let mut fewer = folders();
    fewer.remove("pricing");
    assert_complains(check_functions(&template(), &fewer), "the function Pricing has no folder");
    let x86 = changed("/Resources/Runs/Properties/Architectures", json!(["x86_64"]));
    assert_complains(check_functions(&x86, &folders()), "Runs: Architectures");
}

#[test]
fn the_routes_of_the_sources_are_those_of_the_openapi_document() {
    let document = serde_json::to_value(citipen::openapi()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = ["get", "post", "put", "patch", "delete"];
        documented.extend(
            methods.iter().filter(|m| !item[**m].is_null()).map(|m| (m.to_uppercase(), path.clone())),
        );
    }
    let declared: BTreeSet<(String, String)> =
        routes().into_iter().map(|route| (route.method, route.path)).collect();
    assert_eq!(declared, documented);
}

#[test]
fn every_route_has_its_event_on_its_function_and_the_reverse() {
    assert_fine(check_routes(&template(), &routes()));

    let gone = without("/Resources/Pricing/Properties/Events/Quote");
    assert_complains(check_routes(&gone, &routes()), "POST /v1/quotes has no event");
    let event = template()["Resources"]["RunTool"]["Properties"]["Events"]["Run"].clone();
    let mut moved = without("/Resources/RunTool/Properties/Events/Run");
    moved["Resources"]["Runs"]["Properties"]["Events"]["Run"] = event;
    assert_complains(check_routes(&moved, &routes()), "POST /v1/runs goes to Runs, not to RunTool");
    let extra = changed("/Resources/Runs/Properties/Events/Show/Properties/Method", json!("DELETE"));
    assert_complains(check_routes(&extra, &routes()), "which no source declares");
}

#[test]
fn every_path_that_pages_call_answers_preflights_and_no_webhook_does() {
    let gone = without("/Resources/Account/Properties/Events/ShowPreflight");
    assert_complains(check_routes(&gone, &routes()), "OPTIONS /v1/account has no event");
    let elsewhere = changed(
        "/Resources/Account/Properties/Events/ShowPreflight/Properties/Path",
        json!("/v1/webhooks/clerk"),
    );
    assert_complains(
        check_routes(&elsewhere, &routes()),
        "OPTIONS /v1/webhooks/clerk, which no source declares",
    );
}

#[test]
fn every_answer_streams_because_the_functions_write_streams() {
    let host = fs::read_to_string(root().join("shared/http/src/lambda.rs")).unwrap();
    assert!(host.contains("run_with_streaming_response("), "buffered answers need buffered integrations");
    let template = template();
    assert_fine(check_streaming(&template));
    let run = &template["Resources"]["RunTool"]["Properties"]["Events"]["Run"]["Properties"];
    assert_eq!(run["ResponseTransferMode"], "RESPONSE_STREAM");
    assert_eq!(run["TimeoutInMillis"], 900_000);

    let run = "/Resources/RunTool/Properties/Events/Run/Properties";
    let silently_buffered = changed(&format!("{run}/ResponseTransferMode"), json!("STREAM"));
    assert_complains(check_streaming(&silently_buffered), "\"STREAM\" is not RESPONSE_STREAM");
    assert_complains(check_streaming(&without(&format!("{run}/TimeoutInMillis"))), "gives up after 29000 ms");
    let edge = changed("/Resources/Api/Properties/EndpointConfiguration/Type", json!("EDGE"));
    assert_complains(check_streaming(&edge), "a regional one");
}

#[test]
fn a_run_has_time_to_settle_and_ends_before_its_reservation() {
    for profile in profiles() {
        assert_fine(check_run_time(&template(), budget_ms(), &profile));
        let check = |timeout: u64| {
            let template = changed("/Resources/RunTool/Properties/Timeout", json!(timeout));
            check_run_time(&template, budget_ms(), &profile)
        };
        assert_complains(check(290), "no time to settle");
        assert_complains(check(900), "longer than a reservation lives");
    }
}

#[test]
fn what_has_no_route_is_ticked_on_its_schedule_once_and_without_retries() {
    assert_fine(check_schedules(&template(), &routes()));

    let sweep = "/Resources/ReservationSweep/Properties";
    let retried = format!("{sweep}/Events/EveryMinute/Properties/RetryPolicy/MaximumRetryAttempts");
    assert_complains(check_schedules(&changed(&retried, json!(3)), &routes()), "not retried by the schedule");
    let seldom = format!("{sweep}/Events/EveryMinute/Properties/ScheduleExpression");
    assert_complains(check_schedules(&changed(&seldom, json!("rate(1 hour)")), &routes()), "when it should");
    let parallel = without(&format!("{sweep}/ReservedConcurrentExecutions"));
    assert_complains(check_schedules(&parallel, &routes()), "once at a time");
    let unticked = without(&format!("{sweep}/Events/EveryMinute"));
    assert_complains(check_schedules(&unticked, &routes()), "either routes or one schedule");
}

#[test]
fn every_table_is_as_its_crate_declares_it_and_the_reverse() {
    let specs = citipen::tables();
    assert_fine(check_tables(&template(), &specs));

    let (_, fewer) = specs.split_first().unwrap();
    assert_complains(check_tables(&template(), fewer), "a table that no code declares");
    for (pointer, value, part) in [
        ("AccountsTable/Properties/KeySchema/0/AttributeName", json!("account"), "AccountsTable: KeySchema"),
        ("AccountsTable/Properties/AttributeDefinitions/2/AttributeType", json!("S"), "AttributeDefinitions"),
        (
            "AccountsTable/Properties/GlobalSecondaryIndexes/0/Projection/ProjectionType",
            json!("ALL"),
            "AccountsTable: GlobalSecondaryIndexes",
        ),
        ("UsageLogTable/Properties/TimeToLiveSpecification/AttributeName", json!("at"), "TimeToLive"),
        (
            "CreditTransactionsTable/Properties/TimeToLiveSpecification",
            json!({ "AttributeName": "ttl", "Enabled": true }),
            "CreditTransactionsTable: TimeToLiveSpecification is set",
        ),
        (
            "AccountsTable/Properties/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled",
            json!(false),
            "AccountsTable: PointInTimeRecovery",
        ),
        ("UsersTable/Properties/DeletionProtectionEnabled", json!(false), "UsersTable: DeletionProtection"),
        ("UsersTable/Properties/SSESpecification/SSEEnabled", json!(false), "UsersTable: SSESpecification"),
        ("UsersTable/DeletionPolicy", json!("Delete"), "UsersTable: DeletionPolicy"),
    ] {
        let template = changed(&format!("/Resources/{pointer}"), value);
        assert_complains(check_tables(&template, &specs), part);
    }
}

#[test]
fn media_is_private_sealed_and_gone_after_its_days() {
    assert_fine(check_media(&template()));

    let bucket = "/Resources/MediaBucket/Properties";
    for (pointer, value, part) in [
        ("LifecycleConfiguration/Rules/0/ExpirationInDays", json!(31), "LifecycleConfiguration"),
        ("LifecycleConfiguration/Rules/0/Prefix", json!("tmp/"), "LifecycleConfiguration"),
        ("LifecycleConfiguration/Rules/0/Status", json!("Disabled"), "LifecycleConfiguration"),
        ("PublicAccessBlockConfiguration/BlockPublicPolicy", json!(false), "PublicAccessBlock"),
        ("CorsConfiguration/CorsRules/0/AllowedOrigins", json!(["*"]), "CorsConfiguration"),
        ("VersioningConfiguration", json!({ "Status": "Enabled" }), "only be hidden"),
    ] {
        assert_complains(check_media(&changed(&format!("{bucket}/{pointer}"), value)), part);
    }
    let statements = "/Resources/MediaBucketPolicy/Properties/PolicyDocument/Statement";
    let open = changed(&format!("{statements}/0/Effect"), json!("Allow"));
    assert_complains(check_media(&open), "SecureTransport");
    assert_complains(check_media(&open), "only functions have rights");
}

#[test]
fn the_key_turns_yearly_and_outlives_the_stack() {
    assert_fine(check_key(&template()));

    let stuck = changed("/Resources/DataKey/Properties/EnableKeyRotation", json!(false));
    assert_complains(check_key(&stuck), "EnableKeyRotation");
    let gone = changed("/Resources/DataKey/DeletionPolicy", json!("Delete"));
    assert_complains(check_key(&gone), "DataKey: DeletionPolicy");
    let statements = "/Resources/DataKey/Properties/KeyPolicy/Statement";
    let anybody = changed(&format!("{statements}/0/Principal"), json!("*"));
    assert_complains(check_key(&anybody), "IAM alone");
}

#[test]
fn outputs_lie_where_the_rule_and_the_rights_look() {
    let format = format!("format!(\"{TEMPORARY}{{account}}/");
    assert!(
        source_below(&root().join("shared/media/src")).contains(&format),
        "`output_key` has another prefix"
    );
}

#[test]
fn days_are_the_profiles() {
    assert_fine(check_profiles(&template(), &profiles()));

    let longer = changed("/Mappings/Profiles/citipen/LogsDays", json!(365));
    assert_complains(check_profiles(&longer, &profiles()), "the profiles are");
    let fixed = changed("/Resources/RunsLogs/Properties/RetentionInDays", json!(7));
    assert_complains(check_profiles(&fixed, &profiles()), "RunsLogs does not end after");
    let elsewhere = without("/Resources/Runs/Properties/LoggingConfig/LogGroup");
    assert_complains(check_profiles(&elsewhere, &profiles()), "Runs does not write to RunsLogs");
}

#[test]
fn every_function_may_do_what_its_code_does_and_nothing_else() {
    assert_fine(check_rights(&template()));

    let statement = |action: &str, resource: Value| json!({ "Effect": "Allow", "Action": [action], "Resource": resource });
    let arn = |resource: &str| json!({ "Fn::GetAtt": [resource, "Arn"] });
    let with = |function: &str, statement: Value| {
        changed(&format!("/Resources/{function}/Properties/Policies/0/Statement/-"), statement)
    };
    for (template, part) in [
        (
            with("Pricing", statement("dynamodb:UpdateItem", arn("AccountsTable"))),
            "Pricing: dynamodb:UpdateItem on accounts is too much",
        ),
        (
            with(
                "Runs",
                statement("dynamodb:Query", json!({ "Fn::Sub": "${AccountsTable.Arn}/index/by-due" })),
            ),
            "Runs: dynamodb:Query on accounts/index/by-due is too much",
        ),
        (
            with("Runs", statement("dynamodb:*", arn("UsageLogTable"))),
            "does not allow actions by their names",
        ),
        (with("Runs", statement("*", arn("UsageLogTable"))), "does not allow actions by their names"),
        (with("Runs", statement("dynamodb:GetItem", json!("*"))), "no place a function may have rights to"),
        (
            with("Runs", statement("s3:GetObject", json!({ "Fn::Sub": "${MediaBucket.Arn}/*" }))),
            "no place a function may have rights to",
        ),
        (
            with("Runs", statement("dynamodb:Query", json!({ "Fn::Sub": "${AccountsTable.Arn}/index/*" }))),
            "no place a function may have rights to",
        ),
        // The key without the service it is meant for.
        (with("Runs", statement("kms:Decrypt", arn("DataKey"))), "no place a function may have rights to"),
        (
            changed("/Resources/Runs/Properties/Policies/-", json!("AdministratorAccess")),
            "no policy written here",
        ),
        (
            changed("/Resources/Runs/Properties/Role", json!("arn:…")),
            "Runs may give rights that nobody checks",
        ),
        (
            changed("/Resources/Aside", json!({ "Type": "AWS::IAM::Policy" })),
            "Aside may give rights that nobody checks",
        ),
        (
            changed("/Resources/Runs/Properties/Policies/0/Statement/0/Effect", json!("Deny")),
            "Runs: dynamodb:GetItem on accounts is missing",
        ),
        (
            changed("/Resources/Runs/Properties/Policies/0/Statement/0/NotAction", json!(["s3:PutObject"])),
            "does not allow actions by their names",
        ),
    ] {
        assert_complains(check_rights(&template), part);
    }
}

#[test]
fn only_those_who_move_credit_may_write_accounts_and_nobody_rewrites_history() {
    assert_fine(check_account_writers(&template()));

    for (function, table, part) in [
        ("Pricing", "AccountsTable", "Pricing writes accounts"),
        ("RunTool", "CreditTransactionsTable", "history"),
    ] {
        let statement = json!({
            "Effect": "Allow", "Action": "dynamodb:UpdateItem", "Resource": { "Fn::GetAtt": [table, "Arn"] },
        });
        let pointer = format!("/Resources/{function}/Properties/Policies/0/Statement/-");
        assert_complains(check_account_writers(&changed(&pointer, statement)), part);
    }
}

#[test]
fn every_function_is_given_the_settings_it_reads_and_no_others() {
    assert_fine(check_settings(&template(), &function_sources()));

    let gone = without("/Resources/Pricing/Properties/Environment/Variables/QUOTE_SECRET");
    assert_complains(check_settings(&gone, &function_sources()), "Pricing lacks QUOTE_SECRET");
    let spread = changed("/Resources/Runs/Properties/Environment/Variables/FAL_KEY", json!("x"));
    assert_complains(check_settings(&spread, &function_sources()), "Runs does not read FAL_KEY");
    let plain = changed("/Resources/RunTool/Properties/Environment/Variables/FAL_KEY", json!("id:secret"));
    assert_complains(check_settings(&plain, &function_sources()), "FAL_KEY is no reference");
}

/// Holds [`SETTINGS`] to the crates: a new required setting must find its way into the table, and so the template.
#[test]
fn every_setting_that_must_be_there_is_in_the_table_and_every_one_in_the_table_is_read() {
    let source = shared_source();
    let mut required = BTreeSet::new();
    for reader in ["settings.text(\"", "settings.url(\"", "settings.secret(\""] {
        required.extend(source.split(reader).skip(1).map(|rest| rest.split('"').next().unwrap()));
    }
    // Asked for only where the server is configured.
    required.remove("COMFYUI_URL");
    let tabled: BTreeSet<&str> =
        SETTINGS.iter().flat_map(|(_, required, _)| required.iter().copied()).collect();
    let known: BTreeSet<&str> = tabled.iter().chain(GIVEN_BY_LAMBDA).copied().collect();
    assert_eq!(required, known);
    for (_, required, optional) in SETTINGS {
        for variable in required.iter().chain(*optional) {
            assert!(source.contains(&format!("\"{variable}\"")), "nobody reads {variable}");
        }
    }
}

#[test]
fn all_functions_start_with_the_settings_of_the_template() {
    let template = template();
    let mut variables = BTreeSet::new();
    for function in of_type(&template, "AWS::Serverless::Function").values() {
        let own = function["Environment"]["Variables"].as_object();
        variables.extend(own.into_iter().flat_map(Map::keys).map(String::as_str));
    }
    let given: Vec<(&str, &str)> = variables
        .into_iter()
        .map(|variable| match variable {
            "ALLOWED_ORIGINS" | "CLERK_ISSUER" | "COMFYUI_URL" => (variable, "https://example.com"),
            "CLERK_WEBHOOK_SECRET" => (variable, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"),
            other => (other, "given-by-the-deployment"),
        })
        .collect();
    let started = citipen::functions(&platform_with(&given));
    assert!(started.is_ok(), "{}", started.err().map(|error| error.to_string()).unwrap_or_default());
}
