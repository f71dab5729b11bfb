//! Checks of metric filters and alarms: what the code logs with a `metric` is counted, and rings.

use super::*;

/// Metrics as `(function, name)`, each where it can be logged.
pub(super) type Metrics = BTreeSet<(String, String)>;

/// Which functions can log a metric, by what their source builds or calls.
const LOGGED_BY: &[(&str, &[&str])] = &[
    ("payment_differences", &["Reconciliation::new"]),
    ("payment_unmatched", &["BankDesk::new", "CardDesk::new", "ChainDesk::new", "Reconciliation::new"]),
    ("payments_repaired", &["Reconciliation::new"]),
    ("payments_waiting", &["Reconciliation::new"]),
    ("rail_silent", &["Reconciliation::new"]),
    ("rail_uncompared", &["Reconciliation::new"]),
    ("rate_refused", &[".refresh("]),
];

/// Rings when the number is missing, not when it is high: it ends every comparison, so without it none ended.
const SIGN_OF_LIFE: &str = "payments_waiting";

/// Every `metric = "…"` of the sources, in the functions that can come to it.
pub(super) fn logged_metrics() -> Metrics {
    let functions = function_sources();
    let source = shared_source() + &functions.values().cloned().collect::<String>();
    let names = source.split("metric = \"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let names: BTreeSet<&str> = names.collect();
    assert_eq!(names, LOGGED_BY.iter().map(|(metric, _)| *metric).collect(), "say who logs it, in LOGGED_BY");
    let mut metrics = Metrics::new();
    for (metric, signs) in LOGGED_BY {
        let loggers = functions.iter().filter(|(_, source)| signs.iter().any(|sign| source.contains(sign)));
        metrics.extend(loggers.map(|(function, _)| (function.clone(), (*metric).to_owned())));
    }
    metrics
}

pub(super) fn check_alarms(template: &Value, logged: &Metrics) -> Complaints {
    let mut complaints = check_filters(template, logged);
    let mut unwatched: BTreeSet<&str> = logged.iter().map(|(_, metric)| metric.as_str()).collect();
    for (name, alarm) in of_type(template, "AWS::CloudWatch::Alarm") {
        let metric = text(&alarm["MetricName"]);
        if !unwatched.remove(metric.as_str()) {
            complaints.push(format!("{name} waits for {metric}, which nobody logs or another alarm has"));
        }
        for (key, wanted) in wanted_alarm(&metric) {
            if alarm[key] != wanted {
                complaints.push(format!("{name}: {key} is {}, not {wanted}", alarm[key]));
            }
        }
        if text(&alarm["AlarmDescription"]).len() < 20 {
            complaints.push(format!("{name} does not say what it means"));
        }
    }
    complaints.extend(unwatched.iter().map(|metric| format!("{metric} rings nowhere")));
    complaints
}

fn check_filters(template: &Value, logged: &Metrics) -> Complaints {
    let mut complaints = Complaints::new();
    let mut counted = Metrics::new();
    for (name, filter) in of_type(template, "AWS::Logs::MetricFilter") {
        let group = text(&filter["LogGroupName"]["Ref"]);
        let function = group.strip_suffix("Logs").unwrap_or(&group).to_owned();
        let [counting] = list(&filter["MetricTransformations"]) else {
            complaints.push(format!("{name} must count one metric"));
            continue;
        };
        let metric = text(&counting["MetricName"]);
        // A refused rate has no number of its own.
        let value = if metric == "rate_refused" { "1" } else { "$.value" };
        let wanted = json!({ "MetricNamespace": namespace(), "MetricName": metric, "MetricValue": value });
        let pattern = json!(format!("{{ $.metric = \"{metric}\" }}"));
        if *counting != wanted || filter["FilterPattern"] != pattern {
            complaints.push(format!("{name} does not read our lines: {pattern} as {wanted}"));
        }
        if !counted.insert((function, metric)) {
            complaints.push(format!("{name} counts what another filter counts"));
        }
    }
    let told = |(function, metric): &(String, String)| format!("{metric} of {function}");
    complaints
        .extend(logged.difference(&counted).map(|metric| format!("{} is counted by nobody", told(metric))));
    complaints.extend(
        counted.difference(logged).map(|metric| format!("a filter for {}, which nobody logs", told(metric))),
    );
    complaints
}

fn namespace() -> Value {
    json!({ "Fn::Sub": "Citipen/${AWS::StackName}" })
}

fn wanted_alarm(metric: &str) -> Vec<(&'static str, Value)> {
    let topic = json!([{ "Ref": "AlarmTopicArn" }]);
    let told = json!({ "Fn::If": ["HasAlarmTopic", topic, { "Ref": "AWS::NoValue" }] });
    let mut wanted = vec![
        ("Namespace", namespace()),
        ("Period", json!(3600)),
        ("AlarmActions", told.clone()),
        ("OKActions", told),
    ];
    wanted.extend(if metric == SIGN_OF_LIFE {
        [
            ("Statistic", json!("SampleCount")),
            ("EvaluationPeriods", json!(26)),
            ("ComparisonOperator", json!("LessThanThreshold")),
            ("Threshold", json!(1)),
            ("TreatMissingData", json!("breaching")),
        ]
    } else {
        // Events add up; states are told again by every comparison.
        let is_state = ["payment_differences", "rail_silent", "rail_uncompared"].contains(&metric);
        [
            ("Statistic", json!(if is_state { "Maximum" } else { "Sum" })),
            ("EvaluationPeriods", json!(1)),
            ("ComparisonOperator", json!("GreaterThanThreshold")),
            ("Threshold", json!(0)),
            ("TreatMissingData", json!("notBreaching")),
        ]
    });
    wanted
}
