//! What each rail needs from the environment. A rail without its key setting is not configured.

use platform::Settings;
use primitives::Secret;
use rails::sepay_bank::WebhookKeys;
use rails::sepay_card::Merchant;
use rails::tron::{Address, USDT_CONTRACT, Watch};
use rails::viet_qr::{Beneficiary, CodePrefix};
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

/// Our wallet and who watches it.
#[derive(Clone)]
pub(crate) struct ChainSettings {
    /// `TRON_WALLET` and `TRON_CONTRACT`
    pub(crate) watch: Watch,
    /// `TRONSCAN_URL`, `TRONSCAN_API_KEY`
    pub(crate) tronscan_url: String,
    pub(crate) tronscan_key: Option<Secret>,
    /// `TRONGRID_URL`, `TRONGRID_API_KEY`
    pub(crate) trongrid_url: String,
    pub(crate) trongrid_key: Option<Secret>,
}

/// Minutes that SePay's times lie before UTC; Vietnam has no summer time. Its bank documents name no zone.
pub(crate) fn read_sepay_offset(settings: &mut Settings<'_>) -> i16 {
    settings.parsed_or("SEPAY_UTC_OFFSET_MINUTES", 420, "whole minutes")
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

impl ChainSettings {
    pub(crate) fn read(settings: &mut Settings<'_>) -> Option<ChainSettings> {
        let wallet = settings.optional("TRON_WALLET")?;
        let contract = settings.text_or("TRON_CONTRACT", USDT_CONTRACT);
        let mut address = |name: &str, text: &str| {
            let address = text.parse::<Address>();
            address
                .inspect_err(|wrong| settings.complain(name, &format!("must be a TRON address: {wrong}")))
                .ok()
        };
        let watch = Watch {
            wallet: address("TRON_WALLET", &wallet)?,
            contract: address("TRON_CONTRACT", &contract)?,
        };
        Some(ChainSettings {
            watch,
            tronscan_url: settings.url_or("TRONSCAN_URL", "https://apilist.tronscanapi.com"),
            tronscan_key: settings.optional_secret("TRONSCAN_API_KEY"),
            trongrid_url: settings.url_or("TRONGRID_URL", "https://api.trongrid.io"),
            trongrid_key: settings.optional_secret("TRONGRID_API_KEY"),
        })
    }
}

/// The profile's prefix of reference codes.
pub(crate) fn code_prefix(settings: &mut Settings<'_>, prefix: &str) -> CodePrefix {
    prefix.parse().unwrap_or_else(|_| {
        settings.complain("PROFILE", "has a reference_prefix that is not 2 to 5 upper-case letters");
        CodePrefix::CIT
    })
}
