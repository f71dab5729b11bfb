//! Checks of tables, bucket, key and days.

use super::*;
use citipen::stores::LINKS_CORS;
use payments::{Rail, TopUpRules};
use primitives::Timestamp;

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
        ("LifecycleConfiguration/Rules/1/ExpirationInDays", json!(31), "LifecycleConfiguration"),
        (
            "LifecycleConfiguration/Rules/0/AbortIncompleteMultipartUpload/DaysAfterInitiation",
            json!(7),
            "LifecycleConfiguration",
        ),
        ("PublicAccessBlockConfiguration/BlockPublicPolicy", json!(false), "PublicAccessBlock"),
        ("CorsConfiguration/CorsRules/0/AllowedOrigins", json!(["*"]), "CorsConfiguration"),
        ("CorsConfiguration/CorsRules/0/AllowedMethods/1", json!("PUT"), "CorsConfiguration"),
        ("CorsConfiguration/CorsRules/0/AllowedHeaders", json!(["*"]), "CorsConfiguration"),
        ("CorsConfiguration/CorsRules/0/ExposedHeaders", json!([]), "CorsConfiguration"),
        ("CorsConfiguration/CorsRules/0/MaxAge", json!(300), "CorsConfiguration"),
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
fn the_keys_turn_yearly_and_outlive_the_stack() {
    assert_fine(check_keys(&template()));

    for key in ["DataKey", "OperationsKey"] {
        let stuck = changed(&format!("/Resources/{key}/Properties/EnableKeyRotation"), json!(false));
        assert_complains(check_keys(&stuck), "EnableKeyRotation");
        let gone = changed(&format!("/Resources/{key}/DeletionPolicy"), json!("Delete"));
        assert_complains(check_keys(&gone), &format!("{key}: DeletionPolicy"));
    }
    let elsewhere =
        changed("/Resources/DataKeyAlias/Properties/TargetKeyId", json!({ "Ref": "OperationsKey" }));
    assert_complains(check_keys(&elsewhere), "DataKeyAlias");
}

#[test]
fn only_the_account_and_its_own_logs_and_alarms_may_use_the_keys() {
    let policy = |key: &str, pointer: &str, value: Value| {
        check_keys(&changed(&format!("/Resources/{key}/Properties/KeyPolicy/Statement/{pointer}"), value))
    };
    let logs = template()["Resources"]["OperationsKey"]["Properties"]["KeyPolicy"]["Statement"][1].clone();
    assert_complains(policy("DataKey", "0/Principal", json!("*")), "DataKey: its policy");
    assert_complains(policy("DataKey", "-", logs), "DataKey: its policy");
    assert_complains(policy("OperationsKey", "0/Principal", json!("*")), "OperationsKey: its policy");
    assert_complains(policy("OperationsKey", "1/Condition", Value::Null), "OperationsKey: its policy");
    assert_complains(policy("OperationsKey", "1/Action", json!("kms:*")), "OperationsKey: its policy");
    assert_complains(policy("OperationsKey", "2/Condition", json!({})), "OperationsKey: its policy");
}

#[test]
fn outputs_lie_where_the_rule_and_the_rights_look() {
    let (account, now) = ("user_ann".parse().unwrap(), Timestamp::from_seconds(1_800_000_000));
    let key = media::output_key(&account, "run-hold-1", media::FileType::Png, now);
    assert!(key.starts_with(&format!("{TEMPORARY}{account}/")), "`output_key` has another prefix: {key}");
}

#[test]
fn days_and_rails_are_the_profiles() {
    assert_fine(check_profiles(&template(), &profiles()));

    let longer = changed("/Mappings/Profiles/citipen/LogsDays", json!(365));
    assert_complains(check_profiles(&longer, &profiles()), "the profiles are");
    let fewer = changed("/Mappings/Profiles/citipen/TronUsdt", json!(NOT_OFFERED));
    assert_complains(check_profiles(&fewer, &profiles()), "the profiles are");
    let forgotten = without("/Mappings/Profiles/citipen/VietQr");
    assert_complains(check_profiles(&forgotten, &profiles()), "the profiles are");
    let fixed = changed("/Resources/RunsLogs/Properties/RetentionInDays", json!(7));
    assert_complains(check_profiles(&fixed, &profiles()), "RunsLogs does not end after");
    let open = without("/Resources/RunsLogs/Properties/KmsKeyId");
    assert_complains(check_profiles(&open, &profiles()), "RunsLogs is not sealed");
    let unkeyed = changed("/Resources/RunsLogs/Properties/LogGroupName", json!("runs"));
    assert_complains(check_profiles(&unkeyed, &profiles()), "RunsLogs is not named");
    let elsewhere = without("/Resources/Runs/Properties/LoggingConfig/LogGroup");
    assert_complains(check_profiles(&elsewhere, &profiles()), "Runs does not write to RunsLogs");
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
        "LifecycleConfiguration": { "Rules": [
            ending("temporary-media", TEMPORARY, "MediaDays"), ending("uploads", UPLOADS, "UploadDays"),
        ] },
        "CorsConfiguration": { "CorsRules": [{
            "AllowedOrigins": { "Ref": "AllowedOrigins" },
            // As `cargo run` does it, and with no request headers.
            "AllowedMethods": LINKS_CORS.methods,
            "ExposedHeaders": LINKS_CORS.exposed_headers,
            "MaxAge": LINKS_CORS.max_age_seconds,
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

/// A rule that ends the objects of a class after the profile's days, and parts of unfinished ones after a day.
fn ending(id: &str, prefix: &str, days: &str) -> Value {
    json!({
        "Id": id,
        "Status": "Enabled",
        "Prefix": prefix,
        "ExpirationInDays": of_profile(days),
        "NoncurrentVersionExpiration": { "NoncurrentDays": 1 },
        "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 1 },
    })
}

/// Without the keys there are no data and no logs, so they are kept. Who may use `DataKey` is said
/// in the functions' policies alone; logs and alarms have a key of their own, because services use it by themselves.
fn check_keys(template: &Value) -> Complaints {
    let mut complaints = Complaints::new();
    for (name, key) in of_type(template, "AWS::KMS::Key") {
        complaints.extend(check_kept(template, name));
        if key["EnableKeyRotation"] != true || key["PendingWindowInDays"] != 30 {
            complaints.push(format!("{name}: EnableKeyRotation must be on, and 30 days to think again"));
        }
        if key["KeyPolicy"]["Statement"] != wanted_policy(name) {
            let found = &key["KeyPolicy"]["Statement"];
            complaints.push(format!("{name}: its policy is {found}, not {}", wanted_policy(name)));
        }
    }
    let alias = json!({
        "AliasName": { "Fn::Sub": "alias/${AWS::StackName}-data" }, "TargetKeyId": { "Ref": "DataKey" },
    });
    if template["Resources"]["DataKeyAlias"]["Properties"] != alias {
        complaints.push(format!("DataKeyAlias must be {alias}"));
    }
    complaints
}

fn wanted_policy(key: &str) -> Value {
    let account = json!({
        "Sid": "IamDecides", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": { "AWS": { "Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root" } },
    });
    let logs = json!({
        "Sid": "LogsOfThisStack", "Effect": "Allow", "Resource": "*",
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
        "Principal": { "Service": { "Fn::Sub": "logs.${AWS::Region}.amazonaws.com" } },
        "Condition": { "ArnLike": { "kms:EncryptionContext:aws:logs:arn": {
            "Fn::Sub": "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/${AWS::StackName}/*"
        } } },
    });
    let alarms = json!({
        "Sid": "AlarmsOfThisAccount", "Effect": "Allow", "Resource": "*",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Principal": { "Service": "cloudwatch.amazonaws.com" },
        "Condition": { "StringEquals": { "aws:SourceAccount": { "Ref": "AWS::AccountId" } } },
    });
    match key {
        "OperationsKey" => json!([account, logs, alarms]),
        _ => json!([account]),
    }
}

/// The numbers of the profiles, and that they are used.
fn check_profiles(template: &Value, profiles: &[Platform]) -> Complaints {
    let mut complaints = Complaints::new();
    let wanted: Map<String, Value> = profiles
        .iter()
        .map(|platform| {
            let media = platform.rules(MediaRules::read).unwrap();
            let logs_days = platform.rules(LogRules::read).unwrap().days;
            let mut of_profile = json!({
                "MediaDays": media.output_days, "UploadDays": media.upload_days, "LogsDays": logs_days,
            });
            let drives = platform.rules(drives::DriveRules::read).unwrap().offered;
            of_profile["Drives"] = json!(if drives.is_empty() { NOT_OFFERED } else { OFFERED });
            let offered = platform.rules(TopUpRules::read).unwrap().methods;
            for rail in Rail::ALL {
                let word = if offered.contains(rail) { OFFERED } else { NOT_OFFERED };
                of_profile[pascal(rail.as_str())] = json!(word);
            }
            (platform.profile().name.clone(), of_profile)
        })
        .collect();
    if template["Mappings"]["Profiles"] != Value::Object(wanted.clone()) {
        let found = &template["Mappings"]["Profiles"];
        complaints.push(format!("the profiles are {found}, not {}", Value::Object(wanted)));
    }
    let names: Vec<&str> = profiles.iter().map(|platform| platform.profile().name.as_str()).collect();
    if template["Parameters"]["Profile"]["AllowedValues"] != json!(names) {
        complaints.push(format!("Profile must allow exactly {names:?}"));
    }
    complaints.extend(check_logs(template));
    if template["Globals"]["Function"]["LoggingConfig"]["LogFormat"] != "JSON" {
        complaints.push("the functions' logs are not JSON".to_owned());
    }
    complaints
}

fn check_logs(template: &Value) -> Complaints {
    let mut complaints = Complaints::new();
    let functions = of_type(template, "AWS::Serverless::Function");
    for (name, function) in &functions {
        let group = json!({ "Ref": format!("{name}Logs") });
        if function["LoggingConfig"]["LogGroup"] != group {
            complaints.push(format!("{name} does not write to {name}Logs"));
        }
    }
    for (name, group) in of_type(template, "AWS::Logs::LogGroup") {
        let writer = name.strip_suffix("Logs").and_then(|writer| functions.get(writer));
        let folder = match writer {
            Some(function) => text(&function["CodeUri"]).replace("functions/", ""),
            None if name == "ApiAccessLogs" => "api".to_owned(),
            None => {
                complaints.push(format!("{name} belongs to no function"));
                continue;
            }
        };
        if group["LogGroupName"] != json!({ "Fn::Sub": format!("/${{AWS::StackName}}/{folder}") }) {
            complaints.push(format!("{name} is not named as the key's policy knows it"));
        }
        complaints.extend(check_log(name, group));
    }
    complaints
}

fn check_log(name: &str, group: &Value) -> Complaints {
    let mut complaints = Complaints::new();
    if group["RetentionInDays"] != of_profile("LogsDays") {
        complaints.push(format!("{name} does not end after the profile's days"));
    }
    if group["KmsKeyId"] != json!({ "Fn::GetAtt": ["OperationsKey", "Arn"] }) {
        complaints.push(format!("{name} is not sealed by OperationsKey"));
    }
    complaints
}

fn of_profile(number: &str) -> Value {
    json!({ "Fn::FindInMap": ["Profiles", { "Ref": "Profile" }, number] })
}
