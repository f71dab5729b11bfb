//! Functions and their folders, routes, streams and memory.

use super::*;
use edge::Permission;

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

/// Lambda freezes an environment that asks for its next event, and the host asks when it knows of no work any more.
#[test]
fn work_that_outlives_its_request_is_known_to_the_host() {
    let source = shared_source() + &function_sources().into_values().collect::<String>();
    assert!(source.contains(".spawn("), "runs are tasks of their own");
    for unknown in ["tokio::spawn(", "task::spawn(", "thread::spawn("] {
        assert!(!source.contains(unknown), "{unknown}: start it by Platform::spawn");
    }
}

/// Only crates that are known as ours log below a warning.
#[test]
fn every_function_s_own_log_lines_are_told() {
    let telemetry = fs::read_to_string(root().join("shared/platform/src/telemetry.rs")).unwrap();
    for folder in folders() {
        let manifest = fs::read_to_string(root().join("functions").join(&folder).join("Cargo.toml")).unwrap();
        let own = manifest.split("[lib]").nth(1).and_then(|lib| lib.split("\n[").next());
        let own = own.and_then(|lib| lib.split("name = \"").nth(1)).and_then(|rest| rest.split('"').next());
        let name = own.map_or_else(|| folder.replace('-', "_"), str::to_owned);
        assert!(telemetry.contains(&format!("\"{name}\",")), "{name} is missing among OURS");
    }
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

/// `.route(…)` serves, `#[utoipa::path(…)]` documents and leads to the event in the cloud, `edge::ROUTES` lets in.
#[test]
fn what_is_served_is_declared_and_has_a_row_in_the_table_of_permissions_and_the_reverse() {
    for (function, source) in function_sources() {
        let declared: BTreeSet<(String, String, String)> = declared_in(&function, &source)
            .into_iter()
            .map(|route| (route.method, route.path, route.handler))
            .collect();
        assert_eq!(served_by(&source), declared, "{function}");
    }
    let declared: BTreeSet<(String, String)> =
        routes().into_iter().map(|route| (route.method, route.path)).collect();
    let rows: Vec<(String, String)> =
        edge::ROUTES.iter().map(|row| (row.method.to_string(), row.path.to_owned())).collect();
    assert_eq!(declared, rows.iter().cloned().collect());
    assert_eq!(declared.len(), rows.len(), "a route stands in the table twice");

    let source = r#".route("/v1/a", get(pages::show).patch(change)).route("/v1/b/{id}", post(make))"#;
    let served = served_by(source);
    let served: Vec<(&str, &str, &str)> =
        served.iter().map(|(method, path, handler)| (&**method, &**path, &**handler)).collect();
    let expected = [("GET", "/v1/a", "show"), ("PATCH", "/v1/a", "change"), ("POST", "/v1/b/{id}", "make")];
    assert_eq!(served, expected);
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
fn every_function_says_how_much_memory_it_needs() {
    assert_fine(check_memory(&template()));

    let silent = without("/Resources/Pricing/Properties/MemorySize");
    assert_complains(check_memory(&silent), "Pricing: MemorySize is null");
    let common = changed("/Globals/Function/MemorySize", json!(512));
    assert_complains(check_memory(&common), "memory is chosen for each function");
}

fn check_functions(template: &Value, folders: &BTreeSet<String>) -> Complaints {
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
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) function: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) handler: String,
    /// By `edge::ROUTES`.
    pub(super) permission: Option<Permission>,
}

impl Route {
    /// Called by other services, so without CORS.
    pub(super) fn is_webhook(&self) -> bool {
        self.permission == Some(Permission::Signed)
    }
}

fn check_routes(template: &Value, routes: &[Route]) -> Complaints {
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
        routes.iter().filter(|route| !route.is_webhook()).map(|route| route.path.as_str()).collect();
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

/// A buffered integration would pass the streaming wire format of `shared/gateway` on to the browser.
fn check_streaming(template: &Value) -> Complaints {
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

fn check_memory(template: &Value) -> Complaints {
    let functions = of_type(template, "AWS::Serverless::Function");
    let silent = functions.iter().filter(|(_, function)| !function["MemorySize"].is_u64());
    let mut complaints: Complaints =
        silent.map(|(name, function)| format!("{name}: MemorySize is {}", function["MemorySize"])).collect();
    if !template["Globals"]["Function"]["MemorySize"].is_null() {
        complaints.push("memory is chosen for each function, by what it needs".to_owned());
    }
    complaints
}
