//! What a deployment is given: parameters, secrets, and where everything outside is.

use crate::emulator::ORIGIN;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The addresses of everything that a function reaches.
pub(crate) struct Addresses {
    /// Of DynamoDB, KMS, SSM and S3.
    pub(crate) aws: String,
    /// Of the sandbox.
    pub(crate) world: String,
    /// Of the gateway's stage.
    pub(crate) api: String,
    pub(crate) authority: String,
}

/// Where secrets lie in the Parameter Store.
pub(crate) const SECRETS_PATH: &str = "/citipen/";

/// What a person would write down for a deployment; every rail is taken.
pub(crate) fn parameters(at: &Addresses, table_prefix: &str) -> BTreeMap<String, Value> {
    let service = |name: &str| json!(format!("{}/sandbox/{name}", at.world));
    let parameters = [
        ("TablePrefix", json!(table_prefix)),
        ("AllowedOrigins", json!([ORIGIN])),
        ("ClerkIssuer", service("clerk")),
        ("ClerkInstanceId", json!("ins_sandbox")),
        ("ComfyuiUrl", service("comfyui")),
        ("OmnivoiceUrl", service("omnivoice")),
        ("ReplicateSpeakerUrl", json!(format!("{}/sandbox/replicate/files/speaker.wav", at.world))),
        ("ReplicateVixttsVersion", json!(sandbox::VIXTTS_VERSION)),
        ("SiteUrl", json!(ORIGIN)),
        ("ApiUrl", json!(at.api)),
        ("SepayMerchantId", json!(sandbox::SEPAY_MERCHANT_ID)),
        ("BankAccount", json!(sandbox::BANK_ACCOUNT)),
        ("BankAccountName", json!("CITIPEN SANDBOX")),
        ("BankBin", json!(sandbox::BANK_BIN)),
        ("TronWallet", json!(sandbox::TRON_WALLET)),
        ("GoogleDriveClientId", json!(sandbox::GOOGLE_CLIENT_ID)),
        ("DropboxClientId", json!(sandbox::DROPBOX_CLIENT_ID)),
        ("AdminUserIds", json!(["user_sandbox_admin"])),
        ("SecretsPath", json!(SECRETS_PATH)),
    ];
    parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(crate) fn secrets() -> [(&'static str, &'static str); 24] {
    [
        ("CLERK_SECRET_KEY", sandbox::CLERK_SECRET_KEY),
        ("CLERK_WEBHOOK_SECRET", sandbox::CLERK_WEBHOOK_SECRET),
        ("PSEUDONYM_PEPPER", "emulated-pseudonym-pepper"),
        ("QUOTE_SECRET", "emulated-quote-secret"),
        // 32 bytes of nothing: what is sealed here is gone with the test.
        ("SEALING_KEYS", "emulated:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("DEEPSEEK_API_KEY", sandbox::DEEPSEEK_KEY),
        ("ANTHROPIC_API_KEY", sandbox::ANTHROPIC_KEY),
        ("FAL_KEY", sandbox::FAL_KEY),
        ("COMFYUI_TOKEN", sandbox::COMFY_TOKEN),
        ("OMNIVOICE_API_KEY", sandbox::OMNIVOICE_KEY),
        ("REPLICATE_API_TOKEN", sandbox::REPLICATE_API_TOKEN),
        ("REPLICATE_WEBHOOK_SECRETS", sandbox::REPLICATE_WEBHOOK_SECRET),
        ("GROQ_API_KEY", sandbox::GROQ_KEY),
        ("APIFY_TOKEN", sandbox::APIFY_TOKEN),
        ("APIFY_WEBHOOK_SECRET", "emulated-apify-webhook-secret"),
        ("SEPAY_SECRET_KEY", sandbox::SEPAY_SECRET_KEY),
        ("SEPAY_IPN_SECRETS", sandbox::SEPAY_IPN_SECRET),
        ("SEPAY_BANK_HMAC_SECRETS", sandbox::SEPAY_BANK_HMAC_SECRET),
        ("SEPAY_BANK_API_KEYS", sandbox::SEPAY_BANK_API_KEY),
        ("SEPAY_BANK_API_TOKEN", sandbox::SEPAY_BANK_API_TOKEN),
        ("TRONSCAN_API_KEY", sandbox::TRON_API_KEY),
        ("TRONGRID_API_KEY", sandbox::TRON_API_KEY),
        ("GOOGLE_DRIVE_CLIENT_SECRET", sandbox::GOOGLE_CLIENT_SECRET),
        ("DROPBOX_CLIENT_SECRET", sandbox::DROPBOX_CLIENT_SECRET),
    ]
}

/// In the cloud the defaults lead to AWS and to the providers; here somebody must say where they are.
pub(crate) fn variables(at: &Addresses) -> BTreeMap<String, String> {
    let service = |name: &str| format!("{}/sandbox/{name}", at.world);
    let variables = [
        ("AWS_ENDPOINT_URL_DYNAMODB", at.aws.clone()),
        ("AWS_ENDPOINT_URL_KMS", at.aws.clone()),
        ("AWS_ENDPOINT_URL_S3", at.aws.clone()),
        ("AWS_ENDPOINT_URL_SSM", at.aws.clone()),
        ("SSL_CERT_FILE", at.authority.clone()),
        ("CLERK_API_URL", service("clerk")),
        ("DEEPSEEK_URL", service("deepseek")),
        ("ANTHROPIC_URL", service("anthropic")),
        ("FAL_QUEUE_URL", service("fal")),
        ("FAL_JWKS_URL", service("fal") + "/.well-known/jwks.json"),
        ("REPLICATE_URL", service("replicate") + "/v1"),
        ("GROQ_URL", format!("{}/openai/v1", service("groq"))),
        ("APIFY_URL", format!("{}/v2", service("apify"))),
        ("SEPAY_CHECKOUT_URL", format!("{}/v1/checkout/init", service("sepay"))),
        ("SEPAY_API_URL", service("sepay")),
        ("SEPAY_BANK_API_URL", service("bank")),
        ("TRONSCAN_URL", service("tronscan")),
        ("TRONGRID_URL", service("trongrid")),
        (
            "VIETCOMBANK_RATES_URL",
            format!("{}/Usercontrols/TVPortal.TyGia/pXML.aspx", service("vietcombank")),
        ),
        ("FRANKFURTER_URL", service("frankfurter")),
        ("GOOGLE_CONSENT_URL", service("google") + "/o/oauth2/v2/auth"),
        ("GOOGLE_OAUTH_URL", service("google")),
        ("GOOGLE_API_URL", service("google")),
        ("DROPBOX_CONSENT_URL", service("dropbox") + "/oauth2/authorize"),
        ("DROPBOX_API_URL", service("dropbox")),
        ("DROPBOX_CONTENT_URL", service("dropbox")),
    ];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
