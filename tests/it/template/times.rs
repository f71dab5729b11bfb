//! When functions run, for how long, and how many at once.

use super::*;

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
fn sepay_has_its_answer_before_it_gives_up() {
    assert_fine(check_webhook_time(&template()));

    for timeout in [12, 30] {
        let template = changed("/Resources/SepayWebhook/Properties/Timeout", json!(timeout));
        assert_complains(check_webhook_time(&template), "SePay waits 30");
    }
}

/// The time of a run is bounded from below by the providers' budget and from above by its reservation.
fn check_run_time(template: &Value, budget_ms: u64, profile: &Profile) -> Complaints {
    let run = seconds(template, "RunTool");
    let mut complaints = Complaints::new();
    if run * 1000 < budget_ms + 30_000 {
        complaints.push(format!("RunTool ends after {run} s, which leaves no time to settle"));
    }
    if run >= profile.ledger.hold_seconds {
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
        if seconds(template, name) >= known.seconds {
            complaints.push(format!("{name} may still run when the next tick comes"));
        }
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
            "SepayWebhook" => Some(json!(20)),
            "IdentityWebhook" => Some(json!(10)),
            // One tick at a time; their times end before the next.
            _ => SCHEDULES.iter().any(|tick| tick.function == name).then(|| json!(1)),
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
