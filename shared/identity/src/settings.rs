use crate::svix;
use platform::Settings;
use primitives::Secret;

/// The fewest characters of a pepper; below that, hashed addresses could be guessed.
const PEPPER_CHARS_MIN: usize = 16;

/// How we know Clerk, and Clerk's instance us.
#[derive(Debug, Clone)]
pub struct ClerkSettings {
    /// `CLERK_ISSUER`: the instance's Frontend API address, exactly as it stands in `iss`
    pub issuer: String,
    /// `CLERK_JWKS_URL`; by default the issuer's `/.well-known/jwks.json`
    pub jwks_url: String,
    /// `CLERK_AUTHORIZED_PARTIES`: origins whose pages may obtain tokens; by default `ALLOWED_ORIGINS`
    pub authorized_parties: Vec<String>,
    /// `CLERK_API_URL`: the Backend API
    pub api_url: String,
    /// `CLERK_SECRET_KEY`; without it new people have no e-mail until the webhook arrives
    pub secret_key: Option<Secret>,
    /// `CLERK_WEBHOOK_SECRET`: one or more `whsec_…`, comma-separated while one replaces the other
    pub webhook_secrets: Vec<Secret>,
    /// `CLERK_INSTANCE_ID`: webhooks of another instance are refused
    pub instance_id: Option<String>,
    /// `PSEUDONYM_PEPPER`: keys the hashes that stand for e-mails and networks
    pub pepper: Secret,
}

impl ClerkSettings {
    pub fn read(settings: &mut Settings<'_>) -> ClerkSettings {
        let issuer = settings.url("CLERK_ISSUER");
        ClerkSettings {
            jwks_url: settings.url_or("CLERK_JWKS_URL", &format!("{issuer}/.well-known/jwks.json")),
            issuer,
            authorized_parties: authorized_parties(settings),
            api_url: settings.url_or("CLERK_API_URL", "https://api.clerk.com"),
            secret_key: settings.optional_secret("CLERK_SECRET_KEY"),
            webhook_secrets: webhook_secrets(settings),
            instance_id: settings.optional("CLERK_INSTANCE_ID"),
            pepper: pepper(settings),
        }
    }
}

fn authorized_parties(settings: &mut Settings<'_>) -> Vec<String> {
    let mut parties = settings.list("CLERK_AUTHORIZED_PARTIES");
    if parties.is_empty() {
        parties = settings.list("ALLOWED_ORIGINS");
    }
    if parties.is_empty() {
        settings.complain("CLERK_AUTHORIZED_PARTIES", "is missing, and so is ALLOWED_ORIGINS");
    }
    parties
}

fn webhook_secrets(settings: &mut Settings<'_>) -> Vec<Secret> {
    let secrets: Vec<Secret> = settings.list("CLERK_WEBHOOK_SECRET").into_iter().map(Secret::new).collect();
    if secrets.iter().any(|secret| !svix::is_secret(secret)) {
        settings.complain("CLERK_WEBHOOK_SECRET", "must be `whsec_` and base64");
    }
    secrets
}

/// `PSEUDONYM_PEPPER`, long enough to be one.
fn pepper(settings: &mut Settings<'_>) -> Secret {
    let pepper = settings.secret("PSEUDONYM_PEPPER");
    let is_short = (1..PEPPER_CHARS_MIN).contains(&pepper.expose().len());
    if is_short {
        settings.complain("PSEUDONYM_PEPPER", &format!("needs at least {PEPPER_CHARS_MIN} characters"));
    }
    pepper
}
