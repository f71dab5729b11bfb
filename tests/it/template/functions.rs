//! Functions and their folders, routes, who may invoke them, streams and memory.

use super::*;
use edge::Permission;

#[test]
fn every_function_folder_has_its_resource_and_the_reverse() {
    assert_fine(check_functions(&template(), &folders()));

    let mut more = folders();
    more.insert("another".to_owned());
    assert_complains(check_functions(&template(), &more), "functions/another has no resource Another");
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
fn every_route_stands_in_the_api_and_leads_to_its_function_and_the_reverse() {
    assert_fine(check_routes(&template(), &routes()));

    let gone = without(&operation_pointer("POST", "/v1/quotes"));
    assert_complains(check_routes(&gone, &routes()), "POST /v1/quotes is not in the API");
    let of_runs = template().pointer(&operation_pointer("GET", "/v1/runs")).unwrap().clone();
    let moved = changed(&operation_pointer("POST", "/v1/runs"), of_runs.clone());
    assert_complains(check_routes(&moved, &routes()), "POST /v1/runs goes to Runs, not to RunTool");
    let gone = without(&operation_pointer("POST", "/v1/webhooks/sepay/ipn"));
    assert_complains(check_routes(&gone, &routes()), "POST /v1/webhooks/sepay/ipn is not in the API");
    for (method, path) in [("DELETE", "/v1/runs/{id}"), ("x-amazon-apigateway-any-method", "/v1/runs/{id}")] {
        let extra = changed(&operation_pointer(method, path), of_runs.clone());
        assert_complains(check_routes(&extra, &routes()), "/v1/runs/{id}, which no source declares");
    }
    let paths = "/Resources/Api/Properties/DefinitionBody/paths";
    let greedy = changed(&format!("{paths}/~1{{proxy+}}"), json!({ "get": of_runs }));
    assert_complains(check_routes(&greedy, &routes()), "GET /{proxy+}, which no source declares");
    let silent = changed(&operation_pointer("GET", "/v1/runs"), json!({}));
    assert_complains(check_routes(&silent, &routes()), "GET /v1/runs goes to nobody, not to Runs");
}

#[test]
fn every_path_that_pages_call_answers_preflights_without_a_function_and_no_webhook_does() {
    assert_fine(check_routes(&template(), &routes()));
    let gone = without(&operation_pointer("OPTIONS", "/v1/account"));
    assert_complains(check_routes(&gone, &routes()), "OPTIONS /v1/account is not in the API");
    let gone = without(&operation_pointer("OPTIONS", "/v1/top-ups/{id}/cancel"));
    assert_complains(check_routes(&gone, &routes()), "OPTIONS /v1/top-ups/{id}/cancel is not in the API");
    let at = operation_pointer("OPTIONS", "/v1/account");
    let preflight = template().pointer(&at).unwrap().clone();
    let open = changed(&operation_pointer("OPTIONS", "/v1/webhooks/sepay/ipn"), preflight);
    assert_complains(
        check_routes(&open, &routes()),
        "OPTIONS /v1/webhooks/sepay/ipn, which no source declares",
    );
    let of_account = template().pointer(&operation_pointer("GET", "/v1/account")).unwrap().clone();
    assert_complains(check_routes(&changed(&at, of_account), &routes()), "OPTIONS /v1/account wakes Account");
    let vary =
        "x-amazon-apigateway-integration/responses/default/responseParameters/method.response.header.Vary";
    let at = operation_pointer("OPTIONS", "/v1/runs");
    let other = changed(&format!("{at}/{vary}"), json!("'accept'"));
    assert_complains(check_routes(&other, &routes()), "OPTIONS /v1/runs is answered in a way of its own");
}

#[test]
fn the_api_and_nobody_else_may_invoke_each_function_that_has_routes() {
    assert_fine(check_invokers(&template()));

    let permission =
        |key: &str, value: Value| changed(&format!("/Resources/TopUpsPermission/Properties/{key}"), value);
    for (template, part) in [
        (without("/Resources/TopUpsPermission"), "TopUps has routes, and the API may not invoke it"),
        (permission("Principal", json!("*")), "TopUpsPermission lets others in"),
        (permission("SourceArn", Value::Null), "TopUpsPermission lets others in"),
        (permission("FunctionName", json!({ "Ref": "TronPoll" })), "TronPollPermission is not its name"),
        (
            changed("/Resources/TronPollPermission", template()["Resources"]["TopUpsPermission"].clone()),
            "TopUpsPermission is not its name",
        ),
    ] {
        assert_complains(check_invokers(&template), part);
    }
}

#[test]
fn every_answer_streams_because_the_functions_write_streams() {
    let streams = ["\"Lambda-Runtime-Function-Response-Mode\", \"streaming\""];
    let source = shared_source();
    assert!(streams.iter().any(|sign| source.contains(sign)), "buffered answers need buffered integrations");
    let template = template();
    assert_fine(check_streaming(&template));
    let run = operation_pointer("POST", "/v1/runs") + "/x-amazon-apigateway-integration";
    assert_eq!(template.pointer(&run).unwrap()["timeoutInMillis"], 900_000);

    // A word of another place, which API Gateway would take for none.
    let buffered = changed(&format!("{run}/responseTransferMode"), json!("RESPONSE_STREAM"));
    assert_complains(check_streaming(&buffered), "\"RESPONSE_STREAM\" is not STREAM");
    assert_complains(check_streaming(&without(&format!("{run}/responseTransferMode"))), "null is not STREAM");
    let uri = text(&template.pointer(&run).unwrap()["uri"]["Fn::Sub"]);
    let whole = uri.replace("2021-11-15", "2015-03-31").replace("/response-streaming-", "/");
    let whole = changed(&format!("{run}/uri"), json!({ "Fn::Sub": whole }));
    assert_complains(check_streaming(&whole), "the answer is waited for as a whole");
    assert_complains(check_streaming(&without(&format!("{run}/timeoutInMillis"))), "gives up after 29000 ms");
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
    let mut operations: BTreeMap<(String, String), Operation<'_>> = operations(template)
        .into_iter()
        .map(|operation| ((operation.path.to_owned(), operation.method.clone()), operation))
        .collect();
    for Route { function, method, path, .. } in routes {
        match operations.remove(&(path.clone(), method.clone())) {
            None => complaints.push(format!("{method} {path} is not in the API")),
            Some(operation) if operation.function() != Some(function) => {
                let other = operation.function().unwrap_or("nobody");
                complaints.push(format!("{method} {path} goes to {other}, not to {function}"));
            }
            Some(_) => {}
        }
    }
    let page_paths: BTreeSet<&str> =
        routes.iter().filter(|route| !route.is_webhook()).map(|route| route.path.as_str()).collect();
    let mut usual: Option<&Value> = None;
    for path in page_paths {
        let Some(operation) = operations.remove(&(path.to_owned(), "OPTIONS".to_owned())) else {
            complaints
                .push(format!("OPTIONS {path} is not in the API: pages of other origins can't call it"));
            continue;
        };
        if let Some(function) = operation.function() {
            complaints.push(format!("OPTIONS {path} wakes {function}"));
        } else if *usual.get_or_insert(operation.body) != operation.body {
            complaints.push(format!("OPTIONS {path} is answered in a way of its own"));
        }
    }
    complaints.extend(
        operations
            .keys()
            .map(|(path, method)| format!("the API has {method} {path}, which no source declares")),
    );
    complaints
}

/// One permission for each function that the API calls, for all of its routes: the API decides which there are.
fn check_invokers(template: &Value) -> Complaints {
    let mut complaints = Complaints::new();
    let mut called: BTreeSet<&str> = operations(template).iter().filter_map(Operation::function).collect();
    let api = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/live/*";
    for (name, permission) in of_type(template, "AWS::Lambda::Permission") {
        let function = permission["FunctionName"]["Ref"].as_str().unwrap_or_default();
        let wanted = json!({
            "Action": "lambda:InvokeFunction", "FunctionName": { "Ref": function },
            "Principal": "apigateway.amazonaws.com", "SourceArn": { "Fn::Sub": api },
        });
        if *permission != wanted {
            complaints.push(format!("{name} lets others in: {permission}"));
        }
        if name != format!("{function}Permission") {
            complaints.push(format!("{name}: {function}Permission is not its name"));
        }
        called.remove(function);
    }
    complaints.extend(
        called.iter().map(|function| format!("{function} has routes, and the API may not invoke it")),
    );
    complaints
}

/// A buffered integration would pass the streaming wire format of `shared/gateway` on to the browser.
fn check_streaming(template: &Value) -> Complaints {
    let mut complaints = Complaints::new();
    for operation in operations(template) {
        let Some(function) = operation.function() else { continue };
        let route = format!("{} {} of {function}", operation.method, operation.path);
        let integration = operation.integration();
        if integration["type"] != "aws_proxy" || integration["httpMethod"] != "POST" {
            complaints.push(format!("{route}: Lambda is not called as it wants to be"));
        }
        if integration["responseTransferMode"] != "STREAM" {
            complaints.push(format!("{route}: {} is not STREAM", integration["responseTransferMode"]));
        }
        let streams = format!(
            "arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/2021-11-15/functions/${{{function}.Arn}}/response-streaming-invocations"
        );
        if integration["uri"] != json!({ "Fn::Sub": streams }) {
            complaints.push(format!("{route}: the answer is waited for as a whole"));
        }
        // Without a timeout of its own the gateway hangs up after 29 seconds.
        let patience = integration["timeoutInMillis"].as_u64().unwrap_or(29_000);
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
