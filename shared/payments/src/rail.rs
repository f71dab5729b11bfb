use std::fmt;
use std::str::FromStr;

/// The way a top-up is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rail {
    /// International card on SePay's checkout page.
    SepayCard,
    /// Bank transfer in Vietnam; SePay tells us what came in.
    VietQr,
    /// USDT on TRON, to our own wallet.
    TronUsdt,
}

/// The text names no rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payment rail is sepay_card, viet_qr or tron_usdt")]
pub struct UnknownRail;

impl Rail {
    pub const ALL: [Rail; 3] = [Rail::SepayCard, Rail::VietQr, Rail::TronUsdt];

    pub fn as_str(self) -> &'static str {
        match self {
            Rail::SepayCard => "sepay_card",
            Rail::VietQr => "viet_qr",
            Rail::TronUsdt => "tron_usdt",
        }
    }
}

impl FromStr for Rail {
    type Err = UnknownRail;

    fn from_str(text: &str) -> Result<Rail, UnknownRail> {
        Rail::ALL.into_iter().find(|rail| rail.as_str() == text).ok_or(UnknownRail)
    }
}

impl fmt::Display for Rail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
