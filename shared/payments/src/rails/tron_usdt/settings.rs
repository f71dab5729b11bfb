use platform::Settings;
use primitives::Secret;
use rails::tron::{Address, USDT_CONTRACT, Watch};

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
