//! What a rail is: the one trait behind which they differ.

use crate::compared::Compared;
use crate::order::TopUp;
use crate::pay_by::{Drawn, PayBy, Priced};
use crate::rail::Policy;
use crate::{PaymentsError, TopUpRules};
use async_trait::async_trait;
use platform::{InvalidSettings, Platform, Settings};
use primitives::{Overflow, Timestamp, TopUpId};
use std::sync::Arc;

/// Everything that tells one rail from another. Nothing has a default: a rail that forgets its list does not compile.
///
/// How an arrival is believed is a desk's: it makes an [`crate::Arrival`] of a message, a poll or a list, and
/// [`crate::Payments::receive`] books it.
pub(crate) trait RailKind: Sync {
    /// The stable word for table and API.
    fn name(&self) -> &'static str;

    fn policy(&self) -> &'static Policy;

    /// Whether the setting is there that says that it is used here. One rule for both: what can be paid is compared.
    fn is_configured(&self, settings: &mut Settings<'_>) -> bool;

    /// Whom it pays, and what it asks of payers, where it is configured; `None` beside a complaint.
    fn payee(
        &self,
        platform: &Platform,
        rules: &TopUpRules,
        settings: &mut Settings<'_>,
    ) -> Option<Arc<dyn Payee>>;

    /// The processor's own list, where it is configured. `None` stops the start: what is compared with nothing would look
    /// well.
    fn list(&self, platform: &Platform) -> Result<Option<Arc<dyn ProcessorList>>, InvalidSettings>;
}

/// Our side of a payment: the account, wallet or merchant that is paid. It makes an order ready to be paid.
pub(crate) trait Payee: Send + Sync {
    /// Draws by lot, or makes of the order's id, what tells its payment from all others. The store says whether it was
    /// free. `is_short`: easy to type, as long as there is such a one.
    fn draw(&self, id: TopUpId, priced: &Priced, is_short: bool) -> Result<Drawn, Overflow>;

    /// What the payer needs; `None`: what was ordered can't be paid here any more.
    fn pay_by(&self, order: &TopUp) -> Option<PayBy>;
}

/// The processor's own list of payments.
#[async_trait]
pub(crate) trait ProcessorList: Send + Sync {
    /// Reads the list from `from` on, books what no message or poll has told, and returns what it holds.
    ///
    /// What could be read of a list stands, with [`Compared::fail`] for the rest; an error stands for nothing at all.
    async fn compare(&self, from: Timestamp, now: Timestamp) -> Result<Compared, PaymentsError>;
}
