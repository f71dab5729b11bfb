use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use primitives::{AccountId, CostCents, Credits, Fingerprint, Markup, RunId, Secret, Timestamp};
use ring::hmac;

/// A price bound to an account, a tool and one input, until a stated time.
///
/// The quote's id *is* the signed quote, so nothing is stored and checking it costs no round trip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    pub account: AccountId,
    /// `script/chat`
    pub name: String,
    pub price: Credits,
    pub cost: CostCents,
    pub markup: Markup,
    pub fingerprint: Fingerprint,
    pub expires_at: Timestamp,
    /// Tells two quotes for the same input apart; kept in the receipt.
    pub number: RunId,
}

/// Signs quotes and reads them back.
#[derive(Clone)]
pub struct QuoteSeal(hmac::Key);

/// Half of an HMAC-SHA256; as long as a ULID is random.
const MAC_BYTES: usize = 16;

impl QuoteSeal {
    pub fn new(secret: &Secret) -> QuoteSeal {
        QuoteSeal(hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()))
    }

    /// `q1.<fields>.<mac>`, both base64url.
    pub fn seal(&self, quote: &Quote) -> String {
        let fields = [
            quote.account.to_string(),
            quote.name.clone(),
            quote.price.to_string(),
            quote.cost.to_string(),
            quote.markup.to_string(),
            quote.fingerprint.encode(),
            quote.expires_at.millis().to_string(),
            quote.number.to_string(),
        ];
        let fields = URL_SAFE_NO_PAD.encode(fields.join("|"));
        let mac = hmac::sign(&self.0, fields.as_bytes());
        format!("q1.{fields}.{}", URL_SAFE_NO_PAD.encode(&mac.as_ref()[..MAC_BYTES]))
    }

    /// `None` when we did not make it.
    pub fn open(&self, text: &str) -> Option<Quote> {
        let (fields, mac) = text.strip_prefix("q1.")?.split_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        let expected = hmac::sign(&self.0, fields.as_bytes());
        let expected = &expected.as_ref()[..MAC_BYTES];
        // Comparing MACs of both sides keeps the comparison free of timing that tells where they differ.
        let (left, right) = (hmac::sign(&self.0, &mac), hmac::sign(&self.0, expected));
        if mac.len() != MAC_BYTES || left.as_ref() != right.as_ref() {
            return None;
        }
        let fields = String::from_utf8(URL_SAFE_NO_PAD.decode(fields).ok()?).ok()?;
        let mut fields = fields.split('|');
        let mut next = || fields.next();
        Some(Quote {
            account: next()?.parse().ok()?,
            name: next()?.to_owned(),
            price: Credits::new(next()?.parse().ok()?).ok()?,
            cost: next()?.parse().ok()?,
            markup: next()?.parse().ok()?,
            fingerprint: Fingerprint::decode(next()?)?,
            expires_at: Timestamp::from_millis(next()?.parse().ok()?),
            number: next()?.parse().ok()?,
        })
    }
}
