use crate::{Settings, StoreError};
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::retry::{ReconnectMode, RetryConfig};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use primitives::times::{self, Wait};
use primitives::{Secret, random_bytes};
use std::time::Duration;
use tokio::time::Instant;

/// Where the stores are and who we are to them.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// `AWS_REGION`
    pub region: String,
    /// `TABLE_PREFIX`, put before every table's name; by default the profile's name and a dash.
    pub table_prefix: String,
    /// `MEDIA_BUCKET`
    pub media_bucket: String,
    /// `AWS_ENDPOINT_URL_DYNAMODB`; absent: AWS itself
    pub dynamo_endpoint: Option<String>,
    /// `AWS_ENDPOINT_URL_S3`; absent: AWS itself
    pub s3_endpoint: Option<String>,
    /// `AWS_ACCESS_KEY_ID`
    access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`
    secret_access_key: Secret,
    /// `AWS_SESSION_TOKEN`
    session_token: Option<Secret>,
    pub(crate) tables: Patience,
    pub(crate) media: Patience,
}

/// How long a call of a store may take. A hung one must not eat the time of the request that waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    /// `STORE_TRY_MS`, `MEDIA_TRY_MS`
    pub(crate) one_try: Duration,
    /// `STORE_CALL_MS`, `MEDIA_CALL_MS`: all tries and the pauses between them
    pub(crate) call: Duration,
}

impl StoreSettings {
    pub(crate) fn read(settings: &mut Settings<'_>) -> StoreSettings {
        let profile = settings.text_or("PROFILE", "citipen");
        StoreSettings {
            region: settings.text("AWS_REGION"),
            table_prefix: settings.text_or("TABLE_PREFIX", &format!("{profile}-")),
            media_bucket: settings.text("MEDIA_BUCKET"),
            dynamo_endpoint: settings.optional("AWS_ENDPOINT_URL_DYNAMODB"),
            s3_endpoint: settings.optional("AWS_ENDPOINT_URL_S3"),
            access_key_id: settings.text("AWS_ACCESS_KEY_ID"),
            secret_access_key: settings.secret("AWS_SECRET_ACCESS_KEY"),
            session_token: settings.optional_secret("AWS_SESSION_TOKEN"),
            tables: Patience::read(
                settings,
                ("STORE_TRY_MS", &times::STORE_TRY),
                ("STORE_CALL_MS", &times::STORE_CALL),
            ),
            media: Patience::read(
                settings,
                ("MEDIA_TRY_MS", &times::MEDIA_TRY),
                ("MEDIA_CALL_MS", &times::MEDIA_CALL),
            ),
        }
    }

    /// How long reading an object's content may take; the SDK's own limits end with the head of an answer.
    pub fn media_patience(&self) -> Duration {
        self.media.call
    }

    /// Who we are to AWS, as the environment says.
    pub fn credentials(&self) -> Credentials {
        let token = self.session_token.as_ref().map(|token| token.expose().to_owned());
        Credentials::new(&self.access_key_id, self.secret_access_key.expose(), token, None, "environment")
    }
}

impl Patience {
    /// Shorter is fine. Longer is not: what waits around it (`primitives::times`) would give up first.
    fn read(settings: &mut Settings<'_>, one_try: (&str, &Wait), call: (&str, &Wait)) -> Patience {
        let mut limit = |(name, wait): (&str, &Wait)| {
            let most = u64::try_from(wait.limit.as_millis()).unwrap_or(u64::MAX);
            let given: u64 = settings.parsed_or(name, most, "a number of milliseconds");
            if !(1..=most).contains(&given) {
                settings.complain(name, &format!("must be from 1 to {most}"));
            }
            Duration::from_millis(given)
        };
        let patience = Patience { one_try: limit(one_try), call: limit(call) };
        if patience.one_try >= patience.call {
            settings.complain(one_try.0, &format!("must be shorter than {}", call.0));
        }
        patience
    }

    /// Connecting is bounded by the HTTP client, once for all.
    fn config(self) -> TimeoutConfig {
        TimeoutConfig::builder().operation_attempt_timeout(self.one_try).operation_timeout(self.call).build()
    }
}

/// Connections are the HTTP client's to keep or to drop. The SDK would look for one to close after each passing error, find
/// none, and log a line about that in place of the cause.
fn retries(attempts: u32) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(attempts)
        .with_reconnect_mode(ReconnectMode::ReuseAllConnections)
}

/// `attempts` is how often the SDK itself may send a request that got no good answer.
pub(crate) fn dynamo_client(
    settings: &StoreSettings,
    connector: SharedHttpClient,
    attempts: u32,
) -> aws_sdk_dynamodb::Client {
    let mut config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(settings.region.clone()))
        .credentials_provider(settings.credentials())
        .retry_config(retries(attempts))
        .timeout_config(settings.tables.config())
        .http_client(connector);
    config.set_endpoint_url(settings.dynamo_endpoint.clone());
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

pub(crate) fn s3_client(settings: &StoreSettings, connector: SharedHttpClient) -> aws_sdk_s3::Client {
    let mut config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(settings.region.clone()))
        .credentials_provider(settings.credentials())
        .retry_config(retries(4))
        .timeout_config(settings.media.config())
        .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
        .force_path_style(settings.s3_endpoint.is_some())
        .http_client(connector);
    config.set_endpoint_url(settings.s3_endpoint.clone());
    aws_sdk_s3::Client::from_conf(config.build())
}

/// Repeats a write that met somebody's transaction on the same item, up to eight times within about two seconds, and
/// not for longer than [`times::CONFLICTS`] however slow the answers are.
///
/// The SDK does not do this (`docs/facts/dynamodb.md`). Only a refusal that wrote nothing may be passed on as
/// [`StoreError::Conflict`].
pub async fn retry_conflicts<T, E, F>(mut attempt: impl FnMut() -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
    E: IsConflict,
{
    let last_call = Instant::now() + times::CONFLICTS.limit.saturating_sub(times::STORE_CALL.limit);
    for tries in 0..8_u32 {
        match attempt().await {
            Err(error) if error.is_conflict() && Instant::now() < last_call => pause(tries).await,
            other => return other,
        }
    }
    attempt().await
}

/// Waits before the next try: a random part of 10 ms, doubling with every try up to half a second.
pub async fn pause(tries: u32) {
    let ceiling = (10_u64 << tries.min(6)).min(500);
    let jitter = u64::from_be_bytes(random_bytes()) % ceiling;
    tokio::time::sleep(Duration::from_millis(jitter + 1)).await;
}

/// Errors that can say "nothing was written, somebody else was in the way".
pub trait IsConflict {
    /// Whether the same call may go through later, unchanged.
    fn is_conflict(&self) -> bool;
}

impl IsConflict for StoreError {
    fn is_conflict(&self) -> bool {
        matches!(self, StoreError::Conflict)
    }
}
