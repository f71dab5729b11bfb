//! A text that one process writes and another one's customer wants to read as it comes. The writer asks now and then whether
//! anybody listens, and shows the text only then: a run that nobody else listens to costs no write.

use crate::items::RUN_JOBS;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnValue;
use platform::{
    InvalidSettings, Item, Platform, Sealer, StoreError, key, number, text, unless_condition_failed, with_causes,
};
use primitives::{Private, RunId, Timestamp};
use std::time::Duration;

/// How long a listener is believed to listen after it has last asked.
const HEARD_FOR: Duration = Duration::from_secs(15);
/// How long the row is kept.
const KEPT_FOR: Duration = Duration::from_secs(3_600);

/// Texts that are being written, beside the jobs in `run_jobs`.
#[derive(Clone)]
pub(crate) struct Live {
    dynamo: Client,
    table: String,
    sealer: Sealer,
}

impl Live {
    pub(crate) fn new(platform: &Platform) -> Result<Live, InvalidSettings> {
        Ok(Live {
            dynamo: platform.dynamo().clone(),
            table: platform.table(&RUN_JOBS),
            sealer: platform.env().section(Sealer::read)?,
        })
    }

    /// Stores the text so far, if anybody listens. Says whether anybody does, as far as that could be told.
    pub(crate) async fn show(&self, run: RunId, so_far: &str, was_heard: bool, now: Timestamp) -> bool {
        let shown = async {
            if !was_heard && !self.is_heard(run, now).await? {
                return Ok(false);
            }
            self.store(run, so_far, now).await
        };
        shown.await.unwrap_or_else(|error: StoreError| {
            tracing::warn!(run.id = %run, error = %with_causes(&error), "who listens elsewhere hears nothing for now");
            false
        })
    }

    async fn is_heard(&self, run: RunId, now: Timestamp) -> Result<bool, StoreError> {
        let get = self.dynamo.get_item().table_name(&self.table).set_key(Some(row_key(run)));
        let answer = get.projection_expression("heard_until").send().await.map_err(StoreError::of_sdk)?;
        let until = answer.item().map(|row| Item::new(RUN_JOBS.name, row).maybe_number::<u64>("heard_until"));
        Ok(until.transpose()?.flatten().is_some_and(|until| until > now.seconds()))
    }

    /// False: nobody listens any more.
    async fn store(&self, run: RunId, so_far: &str, now: Timestamp) -> Result<bool, StoreError> {
        let sealed = self.sealer.seal(&place(run), so_far.as_bytes()).map_err(|_| unreadable())?;
        let update = self
            .dynamo
            .update_item()
            .table_name(&self.table)
            .set_key(Some(row_key(run)))
            .update_expression("SET so_far = :so_far")
            .condition_expression("heard_until > :now")
            .expression_attribute_values(":so_far", text(sealed))
            .expression_attribute_values(":now", number(now.seconds()));
        Ok(unless_condition_failed(update.send().await)?.is_some())
    }

    /// Tells the writer that somebody listens, and gives what it has shown.
    pub(crate) async fn listen(&self, run: RunId, now: Timestamp) -> Result<Private<String>, StoreError> {
        let update = self
            .dynamo
            .update_item()
            .table_name(&self.table)
            .set_key(Some(row_key(run)))
            .update_expression("SET heard_until = :until, #ttl = :ttl")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":until", number(now.after(HEARD_FOR).seconds()))
            .expression_attribute_values(":ttl", number(now.after(KEPT_FOR).seconds()))
            .return_values(ReturnValue::AllNew);
        let answer = update.send().await.map_err(StoreError::of_sdk)?;
        let Some(row) = answer.attributes() else { return Ok(Private::new(String::new())) };
        let Some(sealed) = Item::new(RUN_JOBS.name, row).maybe_text("so_far")? else {
            return Ok(Private::new(String::new()));
        };
        let content = self.sealer.open(&place(run), sealed).map_err(|_| unreadable())?;
        String::from_utf8(content.to_vec()).map(Private::new).map_err(|_| unreadable())
    }
}

fn unreadable() -> StoreError {
    StoreError::Corrupt { table: RUN_JOBS.name, what: "so_far".to_owned() }
}

fn place(run: RunId) -> String {
    format!("{}/{run}/so_far", RUN_JOBS.name)
}

/// Beside the row of the run's job.
fn row_key(run: RunId) -> platform::Key {
    key([("run", &format!("{run}.text"))])
}
