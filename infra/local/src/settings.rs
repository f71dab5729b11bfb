use crate::stores::Stores;
use platform::Env;
use std::collections::HashMap;

/// Fills what the environment leaves open, so that everything runs without any account anywhere.
///
/// A service whose key is given is the real one; every other one is the sandbox at `base`. So are the stores: those
/// whose endpoint was given when `stores` were opened, else the embedded ones.
pub fn local_env(given: HashMap<String, String>, base: &str, stores: &Stores) -> Env {
    let mut variables = given;
    let sandbox = |service: &str| format!("{base}/sandbox/{service}");
    let is_real_clerk = variables.get("CLERK_ISSUER").is_some_and(|issuer| !issuer.trim().is_empty());
    let mut group = |key: &str, values: &[(&str, String)]| {
        if variables.get(key).is_none_or(|value| value.trim().is_empty()) {
            for (name, value) in values {
                variables.insert((*name).to_owned(), value.clone());
            }
        }
    };
    group(
        "CLERK_ISSUER",
        &[
            ("CLERK_ISSUER", sandbox("clerk")),
            ("CLERK_API_URL", sandbox("clerk")),
            ("CLERK_SECRET_KEY", sandbox::CLERK_SECRET_KEY.to_owned()),
            ("CLERK_WEBHOOK_SECRET", sandbox::CLERK_WEBHOOK_SECRET.to_owned()),
            ("CLERK_INSTANCE_ID", "ins_sandbox".to_owned()),
        ],
    );
    if !is_real_clerk {
        // The sandbox answers as often as it is asked.
        group("CLERK_READS_PER_WINDOW_MAX", &[("CLERK_READS_PER_WINDOW_MAX", "1000000".to_owned())]);
    }
    group(
        "FAL_KEY",
        &[
            ("FAL_KEY", sandbox::FAL_KEY.to_owned()),
            ("FAL_QUEUE_URL", sandbox("fal")),
            ("FAL_JWKS_URL", sandbox("fal") + "/.well-known/jwks.json"),
        ],
    );
    group(
        "COMFYUI_URL",
        &[("COMFYUI_URL", sandbox("comfyui")), ("COMFYUI_TOKEN", sandbox::COMFY_TOKEN.to_owned())],
    );
    group(
        "DEEPSEEK_API_KEY",
        &[("DEEPSEEK_API_KEY", sandbox::DEEPSEEK_KEY.to_owned()), ("DEEPSEEK_URL", sandbox("deepseek"))],
    );
    group(
        "ANTHROPIC_API_KEY",
        &[("ANTHROPIC_API_KEY", sandbox::ANTHROPIC_KEY.to_owned()), ("ANTHROPIC_URL", sandbox("anthropic"))],
    );
    group(
        "OMNIVOICE_URL",
        &[("OMNIVOICE_URL", sandbox("omnivoice")), ("OMNIVOICE_API_KEY", sandbox::OMNIVOICE_KEY.to_owned())],
    );
    group(
        "REPLICATE_API_TOKEN",
        &[
            ("REPLICATE_API_TOKEN", sandbox::REPLICATE_API_TOKEN.to_owned()),
            ("REPLICATE_WEBHOOK_SECRETS", sandbox::REPLICATE_WEBHOOK_SECRET.to_owned()),
            ("REPLICATE_URL", sandbox("replicate") + "/v1"),
            ("REPLICATE_VIXTTS_VERSION", sandbox::VIXTTS_VERSION.to_owned()),
            // The sandbox does not fetch it.
            ("REPLICATE_SPEAKER_URL", sandbox("replicate") + "/files/speaker.wav"),
        ],
    );
    group(
        "GROQ_API_KEY",
        &[
            ("GROQ_API_KEY", sandbox::GROQ_KEY.to_owned()),
            ("GROQ_URL", format!("{}/openai/v1", sandbox("groq"))),
        ],
    );
    group(
        "APIFY_TOKEN",
        &[
            ("APIFY_TOKEN", sandbox::APIFY_TOKEN.to_owned()),
            ("APIFY_URL", format!("{}/v2", sandbox("apify"))),
            ("APIFY_WEBHOOK_SECRET", "local-apify-webhook-secret".to_owned()),
        ],
    );
    group(
        "SEPAY_MERCHANT_ID",
        &[
            ("SEPAY_MERCHANT_ID", sandbox::SEPAY_MERCHANT_ID.to_owned()),
            ("SEPAY_SECRET_KEY", sandbox::SEPAY_SECRET_KEY.to_owned()),
            ("SEPAY_IPN_SECRETS", sandbox::SEPAY_IPN_SECRET.to_owned()),
            ("SEPAY_CHECKOUT_URL", format!("{}/v1/checkout/init", sandbox("sepay"))),
            ("SEPAY_API_URL", sandbox("sepay")),
        ],
    );
    group(
        "BANK_ACCOUNT",
        &[
            ("BANK_ACCOUNT", sandbox::BANK_ACCOUNT.to_owned()),
            ("BANK_BIN", sandbox::BANK_BIN.to_owned()),
            ("BANK_ACCOUNT_NAME", "CITIPEN SANDBOX".to_owned()),
            ("SEPAY_BANK_HMAC_SECRETS", sandbox::SEPAY_BANK_HMAC_SECRET.to_owned()),
            ("SEPAY_BANK_API_KEYS", sandbox::SEPAY_BANK_API_KEY.to_owned()),
            ("SEPAY_BANK_API_TOKEN", sandbox::SEPAY_BANK_API_TOKEN.to_owned()),
            ("SEPAY_BANK_API_URL", sandbox("bank")),
        ],
    );
    group(
        "TRON_WALLET",
        &[
            ("TRON_WALLET", sandbox::TRON_WALLET.to_owned()),
            ("TRONSCAN_URL", sandbox("tronscan")),
            ("TRONGRID_URL", sandbox("trongrid")),
        ],
    );
    group(
        "GOOGLE_DRIVE_CLIENT_ID",
        &[
            ("GOOGLE_DRIVE_CLIENT_ID", sandbox::GOOGLE_CLIENT_ID.to_owned()),
            ("GOOGLE_DRIVE_CLIENT_SECRET", sandbox::GOOGLE_CLIENT_SECRET.to_owned()),
            ("GOOGLE_CONSENT_URL", sandbox("google") + "/o/oauth2/v2/auth"),
            ("GOOGLE_OAUTH_URL", sandbox("google")),
            ("GOOGLE_API_URL", sandbox("google")),
        ],
    );
    group(
        "DROPBOX_CLIENT_ID",
        &[
            ("DROPBOX_CLIENT_ID", sandbox::DROPBOX_CLIENT_ID.to_owned()),
            ("DROPBOX_CLIENT_SECRET", sandbox::DROPBOX_CLIENT_SECRET.to_owned()),
            ("DROPBOX_CONSENT_URL", sandbox("dropbox") + "/oauth2/authorize"),
            ("DROPBOX_API_URL", sandbox("dropbox")),
            ("DROPBOX_CONTENT_URL", sandbox("dropbox")),
            ("DROPBOX_FOLDER_URL", sandbox("dropbox") + "/home/Apps/Citipen"),
        ],
    );
    group("SITE_URL", &[("SITE_URL", format!("{base}/sandbox"))]);
    group("API_URL", &[("API_URL", base.to_owned())]);
    group("ADMIN_USER_IDS", &[("ADMIN_USER_IDS", "user_sandbox_admin".to_owned())]);
    // 32 bytes of nothing: what is sealed on this machine is as safe as this machine.
    let key = "local:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned();
    group("SEALING_KEYS", &[("SEALING_KEYS", key)]);
    let board = format!("{}/Usercontrols/TVPortal.TyGia/pXML.aspx", sandbox("vietcombank"));
    group("VIETCOMBANK_RATES_URL", &[("VIETCOMBANK_RATES_URL", board)]);
    group("FRANKFURTER_URL", &[("FRANKFURTER_URL", sandbox("frankfurter"))]);
    group("ALLOWED_ORIGINS", &[("ALLOWED_ORIGINS", base.to_owned())]);
    // All of localhost is one network; there, everybody is welcome.
    let everybody = "1000000".to_owned();
    group("WELCOMES_PER_NETWORK_DAY_MAX", &[("WELCOMES_PER_NETWORK_DAY_MAX", everybody)]);
    group("QUOTE_SECRET", &[("QUOTE_SECRET", "local-quote-secret".to_owned())]);
    group("PSEUDONYM_PEPPER", &[("PSEUDONYM_PEPPER", "local-pseudonym-pepper".to_owned())]);
    // Links are signed for the address they are opened at.
    variables.remove("AWS_SESSION_TOKEN");
    let of_stores = stores.variables(base).into_iter();
    variables.extend(of_stores.map(|(name, value)| (name.to_owned(), value.to_owned())));
    also_here(&mut variables, base);
    variables.into_iter().collect()
}

/// Pages of other origins come on top: what is served here, and whoever fetches a token by hand, goes on working.
fn also_here(variables: &mut HashMap<String, String>, base: &str) {
    let Some(origins) = variables.get_mut("ALLOWED_ORIGINS") else { return };
    if origins.split(',').all(|origin| origin.trim() != base) {
        *origins = format!("{origins},{base}");
    }
}
