use crate::svix;
use platform::Settings;
use primitives::Secret;

/// How Clerk's webhooks are believed. For the function that receives them: it can't start without.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// `CLERK_WEBHOOK_SECRET`: one or more `whsec_…`, comma-separated while one replaces the other
    pub secrets: Vec<Secret>,
    /// `CLERK_INSTANCE_ID`: webhooks of another instance are refused
    pub instance_id: Option<String>,
}

/// Which sign-in tokens we believe. For whoever lets people in.
#[derive(Debug, Clone)]
pub struct SignInSettings {
    /// `CLERK_ISSUER`: the instance's Frontend API address, exactly as it stands in `iss`
    pub issuer: String,
    /// `CLERK_JWKS_URL`; by default the issuer's `/.well-known/jwks.json`
    pub jwks_url: String,
    /// `CLERK_AUTHORIZED_PARTIES`: origins whose pages may obtain tokens; by default `ALLOWED_ORIGINS`
    pub authorized_parties: Vec<String>,
    /// `CLERK_ACCEPT_WITHOUT_AZP`: native apps have no origin, so their tokens have no authorized party
    pub accepts_tokens_without_azp: bool,
}

/// How we ask Clerk about people.
#[derive(Debug, Clone)]
pub struct ClerkSettings {
    /// `CLERK_API_URL`: the Backend API
    pub api_url: String,
    /// `CLERK_SECRET_KEY`; without it new people have no e-mail, and no welcome, until the webhook arrives
    pub secret_key: Option<Secret>,
    /// `CLERK_READS_PER_WINDOW_MAX`: how many people all instances together ask Clerk about within ten seconds
    pub reads_per_window_max: u32,
}

impl SignInSettings {
    pub fn read(settings: &mut Settings<'_>) -> SignInSettings {
        let issuer = settings.url("CLERK_ISSUER");
        SignInSettings {
            jwks_url: settings.url_or("CLERK_JWKS_URL", &format!("{issuer}/.well-known/jwks.json")),
            issuer,
            authorized_parties: authorized_parties(settings),
            accepts_tokens_without_azp: settings.parsed_or(
                "CLERK_ACCEPT_WITHOUT_AZP",
                false,
                "true or false",
            ),
        }
    }
}

impl ClerkSettings {
    pub fn read(settings: &mut Settings<'_>) -> ClerkSettings {
        ClerkSettings {
            api_url: settings.url_or("CLERK_API_URL", "https://api.clerk.com"),
            reads_per_window_max: reads_per_window_max(settings),
            secret_key: settings.optional_secret("CLERK_SECRET_KEY"),
        }
    }
}

impl WebhookSettings {
    pub fn read(settings: &mut Settings<'_>) -> WebhookSettings {
        let secrets = settings.secrets("CLERK_WEBHOOK_SECRET");
        if secrets.iter().any(|secret| !svix::is_secret(secret)) {
            settings.complain("CLERK_WEBHOOK_SECRET", "must be `whsec_` and base64");
        }
        WebhookSettings { secrets, instance_id: settings.optional("CLERK_INSTANCE_ID") }
    }
}

/// Clerk answers a production instance 1,000 requests in ten seconds, a development instance 100 (Clerk docs, "System
/// limits"). A fifth is left to others who use the same instance.
fn reads_per_window_max(settings: &mut Settings<'_>) -> u32 {
    let key = settings.optional_secret("CLERK_SECRET_KEY");
    let is_production = key.is_some_and(|key| key.expose().starts_with("sk_live_"));
    settings.parsed_or("CLERK_READS_PER_WINDOW_MAX", if is_production { 800 } else { 80 }, "a whole number")
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
