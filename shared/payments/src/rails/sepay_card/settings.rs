use platform::Settings;
use primitives::Secret;
use rails::sepay_card::Merchant;
use url::Url;

/// SePay's payment gateway.
#[derive(Clone)]
pub(crate) struct CardSettings {
    /// `SEPAY_MERCHANT_ID` and `SEPAY_SECRET_KEY`
    pub(crate) merchant: Merchant,
    /// `SEPAY_CHECKOUT_URL`: where the browser posts the form
    pub(crate) checkout_url: Url,
    /// `SEPAY_API_URL`
    pub(crate) api_url: Url,
    /// `SITE_URL`: where SePay sends the browser back to
    pub(crate) site_url: String,
}

impl CardSettings {
    pub(crate) fn read(settings: &mut Settings<'_>) -> Option<CardSettings> {
        let id = settings.optional("SEPAY_MERCHANT_ID")?;
        Some(CardSettings {
            merchant: Merchant { id, secret_key: settings.secret("SEPAY_SECRET_KEY") },
            checkout_url: address(settings, "SEPAY_CHECKOUT_URL", "https://pay.sepay.vn/v1/checkout/init")?,
            api_url: address(settings, "SEPAY_API_URL", "https://pgapi.sepay.vn")?,
            site_url: settings.url_or("SITE_URL", "https://localhost"),
        })
    }
}

/// `None` only beside a complaint.
fn address(settings: &mut Settings<'_>, name: &str, default: &str) -> Option<Url> {
    settings.url_or(name, default).parse().ok()
}

/// `SEPAY_IPN_SECRETS`, several during a rotation. Without any, no IPN is believed.
pub(crate) fn read_ipn_secrets(settings: &mut Settings<'_>) -> Vec<Secret> {
    settings.list("SEPAY_IPN_SECRETS").into_iter().map(Secret::new).collect()
}
