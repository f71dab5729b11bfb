use crate::view::{PriceView, QuoteView};
use crate::{
    Catalog, FieldError, OrderError, PriceRow, Quote, QuoteSeal, RunRules, RunsError, ToolForm, ToolInput,
    form,
};
use platform::{InvalidSettings, Platform, Settings, StoreError};
use primitives::{AccountId, CreditsView, Language, RunId, Secret, Timestamp};
use problems::Wording;
use std::time::Duration;

/// What can be bought and at which price. Reads `tool_pricing`, writes nothing.
#[derive(Clone)]
pub struct Shop {
    catalog: Catalog,
    seal: QuoteSeal,
    quote_lifetime: Duration,
}

/// Settings of the shop.
pub struct ShopSettings {
    /// `QUOTE_SECRET`: signs quotes; changing it ends the open ones.
    pub quote_secret: Secret,
}

impl ShopSettings {
    pub fn read(settings: &mut Settings<'_>) -> ShopSettings {
        ShopSettings { quote_secret: settings.secret("QUOTE_SECRET") }
    }
}

impl Shop {
    pub fn new(platform: &Platform) -> Result<Shop, InvalidSettings> {
        let settings = platform.env().section(ShopSettings::read)?;
        Ok(Shop {
            catalog: Catalog::new(platform)?,
            seal: QuoteSeal::new(&settings.quote_secret),
            quote_lifetime: platform.rules(RunRules::read)?.quote_lifetime(),
        })
    }

    /// Writes the profile's rows where the table has none; rows that were edited stay.
    pub async fn seed(&self) -> Result<(), StoreError> {
        self.catalog.seed().await
    }

    /// Everything that can be bought, with its exact price.
    pub async fn prices(&self, now: Timestamp) -> Result<Vec<PriceView>, RunsError> {
        let rows = self.catalog.rows(now).await?;
        let mut seen = Vec::new();
        let mut views = Vec::with_capacity(rows.len());
        for row in rows.iter() {
            let is_default = row.is_enabled && !seen.contains(&row.tool);
            if is_default {
                seen.push(row.tool.clone());
            }
            match PriceView::of(row, is_default) {
                Ok(view) => views.push(view),
                // What is closed and can't even be listed must not hide what is sold.
                Err(_) if !row.is_enabled => {}
                Err(error) => return Err(error),
            }
        }
        Ok(views)
    }

    /// What to ask a person for each tool that is sold, in their language.
    pub async fn forms(&self, language: Language, now: Timestamp) -> Result<Vec<ToolForm>, RunsError> {
        Ok(form::forms(&self.catalog.rows(now).await?, language))
    }

    /// Binds today's price to exactly this input for the profile's `quote_seconds`.
    pub async fn quote(
        &self,
        account: &AccountId,
        input: &ToolInput,
        now: Timestamp,
    ) -> Result<QuoteView, RunsError> {
        let row = self.sellable_row(input, now).await?;
        let quote = Quote {
            account: account.clone(),
            name: row.name(),
            price: row.price_of(input)?,
            cost: row.cost_of(input)?,
            markup: row.markup,
            fingerprint: input.fingerprint_as(&row.option),
            expires_at: now.after(self.quote_lifetime),
            number: RunId::mint(now),
        };
        Ok(QuoteView {
            quote_id: self.seal.seal(&quote),
            tool: row.tool,
            model: row.option,
            price: CreditsView::new(quote.price, row.ledger_unit),
            expires_at: quote.expires_at,
        })
    }

    /// The row that sells this input.
    pub(crate) async fn sellable_row(
        &self,
        input: &ToolInput,
        now: Timestamp,
    ) -> Result<PriceRow, RunsError> {
        let row = self.catalog.row(input.tool(), input.option(), now).await?;
        let row = row.ok_or_else(|| {
            let why = Wording::new(
                "name one of the models that GET /v1/pricing lists for this tool",
                "hãy chọn một mô hình mà GET /v1/pricing có cho công cụ này",
            );
            OrderError::InvalidInput(vec![FieldError::new("/input/model", why)])
        })?;
        if !row.is_enabled {
            return Err(OrderError::ToolDisabled.into());
        }
        row.check(input).map_err(OrderError::InvalidInput)?;
        Ok(row)
    }

    /// The quote, if it is ours and for this account, row and input, and still runs.
    pub(crate) fn checked_quote(
        &self,
        text: &str,
        account: &AccountId,
        row: &PriceRow,
        input: &ToolInput,
        now: Timestamp,
    ) -> Result<Quote, OrderError> {
        let quote = self.seal.open(text).ok_or(OrderError::QuoteMismatch)?;
        let is_same = quote.account == *account
            && quote.name == row.name()
            && quote.fingerprint == input.fingerprint_as(&row.option);
        if !is_same {
            return Err(OrderError::QuoteMismatch);
        }
        if quote.expires_at <= now {
            return Err(OrderError::QuoteExpired);
        }
        Ok(quote)
    }
}
