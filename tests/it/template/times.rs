//! When functions run, for how long, and how many at once.

use super::*;
use primitives::times::{self, Inside, Wait};
use std::time::Duration;

#[test]
fn every_wait_fits_into_the_one_around_it() {
    assert_fine(check_waits(&template(), times::ALL, times::IN_A_ROW));

    let alone = |wait: &'static Wait| check_waits(&template(), &[wait], &[]);
    // As it once was: four tries of five seconds, in functions that end after twenty.
    static HANGING: Wait =
        Wait { name: "a hanging store", limit: Duration::from_secs(22), inside: &[Inside::AnyRequest] };
    assert_complains(alone(&HANGING), "a hanging store (22000 ms) does not fit into Runs (19000 ms)");
    static GREEDY: Wait =
        Wait { name: "greed", limit: Duration::from_secs(6), inside: &[Inside::Wait(&times::STORE_CALL)] };
    assert_complains(alone(&GREEDY), "greed (6000 ms) does not fit into a call of a table (6000 ms)");
    static UNKNOWN: Wait =
        Wait { name: "x", limit: Duration::from_secs(1), inside: &[Inside::Function("Nobody")] };
    assert_complains(alone(&UNKNOWN), "x waits inside of Nobody, which is no function");
    static ROW: &[(&[&Wait], Inside)] = &[(&[&GREEDY, &GREEDY, &GREEDY, &GREEDY], Inside::Function("Runs"))];
    let row = check_waits(&template(), &[], ROW);
    assert_complains(row, "greed, greed, greed, greed (24000 ms) does not fit into Runs (19000 ms)");

    let patience = operation_pointer("POST", "/v1/runs") + "/x-amazon-apigateway-integration/timeoutInMillis";
    for (pointer, value, part) in [
        ("/Resources/Runs/Properties/Timeout", 10, "does not fit into Runs"),
        (
            "/Resources/RunTool/Properties/Timeout",
            290,
            "a run's one answer (297000 ms) does not fit into RunTool",
        ),
        ("/Resources/SepayWebhook/Properties/Timeout", 19, "does not fit into SepayWebhook"),
        (
            "/Resources/PaymentReconciliation/Properties/Timeout",
            200,
            "does not fit into PaymentReconciliation",
        ),
        // The gateway would hang up first.
        ("/Globals/Function/Timeout", 29, "Runs may take 29 s, and the gateway waits 29000 ms"),
        (&patience, 300_000, "RunTool may take"),
        (&patience, 900_001, "a stream lasts"),
        ("/Resources/RunTool/Properties/Timeout", 901, "no invocation lasts"),
    ] {
        let template = changed(pointer, json!(value));
        assert_complains(check_waits(&template, times::ALL, times::IN_A_ROW), part);
    }
    assert!(
        times::RUN_ANSWER.limit < times::GATEWAY_SILENCE_MAX,
        "one answer comes before the gateway gives up"
    );
    assert!(
        times::STREAM_COMMENT.limit * 4 <= Duration::from_secs(60),
        "most proxies give up after a minute of silence"
    );
}

#[test]
fn every_limit_of_the_code_stands_in_the_table() {
    let table = fs::read_to_string(root().join("shared/primitives/src/times.rs")).unwrap();
    let all = table.split("pub static ALL").nth(1).unwrap();
    let (waits, all) = (table.split("pub static ").skip(1), all.split("];").next().unwrap());
    for name in waits.filter_map(|rest| rest.split_once(": Wait").map(|(name, _)| name)) {
        assert!(all.contains(&format!("&{name},")), "{name} is in no list, so nothing checks it");
    }
    let source = shared_source();
    for name in ["TIMEOUT", "PATIENCE"] {
        let own = source.split("const ").skip(1).filter_map(|rest| rest.split_once(": Duration"));
        let own: Vec<&str> = own.map(|(constant, _)| constant).filter(|own| own.contains(name)).collect();
        assert!(own.is_empty(), "{own:?} belongs into primitives::times");
    }
    for call in
        [".timeout(Duration::", " timeout(Duration::", ":timeout(Duration::", "connect_timeout(Duration::"]
    {
        assert!(!source.contains(call), "{call}…: a limit of its own, which no test compares with others");
    }
}

#[test]
fn a_run_has_time_to_settle_and_ends_before_its_reservation() {
    for platform in profiles() {
        let rules = platform.rules(LedgerRules::read).unwrap();
        assert_fine(check_run_time(&template(), &rules));
        let check = |timeout: u64| {
            let template = changed("/Resources/RunTool/Properties/Timeout", json!(timeout));
            check_run_time(&template, &rules)
        };
        assert_complains(check(270), "no time to settle");
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

/// What only the local run forgets shows in no scenario: they call a schedule's function themselves.
#[test]
fn what_ticks_in_the_cloud_ticks_on_one_machine_too() {
    let local = fs::read_to_string(root().join("infra/local/src/schedules.rs")).unwrap();
    assert_fine(check_local_schedules(&template(), &local));

    let part = "the local run does not tick tron-poll";
    assert_complains(check_local_schedules(&template(), &local.replace("\"tron-poll\"", "\"chain\"")), part);
    let other = local.replace("function_tron_poll::handle", "function_exchange_rates::handle");
    assert_complains(check_local_schedules(&template(), &other), part);
    let mut more = template();
    more["Resources"]["DrivePoll"] = more["Resources"]["TronPoll"].clone();
    more["Resources"]["DrivePoll"]["Properties"]["CodeUri"] = json!("functions/drive-poll");
    assert_complains(check_local_schedules(&more, &local), "the local run does not tick drive-poll");
    let fewer = without("/Resources/ReservationSweep/Properties/Events");
    assert_complains(check_local_schedules(&fewer, &local), "it ticks 6 functions, not 5");
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
fn sepay_has_its_answer_before_it_gives_up() {
    assert_fine(check_webhook_time(&template()));

    for timeout in [12, 30] {
        let template = changed("/Resources/SepayWebhook/Properties/Timeout", json!(timeout));
        assert_complains(check_webhook_time(&template), "SePay waits 30");
    }
}

/// Each wait inside of what goes on around it; each function inside of what its gateway and Lambda give it.
fn check_waits(template: &Value, waits: &[&Wait], in_a_row: &[(&[&Wait], Inside)]) -> Complaints {
    let mut complaints = Complaints::new();
    for wait in waits {
        for inside in wait.inside {
            complaints.extend(misfits(template, wait.name, wait.limit, *inside));
        }
    }
    for (row, inside) in in_a_row {
        let names: Vec<&str> = row.iter().map(|wait| wait.name).collect();
        let sum = row.iter().map(|wait| wait.limit).sum();
        complaints.extend(misfits(template, &names.join(", "), sum, *inside));
    }
    for operation in operations(template) {
        let Some(function) = operation.function() else { continue };
        let own = operation.integration()["timeoutInMillis"].as_u64().map(Duration::from_millis);
        let (gateway, function_time) =
            (own.unwrap_or(times::GATEWAY_INTEGRATION), seconds(template, function));
        if Duration::from_secs(function_time) >= gateway {
            complaints.push(format!(
                "{function} may take {function_time} s, and the gateway waits {} ms",
                gateway.as_millis()
            ));
        }
        if gateway > times::GATEWAY_STREAM_MAX {
            complaints.push(format!("{function}: a stream lasts no {} ms", gateway.as_millis()));
        }
    }
    for function in of_type(template, "AWS::Serverless::Function").keys() {
        if Duration::from_secs(seconds(template, function)) > times::LAMBDA_INVOCATION_MAX {
            complaints.push(format!("{function}: no invocation lasts so long"));
        }
    }
    complaints
}

fn misfits(template: &Value, name: &str, limit: Duration, inside: Inside) -> Complaints {
    let has_routes =
        |function: &str| operations(template).iter().any(|operation| operation.function() == Some(function));
    let time_of = |function: &str| {
        let margin = if has_routes(function) { times::ANSWER_MARGIN } else { Duration::ZERO };
        (function.to_owned(), Duration::from_secs(seconds(template, function)) - margin)
    };
    let functions = of_type(template, "AWS::Serverless::Function");
    let around: Vec<(String, Duration)> = match inside {
        Inside::Wait(wait) => vec![(wait.name.to_owned(), wait.limit)],
        Inside::Start => vec![("a start".to_owned(), times::LAMBDA_START_MAX)],
        Inside::Reservation => profiles()
            .into_iter()
            .map(|platform| {
                let rules = platform.rules(LedgerRules::read).unwrap();
                (format!("a reservation of {}", platform.profile().name), rules.hold_lifetime())
            })
            .collect(),
        Inside::AnyRequest => functions
            .keys()
            .filter(|function| has_routes(function))
            .map(|function| time_of(function))
            .collect(),
        Inside::Function(function) if functions.contains_key(function) => vec![time_of(function)],
        Inside::Function(function) => {
            return vec![format!("{name} waits inside of {function}, which is no function")];
        }
    };
    let too_short = around.into_iter().filter(|(_, time)| limit >= *time);
    too_short
        .map(|(around, time)| {
            format!("{name} ({} ms) does not fit into {around} ({} ms)", limit.as_millis(), time.as_millis())
        })
        .collect()
}

/// The time of a run is bounded from below by the providers' budget and from above by its reservation.
fn check_run_time(template: &Value, rules: &LedgerRules) -> Complaints {
    let run = seconds(template, "RunTool");
    let mut complaints = Complaints::new();
    if Duration::from_secs(run) < times::RUN_BUDGET.limit + times::RUN_AFTER.limit {
        complaints.push(format!("RunTool ends after {run} s, which leaves no time to settle"));
    }
    if run >= rules.hold_seconds {
        complaints.push(format!("RunTool may work {run} s, longer than a reservation lives"));
    }
    complaints
}

fn check_schedules(template: &Value, routes: &[Route]) -> Complaints {
    let mut complaints = Complaints::new();
    for (name, function) in of_type(template, "AWS::Serverless::Function") {
        let is_called = routes.iter().any(|route| route.function == name);
        let ticks: Vec<&Value> = events_of_type(template, "ScheduleV2")
            .into_iter()
            .filter(|(owner, _)| *owner == name)
            .map(|(_, event)| event)
            .collect();
        if is_called != ticks.is_empty() || ticks.len() > 1 {
            complaints.push(format!("{name} must have either routes or one schedule"));
        }
        let Some(tick) = ticks.first() else { continue };
        let Some(known) = SCHEDULES.iter().find(|tick| tick.function == name) else {
            complaints.push(format!("{name} ticks, and nobody said when it should"));
            continue;
        };
        let expression = match known.parameter {
            None => json!(known.expression),
            Some(parameter) => {
                complaints.extend(check_schedule_parameter(template, parameter, known.expression));
                json!({ "Ref": parameter })
            }
        };
        let expected = [
            (&tick["ScheduleExpression"], expression, "ticks when it should"),
            (&tick["State"], json!({ "Ref": "Schedules" }), "can be stopped with all others"),
            (&tick["FlexibleTimeWindow"]["Mode"], json!("OFF"), "ticks on time"),
            (&tick["RetryPolicy"]["MaximumRetryAttempts"], json!(0), "is not retried by the schedule"),
            (&function["EventInvokeConfig"]["MaximumRetryAttempts"], json!(0), "is not retried by Lambda"),
        ];
        for (found, wanted, what) in expected {
            if *found != wanted {
                complaints.push(format!("{name} {what}: {wanted}, not {found}"));
            }
        }
        if seconds(template, name) >= known.seconds * known.at_once {
            complaints.push(format!("{name} may still run when the next tick comes"));
        }
    }
    complaints
}

/// `source` is `infra/local/src/schedules.rs`.
fn check_local_schedules(template: &Value, source: &str) -> Complaints {
    let mut complaints = Complaints::new();
    let ticks = events_of_type(template, "ScheduleV2");
    for (function, _) in &ticks {
        let folder =
            text(&template["Resources"][function]["Properties"]["CodeUri"]).replace("functions/", "");
        let handle = format!("function_{}::handle(", folder.replace('-', "_"));
        if !source.contains(&format!("\"{folder}\"")) || !source.contains(&handle) {
            complaints.push(format!("the local run does not tick {folder}"));
        }
    }
    let ticked = source.matches("::handle(").count();
    if ticked != ticks.len() {
        complaints.push(format!("the local run: it ticks {ticked} functions, not {}", ticks.len()));
    }
    complaints
}

/// The account's places are shared, so a flood of one function starves the others; what must go on has its own.
fn check_concurrency(template: &Value) -> Complaints {
    let mut complaints = Complaints::new();
    let reserves = json!({ "Fn::Equals": [{ "Ref": "ReserveConcurrency" }, "yes"] });
    if template["Conditions"]["ReservesConcurrency"] != reserves {
        complaints.push("ReservesConcurrency does not say that ReserveConcurrency is yes".to_owned());
    }
    for (name, function) in of_type(template, "AWS::Serverless::Function") {
        let number = match name {
            "RunTool" => Some(json!({ "Ref": "RunToolConcurrencyMax" })),
            "ProviderWebhook" | "SepayWebhook" => Some(json!(20)),
            "IdentityWebhook" => Some(json!(10)),
            // So many ticks at a time; their times end before the next.
            _ => SCHEDULES.iter().find(|tick| tick.function == name).map(|tick| json!(tick.at_once)),
        };
        let none = json!({ "Ref": "AWS::NoValue" });
        let wanted = number.map(|number| json!({ "Fn::If": ["ReservesConcurrency", number, none] }));
        let found = &function["ReservedConcurrentExecutions"];
        if *found != wanted.unwrap_or_default() {
            complaints.push(format!("{name}: its own places are {found}"));
        }
    }
    complaints
}

fn check_schedule_parameter(template: &Value, name: &str, default: &str) -> Complaints {
    let parameter = &template["Parameters"][name];
    let expected = [("Default", default), ("AllowedPattern", SCHEDULE_PATTERN)];
    let wrong = expected.iter().filter(|(key, wanted)| parameter[*key] != *wanted);
    wrong.map(|(key, wanted)| format!("{name}: {key} is {}, not {wanted}", parameter[*key])).collect()
}

/// What SePay is told within its patience, and what else is bounded by others.
fn check_webhook_time(template: &Value) -> Complaints {
    let webhook = seconds(template, "SepayWebhook");
    // One call to SePay takes ten seconds at most, and the books must be written after it.
    if (20..30).contains(&webhook) {
        return Complaints::new();
    }
    vec![format!(
        "SepayWebhook ends after {webhook} s: SePay waits 30, and the books need time after its answer"
    )]
}
