//! Stores that run elsewhere: where they are, and making there what the product needs.

use super::lifecycle::UNFINISHED_DAYS;
use super::{LINKS_CORS, LifecycleRule, SECRET_KEY, StoreStartError, tables};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, CorsConfiguration, CorsRule,
    ExpirationStatus, LifecycleExpiration, LifecycleRule as S3Rule, LifecycleRuleFilter,
};
use platform::{Platform, TableSpec};
use std::collections::HashMap;
use std::error::Error;
use std::fmt;

/// Endpoints that a person gave; what is absent is embedded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// `AWS_ENDPOINT_URL_DYNAMODB`
    pub dynamo: Option<String>,
    /// `AWS_ENDPOINT_URL_S3`
    pub s3: Option<String>,
    /// `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, as far as they are given. Both stores are
    /// asked with them, an embedded one too.
    pub region: Option<String>,
    pub access_key_id: Option<String>,
    pub secret_access_key: Option<String>,
    pub session_token: Option<String>,
}

impl Elsewhere {
    /// Without an endpoint the keys are somebody's for other things, and left out.
    pub fn read(given: &HashMap<String, String>) -> Elsewhere {
        let set = |name: &str| {
            given.get(name).map(|value| value.trim()).filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let (dynamo, s3) = (set("AWS_ENDPOINT_URL_DYNAMODB"), set("AWS_ENDPOINT_URL_S3"));
        let elsewhere = Elsewhere { dynamo, s3, ..Elsewhere::default() };
        if elsewhere.is_nowhere() {
            return elsewhere;
        }
        Elsewhere {
            region: set("AWS_REGION"),
            access_key_id: set("AWS_ACCESS_KEY_ID"),
            secret_access_key: set("AWS_SECRET_ACCESS_KEY"),
            session_token: set("AWS_SESSION_TOKEN"),
            ..elsewhere
        }
    }

    /// The secret of the keys in use.
    pub(super) fn secret(&self) -> &str {
        self.secret_access_key.as_deref().unwrap_or(SECRET_KEY)
    }

    /// Whether both stores are embedded.
    pub fn is_nowhere(&self) -> bool {
        self.dynamo.is_none() && self.s3.is_none()
    }
}

/// For a person who starts the program.
impl fmt::Display for Elsewhere {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = |url: &Option<String>| {
            url.as_ref().map_or_else(|| "in the data folder".to_owned(), |url| format!("at {url}"))
        };
        write!(formatter, "DynamoDB {}, S3 {}", store(&self.dynamo), store(&self.s3))
    }
}

/// Makes the tables that are missing and checks the others, as the embedded store is opened.
pub(super) async fn prepare_tables(
    platform: &Platform,
    specs: &[TableSpec],
    prefix: &str,
    url: &str,
) -> Result<(), StoreStartError> {
    for spec in specs {
        let table = format!("{prefix}{}", spec.name);
        tables::remote::prepare(platform.dynamo(), &table, spec).await.map_err(|fault| fault.at(url))?;
    }
    Ok(())
}

/// Makes the bucket when it is missing, with its rules: objects end, pages of `origins` may load them.
pub(super) async fn prepare_bucket(
    platform: &Platform,
    bucket: &str,
    rules: &[LifecycleRule],
    origins: &[String],
    url: &str,
) -> Result<(), StoreStartError> {
    let s3 = platform.s3();
    match s3.head_bucket().bucket(bucket).send().await {
        Ok(_) => return Ok(()),
        Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 404) => {}
        Err(error) => return Err(refused(url, &error)),
    }
    s3.create_bucket().bucket(bucket).send().await.map_err(|error| refused(url, &error))?;
    let lifecycle = s3.put_bucket_lifecycle_configuration().bucket(bucket);
    if let Err(error) = lifecycle.lifecycle_configuration(endings(rules)).send().await {
        tracing::warn!("the bucket `{bucket}` keeps its objects for ever: {}", words(&error));
    }
    let cors = s3.put_bucket_cors().bucket(bucket).cors_configuration(readers(origins));
    if let Err(error) = cors.send().await {
        tracing::warn!("pages may not load objects of the bucket `{bucket}`: {}", words(&error));
    }
    Ok(())
}

fn endings(rules: &[LifecycleRule]) -> BucketLifecycleConfiguration {
    let rule = |rule: &LifecycleRule| {
        S3Rule::builder()
            .id(rule.prefix.trim_end_matches('/'))
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix(&rule.prefix).build())
            .expiration(
                LifecycleExpiration::builder().days(i32::try_from(rule.days).unwrap_or(i32::MAX)).build(),
            )
            .abort_incomplete_multipart_upload(
                AbortIncompleteMultipartUpload::builder()
                    .days_after_initiation(i32::try_from(UNFINISHED_DAYS).unwrap_or(i32::MAX))
                    .build(),
            )
            .build()
            .expect("a rule has a status")
    };
    let rules = rules.iter().map(rule).collect();
    BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().expect("there are rules")
}

fn readers(origins: &[String]) -> CorsConfiguration {
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let rule = CorsRule::builder()
        .set_allowed_origins(Some(origins.to_vec()))
        .set_allowed_methods(names(LINKS_CORS.methods))
        .set_expose_headers(names(LINKS_CORS.exposed_headers))
        .max_age_seconds(i32::try_from(LINKS_CORS.max_age_seconds).unwrap_or(i32::MAX))
        .build()
        .expect("a rule has origins and methods");
    CorsConfiguration::builder().cors_rules(rule).build().expect("there is a rule")
}

fn refused<E>(url: &str, error: &SdkError<E>) -> StoreStartError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    StoreStartError::Elsewhere { url: url.to_owned(), reason: words(error) }
}

/// The store's own code, or why there was no answer.
pub(super) fn words<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(code) = error.as_service_error().and_then(ProvideErrorMetadata::code) {
        return code.to_owned();
    }
    if let Some(answer) = error.raw_response() {
        return format!("it answers with status {}", answer.status().as_u16());
    }
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
