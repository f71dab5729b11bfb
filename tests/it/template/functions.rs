//! Checks of functions, routes, schedules and settings.

use super::*;

pub(super) fn check_functions(template: &Value, folders: &BTreeSet<String>) -> Complaints {
    let mut complaints = Complaints::new();
    let named: BTreeMap<String, &String> = folders.iter().map(|folder| (pascal(folder), folder)).collect();
    for (name, folder) in &named {
        let Some(function) = of_type(template, "AWS::Serverless::Function").remove(name.as_str()) else {
            complaints.push(format!("functions/{folder} has no resource {name}"));
            continue;
        };
        let setting = |key: &str| function.get(key).unwrap_or(&template["Globals"]["Function"][key]).clone();
        let expected = [
            ("CodeUri", json!(format!("functions/{folder}"))),
            ("Runtime", json!("provided.al2023")),
            ("Handler", json!("bootstrap")),
            ("Architectures", json!(["arm64"])),
            ("Tracing", json!("Active")),
        ];
        for (key, value) in expected {
            if setting(key) != value {
                complaints.push(format!("{name}: {key} is {}, not {value}", setting(key)));
            }
        }
        if template["Resources"][name]["Metadata"]["BuildMethod"] != "rust-cargolambda" {
            complaints.push(format!("{name} is not built by cargo-lambda"));
        }
    }
    for name in of_type(template, "AWS::Serverless::Function").keys() {
        if !named.contains_key(*name) {
            complaints.push(format!("the function {name} has no folder"));
        }
    }
    complaints
}

/// One operation as a function's source declares it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Route {
    pub(super) function: String,
    pub(super) method: String,
    pub(super) path: String,
    /// Called by other services, so without CORS.
    pub(super) is_webhook: bool,
}

pub(super) fn check_routes(template: &Value, routes: &[Route]) -> Complaints {
    let mut complaints = Complaints::new();
    let mut events: BTreeMap<(String, String), String> = BTreeMap::new();
    for (function, event) in events_of_type(template, "Api") {
        let at = (text(&event["Path"]), text(&event["Method"]));
        if !is_ref_of_type(template, &event["RestApiId"], "AWS::Serverless::Api") {
            complaints.push(format!("{} {} of {function} names no API of ours", at.1, at.0));
        }
        if let Some(other) = events.insert(at.clone(), function.to_owned()) {
            complaints.push(format!("{} {} goes to {other} and to {function}", at.1, at.0));
        }
    }
    for route in routes {
        let at = (route.path.clone(), route.method.clone());
        match events.remove(&at) {
            None => complaints.push(format!("{} {} has no event", route.method, route.path)),
            Some(function) if function != route.function => {
                complaints.push(format!("{} {} goes to {function}, not to {}", at.1, at.0, route.function))
            }
            Some(_) => {}
        }
    }
    let page_paths: BTreeSet<&str> =
        routes.iter().filter(|route| !route.is_webhook).map(|route| route.path.as_str()).collect();
    for path in page_paths {
        let serves = |function: &str| routes.iter().any(|r| r.path == path && r.function == function);
        match events.remove(&(path.to_owned(), "OPTIONS".to_owned())) {
            None => complaints.push(format!("OPTIONS {path} has no event: browsers can't call it")),
            Some(function) if !serves(&function) => {
                complaints.push(format!("OPTIONS {path} goes to {function}, which does not know the path"));
            }
            Some(_) => {}
        }
    }
    for ((path, method), function) in events {
        complaints.push(format!("{function} has an event for {method} {path}, which no source declares"));
    }
    complaints
}

/// A buffered integration would pass the streaming wire format of `edge::lambda` on to the browser.
pub(super) fn check_streaming(template: &Value) -> Complaints {
    let mut complaints = Complaints::new();
    for (function, event) in events_of_type(template, "Api") {
        let route = format!("{} {} of {function}", text(&event["Method"]), text(&event["Path"]));
        if event["ResponseTransferMode"] != "RESPONSE_STREAM" {
            complaints.push(format!("{route}: {} is not RESPONSE_STREAM", event["ResponseTransferMode"]));
        }
        // Without a timeout of its own the gateway hangs up after 29 seconds.
        let patience = event["TimeoutInMillis"].as_u64().unwrap_or(29_000);
        if patience < seconds(template, function) * 1000 {
            complaints
                .push(format!("{route}: the gateway gives up after {patience} ms, before the function"));
        }
    }
    let apis = of_type(template, "AWS::Serverless::Api");
    if apis.len() != 1 || apis.values().any(|api| api["EndpointConfiguration"]["Type"] != "REGIONAL") {
        complaints.push("there must be one API, a regional one: others end a silent stream early".to_owned());
    }
    complaints
}

/// The time of a run is bounded from below by the providers' budget and from above by its reservation.
pub(super) fn check_run_time(template: &Value, budget_ms: u64, profile: &Profile) -> Complaints {
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

pub(super) fn check_schedules(template: &Value, routes: &[Route]) -> Complaints {
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
pub(super) fn check_concurrency(template: &Value) -> Complaints {
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

pub(super) fn check_memory(template: &Value) -> Complaints {
    let functions = of_type(template, "AWS::Serverless::Function");
    let silent = functions.iter().filter(|(_, function)| !function["MemorySize"].is_u64());
    let mut complaints: Complaints =
        silent.map(|(name, function)| format!("{name}: MemorySize is {}", function["MemorySize"])).collect();
    if !template["Globals"]["Function"]["MemorySize"].is_null() {
        complaints.push("memory is chosen for each function, by what it needs".to_owned());
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
pub(super) fn check_webhook_time(template: &Value) -> Complaints {
    let webhook = seconds(template, "SepayWebhook");
    // One call to SePay takes ten seconds at most, and the books must be written after it.
    if (20..30).contains(&webhook) {
        return Complaints::new();
    }
    vec![format!(
        "SepayWebhook ends after {webhook} s: SePay waits 30, and the books need time after its answer"
    )]
}

/// A rail whose parameter is empty is not configured. Its secrets may still lie there: nobody uses them alone.
pub(super) fn check_rails(template: &Value) -> Complaints {
    let rails = [
        ("HasCards", "SepayMerchantId", &["SEPAY_MERCHANT_ID"][..]),
        ("HasTransfers", "BankAccount", &["BANK_"]),
        ("HasUsdt", "TronWallet", &["TRON"]),
    ];
    let mut complaints = Complaints::new();
    for (condition, parameter, settings) in rails {
        let wanted = json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": parameter }, ""] }] });
        if template["Conditions"][condition] != wanted || template["Parameters"][parameter]["Default"] != "" {
            complaints.push(format!("{condition} does not say that {parameter} is given"));
        }
        for (name, function) in of_type(template, "AWS::Serverless::Function") {
            for (variable, value) in function["Environment"]["Variables"].as_object().into_iter().flatten() {
                let is_of_rail = settings.iter().any(|setting| variable.starts_with(setting));
                let form = &value["Fn::If"];
                if is_of_rail && (form[0] != condition || form[2] != json!({ "Ref": "AWS::NoValue" })) {
                    complaints.push(format!("{name}: {variable} is there without {parameter}"));
                }
            }
        }
    }
    complaints
}

/// What a function reads, by [`SETTINGS`]; empty for what is no function of ours.
fn settings_of(name: &str, sources: &BTreeMap<String, String>) -> BTreeSet<&'static str> {
    let Some(source) = sources.get(name) else { return BTreeSet::new() };
    let built = SETTINGS.iter().filter(|(builder, ..)| source.contains(builder));
    built.flat_map(|(_, required, optional)| required.iter().chain(*optional)).copied().collect()
}

/// The secrets that a function reads.
pub(super) fn secrets_of(name: &str, sources: &BTreeMap<String, String>) -> BTreeSet<&'static str> {
    settings_of(name, sources).into_iter().filter(|setting| is_secret(setting)).collect()
}

/// `sources` are the functions' sources by resource name.
pub(super) fn check_settings(template: &Value, sources: &BTreeMap<String, String>) -> Complaints {
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
