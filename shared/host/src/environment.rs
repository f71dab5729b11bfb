//! What a process keeps between invocations.

use crate::Error;
use crate::secrets::{Secrets, SecretsError, Values};
use platform::{InvalidSettings, LogSettings, LogSink, Platform, start_logs, with_causes};
use primitives::Timestamp;
use std::time::Duration;
use tokio::sync::Mutex;

/// After a look at the secrets that failed; until then the ones we have serve.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// An operator who takes a leaked secret back must be able to rely on its end: what was not found valid for longer is not
/// used any more.
const AGE_MAX: Duration = Duration::from_secs(15 * 60);

type Build<T> = Box<dyn Fn(&Platform) -> Result<T, InvalidSettings> + Send + Sync>;

/// An execution environment of Lambda: the platform, and what a function built from it and its secrets.
pub struct Environment<T> {
    /// Without the secrets.
    base: Platform,
    secrets: Secrets,
    build: Build<T>,
    current: Mutex<Current<T>>,
}

struct Current<T> {
    built: T,
    values: Values,
    /// When the store last held exactly these values.
    confirmed_at: Timestamp,
    look_at: Timestamp,
}

/// Why a process ends before its first event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CannotStart {
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    #[error("the secrets can't be read")]
    Secrets(#[from] SecretsError),
}

/// A request that came too long after the secrets in use were last confirmed.
#[derive(Debug, thiserror::Error)]
#[error("the secrets in use were last confirmed at {0}, so this request is not served with them")]
pub struct TooOld(Timestamp);

impl<T: Clone> Environment<T> {
    /// Once per cold start. The secrets are asked for while the connection to the tables is made.
    pub async fn open(
        build: impl Fn(&Platform) -> Result<T, InvalidSettings> + Send + Sync + 'static,
    ) -> Result<Environment<T>, Error> {
        let opened = match Platform::from_env() {
            Ok(base) => {
                start_logs(base.logs(), LogSink::Stdout);
                Environment::over(base, build).await
            }
            Err(error) => Err(error.into()),
        };
        opened.map_err(|error| {
            // Settings that can't be read can't say how to log either; a second start of the logs changes nothing.
            start_logs(&LogSettings { level: "info".to_owned(), metrics_namespace: None }, LogSink::Stdout);
            tracing::error!(error = %with_causes(&error), "the function can't start");
            error.into()
        })
    }

    pub(crate) async fn over(
        base: Platform,
        build: impl Fn(&Platform) -> Result<T, InvalidSettings> + Send + Sync + 'static,
    ) -> Result<Environment<T>, CannotStart> {
        let build: Build<T> = Box::new(build);
        let secrets = base.env().section(Secrets::read)?;
        let (values, ()) = tokio::join!(secrets.fetch_patiently(&base), base.warm_up());
        let values = values?;
        let built = build(&base.with_settings(texts(&values)))?;
        let confirmed_at = base.now();
        let look_at = confirmed_at.after(secrets.fresh_for());
        let current = Mutex::new(Current { built, values, confirmed_at, look_at });
        Ok(Environment { base, secrets, build, current })
    }

    pub fn platform(&self) -> &Platform {
        &self.base
    }

    /// What was built, of secrets that were looked at within the last minutes: a rotated one is used without a
    /// deployment. While new ones are unfit, or none can be read, the last good ones serve, but not for long: they may be
    /// the ones that were taken back.
    pub async fn current(&self) -> Result<T, TooOld> {
        let mut current = self.current.lock().await;
        if self.secrets.is_empty() {
            return Ok(current.built.clone());
        }
        if self.base.now() >= current.look_at {
            let wait = match self.look(&mut current).await {
                Ok(()) => self.secrets.fresh_for(),
                Err(error) => {
                    tracing::error!(error = %with_causes(&error), "the secrets stay as they were");
                    LOOK_AGAIN
                }
            };
            current.look_at = self.base.now().after(wait);
        }
        if self.base.now().since(current.confirmed_at) > AGE_MAX {
            return Err(TooOld(current.confirmed_at));
        }
        Ok(current.built.clone())
    }

    async fn look(&self, current: &mut Current<T>) -> Result<(), CannotStart> {
        let values = self.secrets.fetch_again(&self.base).await?;
        let found_at = self.base.now();
        if values != current.values {
            current.built = (self.build)(&self.base.with_settings(texts(&values)))?;
            current.values = values;
            tracing::info!("the secrets have changed and are in use");
        }
        // Behind the build: a store that holds other values than those in use confirms nothing.
        current.confirmed_at = found_at;
        Ok(())
    }
}

fn texts(values: &Values) -> impl Iterator<Item = (String, String)> {
    values.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()))
}
