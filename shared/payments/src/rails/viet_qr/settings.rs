use platform::Settings;
use primitives::Secret;
use rails::sepay_bank::WebhookKeys;
use rails::viet_qr::Beneficiary;

/// Our account at the bank.
#[derive(Clone)]
pub(crate) struct BankSettings {
    /// `BANK_BIN`, `BANK_ACCOUNT`
    pub(crate) beneficiary: Beneficiary,
    /// `BANK_ACCOUNT`, as SePay writes it
    pub(crate) account: String,
    /// `BANK_ACCOUNT_NAME`, shown to the payer
    pub(crate) holder: String,
    /// `BANK_NAME`, shown to the payer
    pub(crate) bank: String,
}

/// SePay's list of what came into that account.
#[derive(Clone)]
pub(crate) struct BankListSettings {
    /// `SEPAY_BANK_API_URL`
    pub(crate) api_url: String,
    /// `SEPAY_BANK_API_TOKEN`
    pub(crate) token: Secret,
}

/// `SEPAY_BANK_HMAC_SECRETS` and `SEPAY_BANK_API_KEYS`. Without any, no bank webhook is believed.
pub(crate) fn read_bank_keys(settings: &mut Settings<'_>) -> WebhookKeys {
    let mut secrets = |name: &str| settings.list(name).into_iter().map(Secret::new).collect();
    WebhookKeys { hmac: secrets("SEPAY_BANK_HMAC_SECRETS"), api_keys: secrets("SEPAY_BANK_API_KEYS") }
}

impl BankSettings {
    pub(crate) fn read(settings: &mut Settings<'_>) -> Option<BankSettings> {
        let account = settings.optional("BANK_ACCOUNT")?;
        // ACB's number at NAPAS; vietqr.io lists the others.
        let bin = settings.text_or("BANK_BIN", "970416");
        let Ok(beneficiary) = Beneficiary::new(&bin, &account) else {
            settings.complain("BANK_ACCOUNT", "must be 6 to 19 letters or digits, and BANK_BIN 6 digits");
            return None;
        };
        Some(BankSettings {
            beneficiary,
            account,
            holder: settings.text_or("BANK_ACCOUNT_NAME", ""),
            bank: settings.text_or("BANK_NAME", "ACB"),
        })
    }
}

impl BankListSettings {
    pub(crate) fn read(settings: &mut Settings<'_>) -> Option<BankListSettings> {
        let token = settings.optional_secret("SEPAY_BANK_API_TOKEN")?;
        Some(BankListSettings {
            api_url: settings.url_or("SEPAY_BANK_API_URL", "https://my.sepay.vn"),
            token,
        })
    }
}
