use super::{Needs, TEMPORARY_OUTPUTS, UPLOADS};
use serde_json::Value;

/// A request to AWS as it leaves a function.
pub struct Call<'a> {
    pub method: &'a str,
    /// Of S3: `/bucket/key`. A form that is posted to a bucket is the put of the key that it names.
    pub path: &'a str,
    pub query: Option<&'a str>,
    /// The header `x-amz-target`; S3's requests have none.
    pub target: Option<&'a str>,
    pub body: &'a [u8],
}

/// What a deployment calls its stores.
#[derive(Debug, Clone)]
pub struct Names {
    pub table_prefix: String,
    pub bucket: String,
}

const DECRYPT: &str = "kms:Decrypt";
const GENERATE: &str = "kms:GenerateDataKey";

impl Call<'_> {
    /// What the signer of a form must be allowed that is posted to a bucket: to put the object it names.
    pub fn of_form(bucket_path: &str, key: &str, names: &Names) -> Needs {
        let path = format!("/{}/{key}", bucket_path.trim_matches('/'));
        Call { method: "PUT", path: &path, query: None, target: None, body: &[] }.needs(names)
    }

    /// Everything the caller must be allowed: of a transaction and a batch each part, and the key that opens a store.
    pub fn needs(&self, names: &Names) -> Needs {
        match self.target.map(|target| target.split_once('.').unwrap_or_default()) {
            Some(("AmazonSSM", operation)) => self.of_ssm(operation),
            Some(("TrentService", operation)) => self.of_kms(operation),
            Some((_, operation)) => self.of_dynamo(operation, names),
            None => self.of_s3(names),
        }
    }

    /// Sources: DynamoDB Developer Guide, "Using IAM with DynamoDB transactions" (each part needs its own right,
    /// there is none to transact); Service Authorization Reference, "DynamoDB" (a batch needs its own); Developer
    /// Guide, "Usage notes for encryption at rest" (a caller needs Decrypt on a customer's key, via DynamoDB).
    fn of_dynamo(&self, operation: &str, names: &Names) -> Needs {
        let body: Value = serde_json::from_slice(self.body).unwrap_or_default();
        let place = |name: &Value| {
            let name = name.as_str().unwrap_or_default();
            name.strip_prefix(&names.table_prefix).unwrap_or(name).to_owned()
        };
        let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
        let right = |place: String, action: &str| (place, format!("dynamodb:{action}"));
        let mut needs: Needs = if let Some(parts) = body["TransactItems"].as_array() {
            let parts = parts.iter().flat_map(members);
            parts.map(|(part, what)| right(place(&what["TableName"]), &format!("{part}Item"))).collect()
        } else if body["RequestItems"].is_object() {
            let tables = members(&body["RequestItems"]);
            tables.keys().map(|name| right(place(&Value::from(name.as_str())), operation)).collect()
        } else {
            let table = place(&body["TableName"]);
            let at =
                body["IndexName"].as_str().map_or(table.clone(), |index| format!("{table}/index/{index}"));
            vec![right(at, operation)]
        };
        needs.push(("key via dynamodb".to_owned(), DECRYPT.to_owned()));
        needs
    }

    /// Source: S3 User Guide, "Required permissions for S3 API operations" and "Using server-side encryption with
    /// KMS": who writes an object needs GenerateDataKey, who reads it Decrypt, who writes it in parts both.
    fn of_s3(&self, names: &Names) -> Needs {
        let path = self.path.trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        if self.method == "GET" && key.is_empty() {
            return vec![(self.listed(bucket, names), "s3:ListBucket".to_owned())];
        }
        let place = match key {
            key if bucket == names.bucket && key.starts_with(TEMPORARY_OUTPUTS) => "outputs".to_owned(),
            key if bucket == names.bucket && key.starts_with(UPLOADS) => "uploads".to_owned(),
            key => format!("object {bucket}/{key}"),
        };
        let in_parts = self.parameter("uploads").or(self.parameter("uploadId")).is_some();
        let (action, key_actions): (&str, &[&str]) = match self.method {
            "GET" | "HEAD" => ("s3:GetObject", &[DECRYPT]),
            "PUT" | "POST" if in_parts => ("s3:PutObject", &[DECRYPT, GENERATE]),
            "PUT" => ("s3:PutObject", &[GENERATE]),
            "DELETE" if in_parts => ("s3:AbortMultipartUpload", &[]),
            "DELETE" => ("s3:DeleteObject", &[]),
            _ => ("s3:Unknown", &[]),
        };
        let keys = key_actions.iter().map(|action| ("key via s3".to_owned(), (*action).to_owned()));
        [(place, action.to_owned())].into_iter().chain(keys).collect()
    }

    /// What is listed, by the prefix that is asked for.
    fn listed(&self, bucket: &str, names: &Names) -> String {
        let prefix = self.parameter("prefix").unwrap_or_default().replace("%2F", "/");
        let is_ours = bucket == names.bucket && prefix.starts_with(UPLOADS);
        if is_ours { "uploads list".to_owned() } else { format!("list of {bucket}/{prefix}") }
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let parts = self.query.unwrap_or_default().split('&');
        let mut pairs = parts.map(|part| part.split_once('=').unwrap_or((part, "")));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Which key it is stands in the request; what it is for is what policies look at.
    fn of_kms(&self, operation: &str) -> Needs {
        let body: Value = serde_json::from_slice(self.body).unwrap_or_default();
        let purpose = body["EncryptionContext"]["purpose"].as_str().unwrap_or("nothing");
        vec![(format!("key of {purpose}"), format!("kms:{operation}"))]
    }

    fn of_ssm(&self, operation: &str) -> Needs {
        let body: Value = serde_json::from_slice(self.body).unwrap_or_default();
        if operation != "GetParameters" {
            return vec![("parameters".to_owned(), format!("ssm:{operation}"))];
        }
        let names = body["Names"].as_array().into_iter().flatten().filter_map(Value::as_str);
        names.flat_map(|name| reading_secret(name.rsplit('/').next().unwrap_or_default())).collect()
    }
}

/// The access key that a request is signed with, from its `Authorization` header or from a signed link's query. A
/// function's key is its name here.
pub fn signer<'a>(authorization: Option<&'a str>, query: Option<&'a str>) -> Option<&'a str> {
    let in_header = authorization.and_then(|header| header.split("Credential=").nth(1));
    let in_query = || query?.split('&').find_map(|part| part.strip_prefix("X-Amz-Credential="));
    let credential = in_header.or_else(in_query)?;
    credential.split(['/', '%']).next()
}

/// Source: Systems Manager User Guide, "Restricting access to Parameter Store parameters using IAM policies".
pub(super) fn reading_secret(name: &str) -> Needs {
    vec![
        (format!("secret {name}"), "ssm:GetParameters".to_owned()),
        ("key via ssm".to_owned(), DECRYPT.to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names() -> Names {
        Names { table_prefix: "citipen-".to_owned(), bucket: "media".to_owned() }
    }

    fn dynamo(operation: &str, body: &Value) -> Vec<String> {
        let target = format!("DynamoDB_20120810.{operation}");
        let body = body.to_string();
        let target = Some(target.as_str());
        let call = Call { method: "POST", path: "/", query: None, target, body: body.as_bytes() };
        told(call.needs(&names()))
    }

    fn told(needs: Needs) -> Vec<String> {
        needs.into_iter().map(|(place, action)| format!("{action} on {place}")).collect()
    }

    #[test]
    fn a_request_needs_the_rights_of_its_parts_and_the_key() {
        let key = "kms:Decrypt on key via dynamodb";
        let table = |name: &str| json!({ "TableName": format!("citipen-{name}") });
        let parts = json!({ "TransactItems": [
            { "Put": table("top_ups") }, { "ConditionCheck": table("credit_transactions") }, { "Update": table("accounts") },
        ] });
        let batch = json!({ "RequestItems": { "citipen-payment_inbox": {}, "citipen-top_ups": {} } });
        for (operation, body, needed) in [
            ("GetItem", table("users"), vec!["dynamodb:GetItem on users"]),
            (
                "Query",
                json!({ "TableName": "citipen-accounts", "IndexName": "by-due" }),
                vec!["dynamodb:Query on accounts/index/by-due"],
            ),
            (
                "TransactWriteItems",
                parts,
                vec![
                    "dynamodb:PutItem on top_ups",
                    "dynamodb:ConditionCheckItem on credit_transactions",
                    "dynamodb:UpdateItem on accounts",
                ],
            ),
            (
                "BatchGetItem",
                batch,
                vec!["dynamodb:BatchGetItem on payment_inbox", "dynamodb:BatchGetItem on top_ups"],
            ),
            ("Scan", json!({ "TableName": "another-users" }), vec!["dynamodb:Scan on another-users"]),
        ] {
            let needed: Vec<&str> = needed.into_iter().chain([key]).collect();
            assert_eq!(dynamo(operation, &body), needed, "{operation}");
        }
    }

    #[test]
    fn a_request_and_a_link_tell_who_signed_them() {
        let header =
            "AWS4-HMAC-SHA256 Credential=RunTool/20260101/us-east-1/s3/aws4_request, SignedHeaders=host";
        let query =
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=Runs%2F20260101%2Fus-east-1&X-Amz-Expires=60";
        assert_eq!(signer(Some(header), None), Some("RunTool"));
        assert_eq!(signer(None, Some(query)), Some("Runs"));
        assert_eq!(signer(None, Some("list-type=2")), None);
    }

    #[test]
    fn an_object_needs_its_prefix_and_a_secret_its_key() {
        let ask =
            |method, path, query| told(Call { method, path, query, target: None, body: &[] }.needs(&names()));
        let object = |method, path| ask(method, path, None);
        assert_eq!(
            object("PUT", "/media/tmp30/ann/kite.png"),
            ["s3:PutObject on outputs", "kms:GenerateDataKey on key via s3"]
        );
        assert_eq!(
            object("GET", "/media/tmp30/ann/kite.png"),
            ["s3:GetObject on outputs", "kms:Decrypt on key via s3"]
        );
        assert_eq!(object("GET", "/media/kept/kite.png")[0], "s3:GetObject on object media/kept/kite.png");
        assert_eq!(object("GET", "/other/tmp30/kite.png")[0], "s3:GetObject on object other/tmp30/kite.png");
        assert_eq!(object("DELETE", "/media/up30/ann/1"), ["s3:DeleteObject on uploads"]);
        let both =
            ["s3:PutObject on outputs", "kms:Decrypt on key via s3", "kms:GenerateDataKey on key via s3"];
        for (method, query) in
            [("POST", "uploads"), ("PUT", "partNumber=1&uploadId=x"), ("POST", "uploadId=x")]
        {
            assert_eq!(ask(method, "/media/tmp30/ann/kite.mp4", Some(query)), both, "{method} {query}");
        }
        let given_up = ask("DELETE", "/media/tmp30/ann/kite.mp4", Some("uploadId=x"));
        assert_eq!(given_up, ["s3:AbortMultipartUpload on outputs"]);
        let listed = ask("GET", "/media", Some("list-type=2&prefix=up30%2Fann%2F1"));
        assert_eq!(listed, ["s3:ListBucket on uploads list"]);
        assert_eq!(ask("GET", "/media/", Some("list-type=2")), ["s3:ListBucket on list of media/"]);
        let body = json!({ "Names": ["/citipen/FAL_KEY"] }).to_string();
        let call = Call {
            method: "POST",
            path: "/",
            query: None,
            target: Some("AmazonSSM.GetParameters"),
            body: body.as_bytes(),
        };
        assert_eq!(
            told(call.needs(&names())),
            ["ssm:GetParameters on secret FAL_KEY", "kms:Decrypt on key via ssm"]
        );
    }
}
