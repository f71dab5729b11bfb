//! Checks of the front door: what it lets in, what it writes down, and under which name it stands.

use super::*;

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
    let account = &template["Resources"]["ApiLogsAccount"];
    let writes_by = json!({ "CloudWatchRoleArn": { "Fn::GetAtt": ["ApiLogsRole", "Arn"] } });
    if account["Properties"] != writes_by || template["Resources"]["Api"]["DependsOn"] != "ApiLogsAccount" {
        complaints.push("the API must wait for the role that its log is written by".to_owned());
    }
    for name in ["ApiAccessLogs", "ApiLogsRole", "ApiLogsAccount"] {
        if template["Resources"][name]["Condition"] != "HasApiLogs" {
            complaints.push(format!("{name} is there without ApiLogs"));
        }
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
        .map(|setting| ((text(&setting["ResourcePath"]), text(&setting["HttpMethod"])), setting))
        .collect();
    let mut wanted = vec![(("/*".to_owned(), "*".to_owned()), 200, 400)];
    let webhooks = routes.iter().filter(|route| route.is_webhook);
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
