//! A text that one process writes while a listener (a client of `GET /v1/runs/{id}/events`) reads it through another
//! process. The writer asks the store every two seconds whether a listener is there, and stores the text only then: the
//! text of a run without a listener costs no write.

use crate::items::RUN_JOBS;
use aws_sdk_dynamodb::Client;
use platform::{InvalidSettings, Item, ItemBuilder, Platform, Sealer, StoreError, key, with_causes};
use primitives::{AccountId, Private, RunId, Timestamp};
use std::time::Duration;

/// How long the writer takes a listener to be there after the listener's process last wrote so.
pub(crate) const HEARD_FOR: Duration = Duration::from_secs(15);
/// How long the rows are kept.
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

    /// Stores the text so far if a listener is there. True: a listener is there and has the text; false: none is, or
    /// the store failed.
    pub(crate) async fn show(&self, of: Owned<'_>, so_far: &str, now: Timestamp) -> bool {
        let shown = async {
            let is_heard = self.is_heard(of, now).await?;
            if is_heard {
                self.store(of, so_far, now).await?;
            }
            Ok(is_heard)
        };
        shown.await.unwrap_or_else(|error: StoreError| {
            tracing::warn!(run.id = %of.run, error = %with_causes(&error), "a listener elsewhere gets no text for now");
            false
        })
    }

    async fn is_heard(&self, of: Owned<'_>, now: Timestamp) -> Result<bool, StoreError> {
        let get = self.dynamo.get_item().table_name(&self.table).set_key(Some(of.heard_key()));
        let answer = get.send().await.map_err(StoreError::of_sdk)?;
        let until = answer.item().map(|row| Item::new(RUN_JOBS.name, row).maybe_number::<u64>("heard_until"));
        Ok(until.transpose()?.flatten().is_some_and(|until| until > now.seconds()))
    }

    async fn store(&self, of: Owned<'_>, so_far: &str, now: Timestamp) -> Result<(), StoreError> {
        let sealed = self.sealer.seal(&of.place(), so_far.as_bytes()).map_err(|_| unreadable())?;
        let item = ItemBuilder::default()
            .text("id", of.text_name())
            .text("account", of.account)
            .text("so_far", sealed)
            .number("ttl", now.after(KEPT_FOR).seconds());
        let put = self.dynamo.put_item().table_name(&self.table).set_item(Some(item.build()));
        put.send().await.map_err(StoreError::of_sdk)?;
        Ok(())
    }

    /// Tells the writer that a listener is there. The writer believes it for [`HEARD_FOR`].
    pub(crate) async fn listen(&self, of: Owned<'_>, now: Timestamp) -> Result<(), StoreError> {
        let item = ItemBuilder::default()
            .text("id", of.heard_name())
            .text("account", of.account)
            .number("heard_until", now.after(HEARD_FOR).seconds())
            .number("ttl", now.after(KEPT_FOR).seconds());
        let put = self.dynamo.put_item().table_name(&self.table).set_item(Some(item.build()));
        put.send().await.map_err(StoreError::of_sdk)?;
        Ok(())
    }

    /// What the writer has shown.
    pub(crate) async fn so_far(&self, of: Owned<'_>) -> Result<Private<String>, StoreError> {
        let get = self.dynamo.get_item().table_name(&self.table).set_key(Some(of.text_key()));
        let answer = get.send().await.map_err(StoreError::of_sdk)?;
        let Some(row) = answer.item() else { return Ok(Private::new(String::new())) };
        let sealed = Item::new(RUN_JOBS.name, row).text("so_far")?.to_owned();
        let content = self.sealer.open(&of.place(), &sealed).map_err(|_| unreadable())?;
        String::from_utf8(content.to_vec()).map(Private::new).map_err(|_| unreadable())
    }
}

/// A run of an account. Clients make the ids of runs, so another account may have a run with the same id.
#[derive(Clone, Copy)]
pub(crate) struct Owned<'a> {
    pub(crate) account: &'a AccountId,
    pub(crate) run: RunId,
}

impl Owned<'_> {
    fn heard_name(&self) -> String {
        format!("{}/{}.heard", self.account, self.run)
    }

    fn text_name(&self) -> String {
        format!("{}/{}.text", self.account, self.run)
    }

    fn heard_key(&self) -> platform::Key {
        key([("id", &self.heard_name())])
    }

    fn text_key(&self) -> platform::Key {
        key([("id", &self.text_name())])
    }

    fn place(&self) -> String {
        format!("{}/{}", RUN_JOBS.name, self.text_name())
    }
}

fn unreadable() -> StoreError {
    StoreError::Corrupt { table: RUN_JOBS.name, what: "so_far".to_owned() }
}
