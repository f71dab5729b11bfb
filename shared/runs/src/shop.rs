use crate::pricing::SUMMARY_TRIES;
use crate::tools::{Limits, Material, Materials};
use crate::view::{PriceView, QuoteView};
use crate::{
    Catalog, FieldError, OrderError, PriceRow, Quote, QuoteSeal, RunRules, RunsError, ToolForm, ToolInput,
    form,
};
use media::{FileFamily, Media, UploadError};
use platform::{InvalidSettings, Platform, Settings, StoreError};
use primitives::{AccountId, CostCents, CreditsView, Language, RunId, Secret, Timestamp};
use problems::Wording;
use providers::{Hearable, Measure};
use std::time::Duration;

/// What can be bought and at which price. Reads `tool_pricing`, writes nothing.
#[derive(Clone)]
pub struct Shop {
    catalog: Catalog,
    seal: QuoteSeal,
    quote_lifetime: Duration,
    media: Media,
    limits: Limits,
}

/// What is sold, by this row, for an input with these files.
pub(crate) struct Offer {
    pub(crate) row: PriceRow,
    pub(crate) materials: Materials,
}

/// The provider's cost that a price pays for.
pub(crate) struct Shares {
    /// For the work.
    pub(crate) work: CostCents,
    /// For each try of the text about what was gathered.
    pub(crate) summary: CostCents,
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
            media: Media::new(platform)?,
            limits: Limits { hearable: Hearable::new(platform)? },
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
        let Offer { row, materials } = self.offer(account, input, now).await?;
        let quote = Quote {
            account: account.clone(),
            name: row.name(),
            price: row.price_of(input, &materials)?,
            cost: row.cost_of(input, &materials)?,
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

    /// What this input is sold by, and what is known of its files.
    pub(crate) async fn offer(
        &self,
        account: &AccountId,
        input: &ToolInput,
        now: Timestamp,
    ) -> Result<Offer, RunsError> {
        let row = self.catalog.row(input.tool().as_str(), input.option(), now).await?;
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
        let materials = self.materials(account, input, now).await?;
        row.check(input, &materials, &self.limits).map_err(OrderError::InvalidInput)?;
        Ok(Offer { row, materials })
    }

    /// Looks up each upload that an input names. An input without uploads costs no call to a store.
    async fn materials(
        &self,
        account: &AccountId,
        input: &ToolInput,
        now: Timestamp,
    ) -> Result<Materials, RunsError> {
        let (mut materials, mut complaints) = (Vec::new(), Vec::new());
        for (field, id, wanted) in input.uploads() {
            match self.media.uploads().ready(account, id, now).await {
                Ok((kind, facts)) if kind == wanted => materials.push(Material { id, kind, facts }),
                Ok(_) => complaints.push(wrong_kind(field, wanted)),
                Err(UploadError::NotFound) => complaints.push(no_such_upload(field)),
                Err(error) => return Err(OrderError::Upload(error).into()),
            }
        }
        match complaints.is_empty() {
            true => Ok(Materials(materials)),
            false => Err(OrderError::InvalidInput(complaints).into()),
        }
    }

    /// How what the price pays is shared: between the work, and the text about what it gathers, which may be begun twice.
    /// The text gets what the work surely leaves.
    pub(crate) fn shares(
        &self,
        row: &PriceRow,
        measure: Measure,
        paid: CostCents,
    ) -> Result<Shares, RunsError> {
        let worst = self.catalog.worst_costs();
        let least = row.summary_cost(worst).map_err(|_| OrderError::ToolDisabled)?;
        if row.summary_chain.is_empty() {
            return Ok(Shares { work: paid, summary: CostCents::ZERO });
        }
        let first = row.chain.first().and_then(|step| worst.of_step(step, measure));
        let left = paid.checked_sub(first.unwrap_or(CostCents::MAX)).unwrap_or_default();
        let each = CostCents::from_micro_cents(left.micro_cents() / u64::from(SUMMARY_TRIES));
        let summary = each.max(least);
        let kept = (0..SUMMARY_TRIES).fold(CostCents::ZERO, |sum, _| sum.saturating_add(summary));
        Ok(Shares { work: paid.checked_sub(kept).unwrap_or_default(), summary })
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

fn no_such_upload(field: &str) -> FieldError {
    let why = Wording::new(
        "there is no such upload of yours, or its days are over",
        "không có tệp tải lên này, hoặc đã quá hạn",
    );
    FieldError::new(&format!("/input/{field}"), why)
}

fn wrong_kind(field: &str, wanted: FileFamily) -> FieldError {
    let wanted = wanted.as_str();
    let why =
        Wording::new(format!("upload it as `kind` {wanted}"), format!("hãy tải lên với `kind` là {wanted}"));
    FieldError::new(&format!("/input/{field}"), why)
}
