//! The demo credentials the sandbox accepts; anything else gets the vendor's 401.

/// Signs Clerk's webhooks (Svix form: the part after `whsec_` is base64 of the HMAC key).
pub const CLERK_WEBHOOK_SECRET: &str = "whsec_c2FuZGJveC1jbGVyay13ZWJob29rLWRlbW8ta2V5ISE=";
/// Opens Clerk's Backend API.
pub const CLERK_SECRET_KEY: &str = "sandbox-clerk-secret-key";
/// fal's key, sent as `Authorization: Key …`; like the real ones it is `<id>:<secret>`.
pub const FAL_KEY: &str = "sandbox-fal-key-id:sandbox-fal-key-secret";
/// The bearer token of the proxy in front of ComfyUI.
pub const COMFY_TOKEN: &str = "sandbox-comfy-token";
/// DeepSeek's bearer key.
pub const DEEPSEEK_KEY: &str = "sandbox-deepseek-key";
/// Anthropic's `x-api-key`.
pub const ANTHROPIC_KEY: &str = "sandbox-anthropic-key";
/// The merchant of SePay's gateway.
pub const SEPAY_MERCHANT_ID: &str = "SP-TEST-SANDBOX";
/// Signs checkout forms and opens the gateway's REST calls, as the password beside the merchant id.
pub const SEPAY_SECRET_KEY: &str = "spsk_test_sandbox_demo_key";
/// What the gateway's notifications carry as `X-Secret-Key`; apart from the key above, because merchants differ.
pub const SEPAY_IPN_SECRET: &str = "sandbox-sepay-ipn-secret";
/// Signs the webhooks about bank transfers; the whole text is the HMAC key.
pub const SEPAY_BANK_HMAC_SECRET: &str = "whsec_5a4db0c5a4db0c5a4db0c5a4db0c5a4d";
/// The other way to prove such a webhook: `Authorization: Apikey …`.
pub const SEPAY_BANK_API_KEY: &str = "sandbox-sepay-bank-api-key";
/// The bearer token of the list of bank transfers.
pub const SEPAY_BANK_API_TOKEN: &str = "sandbox-sepay-bank-api-token";
/// The shop's account at the bank.
pub const BANK_ACCOUNT: &str = "12345678";
/// The bank's number in VietQR codes: ACB.
pub const BANK_BIN: &str = "970416";
/// The key of TronScan and TronGrid, sent as `TRON-PRO-API-KEY`; both also answer without one.
pub const TRON_API_KEY: &str = "sandbox-tron-key";
/// The shop's own address on the invented chain.
pub const TRON_WALLET: &str = "TYjmXT96jMbjdTPnDRVntn2HGD6QY7k2vQ";
/// The contract of USDT, the same as on the real chain.
pub const USDT_CONTRACT: &str = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t";
/// Replicate's token, sent as `Authorization: Bearer …`.
pub const REPLICATE_API_TOKEN: &str = "r8_sandbox_replicate_token";
/// Signs Replicate's webhooks (Standard Webhooks: the part after `whsec_` is base64 of the HMAC key).
pub const REPLICATE_WEBHOOK_SECRET: &str = "whsec_c2FuZGJveC1yZXBsaWNhdGUtd2ViaG9vay1kZW1vLWtleQ==";
/// The bearer key of the speech server.
pub const OMNIVOICE_KEY: &str = "sandbox-omnivoice-key";
/// Groq's bearer key.
pub const GROQ_KEY: &str = "gsk_sandbox_groq_key";
/// Apify's token, sent as `Authorization: Bearer …`, or as `?token=`.
pub const APIFY_TOKEN: &str = "apify_api_sandbox_token";
/// Our app at Google.
pub const GOOGLE_CLIENT_ID: &str = "123456789012-sandbox.apps.googleusercontent.com";
/// Its secret.
pub const GOOGLE_CLIENT_SECRET: &str = "GOCSPX-sandbox-google-secret";
/// Our app at Dropbox.
pub const DROPBOX_CLIENT_ID: &str = "sandboxdropboxkey";
/// Its secret.
pub const DROPBOX_CLIENT_SECRET: &str = "sandbox-dropbox-secret";
