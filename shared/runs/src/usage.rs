use crate::items::USAGE_LOG;
use crate::{Receipt, RunRules, RunsError, Tried};
use aws_sdk_dynamodb::Client;
use credits::Outcome;
use media::StoredOutput;
use platform::{
    Attributes, InvalidSettings, Item, ItemBuilder, Page, Platform, StoreError, key, query_page, text,
    unless_condition_failed,
};
use primitives::{AccountId, CostCents, Credits, RunId, Timestamp};
use std::time::Duration;

/// One row of `usage_log`: what a run used and cost, never what it was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    pub run: RunId,
    pub at: Timestamp,
    pub tool: String,
    pub option: String,
    /// Unknown for a run that was never ended.
    pub input_chars: Option<u64>,
    pub credits: Credits,
    /// `None` when it succeeded; else the reason it was released for.
    pub failure: Option<String>,
    pub provider: Option<String>,
    pub model: Option<String>,
    /// Of the attempt that served.
    pub provider_cost: Option<CostCents>,
    /// Every attempt, in order, with how it ended, its times and its cost.
    pub attempts: Vec<Tried>,
    /// What the attempts cost us that did not serve.
    pub failed_cost: CostCents,
    /// The client was gone when the run ended.
    pub client_left: bool,
    /// What came after the credit had been given back.
    pub gift: Vec<StoredOutput>,
}

#[derive(Clone)]
pub(crate) struct UsageLog {
    dynamo: Client,
    table: String,
    kept_for: Duration,
}

impl UsageLog {
    pub(crate) fn new(platform: &Platform) -> Result<UsageLog, InvalidSettings> {
        Ok(UsageLog {
            dynamo: platform.dynamo().clone(),
            table: platform.table(&USAGE_LOG),
            kept_for: platform.rules(RunRules::read)?.usage_log_lifetime(),
        })
    }

    /// Writes the row an outcome stands for. Every process that finishes the run writes the same row.
    pub(crate) async fn record(&self, outcome: &Outcome) -> Result<(), StoreError> {
        let Some(row) = UsageRow::of(outcome) else { return Ok(()) };
        let item = ItemBuilder::default()
            .text("account", &outcome.account)
            .text("run", row.run)
            .number("at", row.at.millis())
            .text("tool", &row.tool)
            .text("option", &row.option)
            .maybe_number("inputChars", row.input_chars)
            .number("credits", row.credits.get())
            .maybe_text("failure", row.failure.as_ref())
            .maybe_text("provider", row.provider.as_ref())
            .maybe_text("model", row.model.as_ref())
            .maybe_text("providerCostCents", row.provider_cost)
            .maybe_text("failedCostCents", Some(row.failed_cost).filter(|cost| *cost > CostCents::ZERO))
            .maybe_list("attempts", &row.attempts)
            .maybe_true("clientLeft", row.client_left)
            .number("ttl", row.at.after(self.kept_for).seconds());
        let put = self.dynamo.put_item().table_name(&self.table).set_item(Some(item.build()));
        // If a second process repeats this write, a gift that was noted meanwhile must stay in the row.
        let put = put.condition_expression("attribute_not_exists(gift)");
        unless_condition_failed(put.send().await)?;
        Ok(())
    }

    /// Notes what arrived after the release, so that its owner can still fetch it.
    pub(crate) async fn note_gift(
        &self,
        account: &AccountId,
        run: RunId,
        gift: &[StoredOutput],
    ) -> Result<(), RunsError> {
        let gift = serde_json::to_string(gift).map_err(|_| RunsError::Malformed("a stored output"))?;
        let update = self.dynamo.update_item().table_name(&self.table).set_key(Some(row_key(account, run)));
        let update = update
            .update_expression("SET gift = :gift")
            .condition_expression("attribute_exists(tool)")
            .expression_attribute_values(":gift", text(gift));
        update.send().await.map_err(StoreError::of_sdk)?;
        Ok(())
    }

    pub(crate) async fn row(&self, account: &AccountId, run: RunId) -> Result<Option<UsageRow>, StoreError> {
        let get = self.dynamo.get_item().table_name(&self.table).set_key(Some(row_key(account, run)));
        let answer = get.consistent_read(true).send().await.map_err(StoreError::of_sdk)?;
        answer.item().map(read_row).transpose()
    }

    /// Newest first; `limit` rows, unless there are no more. Rows whose time is over may still lie in the table: they are
    /// passed over.
    pub(crate) async fn page(
        &self,
        account: &AccountId,
        limit: u32,
        mut before: Option<RunId>,
        now: Timestamp,
    ) -> Result<Page<UsageRow, RunId>, StoreError> {
        let mut rows = Vec::new();
        loop {
            let page = self.query(account, limit, before, now).await?;
            rows.extend(page.items);
            let has_more = page.next.is_some() || rows.len() > limit as usize;
            if page.next.is_none() || rows.len() >= limit as usize {
                rows.truncate(limit as usize);
                let next = rows.last().map(|row| row.run).filter(|_| has_more);
                return Ok(Page { items: rows, next });
            }
            before = page.next;
        }
    }

    async fn query(
        &self,
        account: &AccountId,
        limit: u32,
        before: Option<RunId>,
        now: Timestamp,
    ) -> Result<Page<UsageRow, RunId>, StoreError> {
        let mut query = self
            .dynamo
            .query()
            .table_name(&self.table)
            .expression_attribute_names("#account", "account")
            .expression_attribute_names("#run", "run")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":account", text(account))
            .expression_attribute_values(":now", platform::number(now.seconds()))
            .filter_expression("#ttl > :now")
            .scan_index_forward(false);
        // Every run has a ULID below `~`, so one condition serves the first page and the others.
        let before_text = before.map_or_else(|| "~".to_owned(), |run| run.to_string());
        query = query
            .key_condition_expression("#account = :account AND #run < :before")
            .expression_attribute_values(":before", text(before_text));
        query_page(query, limit, read_row, |key| Item::new(USAGE_LOG.name, key).parsed("run")).await
    }
}

impl UsageRow {
    fn of(outcome: &Outcome) -> Option<UsageRow> {
        let run = outcome.run()?;
        let receipt = Receipt::parse(&run.receipt)?;
        let (failed_cost, served_cost) = (receipt.failed_cost(outcome), receipt.served_cost());
        let served = receipt.served;
        let failure = run.failure().map(str::to_owned);
        Some(UsageRow {
            run: RunId::from(outcome.id),
            at: outcome.at,
            tool: receipt.tool,
            option: receipt.option,
            input_chars: receipt.chars,
            credits: outcome.amount.magnitude(),
            failure,
            provider: served.as_ref().map(|served| served.by.clone()),
            model: served.as_ref().map(|served| served.model.clone()),
            provider_cost: served.map(|_| served_cost),
            failed_cost,
            attempts: receipt.tried,
            client_left: receipt.left,
            gift: Vec::new(),
        })
    }
}

fn row_key(account: &AccountId, run: RunId) -> platform::Key {
    key([("account", account.as_str()), ("run", &run.to_string())])
}

/// A list; rows of an older version hold one output.
fn read_gift(text: &str) -> Result<Vec<StoredOutput>, serde_json::Error> {
    serde_json::from_str(text).or_else(|_| Ok(vec![serde_json::from_str(text)?]))
}

fn read_row(attributes: &Attributes) -> Result<UsageRow, StoreError> {
    let item = Item::new(USAGE_LOG.name, attributes);
    let gift = item.maybe_text("gift")?.map(read_gift).transpose();
    Ok(UsageRow {
        run: item.parsed("run")?,
        at: item.time("at")?,
        tool: item.text("tool")?.to_owned(),
        option: item.text("option")?.to_owned(),
        input_chars: item.maybe_number("inputChars")?,
        credits: Credits::new(item.number("credits")?).map_err(|_| item.corrupt("credits"))?,
        failure: item.maybe_text("failure")?.map(str::to_owned),
        provider: item.maybe_text("provider")?.map(str::to_owned),
        model: item.maybe_text("model")?.map(str::to_owned),
        provider_cost: item.maybe_parsed("providerCostCents")?,
        attempts: item.maybe_list("attempts")?,
        failed_cost: item.maybe_parsed("failedCostCents")?.unwrap_or_default(),
        client_left: item.flag("clientLeft"),
        gift: gift.map_err(|_| item.corrupt("gift"))?.unwrap_or_default(),
    })
}
