use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::Settings;
use primitives::Secret;
use ring::hmac;

/// Stands in for what we must recognise but may not keep: HMAC-SHA-256 under the deployment's pepper.
#[derive(Clone)]
pub struct Pseudonyms(hmac::Key);

/// The fewest characters of a pepper; below that, hashed addresses could be guessed.
const PEPPER_CHARS_MIN: usize = 16;

impl Pseudonyms {
    /// `PSEUDONYM_PEPPER`: keys the hashes.
    pub fn read(settings: &mut Settings<'_>) -> Pseudonyms {
        let pepper = settings.secret("PSEUDONYM_PEPPER");
        let is_short = (1..PEPPER_CHARS_MIN).contains(&pepper.expose().len());
        if is_short {
            settings.complain("PSEUDONYM_PEPPER", &format!("needs at least {PEPPER_CHARS_MIN} characters"));
        }
        Pseudonyms::new(&pepper)
    }

    pub fn new(pepper: &Secret) -> Pseudonyms {
        Pseudonyms(hmac::Key::new(hmac::HMAC_SHA256, pepper.expose().as_bytes()))
    }

    /// `kind` keeps hashes for different purposes apart; each part is preceded by its length.
    pub fn of(&self, kind: &str, parts: &[&str]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for part in std::iter::once(&kind).chain(parts) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        URL_SAFE_NO_PAD.encode(context.sign())
    }
}
