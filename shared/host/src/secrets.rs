//! Secrets from SSM Parameter Store, by the one call it takes; the SDK's client for it would be a megabyte.

use futures_util::future::try_join_all;
use platform::{AwsCall, Platform, Settings, Unsigned, pause, with_causes};
use primitives::Secret;
use primitives::times::{self, Wait};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Names and values, as settings.
pub(crate) type Values = BTreeMap<String, Secret>;

/// As many as one call may ask for (SSM API reference, "GetParameters").
const NAMES_MAX: usize = 10;

/// Which secrets this process may read, and where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secrets {
    /// `SECRETS_PATH`: what stands before each name in the store, e.g. `/citipen/`
    path: String,
    /// `SECRETS`: names of settings, separated by commas; those that are not in the store count as absent
    names: Vec<String>,
    /// `SECRETS_REFRESH_SECONDS`
    fresh_for: Duration,
    /// `AWS_ENDPOINT_URL_SSM`; absent: AWS itself
    endpoint: Option<String>,
}

/// Why the secrets could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    #[error("the parameter store does not answer")]
    Unreachable(#[source] reqwest::Error),
    /// `code` is the store's own, e.g. `AccessDeniedException`.
    #[error("the parameter store refuses: {status} {code}")]
    Refused { status: u16, code: String },
    #[error("the parameter store's answer can't be read")]
    Unreadable(#[source] serde_json::Error),
    #[error("the question can't be signed")]
    Unsigned(#[source] Unsigned),
}

impl SecretsError {
    fn is_passing(&self) -> bool {
        match self {
            SecretsError::Unreachable(_) => true,
            SecretsError::Refused { status, code } => *status >= 500 || code == "ThrottlingException",
            SecretsError::Unreadable(_) | SecretsError::Unsigned(_) => false,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Question {
    names: Vec<String>,
    with_decryption: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    parameters: Vec<Parameter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    name: String,
    value: Secret,
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(rename = "__type")]
    kind: String,
}

impl Secrets {
    pub(crate) fn read(settings: &mut Settings<'_>) -> Secrets {
        let names = settings.list("SECRETS");
        let path = settings.text_or("SECRETS_PATH", "");
        let is_folder = path.starts_with('/') && path.ends_with('/');
        if !names.is_empty() && !is_folder {
            settings.complain("SECRETS_PATH", "must begin and end with a slash, e.g. `/citipen/`");
        }
        let fresh_for = settings.parsed_or("SECRETS_REFRESH_SECONDS", 300, "a number of seconds");
        let endpoint = settings.optional("AWS_ENDPOINT_URL_SSM");
        Secrets { path, names, fresh_for: Duration::from_secs(fresh_for), endpoint }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub(crate) fn fresh_for(&self) -> Duration {
        self.fresh_for
    }

    /// For the start, which has nothing without them.
    pub(crate) async fn fetch_patiently(&self, platform: &Platform) -> Result<Values, SecretsError> {
        self.fetch_for(platform, &times::SECRETS_START).await
    }

    /// For a later look, which a request is waiting for.
    pub(crate) async fn fetch_again(&self, platform: &Platform) -> Result<Values, SecretsError> {
        self.fetch_for(platform, &times::SECRETS_LOOK).await
    }

    /// Asks again for as long as another try fits in.
    async fn fetch_for(&self, platform: &Platform, wait: &Wait) -> Result<Values, SecretsError> {
        let last_try = Instant::now() + wait.limit.saturating_sub(times::SECRETS_TRY.limit);
        let mut tries = 2;
        loop {
            match self.fetch(platform).await {
                Err(error) if error.is_passing() && Instant::now() < last_try => {
                    tracing::warn!(error = %with_causes(&error), "the secrets are asked for again");
                    tries += 1;
                    pause(tries).await;
                }
                other => return other,
            }
        }
    }

    async fn fetch(&self, platform: &Platform) -> Result<Values, SecretsError> {
        let parts = self.names.chunks(NAMES_MAX).map(|names| self.ask(platform, names));
        Ok(try_join_all(parts).await?.into_iter().flatten().collect())
    }

    async fn ask(&self, platform: &Platform, names: &[String]) -> Result<Values, SecretsError> {
        let question = Question {
            names: names.iter().map(|name| format!("{}{name}", self.path)).collect(),
            with_decryption: true,
        };
        let body = serde_json::to_vec(&question).map_err(SecretsError::Unreadable)?;
        let call = AwsCall {
            service: "ssm",
            target: "AmazonSSM.GetParameters",
            endpoint: self.endpoint.as_deref(),
            patience: &times::SECRETS_TRY,
        };
        let request = platform.signed(&call, body).map_err(SecretsError::Unsigned)?;
        let response = platform.http().execute(request).await.map_err(unreachable)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(unreachable)?;
        if !status.is_success() {
            let refusal = serde_json::from_slice::<ErrorBody>(&bytes);
            let code = refusal.map_or_else(|_| "without a reason".to_owned(), |refusal| refusal.kind);
            let code = code.rsplit('#').next().unwrap_or_default().to_owned();
            return Err(SecretsError::Refused { status: status.as_u16(), code });
        }
        let answer: Answer = serde_json::from_slice(&bytes).map_err(SecretsError::Unreadable)?;
        Ok(answer.parameters.into_iter().filter_map(|parameter| self.named(parameter)).collect())
    }

    fn named(&self, parameter: Parameter) -> Option<(String, Secret)> {
        let name = parameter.name.strip_prefix(&self.path)?.to_owned();
        Some((name, parameter.value))
    }
}

fn unreachable(error: reqwest::Error) -> SecretsError {
    SecretsError::Unreachable(error.without_url())
}
