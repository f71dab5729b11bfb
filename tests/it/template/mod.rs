//! `template.yaml` against the code: folders, routes, tables, profile, settings and rights say the same.
//!
//! Each check takes the template and returns what is wrong with it, so that the tests also show, on changed
//! templates, that it would complain. What only SAM's transform can tell is checked by `infra/deploy/validate.sh`.

mod alarms;
mod dashboard;
mod disk;
mod door;
mod functions;
mod permitted;
mod reading;
mod rights;
mod stores;
mod used;

use platform::{Env, Platform, Profile, TableSpec};
use primitives::Clock;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use alarms::*;
use dashboard::*;
use disk::*;
use door::*;
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
    more.insert("oauth-callback".to_owned());
    assert_complains(
        check_functions(&template(), &more),
        "functions/oauth-callback has no resource OauthCallback",
    );
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
    let gone = without("/Resources/SepayWebhook/Properties/Events/Ipn");
    assert_complains(check_routes(&gone, &routes()), "POST /v1/webhooks/sepay/ipn has no event");
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
    let gone = without("/Resources/TopUps/Properties/Events/CancelPreflight");
    assert_complains(check_routes(&gone, &routes()), "OPTIONS /v1/top-ups/{id}/cancel has no event");
    let event = &template()["Resources"]["SepayWebhook"]["Properties"]["Events"]["Ipn"];
    let mut preflight = event.clone();
    preflight["Properties"]["Method"] = json!("OPTIONS");
    let open = changed("/Resources/SepayWebhook/Properties/Events/IpnPreflight", preflight);
    assert_complains(
        check_routes(&open, &routes()),
        "OPTIONS /v1/webhooks/sepay/ipn, which no source declares",
    );
}

#[test]
fn every_answer_streams_because_the_functions_write_streams() {
    let streams = ["\"Lambda-Runtime-Function-Response-Mode\", \"streaming\""];
    let source = shared_source();
    assert!(streams.iter().any(|sign| source.contains(sign)), "buffered answers need buffered integrations");
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
    let unstoppable = without(&format!("{sweep}/Events/EveryMinute/Properties/State"));
    assert_complains(check_schedules(&unstoppable, &routes()), "can be stopped with all others");
    let unticked = without(&format!("{sweep}/Events/EveryMinute"));
    assert_complains(check_schedules(&unticked, &routes()), "either routes or one schedule");
}

#[test]
fn the_chain_is_polled_daily_at_least_and_never_before_the_last_poll_has_ended() {
    let weekly = changed("/Parameters/TronPollSchedule/AllowedPattern", json!("rate\\(.*\\)"));
    assert_complains(check_schedules(&weekly, &routes()), "TronPollSchedule: AllowedPattern");
    let seldom = changed("/Parameters/TronPollSchedule/Default", json!("rate(7 days)"));
    assert_complains(check_schedules(&seldom, &routes()), "TronPollSchedule: Default");
    let fixed = "/Resources/TronPoll/Properties/Events/Regularly/Properties/ScheduleExpression";
    assert_complains(
        check_schedules(&changed(fixed, json!("rate(10 minutes)")), &routes()),
        "when it should",
    );
    for function in ["TronPoll", "PaymentReconciliation"] {
        let long = changed(&format!("/Resources/{function}/Properties/Timeout"), json!(360));
        assert_complains(check_schedules(&long, &routes()), "may still run when the next tick comes");
    }
}

#[test]
fn webhooks_schedules_and_runs_have_places_of_their_own() {
    assert_fine(check_concurrency(&template()));

    let places = |function: &str| format!("/Resources/{function}/Properties/ReservedConcurrentExecutions");
    let reserved =
        |number: u64| json!({ "Fn::If": ["ReservesConcurrency", number, { "Ref": "AWS::NoValue" }] });
    assert_complains(
        check_concurrency(&without(&places("SepayWebhook"))),
        "SepayWebhook: its own places are",
    );
    assert_complains(check_concurrency(&without(&places("TronPoll"))), "TronPoll: its own places are");
    let fixed = changed(&places("ReservationSweep"), json!(1));
    assert_complains(check_concurrency(&fixed), "ReservationSweep: its own places are 1");
    let two = changed(&places("ReservationSweep"), reserved(2));
    assert_complains(check_concurrency(&two), "ReservationSweep: its own places are");
    let greedy = changed(&places("Runs"), reserved(100));
    assert_complains(check_concurrency(&greedy), "Runs: its own places are");
    let other = changed("/Conditions/ReservesConcurrency", json!({ "Fn::Equals": [1, 1] }));
    assert_complains(check_concurrency(&other), "ReservesConcurrency does not say");
}

#[test]
fn every_function_says_how_much_memory_it_needs() {
    assert_fine(check_memory(&template()));

    let silent = without("/Resources/Pricing/Properties/MemorySize");
    assert_complains(check_memory(&silent), "Pricing: MemorySize is null");
    let common = changed("/Globals/Function/MemorySize", json!(512));
    assert_complains(check_memory(&common), "memory is chosen for each function");
}

#[test]
fn a_flood_of_other_routes_leaves_the_webhooks_theirs() {
    assert_fine(check_throttles(&template(), &routes()));

    let settings = "/Resources/Api/Properties/MethodSettings";
    for (pointer, value, part) in [
        ("0/ThrottlingRateLimit", json!(10_000), "* /* has not its own 200"),
        // As CloudFormation would not find it.
        (
            "2/ResourcePath",
            json!("/v1/webhooks/sepay/bank"),
            "POST /~1v1~1webhooks~1sepay~1bank has not its own 50",
        ),
        ("3/DataTraceEnabled", json!(true), "POST /~1v1~1webhooks~1sepay~1ipn: the gateway may log bodies"),
        ("1/HttpMethod", json!("GET"), "no webhook is GET /~1v1~1webhooks~1clerk"),
    ] {
        let template = changed(&format!("{settings}/{pointer}"), value);
        assert_complains(check_throttles(&template, &routes()), part);
    }
}

#[test]
fn the_door_takes_only_new_tls_and_writes_down_nobodys_address() {
    assert_fine(check_door(&template()));

    let api = "/Resources/Api/Properties";
    let format = template().pointer(&format!("{api}/AccessLogSetting/Fn::If/1/Format")).unwrap().clone();
    let with_address = text(&format).replace('}', r#","ip":"$context.identity.sourceIp"}"#);
    for (pointer, value, part) in [
        (format!("{api}/SecurityPolicy"), json!("TLS_1_0"), "Api: SecurityPolicy"),
        (format!("{api}/TracingEnabled"), json!(true), "Api: TracingEnabled"),
        (format!("{api}/DisableExecuteApiEndpoint"), json!(false), "Api: DisableExecuteApiEndpoint"),
        (format!("{api}/Name"), json!("api"), "Api: Name"),
        (format!("{api}/AccessLogSetting/Fn::If/1/Format"), json!(with_address), "the access log writes"),
        (
            format!("{api}/AccessLogSetting/Fn::If/1/Format"),
            json!("$context.requestId"),
            "the access log writes",
        ),
        ("/Resources/Api/DependsOn".to_owned(), Value::Null, "must wait for the role"),
        ("/Resources/ApiLogsAccount/Condition".to_owned(), Value::Null, "is there without ApiLogs"),
        ("/Resources/ApiDomain/Properties/SecurityPolicy".to_owned(), json!("TLS_1_0"), "ApiDomain is"),
        ("/Resources/ApiDomainRecord/Condition".to_owned(), json!("HasDomain"), "ApiDomainRecord is"),
    ] {
        assert_complains(check_door(&changed(&pointer, value)), part);
    }
}

#[test]
fn the_dashboard_shows_what_is_counted_and_all_of_it() {
    let logged = logged_metrics();
    assert_fine(check_dashboard(&template(), &logged));

    let pointer = "/Resources/Dashboard/Properties/DashboardBody/Fn::Sub";
    let body = text(template().pointer(pointer).unwrap());
    for (from, to, part) in [
        (r#""payments_waiting""#, r#""payments_queued""#, "nobody counts"),
        (r#""payments_waiting""#, r#""payments_queued""#, "does not show payments_waiting of ours"),
        (
            r#""Errors", "FunctionName", "${Admin}""#,
            r#""Errors", "FunctionName", "${Adminn}""#,
            "nobody counts",
        ),
        (
            r#""Errors", "FunctionName", "${Admin}""#,
            r#""Errors", "FunctionName", "${Runs}""#,
            "does not show Errors of ${Admin}",
        ),
        (r#""5XXError", "ApiName""#, r#""5xxError", "ApiName""#, "nobody counts"),
        ("${AWS::StackName}-api", "${AWS::StackName}", "nobody counts"),
        (r#""TableName", "${UsersTable}""#, r#""TableName", "${Users}""#, "does not show ReadThrottleEvents"),
        ("\"region\": \"${AWS::Region}\"", "\"region\": \"us-east-1\"", "without title, region or lines"),
        ("]", "", "is no JSON"),
    ] {
        assert!(body.contains(from), "{from} is not in the dashboard");
        assert_complains(check_dashboard(&changed(pointer, json!(body.replace(from, to))), &logged), part);
    }
    let mut more = logged.clone();
    more.insert("payment_reversed".to_owned(), BTreeSet::new());
    assert_complains(check_dashboard(&template(), &more), "does not show payment_reversed of ours");
}

#[test]
fn sepay_has_its_answer_before_it_gives_up() {
    assert_fine(check_webhook_time(&template()));

    for timeout in [12, 30] {
        let template = changed("/Resources/SepayWebhook/Properties/Timeout", json!(timeout));
        assert_complains(check_webhook_time(&template), "SePay waits 30");
    }
}

#[test]
fn a_rail_without_its_parameter_is_not_configured() {
    assert_fine(check_rails(&template()));

    let variables = "/Resources/SepayWebhook/Properties/Environment/Variables";
    let unasked = changed(&format!("{variables}/BANK_ACCOUNT"), json!({ "Ref": "BankAccount" }));
    assert_complains(check_rails(&unasked), "BANK_ACCOUNT is there without BankAccount");
    let swapped = changed(&format!("{variables}/SEPAY_MERCHANT_ID/Fn::If/0"), json!("HasTransfers"));
    assert_complains(check_rails(&swapped), "SEPAY_MERCHANT_ID is there without SepayMerchantId");
    let other = changed("/Conditions/HasUsdt", json!({ "Fn::Equals": [1, 1] }));
    assert_complains(check_rails(&other), "HasUsdt does not say");
}

#[test]
fn every_number_that_the_code_logs_rings_and_every_alarm_waits_for_something() {
    let logged = logged_metrics();
    assert_fine(check_alarms(&template(), &logged));

    let silent = without("/Resources/PaymentDifferencesAlarm");
    assert_complains(check_alarms(&silent, &logged), "payment_differences rings nowhere");
    let mut more = logged.clone();
    more.insert("payment_reversed".to_owned(), BTreeSet::from(["Admin".to_owned()]));
    assert_complains(check_alarms(&template(), &more), "payment_reversed rings nowhere");
    let mut fewer = logged.clone();
    fewer.remove("rail_silent");
    assert_complains(check_alarms(&template(), &fewer), "RailSilentAlarm waits for what nobody logs");
    let mut unheard = logged.clone();
    unheard.insert("rail_silent".to_owned(), BTreeSet::new());
    assert_complains(check_alarms(&template(), &unheard), "no function can log rail_silent");
    for (pointer, value, part) in [
        ("RailSilentAlarm/Properties/Threshold", json!(1), "RailSilentAlarm is"),
        ("RailSilentAlarm/Properties/Namespace", json!("Citipen"), "RailSilentAlarm is"),
        ("RailSilentAlarm/Properties/AlarmActions", json!([]), "RailSilentAlarm is"),
        ("RailSilentAlarm/Properties/AlarmDescription", json!("rail"), "does not say what it means"),
        (
            "PaymentsWaitingAlarm/Properties/TreatMissingData",
            json!("notBreaching"),
            "PaymentsWaitingAlarm is",
        ),
        ("SweepStillAlarm/Properties/Dimensions/0/Value", json!({ "Ref": "Runs" }), "SweepStillAlarm is"),
        ("SweepStillAlarm/Properties/ActionsEnabled", json!(false), "SweepStillAlarm is"),
        ("ApiFailuresAlarm/Properties/MetricName", json!("4XXError"), "ApiFailuresAlarm is"),
        ("AlarmTopic/Properties/KmsMasterKeyId", json!("alias/aws/sns"), "AlarmTopic is"),
        (
            "AlarmTopicPolicy/Properties/PolicyDocument/Statement/0/Principal",
            json!("*"),
            "AlarmTopicPolicy is",
        ),
        ("AlarmMail/Condition", Value::Null, "AlarmMail is"),
    ] {
        assert_complains(check_alarms(&changed(&format!("/Resources/{pointer}"), value), &logged), part);
    }
    let elsewhere = changed("/Globals/Function/Environment/Variables/METRICS_NAMESPACE", json!("Citipen"));
    assert_complains(check_alarms(&elsewhere, &logged), "METRICS_NAMESPACE must be");
}

#[test]
fn every_function_that_breaks_rings() {
    let gone = without("/Resources/AdminErrorsAlarm");
    assert_complains(check_alarms(&gone, &logged_metrics()), "AdminErrorsAlarm is missing");
    let mut more = template();
    more["Resources"]["OauthCallback"] = more["Resources"]["Runs"].clone();
    assert_complains(check_alarms(&more, &logged_metrics()), "OauthCallbackErrorsAlarm is missing");
    let other =
        changed("/Resources/AdminErrorsAlarm/Properties/Dimensions/0/Value", json!({ "Ref": "Account" }));
    assert_complains(check_alarms(&other, &logged_metrics()), "AdminErrorsAlarm is");
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
fn the_keys_turn_yearly_and_outlive_the_stack() {
    assert_fine(check_keys(&template()));

    for key in ["DataKey", "OperationsKey"] {
        let stuck = changed(&format!("/Resources/{key}/Properties/EnableKeyRotation"), json!(false));
        assert_complains(check_keys(&stuck), "EnableKeyRotation");
        let gone = changed(&format!("/Resources/{key}/DeletionPolicy"), json!("Delete"));
        assert_complains(check_keys(&gone), &format!("{key}: DeletionPolicy"));
    }
    let elsewhere =
        changed("/Resources/DataKeyAlias/Properties/TargetKeyId", json!({ "Ref": "OperationsKey" }));
    assert_complains(check_keys(&elsewhere), "DataKeyAlias");
}

#[test]
fn only_the_account_and_its_own_logs_and_alarms_may_use_the_keys() {
    let policy = |key: &str, pointer: &str, value: Value| {
        check_keys(&changed(&format!("/Resources/{key}/Properties/KeyPolicy/Statement/{pointer}"), value))
    };
    let logs = template()["Resources"]["OperationsKey"]["Properties"]["KeyPolicy"]["Statement"][1].clone();
    assert_complains(policy("DataKey", "0/Principal", json!("*")), "DataKey: its policy");
    assert_complains(policy("DataKey", "-", logs), "DataKey: its policy");
    assert_complains(policy("OperationsKey", "0/Principal", json!("*")), "OperationsKey: its policy");
    assert_complains(policy("OperationsKey", "1/Condition", Value::Null), "OperationsKey: its policy");
    assert_complains(policy("OperationsKey", "1/Action", json!("kms:*")), "OperationsKey: its policy");
    assert_complains(policy("OperationsKey", "2/Condition", json!({})), "OperationsKey: its policy");
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
    let open = without("/Resources/RunsLogs/Properties/KmsKeyId");
    assert_complains(check_profiles(&open, &profiles()), "RunsLogs is not sealed");
    let unkeyed = changed("/Resources/RunsLogs/Properties/LogGroupName", json!("runs"));
    assert_complains(check_profiles(&unkeyed, &profiles()), "RunsLogs is not named");
    let elsewhere = without("/Resources/Runs/Properties/LoggingConfig/LogGroup");
    assert_complains(check_profiles(&elsewhere, &profiles()), "Runs does not write to RunsLogs");
}

#[test]
fn every_function_may_do_what_its_code_does_and_nothing_else() {
    assert_fine(check_rights(&template(), &function_sources()));

    let statement = |action: &str, resource: Value| json!({ "Effect": "Allow", "Action": [action], "Resource": resource });
    let arn = |resource: &str| json!({ "Fn::GetAtt": [resource, "Arn"] });
    let secret = |name: &str| json!({ "Fn::Sub": format!("arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:parameter${{SecretsPath}}{name}") });
    let with = |function: &str, statement: Value| {
        changed(&format!("/Resources/{function}/Properties/Policies/0/Statement/-"), statement)
    };
    let secrets = "/Resources/Pricing/Properties/Policies/0/Statement/4";
    assert_eq!(template().pointer(secrets).unwrap()["Sid"], "Secrets");
    for (template, part) in [
        (
            with("Pricing", statement("dynamodb:UpdateItem", arn("AccountsTable"))),
            "Pricing: dynamodb:UpdateItem on accounts is too much",
        ),
        (
            with("TopUps", statement("dynamodb:PutItem", arn("PaymentInboxTable"))),
            "TopUps: dynamodb:PutItem on payment_inbox is too much",
        ),
        (
            with(
                "SepayWebhook",
                statement("dynamodb:Query", json!({ "Fn::Sub": "${PaymentInboxTable.Arn}/index/by-open" })),
            ),
            "SepayWebhook: dynamodb:Query on payment_inbox/index/by-open is too much",
        ),
        (
            changed(
                "/Resources/Admin/Properties/Policies/0/Statement/5/Action",
                json!(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]),
            ),
            "Admin: dynamodb:ConditionCheckItem on credit_transactions is missing",
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
        (
            with("Runs", statement("ssm:GetParameters", secret("FAL_KEY"))),
            "Runs: ssm:GetParameters on secret FAL_KEY is too much",
        ),
        (with("Runs", statement("ssm:GetParameters", secret("*"))), "no place a function may have rights to"),
        (
            with("Pricing", statement("ssm:GetParametersByPath", secret("QUOTE_SECRET"))),
            "Pricing: ssm:GetParametersByPath on secret QUOTE_SECRET is too much",
        ),
        (
            changed(&format!("{secrets}/Resource"), json!([secret("PSEUDONYM_PEPPER")])),
            "Pricing: ssm:GetParameters on secret QUOTE_SECRET is missing",
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
        // The one role beside the functions' is API Gateway's, and may do no more than write logs.
        (
            changed("/Resources/Aside", template()["Resources"]["ApiLogsRole"].clone()),
            "Aside may give rights that nobody checks",
        ),
        (
            changed(
                "/Resources/ApiLogsRole/Properties/ManagedPolicyArns/-",
                json!("arn:aws:iam::aws:policy/AdministratorAccess"),
            ),
            "ApiLogsRole may give rights that nobody checks",
        ),
        (
            changed("/Resources/ApiLogsRole/Properties/Policies", json!([{ "PolicyName": "more" }])),
            "ApiLogsRole may give rights that nobody checks",
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
        assert_complains(check_rights(&template, &function_sources()), part);
    }
}

#[test]
fn only_those_who_move_credit_may_write_accounts_and_nobody_rewrites_history() {
    assert_fine(check_account_writers(&template()));

    for (function, table, part) in [
        ("Pricing", "AccountsTable", "Pricing writes accounts"),
        ("TopUps", "AccountsTable", "TopUps writes accounts by dynamodb:UpdateItem"),
        ("Admin", "CreditTransactionsTable", "history"),
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
    for reader in [".secret(\"", ".optional_secret(\"", " secrets(\""] {
        read.extend(source.split(reader).skip(1).map(|rest| rest.split('"').next().unwrap()));
    }
    assert!(read.contains("SEALING_KEYS") && read.contains("SEPAY_BANK_HMAC_SECRETS"), "{read:?}");
    let given_by_lambda = |name: &&str| name.starts_with("AWS_");
    let missed: Vec<&str> =
        read.into_iter().filter(|name| !given_by_lambda(name) && !is_secret(name)).collect();
    assert!(missed.is_empty(), "{missed:?}");
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
    let tabled: BTreeSet<&str> =
        SETTINGS.iter().flat_map(|(_, required, _)| required.iter().copied()).collect();
    let known: BTreeSet<&str> = tabled.iter().chain(GIVEN_BY_LAMBDA).copied().collect();
    assert_eq!(required, known);
    let of_the_host = WHERE_SECRETS_LIE.iter().chain([&METRICS_NAMESPACE]);
    let all = SETTINGS.iter().flat_map(|(_, required, optional)| required.iter().chain(*optional));
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
        "ALLOWED_ORIGINS" | "API_URL" | "CLERK_ISSUER" | "COMFYUI_URL" | "SITE_URL" => "https://example.com",
        "CLERK_WEBHOOK_SECRET" => "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
        "BANK_ACCOUNT" => sandbox::BANK_ACCOUNT,
        "BANK_BIN" => sandbox::BANK_BIN,
        "PROVIDER_BALANCE_MIN_CENTS" => "1000",
        "RATE_AGE_MAX_HOURS" => "120",
        "SEALING_KEYS" => "a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "TRON_WALLET" => sandbox::TRON_WALLET,
        _ => "given-by-the-deployment",
    }
}
