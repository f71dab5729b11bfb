use super::Rights;
use serde_json::{Value, json};

/// The class of outputs that expire (`media::output_key`).
pub const TEMPORARY_OUTPUTS: &str = "tmp30/";
/// The class of what people upload.
pub const UPLOADS: &str = "up30/";

/// What tokens of drives are sealed for (`drives::Drives`).
const DRIVE_TOKEN: &str = "drive-token";
/// Where the secrets of this deployment begin; what follows is the name of one.
const SECRETS: &str = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${SecretsPath}";

/// The rights of every function. Policies are read strictly: what is not understood is a complaint, and no right.
pub fn policies(template: &Value) -> (Rights, Vec<String>) {
    let (mut rights, mut complaints) = (Rights::new(), Vec::new());
    for (name, resource) in template["Resources"].as_object().into_iter().flatten() {
        if resource["Type"] != "AWS::Serverless::Function" {
            continue;
        }
        for policy in list(&resource["Properties"]["Policies"]) {
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
                            each.map(|(place, action)| (name.clone(), place.clone(), action.clone())),
                        );
                    }
                }
            }
        }
    }
    (rights, complaints)
}

fn actions(statement: &Value) -> Result<Vec<String>, String> {
    let actions: Vec<String> = one_or_many(&statement["Action"])
        .iter()
        .filter_map(|action| action.as_str())
        .map(str::to_owned)
        .collect();
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

/// Only tables of ours, their indexes, the temporary outputs, the uploads and their list, single secrets and the key, each by
/// its own reference.
fn places(statement: &Value) -> Result<Vec<String>, String> {
    if statement["Condition"] == json!({ "StringLike": { "s3:prefix": format!("{UPLOADS}*") } }) {
        let is_bucket = statement["Resource"] == json!({ "Fn::GetAtt": ["MediaBucket", "Arn"] });
        let listed = || vec!["uploads list".to_owned()];
        return is_bucket.then(listed).ok_or(format!("{statement} lists what is no bucket of ours"));
    }
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
                    ("DriveKey", Some(purpose)) if purpose == DRIVE_TOKEN => {
                        Some(format!("key of {purpose}"))
                    }
                    ("DataKey", Some(service)) if service != DRIVE_TOKEN => {
                        Some(format!("key via {service}"))
                    }
                    (name, None) => table_name(name),
                    _ => None,
                })
            }
            Some((form, Value::String(pattern))) if form == "Fn::Sub" && via.is_none() => {
                let is_name = |text: &&str| text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
                if let Some(secret) = pattern.strip_prefix(SECRETS).filter(is_name) {
                    return Ok(format!("secret {secret}"));
                }
                let parts = pattern.strip_prefix("${").and_then(|rest| rest.split_once(".Arn}/"));
                parts.and_then(|(name, rest)| match rest.strip_prefix("index/") {
                    Some(index) if !index.contains('*') => {
                        Some(format!("{}/index/{index}", table_name(name)?))
                    }
                    None if name == "MediaBucket" && rest == format!("{TEMPORARY_OUTPUTS}*") => {
                        Some("outputs".to_owned())
                    }
                    None if name == "MediaBucket" && rest == format!("{UPLOADS}*") => {
                        Some("uploads".to_owned())
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

/// The service that a use of the key must come through, or what the function must say that it is for.
fn via(condition: &Value) -> Result<Option<String>, String> {
    if condition.is_null() {
        return Ok(None);
    }
    if *condition == json!({ "StringEquals": { "kms:EncryptionContext:purpose": DRIVE_TOKEN } }) {
        return Ok(Some(DRIVE_TOKEN.to_owned()));
    }
    for service in ["dynamodb", "s3", "ssm"] {
        let address = format!("{service}.${{AWS::Region}}.amazonaws.com");
        if *condition == json!({ "StringEquals": { "kms:ViaService": { "Fn::Sub": address } } }) {
            return Ok(Some(service.to_owned()));
        }
    }
    Err(format!("the condition {condition} is not understood"))
}

/// The name of the table that a resource stands for, if it is one of ours: `AccountsTable` is `accounts`.
fn table_name(resource: &str) -> Option<String> {
    let pascal = |name: &str| -> String {
        let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        name.split('_').filter(|word| !word.is_empty()).map(capital).collect()
    };
    let spec =
        citipen::tables().into_iter().find(|spec| format!("{}Table", pascal(spec.name)) == resource)?;
    Some(spec.name.to_owned())
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
