//! Checks of the dashboard: it shows what is really counted, of what really is there.

use super::*;

#[test]
fn the_dashboard_shows_what_is_counted_and_all_of_it() {
    let logged = logged_metrics();
    assert_fine(check_dashboard(&template(), &logged));

    let pointer = "/Resources/Dashboard/Properties/DashboardBody/Fn::Sub/0";
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

/// What AWS counts, by namespace and what it is counted of.
const COUNTED_BY_AWS: &[(&str, &str, &[&str])] = &[
    ("AWS/ApiGateway", "ApiName", &["4XXError", "5XXError", "Count", "IntegrationLatency", "Latency"]),
    ("AWS/DynamoDB", "TableName", &["ReadThrottleEvents", "WriteThrottleEvents"]),
    (
        "AWS/Lambda",
        "FunctionName",
        &["ConcurrentExecutions", "Duration", "Errors", "Invocations", "Throttles"],
    ),
];

/// One line of a graph, as `(metric, of)`; `of` is empty for metrics of ours.
type Lines = BTreeSet<(String, String)>;

fn check_dashboard(template: &Value, logged: &Metrics) -> Complaints {
    let body = text(&template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"][0]);
    let Ok(body) = serde_json::from_str::<Value>(&body) else {
        return vec!["the dashboard is no JSON".to_owned()];
    };
    let mut complaints = Complaints::new();
    let mut shown = Lines::new();
    for widget in list(&body["widgets"]) {
        let graph = &widget["properties"];
        let is_whole = widget["type"] == "metric" && graph["region"] == "${AWS::Region}";
        if !is_whole || text(&graph["title"]).is_empty() || list(&graph["metrics"]).is_empty() {
            complaints.push(format!("a graph without title, region or lines: {widget}"));
        }
        for line in list(&graph["metrics"]) {
            match read_line(template, logged, line) {
                Ok(line) => drop(shown.insert(line)),
                Err(complaint) => complaints.push(format!("{}: {complaint}", graph["title"])),
            }
        }
    }
    complaints.extend(wanted_lines(template, logged).difference(&shown).map(|(metric, of)| {
        format!("the dashboard does not show {metric} of {}", if of.is_empty() { "ours" } else { of })
    }));
    complaints
}

/// Every number of ours, the errors and throttles of every function, and the throttles of every table.
fn wanted_lines(template: &Value, logged: &Metrics) -> Lines {
    let mut wanted: Lines = logged.keys().map(|metric| (metric.clone(), String::new())).collect();
    for (kind, metrics) in [
        ("AWS::Serverless::Function", ["Errors", "Throttles"]),
        ("AWS::DynamoDB::Table", ["ReadThrottleEvents", "WriteThrottleEvents"]),
    ] {
        let named = |metric: &str, name: &str| (metric.to_owned(), format!("${{{name}}}"));
        for name in of_type(template, kind).keys() {
            wanted.extend(metrics.iter().map(|metric| named(metric, name)));
        }
    }
    wanted
}

/// `[namespace, metric, dimension, value, options]`, the last three only where they are needed.
fn read_line(template: &Value, logged: &Metrics, line: &Value) -> Result<(String, String), String> {
    let mut parts = list(line).to_vec();
    parts.pop_if(|last| last.is_object());
    let parts: Vec<String> = parts.iter().map(text).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (metric, of, is_known) = match parts[..] {
        [namespace, metric] => {
            let is_ours = json!({ "Fn::Sub": namespace }) == super::alarms::namespace();
            (metric, "", is_ours && logged.contains_key(metric))
        }
        [namespace, metric, dimension, of] => {
            let counted = COUNTED_BY_AWS.iter().find(|known| (known.0, known.1) == (namespace, dimension));
            let is_counted = counted.is_some_and(|(_, _, metrics)| metrics.contains(&metric));
            (metric, of, is_counted && is_there(template, dimension, of))
        }
        _ => return Err(format!("{line} is no line of a graph")),
    };
    if is_known { Ok((metric.to_owned(), of.to_owned())) } else { Err(format!("nobody counts {line}")) }
}

fn is_there(template: &Value, dimension: &str, of: &str) -> bool {
    let kind = match dimension {
        "ApiName" => return json!({ "Fn::Sub": of }) == template["Resources"]["Api"]["Properties"]["Name"],
        "TableName" => "AWS::DynamoDB::Table",
        _ => "AWS::Serverless::Function",
    };
    let name = of.strip_prefix("${").and_then(|name| name.strip_suffix('}'));
    name.is_some_and(|name| template["Resources"][name]["Type"] == kind)
}
