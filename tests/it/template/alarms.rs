//! Checks of alarms: what the code logs with a `metric` rings or has a reason not to, and so does what AWS counts.

use super::*;

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
    assert_fine(check_alarms(&template(), &logged_metrics()));
    let gone = without("/Resources/AdminErrorsAlarm");
    assert_complains(check_alarms(&gone, &logged_metrics()), "AdminErrorsAlarm is missing");
    let mut more = template();
    more["Resources"]["Another"] = more["Resources"]["Runs"].clone();
    assert_complains(check_alarms(&more, &logged_metrics()), "AnotherErrorsAlarm is missing");
    let other =
        changed("/Resources/AdminErrorsAlarm/Properties/Dimensions/0/Value", json!({ "Ref": "Account" }));
    assert_complains(check_alarms(&other, &logged_metrics()), "AdminErrorsAlarm is");
}

/// Metrics, each with the functions that can log it.
pub(super) type Metrics = BTreeMap<String, BTreeSet<String>>;

/// Which functions can log a metric, by what their source builds or calls.
const LOGGED_BY: &[(&str, &[&str])] = &[
    ("drive_tokens_closed", &["Drives::new", "Saving::new"]),
    ("given_back_micro_cents", &["Closing::new", "Runs::new"]),
    ("held_overdue_seconds", &["Closing::new"]),
    ("payment_differences", &["Reconciliation::new"]),
    ("payment_unmatched", &["BankDesk::new", "CardDesk::new", "ChainDesk::new", "Reconciliation::new"]),
    ("payments_repaired", &["Reconciliation::new"]),
    ("payments_waiting", &["Reconciliation::new"]),
    ("provider_balance_cents", &["Balances::new"]),
    ("provider_balance_low", &["Balances::new"]),
    ("provider_balance_unknown", &["Balances::new"]),
    ("provider_refuses_us", &["Runs::new"]),
    ("provider_usage_implausible", &["Runs::new"]),
    ("rail_silent", &["Reconciliation::new"]),
    ("rail_uncompared", &["Reconciliation::new"]),
    ("rate_refused", &[".refresh("]),
    ("run_below_cost", &["Runs::new"]),
    ("runs_failed", &["Runs::new"]),
    ("saves_given_up", &["Saving::new"]),
    ("tool_closed", &["Runs::new", "Shop::new"]),
];

/// Metrics of ours that only stand on the dashboard, and why they need no alarm.
const SHOWN_ONLY: &[(&str, &str)] = &[
    ("provider_balance_cents", "how much is too little is a setting; provider_balance_low judges by it"),
    (
        "saves_given_up",
        "the run's owner sees the reason and can ask again; a drive that refuses all saves shows on the dashboard",
    ),
    ("given_back_micro_cents", "it is bounded for every account and day by the profile"),
    (
        "provider_usage_implausible",
        "such a count is replaced by what the request can cost at most; run_below_cost judges that",
    ),
];

/// When an alarm rings.
struct Bell {
    alarm: String,
    namespace: Value,
    metric: &'static str,
    /// Names and values.
    of: Vec<(&'static str, Value)>,
    statistic: &'static str,
    /// Seconds, and how many such periods on end.
    periods: (u64, u64),
    rings: Rings,
}

enum Rings {
    Above(u64),
    /// The same, and silence says nothing: what was told last still holds.
    AboveUntilTold(u64),
    /// Rings when the number is missing: it is a sign of life. Silent while the schedules are off.
    WhenMissing,
}

/// A person acts on these within hours, so they count by the hour: one message while payments of one kind come in.
fn bell_of_ours(metric: &'static str) -> Bell {
    let (statistic, periods, rings) = match metric {
        // A day is the slowest comparison that can be set, and two hours of patience.
        "payments_waiting" => ("SampleCount", (3600, 26), Rings::WhenMissing),
        // Every sweep tells how long the longest hold waited for it, two minutes at most while sweeps do their work.
        // Ten minutes of more: the sweep can't end it, and somebody misses credit.
        "held_overdue_seconds" => ("Maximum", (300, 2), Rings::Above(120)),
        // Told once an hour by a provider that answers.
        "provider_balance_low" => ("Maximum", (3600, 1), Rings::AboveUntilTold(0)),
        // An outage of theirs is over by then.
        "provider_balance_unknown" => ("Sum", (3600, 6), Rings::Above(0)),
        // As many as of the API's own failures: a few are the world's.
        "runs_failed" => ("Sum", (300, 1), Rings::Above(5)),
        // States, told again by every comparison.
        "payment_differences" | "rail_silent" | "rail_uncompared" => ("Maximum", (3600, 1), Rings::Above(0)),
        // Events, which add up.
        _ => ("Sum", (3600, 1), Rings::Above(0)),
    };
    let alarm = format!("{}Alarm", pascal(metric));
    Bell { alarm, namespace: namespace(), metric, of: Vec::new(), statistic, periods, rings }
}

/// Five minutes: soon enough for a person, and one message for a burst.
fn bells_of_aws<'a>(functions: impl Iterator<Item = &'a str>) -> Vec<Bell> {
    let bell = |alarm: String, namespace: &str, metric, of, rings| Bell {
        alarm,
        namespace: json!(namespace),
        metric,
        of,
        statistic: "Sum",
        periods: (300, 1),
        rings,
    };
    let of = |function: &str| vec![("FunctionName", json!({ "Ref": function }))];
    let lambda = "AWS/Lambda";
    let mut bells: Vec<Bell> = functions
        .map(|name| bell(format!("{name}ErrorsAlarm"), lambda, "Errors", of(name), Rings::Above(0)))
        .collect();
    bells.push(bell("ThrottlesAlarm".to_owned(), lambda, "Throttles", Vec::new(), Rings::Above(0)));
    let sweep = of("ReservationSweep");
    bells.push(bell("SweepStillAlarm".to_owned(), lambda, "Invocations", sweep, Rings::WhenMissing));
    // A provider's failure that no fallback could serve is a 5XX too: a few are the world's.
    let api = vec![("ApiName", api_name())];
    bells.push(bell("ApiFailuresAlarm".to_owned(), "AWS/ApiGateway", "5XXError", api, Rings::Above(5)));
    bells
}

impl Bell {
    fn properties(&self) -> Value {
        let topic = json!([{ "Ref": "AlarmTopic" }]);
        let (comparison, threshold, missing) = match self.rings {
            Rings::Above(number) => ("GreaterThanThreshold", number, "notBreaching"),
            Rings::AboveUntilTold(number) => ("GreaterThanThreshold", number, "ignore"),
            Rings::WhenMissing => ("LessThanThreshold", 1, "breaching"),
        };
        let mut wanted = json!({
            "Namespace": self.namespace, "MetricName": self.metric, "Statistic": self.statistic,
            "Period": self.periods.0, "EvaluationPeriods": self.periods.1,
            "ComparisonOperator": comparison, "Threshold": threshold, "TreatMissingData": missing,
            "AlarmActions": topic, "OKActions": topic,
        });
        if !self.of.is_empty() {
            let of = self.of.iter().map(|(name, value)| json!({ "Name": name, "Value": value }));
            wanted["Dimensions"] = of.collect();
        }
        if matches!(self.rings, Rings::WhenMissing) {
            wanted["ActionsEnabled"] = json!({ "Fn::If": ["SchedulesRun", true, false] });
        }
        wanted
    }
}

/// Every `metric = "…"` of the sources, with the functions that can come to it.
pub(super) fn logged_metrics() -> Metrics {
    let functions = function_sources();
    let source = shared_source() + &functions.values().cloned().collect::<String>();
    let names = source.split("metric = \"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let names: BTreeSet<&str> = names.collect();
    assert_eq!(names, LOGGED_BY.iter().map(|(metric, _)| *metric).collect(), "say who logs it, in LOGGED_BY");
    let logs = |signs: &[&str], source: &str| signs.iter().any(|sign| source.contains(sign));
    let loggers = |signs| functions.iter().filter(move |(_, source)| logs(signs, source));
    let names = |signs| loggers(signs).map(|(function, _)| function.clone()).collect();
    LOGGED_BY.iter().map(|&(metric, signs)| (metric.to_owned(), names(signs))).collect()
}

fn check_alarms(template: &Value, logged: &Metrics) -> Complaints {
    let mut complaints = Complaints::new();
    let unheard = logged.iter().filter(|(_, functions)| functions.is_empty());
    complaints.extend(unheard.map(|(metric, _)| format!("no function can log {metric}")));
    for metric in logged.keys().filter(|metric| LOGGED_BY.iter().all(|(known, _)| known != metric)) {
        complaints.push(format!("{metric} rings nowhere"));
    }
    if template["Globals"]["Function"]["Environment"]["Variables"]["METRICS_NAMESPACE"] != namespace() {
        complaints.push(format!("METRICS_NAMESPACE must be {}, where the alarms look", namespace()));
    }

    let is_rung =
        |metric: &&str| logged.contains_key(*metric) && SHOWN_ONLY.iter().all(|(shown, _)| shown != metric);
    let mut bells: Vec<Bell> =
        LOGGED_BY.iter().map(|(metric, _)| *metric).filter(is_rung).map(bell_of_ours).collect();
    bells.extend(bells_of_aws(of_type(template, "AWS::Serverless::Function").keys().copied()));
    let mut alarms = of_type(template, "AWS::CloudWatch::Alarm");
    for bell in bells {
        let Some(alarm) = alarms.remove(bell.alarm.as_str()) else {
            complaints.push(format!("{} is missing: {} rings nowhere", bell.alarm, bell.metric));
            continue;
        };
        let mut alarm = alarm.clone();
        let description = alarm.as_object_mut().and_then(|alarm| alarm.remove("AlarmDescription"));
        if description.is_none_or(|description| text(&description).len() < 40) {
            complaints.push(format!("{} does not say what it means", bell.alarm));
        }
        let wanted = bell.properties();
        if alarm != wanted {
            complaints.push(format!("{} is {alarm}, not {wanted}", bell.alarm));
        }
    }
    complaints.extend(alarms.keys().map(|name| format!("{name} waits for what nobody logs")));
    complaints.extend(check_topic(template));
    complaints
}

/// Only alarms of this account speak to the topic, encrypted, and a person hears them if one was named.
fn check_topic(template: &Value) -> Complaints {
    let topic = json!({ "Ref": "AlarmTopic" });
    let wanted = [
        ("AlarmTopic", Value::Null, json!({ "KmsMasterKeyId": { "Ref": "OperationsKey" } })),
        (
            "AlarmMail",
            json!("HasAlarmEmail"),
            json!({ "TopicArn": topic, "Protocol": "email", "Endpoint": { "Ref": "AlarmEmail" } }),
        ),
        (
            "AlarmTopicPolicy",
            Value::Null,
            json!({ "Topics": [topic], "PolicyDocument": { "Version": "2012-10-17", "Statement": [
                {
                    "Sid": "AlarmsOfThisAccount", "Effect": "Allow", "Action": "sns:Publish", "Resource": topic,
                    "Principal": { "Service": "cloudwatch.amazonaws.com" },
                    "Condition": { "StringEquals": { "aws:SourceAccount": { "Ref": "AWS::AccountId" } } },
                },
                {
                    "Sid": "OnlyTls", "Effect": "Deny", "Action": "sns:Publish", "Resource": topic,
                    "Principal": "*", "Condition": { "Bool": { "aws:SecureTransport": "false" } },
                },
            ] } }),
        ),
    ];
    let mut complaints = Complaints::new();
    for (name, condition, properties) in wanted {
        let resource = &template["Resources"][name];
        if resource["Properties"] != properties || resource["Condition"] != condition {
            complaints.push(format!("{name} is {resource}, not {properties}"));
        }
    }
    complaints
}

pub(super) fn namespace() -> Value {
    json!({ "Fn::Sub": "Citipen/${AWS::StackName}" })
}

/// The API's name, by which CloudWatch counts its requests.
pub(super) fn api_name() -> Value {
    json!({ "Fn::Sub": "${AWS::StackName}-api" })
}
