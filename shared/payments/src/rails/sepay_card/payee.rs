use super::settings::CardSettings;
use crate::items::reference_name;
use crate::order::TopUp;
use crate::pay_by::{Drawn, PayBy, Priced};
use crate::rails::kind::Payee;
use crate::{Rail, TopUpRules};
use platform::{Profile, Settings};
use primitives::{Overflow, TopUpId, Unit};
use rails::sepay_card::{CheckoutOrder, InvoiceNumber, PaymentMethod, checkout_form};
use rails::viet_qr::CodePrefix;

/// Signs the form with which the browser goes to SePay.
pub(super) struct Checkout {
    unit: Unit,
    brand: String,
    prefix: CodePrefix,
    card: CardSettings,
}

impl Checkout {
    pub(super) fn read(
        profile: &Profile,
        rules: &TopUpRules,
        settings: &mut Settings<'_>,
    ) -> Option<Checkout> {
        let card = CardSettings::read(settings)?;
        if settings.optional("SITE_URL").is_none() {
            settings.complain(
                "SITE_URL",
                "is missing beside SEPAY_MERCHANT_ID: the checkout would lead back nowhere",
            );
        }
        let prefix = rules.reference_prefix;
        Some(Checkout { unit: profile.unit, brand: profile.brand.clone(), prefix, card })
    }
}

impl Payee for Checkout {
    fn draw(&self, id: TopUpId, priced: &Priced, _: bool) -> Result<Drawn, Overflow> {
        let reference = format!("{}-{id}", self.prefix);
        let name = reference_name(Rail::SepayCard, &reference);
        Ok(Drawn { credits: priced.credits, price: priced.price, reference, name })
    }

    fn pay_by(&self, order: &TopUp) -> Option<PayBy> {
        let card = &self.card;
        let back = |outcome: &str| format!("{}/billing?top_up={}&outcome={outcome}", card.site_url, order.id);
        let worth = self.unit.worth(order.credits);
        let wish = CheckoutOrder {
            amount: order.price.try_into().ok()?,
            invoice: order.reference.parse::<InvoiceNumber>().ok()?,
            description: format!("{} credit {worth} {}", self.brand, worth.currency()),
            // SePay needs no name of ours for the person.
            customer_id: None,
            payment_method: Some(PaymentMethod::Card),
            success_url: back("success"),
            error_url: back("error"),
            cancel_url: back("cancelled"),
        };
        Some(PayBy::Card(checkout_form(&card.merchant, &card.checkout_url, &wish)))
    }
}
