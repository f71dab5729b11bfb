use primitives::Secret;
use std::collections::HashMap;
use std::fmt::Write;
use std::str::FromStr;
use std::sync::Arc;

/// The variables a process was started with, read once.
#[derive(Clone)]
pub struct Env(Arc<HashMap<String, String>>);

/// Reads settings and collects every complaint, so that one message tells all of them.
pub struct Settings<'a> {
    env: &'a Env,
    complaints: Vec<String>,
}

/// Settings that can't be used; the text lists each variable and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSettings(String);

impl InvalidSettings {
    pub(crate) fn of_profile() -> InvalidSettings {
        InvalidSettings("PROFILE can't be used".to_owned())
    }
}

impl Env {
    /// The variables of this process, as they are now.
    pub fn of_process() -> Env {
        std::env::vars().collect()
    }

    /// The same variables with some added or replaced.
    pub fn with(&self, more: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Env {
        let mut variables = (*self.0).clone();
        variables.extend(more.into_iter().map(|(name, value)| (name.into(), value.into())));
        Env(Arc::new(variables))
    }

    /// The same variables without these.
    pub fn without<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Env {
        let mut variables = (*self.0).clone();
        for name in names {
            variables.remove(name);
        }
        Env(Arc::new(variables))
    }

    /// For a reader of several sections; ask [`Settings::finish`] at the end.
    pub fn settings(&self) -> Settings<'_> {
        Settings { env: self, complaints: Vec::new() }
    }

    /// Reads one section of settings, e.g. `env.section(ClerkSettings::read)`.
    pub fn section<T>(&self, read: impl FnOnce(&mut Settings<'_>) -> T) -> Result<T, InvalidSettings> {
        let mut settings = self.settings();
        let section = read(&mut settings);
        settings.finish()?;
        Ok(section)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }
}

impl FromIterator<(String, String)> for Env {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Env {
        Env(Arc::new(variables.into_iter().collect()))
    }
}

impl Settings<'_> {
    /// The trimmed value; `None` when it is absent or blank.
    pub fn optional(&mut self, name: &str) -> Option<String> {
        self.env.get(name).map(str::to_owned)
    }

    /// A value that must be there; its absence is a complaint.
    pub fn text(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.complain(name, "is missing");
            String::new()
        })
    }

    /// The value, or the default when it is absent.
    pub fn text_or(&mut self, name: &str, default: &str) -> String {
        self.optional(name).unwrap_or_else(|| default.to_owned())
    }

    /// A secret that must be there; its absence is a complaint.
    pub fn secret(&mut self, name: &str) -> Secret {
        Secret::new(self.text(name))
    }

    /// The secret; `None` when it is absent.
    pub fn optional_secret(&mut self, name: &str) -> Option<Secret> {
        self.optional(name).map(Secret::new)
    }

    /// Comma-separated secrets, at least one: several stand side by side while one replaces the other.
    pub fn secrets(&mut self, name: &str) -> Vec<Secret> {
        let secrets: Vec<Secret> = self.list(name).into_iter().map(Secret::new).collect();
        if secrets.is_empty() {
            self.complain(name, "is missing");
        }
        secrets
    }

    /// An absolute http or https URL, without its trailing slash.
    pub fn url(&mut self, name: &str) -> String {
        let value = self.text(name);
        self.checked_url(name, value)
    }

    /// As [`Settings::url`], with a default.
    pub fn url_or(&mut self, name: &str, default: &str) -> String {
        let value = self.text_or(name, default);
        self.checked_url(name, value)
    }

    /// Comma-separated values; none when the variable is absent.
    pub fn list(&mut self, name: &str) -> Vec<String> {
        let text = self.text_or(name, "");
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// A value of any type that reads itself from text.
    pub fn parsed_or<T: FromStr>(&mut self, name: &str, default: T, expected: &str) -> T {
        let Some(value) = self.optional(name) else { return default };
        value.parse().unwrap_or_else(|_| {
            self.complain(name, &format!("must be {expected}, not `{value}`"));
            default
        })
    }

    /// Puts the setting in place of a rule of the profile, if it is given.
    pub fn replace<T: FromStr + Copy>(&mut self, name: &str, rule: &mut T, expected: &str) {
        *rule = self.parsed_or(name, *rule, expected);
    }

    /// Notes what is wrong with a setting; [`Settings::finish`] tells all at once.
    pub fn complain(&mut self, name: &str, what: &str) {
        self.complaints.push(format!("{name} {what}"));
    }

    /// An error with every complaint, if there is one.
    pub fn finish(self) -> Result<(), InvalidSettings> {
        if self.complaints.is_empty() {
            return Ok(());
        }
        let mut message = String::from("the settings can't be used (`.env.example` explains each):");
        for complaint in &self.complaints {
            let _ = write!(message, "\n  - {complaint}");
        }
        Err(InvalidSettings(message))
    }

    fn checked_url(&mut self, name: &str, value: String) -> String {
        let parsed = url::Url::parse(&value);
        if !parsed.is_ok_and(|url| matches!(url.scheme(), "http" | "https")) && !value.is_empty() {
            self.complain(name, &format!("must be an http or https address, not `{value}`"));
        }
        value.trim_end_matches('/').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> Env {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn one_message_lists_every_wrong_setting() {
        let env = env(&[("PORT", "many"), ("BASE", "ftp://x")]);
        let mut settings = env.settings();
        settings.parsed_or("PORT", 1_u16, "a number");
        settings.url("BASE");
        settings.secret("KEY");

        let message = settings.finish().unwrap_err().to_string();

        for name in ["PORT must be a number", "BASE must be an http", "KEY is missing"] {
            assert!(message.contains(name), "{message}");
        }
    }

    #[test]
    fn an_empty_variable_counts_as_absent() {
        let env = env(&[("KEY", "  ")]);
        assert_eq!(env.settings().optional("KEY"), None);
    }
}
