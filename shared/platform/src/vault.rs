//! Where tokens of other services are sealed: by a key of KMS, which only the functions that use a token may open with, or on
//! a machine without one by `SEALING_KEYS`.

use crate::{AwsCall, Platform, SealError, Sealer, Settings, Unsigned, pause};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use primitives::{Secret, times};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// How many times KMS is asked when it says "later".
const TRIES: u32 = 3;

/// Seals tokens of other services, each for one owner and one use.
///
/// With `DRIVE_VAULT` KMS does it: the key never leaves KMS, and each opening stands in CloudTrail. Without it the local key
/// does (`SEALING_KEYS`), which is for one machine; the template sets it always.
#[derive(Clone)]
pub struct Vault {
    platform: Platform,
    lock: Lock,
}

#[derive(Clone)]
enum Lock {
    Kms {
        /// An ARN.
        key: String,
        /// `AWS_ENDPOINT_URL_KMS`; absent: AWS itself
        endpoint: Option<String>,
    },
    Local(Sealer),
}

/// Whose a sealed token is, and what for: it opens for no other owner and no other use.
///
/// KMS writes these words into CloudTrail in clear, so none of them may be private.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding<'a> {
    /// What kind of secret it is, e.g. `drive-token`; the template's policies name it.
    pub purpose: &'static str,
    /// Whose it is.
    pub account: &'a str,
    /// Which service gave it.
    pub provider: &'a str,
}

/// Why a token was not sealed or not opened. None of them tells anything about the content.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// It was changed since, or was sealed for another owner or another service.
    #[error("it is not what was sealed, or was sealed for something else")]
    Broken,
    /// It was sealed with another key than the one in use.
    #[error("it was sealed with another key")]
    OtherKey,
    /// KMS does not let us, or the key is switched off: a person has to look.
    #[error("the key can't be used ({code})")]
    Refused {
        /// KMS's own word.
        code: String,
    },
    /// KMS does not answer now.
    #[error("the key service does not answer")]
    Unreachable(#[source] Option<reqwest::Error>),
    /// A request of ours that can't be sent.
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Question<'a> {
    key_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ciphertext_blob: Option<&'a str>,
    encryption_context: BTreeMap<&'static str, &'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    plaintext: Option<Secret>,
    #[serde(default)]
    ciphertext_blob: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: String,
}

/// What stands before a text that KMS sealed, and before one that the local key did.
const OF_KMS: &str = "k1.";
const OF_LOCAL: &str = "l1.";

impl Vault {
    /// Reads `DRIVE_VAULT`, and `SEALING_KEYS` where it is absent. Does not call KMS.
    pub fn read(platform: &Platform, settings: &mut Settings<'_>) -> Vault {
        let lock = match settings.optional("DRIVE_VAULT") {
            Some(key) => Lock::Kms { key, endpoint: settings.optional("AWS_ENDPOINT_URL_KMS") },
            None => Lock::Local(Sealer::read(settings)),
        };
        Vault { platform: platform.clone(), lock }
    }

    /// A text that opens for this binding alone.
    pub async fn seal(&self, binding: &Binding<'_>, token: &Secret) -> Result<String, VaultError> {
        match &self.lock {
            Lock::Local(sealer) => {
                let sealed = sealer.seal(&binding.place(), token.expose().as_bytes())?;
                Ok(format!("{OF_LOCAL}{sealed}"))
            }
            Lock::Kms { key, endpoint } => {
                let question = Question {
                    key_id: key,
                    plaintext: Some(STANDARD.encode(token.expose())),
                    ciphertext_blob: None,
                    encryption_context: binding.context(),
                };
                let answer = self.ask("TrentService.Encrypt", endpoint.as_deref(), &question).await?;
                let blob = answer.ciphertext_blob.ok_or(VaultError::Unreachable(None))?;
                Ok(format!("{OF_KMS}{blob}"))
            }
        }
    }

    /// The token that was sealed for this binding.
    pub async fn open(&self, binding: &Binding<'_>, sealed: &str) -> Result<Secret, VaultError> {
        let bytes = match (&self.lock, sealed.split_at_checked(OF_KMS.len())) {
            (Lock::Local(sealer), Some((OF_LOCAL, sealed))) => sealer.open(&binding.place(), sealed)?,
            (Lock::Kms { key, endpoint }, Some((OF_KMS, blob))) => {
                let question = Question {
                    key_id: key,
                    plaintext: None,
                    ciphertext_blob: Some(blob),
                    encryption_context: binding.context(),
                };
                let answer = self.ask("TrentService.Decrypt", endpoint.as_deref(), &question).await?;
                let token = answer.plaintext.ok_or(VaultError::Unreachable(None))?;
                STANDARD.decode(token.expose()).map_err(|_| VaultError::Broken)?
            }
            (_, Some((OF_LOCAL | OF_KMS, _))) => return Err(VaultError::OtherKey),
            _ => return Err(VaultError::Broken),
        };
        String::from_utf8(bytes).map(Secret::new).map_err(|_| VaultError::Broken)
    }

    async fn ask(
        &self,
        target: &'static str,
        endpoint: Option<&str>,
        question: &Question<'_>,
    ) -> Result<Answer, VaultError> {
        let call = AwsCall { service: "kms", target, endpoint, patience: &times::KEY_TRY };
        let body = serde_json::to_vec(question).map_err(|_| VaultError::Broken)?;
        for tries in 1.. {
            let asked = self.ask_once(&call, body.clone()).await;
            match asked {
                Err(VaultError::Unreachable(_)) if tries < TRIES => pause(tries).await,
                other => return other,
            }
        }
        Err(VaultError::Unreachable(None))
    }

    async fn ask_once(&self, call: &AwsCall<'_>, body: Vec<u8>) -> Result<Answer, VaultError> {
        let request = self.platform.signed(call, body)?;
        let response = self.platform.http().execute(request).await.map_err(unreachable)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(unreachable)?;
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|_| VaultError::Unreachable(None));
        }
        let refusal = serde_json::from_slice::<Refusal>(&bytes);
        let code = refusal.map_or_else(|_| String::new(), |refusal| refusal.kind);
        Err(refused(status.as_u16(), code.rsplit('#').next().unwrap_or_default()))
    }
}

/// KMS API reference, "Decrypt", "Errors" (docs/facts/drives.md).
fn refused(status: u16, code: &str) -> VaultError {
    match code {
        // A changed text, or another encryption context.
        "InvalidCiphertextException" => VaultError::Broken,
        "IncorrectKeyException" => VaultError::OtherKey,
        "ThrottlingException" | "KeyUnavailableException" | "DependencyTimeoutException" => {
            VaultError::Unreachable(None)
        }
        _ if status >= 500 => VaultError::Unreachable(None),
        code => VaultError::Refused { code: code.to_owned() },
    }
}

fn unreachable(error: reqwest::Error) -> VaultError {
    VaultError::Unreachable(Some(error.without_url()))
}

impl From<SealError> for VaultError {
    fn from(error: SealError) -> VaultError {
        match error {
            SealError::UnknownKey => VaultError::OtherKey,
            SealError::Broken => VaultError::Broken,
        }
    }
}

impl Binding<'_> {
    fn parts(&self) -> [(&'static str, &str); 3] {
        [("purpose", self.purpose), ("account", self.account), ("provider", self.provider)]
    }

    fn context(&self) -> BTreeMap<&'static str, &str> {
        self.parts().into_iter().collect()
    }

    /// Each part is preceded by its length, so that no two bindings are written alike.
    fn place(&self) -> String {
        self.parts().iter().map(|(name, value)| format!("{name}:{}:{value};", value.len())).collect()
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.lock {
            Lock::Kms { .. } => "Vault(KMS)",
            Lock::Local(_) => "Vault(local)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Binding<'_> = Binding { purpose: "drive-token", account: "user_ann", provider: "dropbox" };

    #[test]
    fn no_two_bindings_have_one_place() {
        let place = |account, provider| Binding { account, provider, ..ANN }.place();
        assert_ne!(place("ab", "c"), place("a", "bc"));
        assert_ne!(place("a;provider:1:b", "c"), place("a", "b;provider:1:c"));
        assert_eq!(place("user_ann", "dropbox"), ANN.place());
    }

    #[test]
    fn a_refusal_of_kms_is_what_a_person_can_do_about_it() {
        for (status, code, told) in [
            (
                400,
                "InvalidCiphertextException",
                "it is not what was sealed, or was sealed for something else",
            ),
            (400, "IncorrectKeyException", "it was sealed with another key"),
            (400, "AccessDeniedException", "the key can't be used (AccessDeniedException)"),
            (400, "DisabledException", "the key can't be used (DisabledException)"),
            (400, "ThrottlingException", "the key service does not answer"),
            (500, "KMSInternalException", "the key service does not answer"),
        ] {
            assert_eq!(refused(status, code).to_string(), told, "{status} {code}");
        }
    }
}
