//! Checks of the front door: what it lets in, what it writes down, and under which name it stands.

use super::*;
use edge::{Problem, ProblemCode};
use std::time::Duration;

#[test]
fn a_flood_of_other_routes_leaves_the_webhooks_theirs() {
    assert_fine(check_throttles(&template(), &routes()));

    let settings = "/Resources/Api/Properties/MethodSettings";
    for (pointer, value, part) in [
        ("0/ThrottlingRateLimit", json!(10_000), "* /* has not its own 200"),
        // As CloudFormation would not find it.
        (
            "5/Fn::If/1/ResourcePath",
            json!("/v1/webhooks/sepay/bank"),
            "POST /~1v1~1webhooks~1sepay~1bank has not its own 50",
        ),
        (
            "6/Fn::If/1/DataTraceEnabled",
            json!(true),
            "POST /~1v1~1webhooks~1sepay~1ipn: the gateway may log bodies",
        ),
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
        ("/Resources/ApiAccessLogs/Condition".to_owned(), Value::Null, "is there without ApiLogs"),
        (format!("{api}/Variables"), json!({ "Domain": "none" }), "Api: Variables"),
        (
            "/Resources/Account".to_owned(),
            json!({ "Type": "AWS::ApiGateway::Account" }),
            "belongs to the whole account",
        ),
        ("/Resources/ApiDomain/Properties/SecurityPolicy".to_owned(), json!("TLS_1_0"), "ApiDomain is"),
        ("/Resources/ApiDomainRecord/Condition".to_owned(), json!("HasDomain"), "ApiDomainRecord is"),
    ] {
        assert_complains(check_door(&changed(&pointer, value)), part);
    }
}

#[test]
fn what_the_gateway_refuses_itself_is_a_problem_document_that_pages_can_read() {
    assert_fine(check_refusals(&template()));

    let responses = "/Resources/Api/Properties/GatewayResponses";
    for (pointer, value, part) in [
        ("THROTTLED/StatusCode", json!("503"), "THROTTLED: the status is \"503\", not 429"),
        (
            "THROTTLED/ResponseParameters/Headers/Access-Control-Allow-Origin",
            Value::Null,
            "THROTTLED: the headers are",
        ),
        (
            "DEFAULT_5XX/ResponseTemplates/application~1json",
            json!("{\"message\": \"no\"}"),
            "DEFAULT_5XX says",
        ),
        ("INTEGRATION_TIMEOUT/StatusCode", Value::Null, "INTEGRATION_TIMEOUT: the status is null"),
        ("QUOTA_EXCEEDED", json!({}), "QUOTA_EXCEEDED has no code"),
    ] {
        assert_complains(check_refusals(&changed(&format!("{responses}/{pointer}"), value)), part);
    }
    assert_complains(
        check_refusals(&without(&format!("{responses}/REQUEST_TOO_LARGE"))),
        "REQUEST_TOO_LARGE",
    );
}

#[test]
fn nothing_of_the_api_but_its_own_address_hangs_on_a_parameter() {
    // SAM makes a new deployment of the API when the template changes, not when a parameter does.
    let template = template();
    let responses = template.pointer("/Resources/Api/Properties/GatewayResponses").unwrap().to_string();
    assert!(!responses.contains("Fn::") && !responses.contains("\"Ref\""), "{responses}");
    for operation in operations(&template) {
        let mut integration = operation.integration().clone();
        integration.as_object_mut().unwrap().remove("uri");
        let integration = integration.to_string();
        assert!(!integration.contains("Fn::") && !integration.contains("\"Ref\""), "{integration}");
    }
}

/// What API Gateway refuses by itself, the problem it is told as, and how many seconds to wait.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>
const REFUSALS: &[(&str, ProblemCode, Option<u64>)] = &[
    ("DEFAULT_4XX", ProblemCode::InvalidRequest, None),
    ("DEFAULT_5XX", ProblemCode::NoAnswer, None),
    // No method asks for a signature, a key or a token of AWS: these only come for paths that do not exist.
    ("ACCESS_DENIED", ProblemCode::NotFound, None),
    ("EXPIRED_TOKEN", ProblemCode::NotFound, None),
    ("INVALID_SIGNATURE", ProblemCode::NotFound, None),
    ("MISSING_AUTHENTICATION_TOKEN", ProblemCode::NotFound, None),
    ("RESOURCE_NOT_FOUND", ProblemCode::NotFound, None),
    ("REQUEST_TOO_LARGE", ProblemCode::BodyTooLarge, None),
    ("UNSUPPORTED_MEDIA_TYPE", ProblemCode::UnsupportedMediaType, None),
    ("THROTTLED", ProblemCode::RateLimited, Some(1)),
    ("WAF_FILTERED", ProblemCode::RateLimited, Some(60)),
    ("INTEGRATION_FAILURE", ProblemCode::NoAnswer, None),
    ("INTEGRATION_TIMEOUT", ProblemCode::TimedOut, None),
];

/// On all of them, as the functions send them too.
const REFUSAL_HEADERS: &[(&str, &str)] = &[
    ("Access-Control-Allow-Origin", "'*'"),
    ("Access-Control-Expose-Headers", "'x-request-id, retry-after'"),
    ("Cache-Control", "'no-store'"),
    ("Content-Type", "'application/problem+json'"),
    ("Strict-Transport-Security", "'max-age=63072000; includeSubDomains'"),
    ("X-Content-Type-Options", "'nosniff'"),
    ("X-Request-Id", "context.requestId"),
];

fn check_refusals(template: &Value) -> Complaints {
    let mut complaints = Complaints::new();
    let mut responses = template["Resources"]["Api"]["Properties"]["GatewayResponses"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    for (kind, code, wait) in REFUSALS {
        let Some(response) = responses.remove(*kind) else {
            complaints.push(format!("{kind} is said in API Gateway's own words"));
            continue;
        };
        if response["StatusCode"].as_str() != Some(code.status().to_string().as_str()) {
            complaints.push(format!(
                "{kind}: the status is {}, not {}",
                response["StatusCode"],
                code.status()
            ));
        }
        let mut headers: Map<String, Value> =
            REFUSAL_HEADERS.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        headers.extend(wait.map(|seconds| ("Retry-After".to_owned(), json!(format!("'{seconds}'")))));
        let found = &response["ResponseParameters"]["Headers"];
        if *found != Value::Object(headers) {
            complaints.push(format!("{kind}: the headers are {found}"));
        }
        let mut problem = Problem::new(*code);
        if let Some(seconds) = wait {
            problem = problem.retry_after(Duration::from_secs(*seconds));
        }
        let mut wanted = problem.document();
        wanted["request_id"] = json!("$context.requestId");
        let said = text(&response["ResponseTemplates"]["application/json"]);
        if serde_json::from_str::<Value>(&said).ok() != Some(wanted) {
            complaints.push(format!("{kind} says {said}"));
        }
    }
    complaints.extend(responses.keys().map(|kind| format!("{kind} has no code")));
    complaints
}

/// The stage's rate is shared by all callers; only this counts each address by itself.
#[test]
fn one_address_can_be_kept_from_using_up_what_all_share() {
    assert_fine(check_doorkeeper(&template()));

    let rule = "/Resources/Doorkeeper/Properties/Rules/0";
    for (pointer, value) in [
        (format!("{rule}/Statement/RateBasedStatement/Limit"), json!(100)),
        (format!("{rule}/Statement/RateBasedStatement/AggregateKeyType"), json!("CONSTANT")),
        (format!("{rule}/Action"), json!({ "Count": {} })),
        (format!("{rule}/VisibilityConfig/SampledRequestsEnabled"), json!(true)),
        ("/Resources/Doorkeeper/Condition".to_owned(), Value::Null),
        ("/Resources/DoorkeeperOfApi/Condition".to_owned(), json!("HasDomain")),
        ("/Conditions/HasDoorkeeper".to_owned(), json!({ "Fn::Equals": [1, 1] })),
        ("/Parameters/RequestsPerAddressMax/Default".to_owned(), json!(600)),
    ] {
        assert_complains(check_doorkeeper(&changed(&pointer, value)), "the doorkeeper");
    }
}

fn check_doorkeeper(template: &Value) -> Complaints {
    let unseen = |name: &str| json!({ "SampledRequestsEnabled": false, "CloudWatchMetricsEnabled": false, "MetricName": name });
    let rule = json!([{
        "Name": "per-address", "Priority": 0, "Action": { "Block": {} }, "VisibilityConfig": unseen("per-address"),
        "Statement": { "RateBasedStatement": {
            "AggregateKeyType": "IP", "EvaluationWindowSec": 60, "Limit": { "Ref": "RequestsPerAddressMax" },
        } },
    }]);
    let stage = "arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/${Api}/stages/${Api.Stage}";
    let (list, joined) = (&template["Resources"]["Doorkeeper"], &template["Resources"]["DoorkeeperOfApi"]);
    let is_asked_for = json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": "RequestsPerAddressMax" }, 0] }] });
    let facts = [
        ("rules", list["Properties"]["Rules"] == rule),
        ("visibility", list["Properties"]["VisibilityConfig"] == unseen("doorkeeper")),
        ("default", list["Properties"]["DefaultAction"] == json!({ "Allow": {} })),
        ("scope", list["Properties"]["Scope"] == "REGIONAL"),
        ("stage", joined["Properties"]["ResourceArn"] == json!({ "Fn::Sub": stage })),
        ("list", joined["Properties"]["WebACLArn"] == json!({ "Fn::GetAtt": ["Doorkeeper", "Arn"] })),
        ("conditions", [list, joined].iter().all(|resource| resource["Condition"] == "HasDoorkeeper")),
        ("wish", template["Conditions"]["HasDoorkeeper"] == is_asked_for),
        // It costs money while nobody calls.
        ("price", template["Parameters"]["RequestsPerAddressMax"]["Default"] == 0),
    ];
    facts
        .iter()
        .filter(|(_, holds)| !holds)
        .map(|(what, _)| format!("the doorkeeper's {what} is another"))
        .collect()
}

/// TLS 1.2 at least, with the ciphers that every client of this decade has.
const TLS: &str = "SecurityPolicy_TLS13_1_2_2021_06";

/// All of the access log: nothing of who called.
const LOGGED: &[(&str, &str)] = &[
    ("requestId", "$context.requestId"),
    ("method", "$context.httpMethod"),
    ("resourcePath", "$context.resourcePath"),
    ("status", "$context.status"),
    ("responseLatency", "$context.responseLatency"),
    ("integrationLatency", "$context.integrationLatency"),
    ("errorType", "$context.error.responseType"),
];

fn check_door(template: &Value) -> Complaints {
    let mut complaints = Complaints::new();
    let api = &template["Resources"]["Api"]["Properties"];
    let wanted = [
        // The dashboard and the alarm find it by its name.
        ("Name", api_name()),
        ("SecurityPolicy", json!(TLS)),
        ("EndpointAccessMode", json!("STRICT")),
        ("DisableExecuteApiEndpoint", json!({ "Fn::If": ["HasDomain", true, false] })),
        // Without a change of the stage the line above has no effect when a domain comes or goes; preflights are
        // answered by the list.
        (
            "Variables",
            json!({
                "Domain": { "Fn::If": ["HasDomain", { "Ref": "DomainName" }, "none"] },
                "AllowedOrigins": { "Fn::Join": [",", { "Ref": "AllowedOrigins" }] },
            }),
        ),
        // The gateway's traces carry full IP addresses.
        ("TracingEnabled", json!(false)),
    ];
    for (key, wanted) in wanted {
        if api[key] != wanted {
            complaints.push(format!("Api: {key} is {}, not {wanted}", api[key]));
        }
    }
    complaints.extend(check_access_log(template));
    complaints.extend(check_domain(template));
    complaints
}

fn check_access_log(template: &Value) -> Complaints {
    let mut complaints = Complaints::new();
    let setting = &template["Resources"]["Api"]["Properties"]["AccessLogSetting"]["Fn::If"];
    let log = json!({ "Fn::GetAtt": ["ApiAccessLogs", "Arn"] });
    if setting[0] != "HasApiLogs"
        || setting[1]["DestinationArn"] != log
        || setting[2] != json!({ "Ref": "AWS::NoValue" })
    {
        complaints.push(format!("the access log goes to {setting}"));
    }
    let format = serde_json::from_str(&text(&setting[1]["Format"])).unwrap_or(Value::Null);
    let wanted: Map<String, Value> =
        LOGGED.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    if format != Value::Object(wanted) {
        complaints.push(format!("the access log writes {format}, not exactly what is known to be nobody's"));
    }
    if template["Resources"]["ApiAccessLogs"]["Condition"] != "HasApiLogs" {
        complaints.push("ApiAccessLogs is there without ApiLogs".to_owned());
    }
    // A stack that owned it would take it from all others when it is deleted (docs/facts/aws-deployment.md).
    for name in of_type(template, "AWS::ApiGateway::Account").keys() {
        complaints.push(format!("{name}: the role of API Gateway's logs belongs to the whole account"));
    }
    complaints
}

fn check_domain(template: &Value) -> Complaints {
    let of_domain = |attribute: &str| json!({ "Fn::GetAtt": ["ApiDomain", attribute] });
    let wanted = [
        (
            "ApiDomain",
            "HasDomain",
            json!({
                "DomainName": { "Ref": "DomainName" }, "RegionalCertificateArn": { "Ref": "CertificateArn" },
                "EndpointConfiguration": { "Types": ["REGIONAL"] },
                "SecurityPolicy": TLS, "EndpointAccessMode": "STRICT",
            }),
        ),
        (
            "ApiDomainMapping",
            "HasDomain",
            json!({
                "DomainName": { "Ref": "ApiDomain" }, "RestApiId": { "Ref": "Api" }, "Stage": { "Ref": "Api.Stage" },
            }),
        ),
        (
            "ApiDomainRecord",
            "HasRecord",
            json!({
                "HostedZoneId": { "Ref": "HostedZoneId" }, "Name": { "Ref": "DomainName" }, "Type": "A",
                "AliasTarget": {
                    "DNSName": of_domain("RegionalDomainName"), "HostedZoneId": of_domain("RegionalHostedZoneId"),
                },
            }),
        ),
    ];
    let mut complaints = Complaints::new();
    for (name, condition, properties) in wanted {
        let resource = &template["Resources"][name];
        if resource["Properties"] != properties || resource["Condition"] != condition {
            complaints.push(format!("{name} is {resource}, not {properties} under {condition}"));
        }
    }
    complaints
}

/// What a flood of one route may cost, and that it leaves payments and sign-ups theirs.
fn check_throttles(template: &Value, routes: &[Route]) -> Complaints {
    let mut complaints = Complaints::new();
    let settings = list(&template["Resources"]["Api"]["Properties"]["MethodSettings"]);
    let mut throttled: BTreeMap<(String, String), &Value> = settings
        .iter()
        .map(where_offered)
        .map(|setting| ((text(&setting["ResourcePath"]), text(&setting["HttpMethod"])), setting))
        .collect();
    let mut wanted = vec![(("/*".to_owned(), "*".to_owned()), 200, 400)];
    let webhooks = routes.iter().filter(|route| route.is_webhook());
    wanted.extend(webhooks.map(|route| ((encoded(&route.path), route.method.clone()), 50, 100)));
    for (at, rate, burst) in wanted {
        let setting = throttled.remove(&at).cloned().unwrap_or_default();
        if setting["ThrottlingRateLimit"] != rate || setting["ThrottlingBurstLimit"] != burst {
            complaints.push(format!("{} {} has not its own {rate} requests a second", at.1, at.0));
        }
        // Bodies are prompts and payments: a setting of a method replaces the stage's, so each must say so.
        if setting["DataTraceEnabled"] != false || setting["LoggingLevel"] != "OFF" {
            complaints.push(format!("{} {}: the gateway may log bodies", at.1, at.0));
        }
    }
    complaints.extend(throttled.keys().map(|(path, method)| format!("no webhook is {method} {path}")));
    complaints
}

/// A path as method settings name it: every slash but the first is `~1`.
fn encoded(path: &str) -> String {
    format!("/{}", path.replace('/', "~1"))
}
