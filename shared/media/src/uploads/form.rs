//! The form that a browser posts to S3: a policy, signed with the function's own credentials (AWS Signature Version 4,
//! "Browser-Based Uploads Using POST"). S3 refuses every file that is not exactly the announced one.

use super::upload::Upload;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::StoreSettings;
use primitives::Timestamp;
use ring::hmac::{HMAC_SHA256, Key, Tag, sign};
use serde_json::{Value, json};
use std::fmt::Write;

/// What a page posts, as `multipart/form-data`: the fields, and last the file, as `file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadForm {
    /// Where to.
    pub url: String,
    /// Name and value of each field.
    pub fields: Vec<(&'static str, String)>,
    /// From then on S3 refuses it.
    pub expires_at: Timestamp,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

impl UploadForm {
    /// `now` is the time of the signature.
    pub(crate) fn of(upload: &Upload, store: &StoreSettings, now: Timestamp) -> UploadForm {
        let credentials = store.credentials();
        let (day, moment) = amz_date(now);
        let scope = format!("{day}/{}/s3/aws4_request", store.region);
        let mut fields = vec![
            ("key", upload.key.clone()),
            ("Content-Type", upload.announced.content_type.clone()),
            // Without both S3 checks nothing (docs/facts/media.md).
            ("x-amz-checksum-algorithm", "SHA256".to_owned()),
            ("x-amz-checksum-sha256", STANDARD.encode(upload.announced.sha256)),
            ("success_action_status", "204".to_owned()),
            ("x-amz-algorithm", ALGORITHM.to_owned()),
            ("x-amz-credential", format!("{}/{scope}", credentials.access_key_id())),
            ("x-amz-date", moment),
        ];
        let token = credentials.session_token().map(str::to_owned);
        fields.extend(token.map(|token| ("x-amz-security-token", token)));
        let policy = STANDARD.encode(policy(upload, &store.media_bucket, &fields).to_string());
        let signature = signature(credentials.secret_access_key(), &day, &store.region, policy.as_bytes());
        fields.extend([("policy", policy), ("x-amz-signature", signature)]);
        UploadForm { url: url(store), fields, expires_at: upload.form_until }
    }
}

/// Each field but the policy and its signature must stand in it.
fn policy(upload: &Upload, bucket: &str, fields: &[(&str, String)]) -> Value {
    let bytes = upload.announced.bytes;
    let exactly = fields.iter().map(|(name, value)| json!({ (*name): value }));
    let conditions: Vec<Value> = [json!({ "bucket": bucket }), json!(["content-length-range", bytes, bytes])]
        .into_iter()
        .chain(exactly)
        .collect();
    json!({ "expiration": upload.form_until, "conditions": conditions })
}

fn signature(secret: &str, day: &str, region: &str, policy: &[u8]) -> String {
    let step = |key: &[u8], data: &[u8]| sign(&Key::new(HMAC_SHA256, key), data);
    let mut key: Tag = step(format!("AWS4{secret}").as_bytes(), day.as_bytes());
    for part in [region, "s3", "aws4_request"] {
        key = step(key.as_ref(), part.as_bytes());
    }
    step(key.as_ref(), policy).as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `20270115` and `20270115T080000Z`
fn amz_date(now: Timestamp) -> (String, String) {
    let moment: String = now.to_string().chars().filter(|c| !matches!(c, '-' | ':')).take(15).collect();
    (moment.chars().take(8).collect(), format!("{moment}Z"))
}

/// The bucket's own host, as the SDK asks it; a store elsewhere by its path. A certificate for all buckets knows no name with
/// a dot in it.
fn url(store: &StoreSettings) -> String {
    let bucket = &store.media_bucket;
    match &store.s3_endpoint {
        Some(endpoint) => format!("{endpoint}/{bucket}"),
        None if bucket.contains('.') => format!("https://s3.{}.amazonaws.com/{bucket}", store.region),
        None => format!("https://{bucket}.s3.{}.amazonaws.com/", store.region),
    }
}

#[cfg(test)]
mod tests {
    use super::super::upload::tests::{now, upload};
    use super::*;
    use crate::FileFamily;
    use platform::{Env, Platform};
    use primitives::Clock;

    /// The example of Amazon's documentation ("Example: Browser-Based Upload using HTTP POST").
    #[test]
    fn the_documented_policy_has_the_documented_signature() {
        let lines = [
            r#"{ "expiration": "2015-12-30T12:00:00.000Z","#,
            r#"  "conditions": ["#,
            r#"    {"bucket": "sigv4examplebucket"},"#,
            r#"    ["starts-with", "$key", "user/user1/"],"#,
            r#"    {"acl": "public-read"},"#,
            r#"    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},"#,
            r#"    ["starts-with", "$Content-Type", "image/"],"#,
            r#"    {"x-amz-meta-uuid": "14365123651274"},"#,
            r#"    {"x-amz-server-side-encryption": "AES256"},"#,
            r#"    ["starts-with", "$x-amz-meta-tag", ""],"#,
            "",
            r#"    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},"#,
            r#"    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},"#,
            r#"    {"x-amz-date": "20151229T000000Z" }"#,
            "  ]",
            "}",
        ];
        let policy = STANDARD.encode(lines.join("\r\n"));
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let expected = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e";
        assert_eq!(signature(secret, "20151229", "us-east-1", policy.as_bytes()), expected);
    }

    fn store(more: &[(&str, &str)]) -> StoreSettings {
        let given = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("MEDIA_BUCKET", "media"),
        ];
        let given = given.iter().chain(more);
        let env: Env = given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Platform::build(env, Clock::system(), None).unwrap().store().clone()
    }

    #[test]
    fn every_field_of_the_form_is_bound_by_the_policy() {
        let upload = upload(FileFamily::Image);
        let form = UploadForm::of(&upload, &store(&[("AWS_SESSION_TOKEN", "token")]), now());
        let field = |name: &str| form.fields.iter().find(|(known, _)| *known == name).unwrap().1.clone();
        assert_eq!(field("x-amz-credential"), "AKIA/20270115/eu-central-1/s3/aws4_request");
        assert_eq!(field("x-amz-date"), "20270115T080000Z");
        assert_eq!(field("x-amz-security-token"), "token");
        let policy: Value = serde_json::from_slice(&STANDARD.decode(field("policy")).unwrap()).unwrap();
        assert_eq!(policy["expiration"], "2027-01-15T08:10:00.000Z");
        let conditions = policy["conditions"].as_array().unwrap();
        assert!(conditions.contains(&json!({ "bucket": "media" })));
        assert!(conditions.contains(&json!(["content-length-range", 100, 100])));
        for (name, value) in
            form.fields.iter().filter(|(name, _)| !["policy", "x-amz-signature"].contains(name))
        {
            assert!(conditions.contains(&json!({ (*name): value })), "{name}");
        }
        assert_eq!(conditions.len(), form.fields.len());
    }

    #[test]
    fn a_form_leads_to_the_bucket_wherever_it_is() {
        for (more, expected) in [
            (&[][..], "https://media.s3.eu-central-1.amazonaws.com/"),
            (&[("MEDIA_BUCKET", "a.b")], "https://s3.eu-central-1.amazonaws.com/a.b"),
            (&[("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:3000")], "http://127.0.0.1:3000/media"),
        ] {
            assert_eq!(url(&store(more)), expected);
        }
    }
}
