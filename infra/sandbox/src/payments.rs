//! What a test does with money: pays, takes back, transfers, and carries the webhooks itself.

use crate::bank::{self, ScannedQr, TransferWish, UnreadableQr};
use crate::sepay::{self, CardRefusal, IpnKind};
use crate::{Delivery, Sandbox};

impl Sandbox {
    /// Pays the order a checkout form has opened. Nothing is sent; see [`Sandbox::card_ipn`].
    pub fn pay_card(&self, invoice: &str) -> Result<(), CardRefusal> {
        self.world.sepay.with(invoice, |order| order.pay(self.world.now()))
    }

    /// Takes a card payment back, which works until it is settled. Nothing is sent.
    pub fn void_card(&self, invoice: &str) -> Result<(), CardRefusal> {
        self.world.sepay.with(invoice, |order| order.void(self.world.now()))
    }

    /// The notification about an order as it would be sent now. Only what has happened can be told.
    pub fn card_ipn(&self, invoice: &str, kind: IpnKind) -> Result<Delivery, CardRefusal> {
        sepay::delivery(&self.world, invoice, kind)
    }

    /// Makes a transfer and answers its id. Nothing is sent; the list has it at once.
    pub fn bank_transfer(&self, wish: TransferWish) -> u64 {
        self.world.bank.add(wish, self.world.now())
    }

    /// The webhook about a transfer, signed now; `None` for an unknown id. A second one repeats the same body.
    pub fn bank_webhook(&self, id: u64) -> Option<Delivery> {
        let transfer = self.world.bank.get(id)?;
        Some(bank::delivery(&transfer, transfer.proof, self.world.now()))
    }

    /// Reads a VietQR code as a banking app does.
    pub fn scan_viet_qr(&self, payload: &str) -> Result<ScannedQr, UnreadableQr> {
        bank::scan(payload)
    }
}
