//! `template.yaml` against the code: folders, routes, tables, profile, settings and rights say the same.
//!
//! Each check takes the template and returns what is wrong with it, so that the tests also show, on changed
//! templates, that it would complain. What only SAM's transform can tell is checked by `infra/deploy/validate.sh`.

use platform::{Env, Platform, Profile, TableSpec};
use primitives::Clock;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Complaints = Vec<String>;
/// Actions by the place they are done at.
type Places = &'static [(&'static str, &'static [&'static str])];

/// The class of outputs that expire (`media::output_key`).
const TEMPORARY: &str = "tmp30/";

/// What each function's code does to tables, outputs and the key: exactly this, and nothing else.
///
/// `key via x` is the use of our KMS key by service x in the function's name: to open a table, or an object.
const RIGHTS: &[(&str, Places)] = &[
    (
        "RunTool",
        &[
            ("tool_pricing", &["Scan"]),
            ("accounts", &["GetItem", "PutItem", "UpdateItem"]),
            ("credit_transactions", &["GetItem", "PutItem"]),
            ("usage_log", &["GetItem", "PutItem", "UpdateItem"]),
            ("idempotency", &["PutItem"]),
            ("users", &["GetItem", "PutItem", "UpdateItem"]),
            ("provider_health", &["BatchGetItem", "GetItem", "PutItem"]),
            ("request_limits", &["UpdateItem"]),
            ("outputs", &["GetObject", "PutObject"]),
            ("key via dynamodb", &["Decrypt"]),
            ("key via s3", &["Decrypt", "GenerateDataKey"]),
        ],
    ),
    (
        "Pricing",
        &[
            ("tool_pricing", &["Scan"]),
            ("request_limits", &["UpdateItem"]),
            ("key via dynamodb", &["Decrypt"]),
        ],
    ),
    (
        "Runs",
        &[
            ("accounts", &["GetItem"]),
            ("credit_transactions", &["GetItem"]),
            ("usage_log", &["GetItem", "Query"]),
            ("request_limits", &["UpdateItem"]),
            ("outputs", &["GetObject"]),
            ("key via dynamodb", &["Decrypt"]),
            ("key via s3", &["Decrypt"]),
        ],
    ),
    (
        "Account",
        &[
            ("users", &["GetItem", "PutItem", "UpdateItem"]),
            ("accounts", &["GetItem", "PutItem"]),
            ("credit_transactions", &["PutItem", "Query"]),
            ("request_limits", &["UpdateItem"]),
            ("key via dynamodb", &["Decrypt"]),
        ],
    ),
    (
        "IdentityWebhook",
        &[
            ("users", &["GetItem", "PutItem", "UpdateItem"]),
            ("accounts", &["UpdateItem"]),
            ("key via dynamodb", &["Decrypt"]),
        ],
    ),
    (
        "ReservationSweep",
        &[
            ("accounts/index/by-due", &["Query"]),
            ("accounts", &["GetItem", "UpdateItem"]),
            ("credit_transactions", &["PutItem"]),
            ("usage_log", &["PutItem"]),
            ("key via dynamodb", &["Decrypt"]),
        ],
    ),
];

/// Who may write a balance, and why. Whoever is added here can make money.
const ACCOUNT_WRITERS: &[(&str, &str)] = &[
    ("Account", "opens accounts with their welcome credit"),
    ("IdentityWebhook", "closes accounts of deleted people"),
    ("ReservationSweep", "gives back what nobody settled"),
    ("RunTool", "reserves, settles, opens accounts at the first run"),
];

/// What a function needs in its environment, by what its source builds.
///
/// The first list is read at the start and must be there; of the second the function can do without.
const SETTINGS: &[(&str, &[&str], &[&str])] = &[
    ("Platform::from_env", &["MEDIA_BUCKET"], &["PROFILE", "TABLE_PREFIX"]),
    ("Edge::new", &["CLERK_ISSUER", "PSEUDONYM_PEPPER"], &["ALLOWED_ORIGINS"]),
    ("Shop::new", &["QUOTE_SECRET"], &[]),
    ("Signup::new", &[], &["CLERK_SECRET_KEY"]),
    ("webhook_secrets", &[], &["CLERK_INSTANCE_ID", "CLERK_WEBHOOK_SECRET"]),
    (
        "Runs::new",
        &["QUOTE_SECRET"],
        &[
            "ANTHROPIC_API_KEY",
            "CLERK_SECRET_KEY",
            "COMFYUI_TOKEN",
            "COMFYUI_URL",
            "DEEPSEEK_API_KEY",
            "FAL_KEY",
        ],
    ),
];

/// What the template consists of. Each kind is understood by a check here.
const KINDS: &[&str] = &[
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::Serverless::Api",
    "AWS::Serverless::Function",
];

/// Set by Lambda itself; a template may not.
const GIVEN_BY_LAMBDA: &[&str] = &["AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_SECRET_ACCESS_KEY"];

// ---- the checks --------------------------------------------------------------------------------------------

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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Route {
    function: String,
    method: String,
    path: String,
    /// Called by other services, so without CORS.
    is_webhook: bool,
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
        let expected = [
            (&tick["ScheduleExpression"], json!("rate(1 minute)"), "ticks every minute"),
            (&tick["FlexibleTimeWindow"]["Mode"], json!("OFF"), "ticks on time"),
            (&tick["RetryPolicy"]["MaximumRetryAttempts"], json!(0), "is not retried by the schedule"),
            (&function["EventInvokeConfig"]["MaximumRetryAttempts"], json!(0), "is not retried by Lambda"),
            (&function["ReservedConcurrentExecutions"], json!(1), "runs once at a time"),
        ];
        for (found, wanted, what) in expected {
            if *found != wanted {
                complaints.push(format!("{name} {what}: {wanted}, not {found}"));
            }
        }
        if seconds(template, name) >= 60 {
            complaints.push(format!("{name} may still run when the next tick comes"));
        }
    }
    complaints
}

fn check_tables(template: &Value, specs: &[TableSpec]) -> Complaints {
    let mut complaints = Complaints::new();
    let mut found = of_type(template, "AWS::DynamoDB::Table");
    for spec in specs {
        let resource = table_resource(spec.name);
        let Some(table) = found.remove(resource.as_str()) else {
            complaints.push(format!("{} has no resource {resource}", spec.name));
            continue;
        };
        for (key, wanted) in wanted_table(spec) {
            let is = sorted_attributes(&key, table.get(&key).unwrap_or(&Value::Null));
            if is != wanted {
                complaints.push(format!("{resource}: {key} is {is}, not {wanted}"));
            }
        }
        let known = wanted_table(spec);
        for key in table.as_object().into_iter().flat_map(Map::keys).filter(|key| !known.contains_key(*key)) {
            complaints.push(format!("{resource}: {key} is set, but no code declares it"));
        }
        complaints.extend(check_kept(template, &resource));
    }
    complaints.extend(found.keys().map(|name| format!("{name} is a table that no code declares")));
    complaints
}

fn check_kept(template: &Value, resource: &str) -> Complaints {
    let kept = |policy: &&str| template["Resources"][resource][*policy] != "Retain";
    ["DeletionPolicy", "UpdateReplacePolicy"]
        .iter()
        .filter(|policy| kept(policy))
        .map(|policy| format!("{resource}: {policy} is not Retain"))
        .collect()
}

fn wanted_table(spec: &TableSpec) -> Map<String, Value> {
    let element = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    let mut attributes = vec![(spec.partition_key, "S")];
    let mut keys = vec![element(spec.partition_key, "HASH")];
    if let Some(sort_key) = spec.sort_key {
        attributes.push((sort_key, "S"));
        keys.push(element(sort_key, "RANGE"));
    }
    let mut indexes = Vec::new();
    for index in spec.indexes {
        let (sort_key, kind) = index.sort_key;
        attributes.extend([(index.partition_key, "S"), (sort_key, kind.letter())]);
        indexes.push(json!({
            "IndexName": index.name,
            "KeySchema": [element(index.partition_key, "HASH"), element(sort_key, "RANGE")],
            "Projection": { "ProjectionType": "KEYS_ONLY" },
        }));
    }
    let attributes: Vec<Value> = attributes
        .iter()
        .map(|(name, kind)| json!({ "AttributeName": name, "AttributeType": kind }))
        .collect();
    let mut wanted = Map::new();
    wanted.insert("TableName".to_owned(), json!({ "Fn::Sub": format!("${{TablePrefix}}{}", spec.name) }));
    wanted.insert("BillingMode".to_owned(), json!("PAY_PER_REQUEST"));
    let attributes = sorted_attributes("AttributeDefinitions", &json!(attributes));
    wanted.insert("AttributeDefinitions".to_owned(), attributes);
    wanted.insert("KeySchema".to_owned(), json!(keys));
    let recovery = json!({ "PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": 35 });
    wanted.insert("PointInTimeRecoverySpecification".to_owned(), recovery);
    let key = json!({ "Fn::GetAtt": ["DataKey", "Arn"] });
    let sealed = json!({ "SSEEnabled": true, "SSEType": "KMS", "KMSMasterKeyId": key });
    wanted.insert("SSESpecification".to_owned(), sealed);
    wanted.insert("DeletionProtectionEnabled".to_owned(), json!(true));
    if !indexes.is_empty() {
        wanted.insert("GlobalSecondaryIndexes".to_owned(), json!(indexes));
    }
    if let Some(attribute) = spec.ttl {
        let ttl = json!({ "AttributeName": attribute, "Enabled": true });
        wanted.insert("TimeToLiveSpecification".to_owned(), ttl);
    }
    wanted
}

/// The order of attribute definitions says nothing; that of keys does.
fn sorted_attributes(key: &str, value: &Value) -> Value {
    let mut value = value.clone();
    if let (Some(list), "AttributeDefinitions") = (value.as_array_mut(), key) {
        list.sort_by_key(|entry| text(&entry["AttributeName"]));
    }
    value
}

fn check_media(template: &Value) -> Complaints {
    let mut complaints = check_kept(template, "MediaBucket");
    let bucket = &template["Resources"]["MediaBucket"]["Properties"];
    let key = json!({ "Fn::GetAtt": ["DataKey", "Arn"] });
    let wanted = json!({
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": true, "BlockPublicPolicy": true,
            "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
        },
        "OwnershipControls": { "Rules": [{ "ObjectOwnership": "BucketOwnerEnforced" }] },
        "BucketEncryption": { "ServerSideEncryptionConfiguration": [{
            "BucketKeyEnabled": true,
            "ServerSideEncryptionByDefault": { "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key },
        }] },
        "LifecycleConfiguration": { "Rules": [{
            "Id": "temporary-media",
            "Status": "Enabled",
            "Prefix": TEMPORARY,
            "ExpirationInDays": of_profile("MediaDays"),
            "NoncurrentVersionExpiration": { "NoncurrentDays": 1 },
            "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 1 },
        }] },
        "CorsConfiguration": { "CorsRules": [{
            "AllowedOrigins": { "Ref": "AllowedOrigins" },
            "AllowedMethods": ["GET", "HEAD"],
            "ExposedHeaders": ["ETag"],
            "MaxAge": 3000,
        }] },
    });
    for (key, wanted) in wanted.as_object().into_iter().flatten() {
        if bucket[key] != *wanted {
            complaints.push(format!("MediaBucket: {key} is {}, not {wanted}", bucket[key]));
        }
    }
    if !bucket["VersioningConfiguration"].is_null() {
        complaints.push("MediaBucket: with versions an expired output would only be hidden".to_owned());
    }
    let statements = &template["Resources"]["MediaBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"];
    let conditions = [
        json!({ "Bool": { "aws:SecureTransport": "false" } }),
        json!({ "NumericLessThan": { "s3:TlsVersion": "1.2" } }),
    ];
    let whole = json!([
        { "Fn::GetAtt": ["MediaBucket", "Arn"] }, { "Fn::Sub": "${MediaBucket.Arn}/*" }
    ]);
    for condition in conditions {
        let denies = |statement: &Value| {
            statement["Effect"] == "Deny"
                && statement["Principal"] == "*"
                && statement["Action"] == "s3:*"
                && statement["Resource"] == whole
                && statement["Condition"] == condition
        };
        if !list(statements).iter().any(denies) {
            complaints.push(format!("MediaBucketPolicy does not refuse {condition}"));
        }
    }
    if list(statements).iter().any(|statement| statement["Effect"] != "Deny") {
        complaints.push("MediaBucketPolicy allows something: only functions have rights".to_owned());
    }
    complaints
}

/// Without the key there are no data, so it is kept; who may use it is said in the functions' policies alone.
fn check_key(template: &Value) -> Complaints {
    let mut complaints = check_kept(template, "DataKey");
    let key = &template["Resources"]["DataKey"]["Properties"];
    if key["EnableKeyRotation"] != true || key["PendingWindowInDays"] != 30 {
        complaints.push("DataKey: EnableKeyRotation must be on, and 30 days to think again".to_owned());
    }
    let account = json!({ "AWS": { "Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root" } });
    match list(&key["KeyPolicy"]["Statement"]) {
        [only] if only["Principal"] == account => {}
        _ => complaints.push("DataKey: its policy must leave everything to IAM alone".to_owned()),
    }
    complaints
}

/// The numbers of the profiles, and that they are used.
fn check_profiles(template: &Value, profiles: &[Profile]) -> Complaints {
    let mut complaints = Complaints::new();
    let wanted: Map<String, Value> = profiles
        .iter()
        .map(|profile| {
            let kept = &profile.retention;
            (profile.name.clone(), json!({ "MediaDays": kept.media_days, "LogsDays": kept.logs_days }))
        })
        .collect();
    if template["Mappings"]["Profiles"] != Value::Object(wanted.clone()) {
        let found = &template["Mappings"]["Profiles"];
        complaints.push(format!("the profiles are {found}, not {}", Value::Object(wanted)));
    }
    let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
    if template["Parameters"]["Profile"]["AllowedValues"] != json!(names) {
        complaints.push(format!("Profile must allow exactly {names:?}"));
    }
    let mut logs = of_type(template, "AWS::Logs::LogGroup");
    for (name, function) in of_type(template, "AWS::Serverless::Function") {
        let group = format!("{name}Logs");
        if function["LoggingConfig"]["LogGroup"] != json!({ "Ref": group }) {
            complaints.push(format!("{name} does not write to {group}"));
        }
        match logs.remove(group.as_str()) {
            Some(group) if group["RetentionInDays"] == of_profile("LogsDays") => {}
            _ => complaints.push(format!("{group} does not end after the profile's days")),
        }
    }
    if template["Globals"]["Function"]["LoggingConfig"]["LogFormat"] != "JSON" {
        complaints.push("the functions' logs are not JSON".to_owned());
    }
    complaints.extend(logs.keys().map(|name| format!("{name} belongs to no function")));
    complaints
}

fn of_profile(number: &str) -> Value {
    json!({ "Fn::FindInMap": ["Profiles", { "Ref": "Profile" }, number] })
}

/// The rights of every function, as `(function, place, action)`.
type Rights = BTreeSet<(String, String, String)>;

fn check_rights(template: &Value) -> Complaints {
    let (found, mut complaints) = rights(template);
    let wanted: Rights = RIGHTS
        .iter()
        .flat_map(|(function, places)| places.iter().map(move |place| (function, place)))
        .flat_map(|(function, (place, actions))| {
            let action = move |name: &&str| format!("{}:{name}", service(place));
            let right = move |name| ((*function).to_owned(), (*place).to_owned(), action(name));
            actions.iter().map(right)
        })
        .collect();
    let told =
        |(function, place, action): &(String, String, String)| format!("{function}: {action} on {place}");
    complaints.extend(found.difference(&wanted).map(|right| format!("{} is too much", told(right))));
    complaints.extend(wanted.difference(&found).map(|right| format!("{} is missing", told(right))));
    complaints
}

fn service(place: &str) -> &'static str {
    match place {
        "outputs" => "s3",
        _ if place.starts_with("key via ") => "kms",
        _ => "dynamodb",
    }
}

/// Reads policies strictly: what it does not understand is a complaint, not a right.
fn rights(template: &Value) -> (Rights, Complaints) {
    let (mut rights, mut complaints) = (Rights::new(), Complaints::new());
    for (name, resource) in template["Resources"].as_object().into_iter().flatten() {
        // Roles, policies and connectors beside the functions would be rights too.
        let is_known = KINDS.iter().any(|kind| resource["Type"] == *kind);
        if !is_known || !resource["Connectors"].is_null() || !resource["Properties"]["Role"].is_null() {
            complaints.push(format!("{name} may give rights that nobody checks"));
        }
    }
    for (name, function) in of_type(template, "AWS::Serverless::Function") {
        for policy in list(&function["Policies"]) {
            let statements = list(&policy["Statement"]);
            if statements.is_empty() {
                complaints.push(format!("{name}: {policy} is no policy written here"));
            }
            for statement in statements {
                let stated = places(statement).and_then(|places| Ok((places, actions(statement)?)));
                match stated {
                    Err(complaint) => complaints.push(format!("{name}: {complaint}")),
                    Ok((places, actions)) => {
                        let each =
                            places.iter().flat_map(|place| actions.iter().map(move |action| (place, action)));
                        rights.extend(
                            each.map(|(place, action)| (name.to_owned(), place.clone(), action.clone())),
                        );
                    }
                }
            }
        }
    }
    (rights, complaints)
}

fn actions(statement: &Value) -> Result<Vec<String>, String> {
    let actions: Vec<String> = one_or_many(&statement["Action"]).iter().map(|action| text(action)).collect();
    let is_plain = |action: &String| {
        action.split_once(':').is_some_and(|(service, name)| {
            !service.is_empty() && !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric())
        })
    };
    let is_usual = statement["Effect"] == "Allow" && statement["NotAction"].is_null();
    if is_usual && !actions.is_empty() && actions.iter().all(is_plain) {
        return Ok(actions);
    }
    Err(format!("{statement} does not allow actions by their names"))
}

/// Only tables of ours, their indexes, the temporary outputs and the key, each by its own reference.
fn places(statement: &Value) -> Result<Vec<String>, String> {
    let via = via(&statement["Condition"])?;
    let resources = one_or_many(&statement["Resource"]);
    if resources.is_empty() || !statement["NotResource"].is_null() {
        return Err(format!("{statement} names no resources"));
    }
    let place = |resource: &Value| -> Result<String, String> {
        let known = match resource.as_object().and_then(|form| form.iter().next()) {
            Some((form, Value::Array(parts)))
                if form == "Fn::GetAtt" && parts.get(1) == Some(&json!("Arn")) =>
            {
                parts.first().and_then(Value::as_str).and_then(|name| match (name, &via) {
                    ("DataKey", Some(service)) => Some(format!("key via {service}")),
                    (name, None) => table_name(name),
                    _ => None,
                })
            }
            Some((form, Value::String(pattern))) if form == "Fn::Sub" && via.is_none() => {
                let parts = pattern.strip_prefix("${").and_then(|rest| rest.split_once(".Arn}/"));
                parts.and_then(|(name, rest)| match rest.strip_prefix("index/") {
                    Some(index) if !index.contains('*') => {
                        Some(format!("{}/index/{index}", table_name(name)?))
                    }
                    None if name == "MediaBucket" && rest == format!("{TEMPORARY}*") => {
                        Some("outputs".to_owned())
                    }
                    _ => None,
                })
            }
            _ => None,
        };
        known.ok_or_else(|| format!("{resource} is no place a function may have rights to"))
    };
    resources.into_iter().map(place).collect()
}

/// The service that a use of the key must come through.
fn via(condition: &Value) -> Result<Option<String>, String> {
    if condition.is_null() {
        return Ok(None);
    }
    for service in ["dynamodb", "s3"] {
        let address = format!("{service}.${{AWS::Region}}.amazonaws.com");
        if *condition == json!({ "StringEquals": { "kms:ViaService": { "Fn::Sub": address } } }) {
            return Ok(Some(service.to_owned()));
        }
    }
    Err(format!("the condition {condition} is not understood"))
}

/// The other half of [`check_rights`]: its table itself must not make everybody a writer of balances.
fn check_account_writers(template: &Value) -> Complaints {
    let (rights, _) = rights(template);
    let is_write = |action: &str| {
        !["GetItem", "BatchGetItem", "Query", "Scan"].iter().any(|read| action.ends_with(read))
    };
    let writers: BTreeSet<&str> = rights
        .iter()
        .filter(|(_, place, action)| place.starts_with("accounts") && is_write(action))
        .map(|(function, ..)| function.as_str())
        .collect();
    let allowed: BTreeSet<&str> = ACCOUNT_WRITERS.iter().map(|(function, _)| *function).collect();
    let mut complaints: Complaints = writers
        .symmetric_difference(&allowed)
        .map(|name| format!("{name} writes accounts, or should"))
        .collect();
    // Entries are immutable: nobody rewrites or removes one.
    let rewrites = |(_, place, action): &&(String, String, String)| {
        place == "credit_transactions" && is_write(action) && action != "dynamodb:PutItem"
    };
    complaints.extend(rights.iter().filter(rewrites).map(|(name, ..)| format!("{name} may change history")));
    complaints
}

/// `sources` are the functions' sources by resource name.
fn check_settings(template: &Value, sources: &BTreeMap<String, String>) -> Complaints {
    let mut complaints = Complaints::new();
    for (name, function) in of_type(template, "AWS::Serverless::Function") {
        let own = &function["Environment"]["Variables"];
        let common = &template["Globals"]["Function"]["Environment"]["Variables"];
        let keys =
            |values: &Value| values.as_object().into_iter().flat_map(Map::keys).cloned().collect::<Vec<_>>();
        let set: BTreeSet<String> = keys(own).into_iter().chain(keys(common)).collect();
        let source = sources.get(name).map_or("", String::as_str);
        let built = SETTINGS.iter().filter(|(builder, ..)| source.contains(builder));
        let wanted: BTreeSet<String> = built
            .flat_map(|(_, required, optional)| required.iter().chain(*optional))
            .map(|&variable| variable.to_owned())
            .collect();
        complaints.extend(wanted.difference(&set).map(|variable| format!("{name} lacks {variable}")));
        complaints.extend(set.difference(&wanted).map(|variable| format!("{name} does not read {variable}")));
        for (variable, value) in own.as_object().into_iter().flatten() {
            let is_secret = ["KEY", "SECRET", "TOKEN", "PEPPER"].iter().any(|word| variable.contains(word));
            let by_reference =
                format!("{{{{resolve:secretsmanager:${{SecretName}}:SecretString:{variable}::");
            if is_secret && !value.to_string().contains(&by_reference) {
                complaints
                    .push(format!("{name}: {variable} is no reference to the secret's key of that name"));
            }
        }
    }
    complaints
}

// ---- what is on disk ----------------------------------------------------------------------------------------------

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn template() -> Value {
    let text = fs::read_to_string(root().join("template.yaml")).unwrap();
    long_form(yaml_serde::from_str(&text).unwrap())
}

/// CloudFormation's short tags in the form it has in JSON: `!Ref x` is `{"Ref": "x"}`.
fn long_form(yaml: yaml_serde::Value) -> Value {
    use yaml_serde::Value as Yaml;
    match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => json!(value),
        Yaml::Number(number) => json!(number.as_i64().unwrap()),
        Yaml::String(text) => json!(text),
        Yaml::Sequence(items) => items.into_iter().map(long_form).collect(),
        Yaml::Mapping(entries) => {
            let entry = |(key, value): (Yaml, Yaml)| (key.as_str().unwrap().to_owned(), long_form(value));
            Value::Object(entries.into_iter().map(entry).collect())
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let value = long_form(tagged.value);
            match (tag.trim_start_matches('!'), &value) {
                ("Ref", _) => json!({ "Ref": value }),
                ("GetAtt", Value::String(path)) => {
                    let (resource, attribute) = path.split_once('.').unwrap();
                    json!({ "Fn::GetAtt": [resource, attribute] })
                }
                (name, _) => json!({ format!("Fn::{name}"): value }),
            }
        }
    }
}

fn folders() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("functions")).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// Every function's source, by resource name.
fn function_sources() -> BTreeMap<String, String> {
    let source = |folder: &String| source_below(&root().join("functions").join(folder).join("src"));
    folders().iter().map(|folder| (pascal(folder), source(folder))).collect()
}

/// All Rust below a folder, without its tests.
fn source_below(folder: &Path) -> String {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let mut source = String::new();
    for path in entries {
        if path.is_dir() && !path.ends_with("tests") {
            source += &source_below(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            source += text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        }
    }
    source
}

fn shared_source() -> String {
    let crates = fs::read_dir(root().join("shared")).unwrap().map(|entry| entry.unwrap().path().join("src"));
    crates.filter(|source| source.is_dir()).map(|source| source_below(&source)).collect()
}

/// What the `#[utoipa::path(get, path = "/v1/…"` of every function declare.
fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    for (function, source) in function_sources() {
        for declaration in source.split("#[utoipa::path(").skip(1) {
            let (method, rest) = declaration.split_once(',').unwrap();
            let path = rest.split("path = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
            routes.push(Route {
                function: function.clone(),
                method: method.trim().to_uppercase(),
                path: path.to_owned(),
                is_webhook: source.contains("finish_webhook("),
            });
        }
    }
    routes
}

fn profiles() -> Vec<Profile> {
    let files = fs::read_dir(root().join("infra/profiles")).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> =
        files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names.iter().map(|name| platform_with(&[("PROFILE", name)]).profile().clone()).collect()
}

fn platform_with(variables: &[(&str, &str)]) -> Platform {
    let given = [
        ("AWS_ACCESS_KEY_ID", "given"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_SECRET_ACCESS_KEY", "given"),
        ("MEDIA_BUCKET", "given"),
    ];
    let pairs = given.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Platform::build(pairs.collect::<Env>(), Clock::system(), None).unwrap()
}

/// The default of `RUN_BUDGET_MS`, from where it is read.
fn budget_ms() -> u64 {
    let source = shared_source();
    let default = source.split("\"RUN_BUDGET_MS\", ").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
    default.replace('_', "").parse().unwrap()
}

// ---- small helpers ------------------------------------------------------------------------------------------------

/// Properties of every resource of a type, by name.
fn of_type<'a>(template: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    let of_kind = resources.filter(|(_, resource)| resource["Type"] == kind);
    of_kind.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
}

fn events_of_type<'a>(template: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let mut found = Vec::new();
    for (name, function) in of_type(template, "AWS::Serverless::Function") {
        let events = function["Events"].as_object().into_iter().flat_map(Map::values);
        found.extend(events.filter(|event| event["Type"] == kind).map(|event| (name, &event["Properties"])));
    }
    found
}

fn is_ref_of_type(template: &Value, value: &Value, kind: &str) -> bool {
    value["Ref"].as_str().is_some_and(|name| template["Resources"][name]["Type"] == kind)
}

fn seconds(template: &Value, function: &str) -> u64 {
    let own = &template["Resources"][function]["Properties"]["Timeout"];
    own.as_u64().or(template["Globals"]["Function"]["Timeout"].as_u64()).unwrap_or(3)
}

fn pascal(name: &str) -> String {
    name.split(['-', '_'])
        .map(|word| {
            word.chars()
                .take(1)
                .map(|c| c.to_ascii_uppercase())
                .chain(word.chars().skip(1))
                .collect::<String>()
        })
        .collect()
}

fn table_resource(name: &str) -> String {
    format!("{}Table", pascal(name))
}

/// The name of the table that a resource stands for, if it is one of ours.
fn table_name(resource: &str) -> Option<String> {
    let spec = citipen::tables().into_iter().find(|spec| table_resource(spec.name) == resource)?;
    Some(spec.name.to_owned())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn one_or_many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    }
}

/// The template with one value replaced or added.
fn changed(pointer: &str, value: Value) -> Value {
    let mut template = template();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match template.pointer_mut(parent).unwrap_or_else(|| panic!("{parent} is not in the template")) {
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        Value::Object(entries) => drop(entries.insert(key.to_owned(), value)),
        other => panic!("{other} holds nothing"),
    }
    template
}

fn without(pointer: &str) -> Value {
    let mut template = template();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let removed =
        template.pointer_mut(parent).and_then(Value::as_object_mut).and_then(|entries| entries.remove(key));
    assert!(removed.is_some(), "{pointer} is not in the template");
    template
}

#[track_caller]
fn assert_fine(complaints: Complaints) {
    assert!(complaints.is_empty(), "template.yaml:\n  {}", complaints.join("\n  "));
}

#[track_caller]
fn assert_complains(complaints: Complaints, part: &str) {
    assert!(
        complaints.iter().any(|complaint| complaint.contains(part)),
        "`{part}` is not in {complaints:#?}"
    );
}

// ---- the claims --------------------------------------------------------------------------------------------

#[test]
fn every_function_folder_has_its_resource_and_the_reverse() {
    assert_fine(check_functions(&template(), &folders()));

    let mut more = folders();
    more.insert("tron-poll".to_owned());
    assert_complains(check_functions(&template(), &more), "functions/tron-poll has no resource TronPoll");
    let mut fewer = folders();
    fewer.remove("pricing");
    assert_complains(check_functions(&template(), &fewer), "the function Pricing has no folder");
    let x86 = changed("/Resources/Runs/Properties/Architectures", json!(["x86_64"]));
    assert_complains(check_functions(&x86, &folders()), "Runs: Architectures");
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

#[test]
fn every_route_has_its_event_on_its_function_and_the_reverse() {
    assert_fine(check_routes(&template(), &routes()));

    let gone = without("/Resources/Pricing/Properties/Events/Quote");
    assert_complains(check_routes(&gone, &routes()), "POST /v1/quotes has no event");
    let event = template()["Resources"]["RunTool"]["Properties"]["Events"]["Run"].clone();
    let mut moved = without("/Resources/RunTool/Properties/Events/Run");
    moved["Resources"]["Runs"]["Properties"]["Events"]["Run"] = event;
    assert_complains(check_routes(&moved, &routes()), "POST /v1/runs goes to Runs, not to RunTool");
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
}

#[test]
fn every_answer_streams_because_the_functions_write_streams() {
    let host = fs::read_to_string(root().join("shared/http/src/lambda.rs")).unwrap();
    assert!(host.contains("run_with_streaming_response("), "buffered answers need buffered integrations");
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
fn what_has_no_route_is_ticked_every_minute_once_and_without_retries() {
    assert_fine(check_schedules(&template(), &routes()));

    let sweep = "/Resources/ReservationSweep/Properties";
    let retried = format!("{sweep}/Events/EveryMinute/Properties/RetryPolicy/MaximumRetryAttempts");
    assert_complains(check_schedules(&changed(&retried, json!(3)), &routes()), "not retried by the schedule");
    let parallel = without(&format!("{sweep}/ReservedConcurrentExecutions"));
    assert_complains(check_schedules(&parallel, &routes()), "once at a time");
    let unticked = without(&format!("{sweep}/Events/EveryMinute"));
    assert_complains(check_schedules(&unticked, &routes()), "either routes or one schedule");
}

#[test]
fn every_table_is_as_its_crate_declares_it_and_the_reverse() {
    let specs = citipen::tables();
    assert_fine(check_tables(&template(), &specs));

    let (_, fewer) = specs.split_first().unwrap();
    assert_complains(check_tables(&template(), fewer), "a table that no code declares");
    for (pointer, value, part) in [
        ("AccountsTable/Properties/KeySchema/0/AttributeName", json!("account"), "AccountsTable: KeySchema"),
        ("AccountsTable/Properties/AttributeDefinitions/2/AttributeType", json!("S"), "AttributeDefinitions"),
        (
            "AccountsTable/Properties/GlobalSecondaryIndexes/0/Projection/ProjectionType",
            json!("ALL"),
            "AccountsTable: GlobalSecondaryIndexes",
        ),
        ("UsageLogTable/Properties/TimeToLiveSpecification/AttributeName", json!("at"), "TimeToLive"),
        (
            "CreditTransactionsTable/Properties/TimeToLiveSpecification",
            json!({ "AttributeName": "ttl", "Enabled": true }),
            "CreditTransactionsTable: TimeToLiveSpecification is set",
        ),
        (
            "AccountsTable/Properties/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled",
            json!(false),
            "AccountsTable: PointInTimeRecovery",
        ),
        ("UsersTable/Properties/DeletionProtectionEnabled", json!(false), "UsersTable: DeletionProtection"),
        ("UsersTable/Properties/SSESpecification/SSEEnabled", json!(false), "UsersTable: SSESpecification"),
        ("UsersTable/DeletionPolicy", json!("Delete"), "UsersTable: DeletionPolicy"),
    ] {
        let template = changed(&format!("/Resources/{pointer}"), value);
        assert_complains(check_tables(&template, &specs), part);
    }
}

#[test]
fn media_is_private_sealed_and_gone_after_its_days() {
    assert_fine(check_media(&template()));

    let bucket = "/Resources/MediaBucket/Properties";
    for (pointer, value, part) in [
        ("LifecycleConfiguration/Rules/0/ExpirationInDays", json!(31), "LifecycleConfiguration"),
        ("LifecycleConfiguration/Rules/0/Prefix", json!("tmp/"), "LifecycleConfiguration"),
        ("LifecycleConfiguration/Rules/0/Status", json!("Disabled"), "LifecycleConfiguration"),
        ("PublicAccessBlockConfiguration/BlockPublicPolicy", json!(false), "PublicAccessBlock"),
        ("CorsConfiguration/CorsRules/0/AllowedOrigins", json!(["*"]), "CorsConfiguration"),
        ("VersioningConfiguration", json!({ "Status": "Enabled" }), "only be hidden"),
    ] {
        assert_complains(check_media(&changed(&format!("{bucket}/{pointer}"), value)), part);
    }
    let statements = "/Resources/MediaBucketPolicy/Properties/PolicyDocument/Statement";
    let open = changed(&format!("{statements}/0/Effect"), json!("Allow"));
    assert_complains(check_media(&open), "SecureTransport");
    assert_complains(check_media(&open), "only functions have rights");
}

#[test]
fn the_key_turns_yearly_and_outlives_the_stack() {
    assert_fine(check_key(&template()));

    let stuck = changed("/Resources/DataKey/Properties/EnableKeyRotation", json!(false));
    assert_complains(check_key(&stuck), "EnableKeyRotation");
    let gone = changed("/Resources/DataKey/DeletionPolicy", json!("Delete"));
    assert_complains(check_key(&gone), "DataKey: DeletionPolicy");
    let statements = "/Resources/DataKey/Properties/KeyPolicy/Statement";
    let anybody = changed(&format!("{statements}/0/Principal"), json!("*"));
    assert_complains(check_key(&anybody), "IAM alone");
}

#[test]
fn outputs_lie_where_the_rule_and_the_rights_look() {
    let format = format!("format!(\"{TEMPORARY}{{account}}/");
    assert!(
        source_below(&root().join("shared/media/src")).contains(&format),
        "`output_key` has another prefix"
    );
}

#[test]
fn days_are_the_profiles() {
    assert_fine(check_profiles(&template(), &profiles()));

    let longer = changed("/Mappings/Profiles/citipen/LogsDays", json!(365));
    assert_complains(check_profiles(&longer, &profiles()), "the profiles are");
    let fixed = changed("/Resources/RunsLogs/Properties/RetentionInDays", json!(7));
    assert_complains(check_profiles(&fixed, &profiles()), "RunsLogs does not end after");
    let elsewhere = without("/Resources/Runs/Properties/LoggingConfig/LogGroup");
    assert_complains(check_profiles(&elsewhere, &profiles()), "Runs does not write to RunsLogs");
}

#[test]
fn every_function_may_do_what_its_code_does_and_nothing_else() {
    assert_fine(check_rights(&template()));

    let statement = |action: &str, resource: Value| json!({ "Effect": "Allow", "Action": [action], "Resource": resource });
    let arn = |resource: &str| json!({ "Fn::GetAtt": [resource, "Arn"] });
    let with = |function: &str, statement: Value| {
        changed(&format!("/Resources/{function}/Properties/Policies/0/Statement/-"), statement)
    };
    for (template, part) in [
        (
            with("Pricing", statement("dynamodb:UpdateItem", arn("AccountsTable"))),
            "Pricing: dynamodb:UpdateItem on accounts is too much",
        ),
        (
            with(
                "Runs",
                statement("dynamodb:Query", json!({ "Fn::Sub": "${AccountsTable.Arn}/index/by-due" })),
            ),
            "Runs: dynamodb:Query on accounts/index/by-due is too much",
        ),
        (
            with("Runs", statement("dynamodb:*", arn("UsageLogTable"))),
            "does not allow actions by their names",
        ),
        (with("Runs", statement("*", arn("UsageLogTable"))), "does not allow actions by their names"),
        (with("Runs", statement("dynamodb:GetItem", json!("*"))), "no place a function may have rights to"),
        (
            with("Runs", statement("s3:GetObject", json!({ "Fn::Sub": "${MediaBucket.Arn}/*" }))),
            "no place a function may have rights to",
        ),
        (
            with("Runs", statement("dynamodb:Query", json!({ "Fn::Sub": "${AccountsTable.Arn}/index/*" }))),
            "no place a function may have rights to",
        ),
        // The key without the service it is meant for.
        (with("Runs", statement("kms:Decrypt", arn("DataKey"))), "no place a function may have rights to"),
        (
            changed("/Resources/Runs/Properties/Policies/-", json!("AdministratorAccess")),
            "no policy written here",
        ),
        (
            changed("/Resources/Runs/Properties/Role", json!("arn:…")),
            "Runs may give rights that nobody checks",
        ),
        (
            changed("/Resources/Aside", json!({ "Type": "AWS::IAM::Policy" })),
            "Aside may give rights that nobody checks",
        ),
        (
            changed("/Resources/Runs/Properties/Policies/0/Statement/0/Effect", json!("Deny")),
            "Runs: dynamodb:GetItem on accounts is missing",
        ),
        (
            changed("/Resources/Runs/Properties/Policies/0/Statement/0/NotAction", json!(["s3:PutObject"])),
            "does not allow actions by their names",
        ),
    ] {
        assert_complains(check_rights(&template), part);
    }
}

#[test]
fn only_those_who_move_credit_may_write_accounts_and_nobody_rewrites_history() {
    assert_fine(check_account_writers(&template()));

    for (function, table, part) in [
        ("Pricing", "AccountsTable", "Pricing writes accounts"),
        ("RunTool", "CreditTransactionsTable", "history"),
    ] {
        let statement = json!({
            "Effect": "Allow", "Action": "dynamodb:UpdateItem", "Resource": { "Fn::GetAtt": [table, "Arn"] },
        });
        let pointer = format!("/Resources/{function}/Properties/Policies/0/Statement/-");
        assert_complains(check_account_writers(&changed(&pointer, statement)), part);
    }
}

#[test]
fn every_function_is_given_the_settings_it_reads_and_no_others() {
    assert_fine(check_settings(&template(), &function_sources()));

    let gone = without("/Resources/Pricing/Properties/Environment/Variables/QUOTE_SECRET");
    assert_complains(check_settings(&gone, &function_sources()), "Pricing lacks QUOTE_SECRET");
    let spread = changed("/Resources/Runs/Properties/Environment/Variables/FAL_KEY", json!("x"));
    assert_complains(check_settings(&spread, &function_sources()), "Runs does not read FAL_KEY");
    let plain = changed("/Resources/RunTool/Properties/Environment/Variables/FAL_KEY", json!("id:secret"));
    assert_complains(check_settings(&plain, &function_sources()), "FAL_KEY is no reference");
}

/// Holds [`SETTINGS`] to the crates: a new required setting must find its way into the table, and so the template.
#[test]
fn every_setting_that_must_be_there_is_in_the_table_and_every_one_in_the_table_is_read() {
    let source = shared_source();
    let mut required = BTreeSet::new();
    for reader in ["settings.text(\"", "settings.url(\"", "settings.secret(\""] {
        required.extend(source.split(reader).skip(1).map(|rest| rest.split('"').next().unwrap()));
    }
    // Asked for only where the server is configured.
    required.remove("COMFYUI_URL");
    let tabled: BTreeSet<&str> =
        SETTINGS.iter().flat_map(|(_, required, _)| required.iter().copied()).collect();
    let known: BTreeSet<&str> = tabled.iter().chain(GIVEN_BY_LAMBDA).copied().collect();
    assert_eq!(required, known);
    for (_, required, optional) in SETTINGS {
        for variable in required.iter().chain(*optional) {
            assert!(source.contains(&format!("\"{variable}\"")), "nobody reads {variable}");
        }
    }
}

#[test]
fn all_functions_start_with_the_settings_of_the_template() {
    let template = template();
    let mut variables = BTreeSet::new();
    for function in of_type(&template, "AWS::Serverless::Function").values() {
        let own = function["Environment"]["Variables"].as_object();
        variables.extend(own.into_iter().flat_map(Map::keys).map(String::as_str));
    }
    let given: Vec<(&str, &str)> = variables
        .into_iter()
        .map(|variable| match variable {
            "ALLOWED_ORIGINS" | "CLERK_ISSUER" | "COMFYUI_URL" => (variable, "https://example.com"),
            "CLERK_WEBHOOK_SECRET" => (variable, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"),
            other => (other, "given-by-the-deployment"),
        })
        .collect();
    let started = citipen::functions(&platform_with(&given));
    assert!(started.is_ok(), "{}", started.err().map(|error| error.to_string()).unwrap_or_default());
}
