//! One run of an actor: from READY to its end, and until its cost is settled.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::USER;
use super::actors::Actor;
use super::webhook::{Due, Event, Hook};
use crate::civil::Civil;
use crate::course::Course;
use crate::progress::Phase;
use crate::{Fault, decimal, ids};

const MICROS: u32 = 6;

/// What a valid start asked for.
pub(super) struct Wish {
    pub(super) actor: &'static Actor,
    pub(super) input: Bytes,
    pub(super) content_type: String,
    pub(super) rows: Vec<Value>,
    pub(super) options: Options,
    pub(super) hooks: Vec<Hook>,
    pub(super) started_at: u64,
}

/// How the run may spend.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) build: String,
    pub(super) timeout_seconds: u64,
    pub(super) memory_mbytes: u64,
    pub(super) max_items: Option<u64>,
    pub(super) max_charge_micros: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ready,
    Running,
    Succeeded,
    Failed,
    TimingOut,
    TimedOut,
    Aborting,
    Aborted,
}

pub(super) struct Run {
    pub(super) id: String,
    wish: Wish,
    fault: Option<Fault>,
    course: Course,
    status: Status,
    finished_at: Option<u64>,
    /// Rows in the dataset; before the end there are none.
    stored: usize,
    /// The cost is told at the second look after the end.
    looks_after: u32,
    pub(super) dataset_id: String,
    pub(super) store_id: String,
    queue_id: String,
    /// What has happened and was not yet handed out.
    news: Vec<Event>,
    told: Vec<Event>,
}

impl Run {
    pub(super) fn new(wish: Wish, fault: Option<Fault>, is_instant: bool) -> Run {
        Run {
            id: fresh_id(),
            course: Course::new(fault.as_ref(), is_instant),
            wish,
            fault,
            status: Status::Ready,
            finished_at: None,
            stored: 0,
            looks_after: 0,
            dataset_id: fresh_id(),
            store_id: fresh_id(),
            queue_id: fresh_id(),
            news: vec![Event::Created],
            told: Vec::new(),
        }
    }

    pub(super) fn is_of(&self, actor: &Actor) -> bool {
        self.wish.actor.id == actor.id
    }

    pub(super) fn started_at(&self) -> u64 {
        self.wish.started_at
    }

    pub(super) fn status(&self) -> Status {
        self.status
    }

    pub(super) fn input(&self) -> (&Bytes, &str) {
        (&self.wish.input, &self.wish.content_type)
    }

    pub(super) fn rows(&self) -> &[Value] {
        &self.wish.rows[..self.stored]
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.status, Status::Succeeded | Status::Failed | Status::TimedOut | Status::Aborted)
    }

    pub(super) fn is_settled(&self) -> bool {
        self.is_over() && self.looks_after > 1
    }

    /// The caller looks.
    pub(super) fn look(&mut self, now: u64) {
        self.step(now, Course::look);
    }

    /// Its own clock moves it on.
    pub(super) fn tick(&mut self, now: u64) {
        self.step(now, Course::tick);
    }

    /// Ends it at once, as it would have ended.
    pub(super) fn finish(&mut self, now: u64) {
        self.course.cut_short();
        self.step(now, Course::tick);
    }

    /// A run that is over stays as it is.
    pub(super) fn abort(&mut self, now: u64) {
        if matches!(self.status, Status::Ready | Status::Running) {
            self.stop(Status::Aborting, now);
        }
    }

    fn step(&mut self, now: u64, moved: impl FnOnce(&mut Course) -> Phase) {
        match self.status {
            Status::Aborting => self.end(Status::Aborted, now),
            Status::TimingOut => self.end(Status::TimedOut, now),
            Status::Ready | Status::Running if self.is_out_of_time(now) => self.stop(Status::TimingOut, now),
            Status::Ready | Status::Running => {
                let phase = moved(&mut self.course);
                self.reach(phase, now);
            }
            Status::Succeeded | Status::Failed | Status::TimedOut | Status::Aborted => {}
        }
        if self.is_over() {
            self.looks_after = self.looks_after.saturating_add(1);
        }
    }

    fn is_out_of_time(&self, now: u64) -> bool {
        let seconds = self.wish.options.timeout_seconds;
        seconds > 0 && now >= self.wish.started_at.saturating_add(seconds)
    }

    /// What was stored until then stays, and costs.
    fn stop(&mut self, status: Status, now: u64) {
        self.status = status;
        self.finished_at = Some(now);
        self.stored = self.affordable() / 2;
    }

    fn reach(&mut self, phase: Phase, now: u64) {
        if phase == Phase::Waiting {
            return;
        }
        self.status = Status::Running;
        if phase != Phase::Done {
            return;
        }
        if matches!(self.fault, Some(Fault::ErrorFrame { .. })) {
            return self.end(Status::Failed, now);
        }
        self.stored = self.affordable();
        self.end(Status::Succeeded, now);
    }

    fn end(&mut self, status: Status, now: u64) {
        self.course.cut_short();
        self.status = status;
        self.finished_at.get_or_insert(now);
        self.news.extend(Event::of_end(status));
    }

    /// The rows that the money is enough for; the actor stops when it is used up.
    fn affordable(&self) -> usize {
        let all = self.wish.rows.len();
        let Some(micros) = self.wish.options.max_charge_micros else { return all };
        let left = micros.saturating_sub(self.wish.actor.start_micros);
        let rows = left.checked_div(self.wish.actor.row_micros).unwrap_or(u64::MAX);
        all.min(usize::try_from(rows).unwrap_or(usize::MAX))
    }

    /// Rows that are paid for: errors are not, and `maxItems` limits them, not what is stored.
    fn charged(&self) -> u64 {
        let rows = self.rows().iter().filter(|row| row.get("error").is_none()).count() as u64;
        self.wish.options.max_items.map_or(rows, |most| rows.min(most))
    }

    fn cost_micros(&self) -> u64 {
        self.wish.actor.start_micros + self.charged() * self.wish.actor.row_micros
    }

    /// As `GET /actor-runs/{id}` has it.
    pub(super) fn shown(&self) -> Value {
        let options = &self.wish.options;
        let mut run = self.summary();
        run["usageTotalUsd"] = if self.is_settled() { self.cost() } else { Value::Null };
        run["chargedEventCounts"] = json!({ "actor-start": 1, "result": self.charged() });
        run["statusMessage"] = Value::from(self.message());
        run["isStatusMessageTerminal"] = Value::from(self.is_over());
        run["exitCode"] = match self.status {
            Status::Succeeded => Value::from(0),
            Status::Failed => Value::from(1),
            _ => Value::Null,
        };
        run["generalAccess"] = Value::from("FOLLOW_USER_SETTING");
        run["platformUsageBillingModel"] = Value::from("DEVELOPER");
        run["containerUrl"] = Value::from(format!("https://{}.runs.apify.net", self.id.to_lowercase()));
        run["options"] = json!({
            "build": options.build, "timeoutSecs": options.timeout_seconds,
            "memoryMbytes": options.memory_mbytes, "diskMbytes": options.memory_mbytes * 2,
        });
        if let Some(most) = options.max_items {
            run["options"]["maxItems"] = Value::from(most);
        }
        if let Some(micros) = options.max_charge_micros {
            run["options"]["maxTotalChargeUsd"] = decimal::number(micros, MICROS);
        }
        let seconds = self.finished_at.map_or(0, |at| at.saturating_sub(self.wish.started_at));
        run["stats"] = json!({
            "inputBodyLen": self.wish.input.len(), "restartCount": 0, "resurrectCount": 0,
            "durationMillis": seconds * 1_000, "runTimeSecs": seconds, "computeUnits": 0,
        });
        run
    }

    /// As lists have it, where the cost is 0 until it is known.
    pub(super) fn summary(&self) -> Value {
        json!({
            "id": self.id,
            "actId": self.wish.actor.id,
            "userId": USER,
            "status": self.status.name(),
            "startedAt": time(self.wish.started_at),
            "finishedAt": self.finished_at.filter(|_| self.is_over()).map(time),
            "buildId": "sandboxBuild00001",
            "buildNumber": "1.0.12",
            "buildNumberInt": 100_012,
            "meta": { "origin": "API" },
            "usageTotalUsd": if self.is_settled() { self.cost() } else { Value::from(0) },
            "defaultKeyValueStoreId": self.store_id,
            "defaultDatasetId": self.dataset_id,
            "defaultRequestQueueId": self.queue_id,
        })
    }

    fn cost(&self) -> Value {
        decimal::number(self.cost_micros(), MICROS)
    }

    fn message(&self) -> String {
        match self.status {
            Status::Ready => "Waiting for a server".to_owned(),
            Status::Running => "Actor is running".to_owned(),
            Status::Succeeded if self.stored < self.wish.rows.len() => {
                format!("Stopped at the maximum total charge with {} results", self.stored)
            }
            Status::Succeeded => format!("Finished with {} results", self.stored),
            Status::Failed => "The Actor process failed: unexpected page layout".to_owned(),
            Status::TimingOut | Status::TimedOut => "The run exceeded its timeout".to_owned(),
            Status::Aborting | Status::Aborted => "The run was aborted".to_owned(),
        }
    }

    /// What is to be sent about what has happened since the last time.
    pub(super) fn due(&mut self, now: u64) -> Option<Due> {
        let news = std::mem::take(&mut self.news);
        let deliveries: Vec<_> = news
            .iter()
            .flat_map(|event| self.wish.hooks.iter().map(move |hook| (*event, hook)))
            .filter(|(event, hook)| hook.events.contains(event))
            .map(|(event, hook)| hook.call(event, &self.shown(), now))
            .collect();
        self.told.extend(news);
        (!deliveries.is_empty()).then(|| Due { calls: deliveries, fault: self.fault.clone() })
    }

    /// The first webhook that wants to know of an event.
    pub(super) fn hook(&self, event: Event) -> Option<&Hook> {
        self.wish.hooks.iter().find(|hook| hook.events.contains(&event))
    }

    pub(super) fn hooks(&self) -> &[Hook] {
        &self.wish.hooks
    }

    pub(super) fn has_happened(&self, event: Event) -> bool {
        self.told.contains(&event)
    }

    /// How it ended, once it has.
    pub(super) fn last_event(&self) -> Option<Event> {
        Event::of_end(self.status)
    }
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Status::Ready => "READY",
            Status::Running => "RUNNING",
            Status::Succeeded => "SUCCEEDED",
            Status::Failed => "FAILED",
            Status::TimingOut => "TIMING-OUT",
            Status::TimedOut => "TIMED-OUT",
            Status::Aborting => "ABORTING",
            Status::Aborted => "ABORTED",
        }
    }
}

fn time(unix: u64) -> String {
    Civil::utc(unix).iso_text()
}

/// Apify's ids have seventeen letters and digits.
fn fresh_id() -> String {
    ids::tagged("")[..17].to_owned()
}
