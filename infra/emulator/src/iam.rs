//! IAM, as far as the template uses it: what each function may do, and what a request to AWS asks for.
//!
//! A right is `(function, place, action)`. Places are the template's own words: a table (`accounts`), an index of one
//! (`accounts/index/by-due`), the temporary outputs (`outputs`), what people upload (`uploads`) and the list of it
//! (`uploads list`), a secret (`secret FAL_KEY`), the use of our key by a service in the function's name
//! (`key via dynamodb`), or the key of drives' tokens, which functions use themselves (`key of drive-token`).

mod policies;
mod request;

use crate::template::{TemplateError, long_form};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use policies::{TEMPORARY_OUTPUTS, UPLOADS, policies};
pub use request::{Call, Names, signer};

/// `(function, place, action)`, e.g. `("Runs", "usage_log", "dynamodb:Query")`.
pub type Right = (String, String, String);
pub type Rights = BTreeSet<Right>;
/// What a request needs, as `(place, action)`.
pub type Needs = Vec<(String, String)>;

/// What the template allows each function, and what the functions asked for. Cloning shares it.
#[derive(Clone)]
pub struct Iam(Arc<Inner>);

struct Inner {
    template: Arc<Allowed>,
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    used: Rights,
    refused: Rights,
}

/// The part of a template that says who may do what and who is given what.
pub struct Allowed {
    rights: Rights,
    /// The settings of each function, its secrets among them.
    given: BTreeMap<String, BTreeSet<String>>,
    secrets: BTreeMap<String, Vec<String>>,
}

/// A request that a function may not make, in AWS's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "User: arn:aws:sts::123456789012:assumed-role/{function} is not authorized to perform: {action} on resource: \
     {place} because no identity-based policy allows the {action} action"
)]
pub struct Refusal {
    pub function: String,
    pub place: String,
    pub action: String,
}

impl Allowed {
    /// Reads the template. A statement that is not understood gives no right.
    pub fn read(template: &Path) -> Result<Allowed, TemplateError> {
        let text = std::fs::read_to_string(template);
        let text = text.map_err(|error| TemplateError::Unreadable(error.to_string()))?;
        let template = long_form(&text)?;
        let (rights, _) = policies(&template);
        let (mut given, mut secrets) = (BTreeMap::new(), BTreeMap::new());
        for (name, resource) in template["Resources"].as_object().into_iter().flatten() {
            if resource["Type"] != "AWS::Serverless::Function" {
                continue;
            }
            let variables = &resource["Properties"]["Environment"]["Variables"];
            let own = variables.as_object().into_iter().flat_map(serde_json::Map::keys).cloned();
            let listed = variables["SECRETS"].as_str().into_iter().flat_map(|names| names.split(','));
            let listed: Vec<String> = listed.map(str::to_owned).collect();
            given.insert(name.clone(), own.chain(listed.iter().cloned()).collect());
            secrets.insert(name.clone(), listed);
        }
        Ok(Allowed { rights, given, secrets })
    }

    /// Settings and secrets that the template gives to other functions and not to this one.
    pub fn not_given(&self, function: &str) -> BTreeSet<&str> {
        let own = self.given.get(function);
        let all = self.given.values().flatten();
        all.filter(|name| own.is_none_or(|own| !own.contains(*name))).map(String::as_str).collect()
    }
}

impl Iam {
    pub fn new(template: Arc<Allowed>) -> Iam {
        Iam(Arc::new(Inner { template, asked: Mutex::default() }))
    }

    pub fn allowed(&self) -> &Allowed {
        &self.0.template
    }

    /// Whether the template has this function.
    pub fn knows(&self, function: &str) -> bool {
        self.0.template.given.contains_key(function)
    }

    /// Refuses a request of which the function may not do some part, as IAM does: all of it, and before anything is done.
    pub fn check(&self, function: &str, needs: Needs) -> Result<(), Refusal> {
        let mut asked = self.asked();
        for (place, action) in needs {
            let right = (function.to_owned(), place, action);
            if !self.0.template.rights.contains(&right) {
                asked.refused.insert(right.clone());
                let (function, place, action) = right;
                return Err(Refusal { function, place, action });
            }
            asked.used.insert(right);
        }
        Ok(())
    }

    /// Reads a function's secrets as its start does: each of them, and our key to open it.
    pub fn check_secrets(&self, function: &str) -> Result<(), Refusal> {
        for secret in self.0.template.secrets.get(function).into_iter().flatten() {
            self.check(function, request::reading_secret(secret))?;
        }
        Ok(())
    }

    /// What was asked for and allowed so far.
    pub fn used(&self) -> Rights {
        self.asked().used.clone()
    }

    /// What was asked for and refused so far.
    pub fn refused(&self) -> Rights {
        self.asked().refused.clone()
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refusal {
    /// DynamoDB's and SSM's answer; its status is 400.
    pub fn json(&self) -> Value {
        let message = self.to_string();
        serde_json::json!({ "__type": "com.amazon.coral.service#AccessDeniedException", "Message": message })
    }

    /// S3's answer; its status is 403.
    pub fn xml(&self) -> String {
        format!("<Error><Code>AccessDenied</Code><Message>{self}</Message></Error>")
    }
}
