//! The payment rails, one folder each, and the only table of them. Orders, inbox, reversals and reconciliation name none.

pub(crate) mod kind;
pub(crate) mod sepay_card;
pub(crate) mod tron_usdt;
pub(crate) mod viet_qr;

use self::kind::RailKind;
use crate::rail::Rail;

impl Rail {
    /// The table of rails.
    pub(crate) fn kind(self) -> &'static dyn RailKind {
        match self {
            Rail::SepayCard => &sepay_card::SepayCard,
            Rail::VietQr => &viet_qr::VietQr,
            Rail::TronUsdt => &tron_usdt::TronUsdt,
            #[cfg(test)]
            Rail::Toy => &crate::tests::toy::Toy,
        }
    }
}
