use crate::items::{DUE_INDEX, RUN_JOBS};
use crate::job::{RunJob, RunPlan};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use credits::Hold;
use platform::{
    Attributes, InvalidSettings, Item, ItemBuilder, Platform, SealError, Sealer, StoreError, key, number,
    query_at_most, text, unless_condition_failed,
};
use primitives::{AccountId, Fingerprint, JobId, RunId, Timestamp, random_bytes};
use providers::{Sign, Work};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Jobs are spread over so many keys of the index, which are polled side by side.
pub(crate) const SHARDS: u8 = 8;
/// How long after its credit's end a job is kept, for a provider that finishes late.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// What each write of a state sets.
const NEXT_STATE: &str = "SET #work = :work, version = :next, writer = :writer";

/// The table `run_jobs`.
#[derive(Clone)]
pub(crate) struct JobStore {
    dynamo: Client,
    table: String,
    sealer: Sealer,
}

/// Whose write it was: a repeat of a write whose reply was lost finds itself there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Writer(String);

impl Writer {
    pub(crate) fn new() -> Writer {
        Writer(u64::from_be_bytes(random_bytes()).to_string())
    }
}

impl JobStore {
    pub(crate) fn new(platform: &Platform) -> Result<JobStore, InvalidSettings> {
        Ok(JobStore {
            dynamo: platform.dynamo().clone(),
            table: platform.table(&RUN_JOBS),
            sealer: platform.env().section(Sealer::read)?,
        })
    }

    /// The job as it is now.
    pub(crate) async fn get(&self, id: JobId) -> Result<Option<RunJob>, StoreError> {
        Ok(self.read(id).await?.map(|(job, _)| job))
    }

    async fn read(&self, id: JobId) -> Result<Option<(RunJob, String)>, StoreError> {
        let get = self.dynamo.get_item().table_name(&self.table).set_key(Some(job_key(id)));
        let answer = get.consistent_read(true).send().await.map_err(StoreError::of_sdk)?;
        answer.item().map(|item| self.read_job(item)).transpose()
    }

    /// Stores a job unless another process has stored one for the run; `due` says when the poll looks at it.
    pub(crate) async fn create(
        &self,
        job: &RunJob,
        writer: &Writer,
        due: Timestamp,
    ) -> Result<bool, StoreError> {
        let id = job.id();
        let item = ItemBuilder::default()
            .text("id", id)
            .text("run", job.run())
            .text("account", &job.account)
            .text("hold", job.hold.encode())
            .number("version", job.version)
            .text("writer", &writer.0)
            .text("plan", self.seal(id, "plan", &job.plan)?)
            .text("work", self.seal(id, "work", &job.work)?)
            .text("poll", shard_of(id))
            .number("due", due.seconds())
            .number("ttl", job.hold.expires_at.after(KEPT_FOR).seconds())
            .build();
        let put = self.dynamo.put_item().table_name(&self.table).set_item(Some(item));
        let put = put
            // A try that was stuck on the way must not put back what has gone on since.
            .condition_expression("attribute_not_exists(id) OR (writer = :writer AND version = :version)")
            .expression_attribute_values(":version", number(job.version))
            .expression_attribute_values(":writer", text(&writer.0));
        Ok(unless_condition_failed(put.send().await)?.is_some())
    }

    /// Writes the next state if no other process has written one since `job` was read, and says whether it did. `due`
    /// moves the time when the poll looks at the job.
    pub(crate) async fn replace(
        &self,
        job: &RunJob,
        next: &Work,
        writer: &Writer,
        due: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let mut set = NEXT_STATE.to_owned();
        let mut update = self.next_state(job, next, writer)?;
        if let Some(due) = due {
            set.push_str(", due = :due");
            update = update.expression_attribute_values(":due", number(due.seconds()));
        }
        if let Some(sign) = &job.sign {
            set.push_str(", sign = :sign");
            let sign = serde_json::to_string(sign).unwrap_or_default();
            update = update.expression_attribute_values(":sign", text(sign));
        }
        let update = update
            .update_expression(set)
            .condition_expression("version = :seen AND attribute_not_exists(ended)");
        if unless_condition_failed(update.send().await)?.is_some() {
            return Ok(true);
        }
        self.is_ours(job, writer).await
    }

    /// Writes `next` behind the version that was read; the caller adds the expressions ([`NEXT_STATE`]).
    fn next_state(
        &self,
        job: &RunJob,
        next: &Work,
        writer: &Writer,
    ) -> Result<UpdateItemFluentBuilder, StoreError> {
        Ok(self
            .dynamo
            .update_item()
            .table_name(&self.table)
            .set_key(Some(job_key(job.id())))
            .expression_attribute_names("#work", "work")
            .expression_attribute_values(":work", text(self.seal(job.id(), "work", next)?))
            .expression_attribute_values(":seen", number(job.version))
            .expression_attribute_values(":next", number(job.version + 1))
            .expression_attribute_values(":writer", text(&writer.0)))
    }

    /// A write whose reply was lost is sent again, and then refused because of itself.
    async fn is_ours(&self, job: &RunJob, writer: &Writer) -> Result<bool, StoreError> {
        let standing = self.read(job.id()).await?;
        Ok(standing.is_some_and(|(standing, by)| standing.version == job.version + 1 && by == writer.0))
    }

    /// Stores where the job was at this look, and when the poll looks at it again.
    pub(crate) async fn look_again(&self, job: &RunJob, due: Timestamp) -> Result<(), StoreError> {
        let mut set = "SET due = :due".to_owned();
        let mut update = self
            .dynamo
            .update_item()
            .table_name(&self.table)
            .set_key(Some(job_key(job.id())))
            .expression_attribute_values(":due", number(due.seconds()));
        if let Some(sign) = &job.sign {
            set.push_str(", sign = :sign");
            let sign = serde_json::to_string(sign).unwrap_or_default();
            update = update.expression_attribute_values(":sign", text(sign));
        }
        let update = update.update_expression(set).condition_expression("attribute_exists(due)");
        unless_condition_failed(update.send().await)?;
        Ok(())
    }

    /// Notes that the run has its end, so that the poll does not look at it any more. A job that another visitor has written
    /// since it was read stays in the index: the next poll looks whether more comes of it.
    pub(crate) async fn end(&self, job: &RunJob) -> Result<(), StoreError> {
        let update = self
            .dynamo
            .update_item()
            .table_name(&self.table)
            .set_key(Some(job_key(job.id())))
            .expression_attribute_values(":yes", aws_sdk_dynamodb::types::AttributeValue::Bool(true))
            .expression_attribute_values(":seen", number(job.version))
            .update_expression("SET ended = :yes REMOVE poll, due")
            .condition_expression("version = :seen");
        unless_condition_failed(update.send().await)?;
        Ok(())
    }

    /// Has the poll look at a job whose run has its end, from `due` on, and stores `next` for it. False: another visitor has
    /// written the job since it was read.
    pub(crate) async fn come_again(
        &self,
        job: &RunJob,
        next: &Work,
        writer: &Writer,
        due: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = self
            .next_state(job, next, writer)?
            .expression_attribute_values(":shard", text(shard_of(job.id())))
            .expression_attribute_values(":due", number(due.seconds()))
            .update_expression(format!("{NEXT_STATE}, poll = :shard, due = :due"))
            .condition_expression("version = :seen");
        if unless_condition_failed(update.send().await)?.is_some() {
            return Ok(true);
        }
        self.is_ours(job, writer).await
    }

    /// Jobs of one shard that are due, those that have waited longest first.
    pub(crate) async fn due(&self, shard: u8, now: Timestamp, max: usize) -> Result<Vec<JobId>, StoreError> {
        let query = self
            .dynamo
            .query()
            .table_name(&self.table)
            .index_name(DUE_INDEX)
            .key_condition_expression("poll = :shard AND due <= :now")
            .expression_attribute_values(":shard", text(shard_name(shard)))
            .expression_attribute_values(":now", number(now.seconds()));
        let found = query_at_most(query, max).await?;
        found.iter().map(|marked| Item::new(RUN_JOBS.name, marked).parsed("id")).collect()
    }

    fn seal(&self, id: JobId, what: &str, content: &impl Serialize) -> Result<String, StoreError> {
        let json = serde_json::to_vec(content).map_err(|_| unreadable(what))?;
        self.sealer.seal(&place(id, what), &json).map_err(|_| unreadable(what))
    }

    fn open<T: DeserializeOwned>(
        &self,
        id: JobId,
        what: &'static str,
        sealed: &str,
    ) -> Result<T, StoreError> {
        let content = self.sealer.open(&place(id, what), sealed).map_err(|error: SealError| {
            tracing::error!(job.id = %id, error = %error, "a run's job can't be opened");
            unreadable(what)
        })?;
        serde_json::from_slice(&content).map_err(|_| unreadable(what))
    }

    fn read_job(&self, attributes: &Attributes) -> Result<(RunJob, String), StoreError> {
        let item = Item::new(RUN_JOBS.name, attributes);
        let (id, run): (JobId, RunId) = (item.parsed("id")?, item.parsed("run")?);
        let account: AccountId = item.parsed("account")?;
        let hold = Hold::decode(run, item.text("hold")?).ok_or_else(|| item.corrupt("hold"))?;
        let plan: RunPlan = self.open(id, "plan", item.text("plan")?)?;
        let work: Work = self.open(id, "work", item.text("work")?)?;
        let sign: Option<Sign> = item.maybe_text("sign")?.and_then(|sign| serde_json::from_str(sign).ok());
        let (version, is_over) = (item.number("version")?, item.flag("ended"));
        Ok((RunJob { account, hold, plan, work, sign, version, is_over }, item.text("writer")?.to_owned()))
    }
}

/// Where jobs were when a visitor last looked at them: the only part of a job that can be read without the keys.
#[derive(Clone)]
pub(crate) struct Signs {
    dynamo: Client,
    table: String,
}

impl Signs {
    pub(crate) fn new(platform: &Platform) -> Signs {
        Signs { dynamo: platform.dynamo().clone(), table: platform.table(&RUN_JOBS) }
    }

    /// `None`: the account has no such job, or its provider has not told where it is.
    pub(crate) async fn of(&self, account: &AccountId, run: RunId) -> Result<Option<Sign>, StoreError> {
        let key = job_key(JobId::of(account, run));
        let get = self.dynamo.get_item().table_name(&self.table).set_key(Some(key));
        let answer = get.projection_expression("sign").send().await.map_err(StoreError::of_sdk)?;
        let Some(row) = answer.item() else { return Ok(None) };
        let sign = Item::new(RUN_JOBS.name, row).maybe_text("sign")?.map(str::to_owned);
        Ok(sign.and_then(|sign| serde_json::from_str(&sign).ok()))
    }
}

fn unreadable(what: &str) -> StoreError {
    StoreError::Corrupt { table: RUN_JOBS.name, what: what.to_owned() }
}

fn place(id: JobId, what: &str) -> String {
    format!("{}/{id}/{what}", RUN_JOBS.name)
}

fn job_key(id: JobId) -> platform::Key {
    key([("id", &id.to_string())])
}

fn shard_of(id: JobId) -> String {
    shard_name(Fingerprint::of(&[id.to_string().as_bytes()]).first_byte() % SHARDS)
}

fn shard_name(shard: u8) -> String {
    format!("JOB#{shard}")
}
