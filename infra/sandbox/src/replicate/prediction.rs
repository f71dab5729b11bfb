//! One prediction, from its creation until its data are removed.

use serde_json::{Map, Value, json};

use super::file;
use super::model::{Model, Shape};
use super::webhook::{Due, Event, Hook, Notice};
use crate::civil::Civil;
use crate::course::Course;
use crate::media::Serving;
use crate::progress::Phase;
use crate::sound::Melody;
use crate::{Fault, Service, World, decimal};

/// Input, output and logs are kept for so long after the end.
pub(super) const KEPT_SECONDS: u64 = 3_600;
/// A fifth of what is spoken, as on a fast graphics card.
const SPOKEN_PER_RUN: u64 = 5;

/// What a valid request asked for.
pub(super) struct Wish {
    pub(super) model: &'static Model,
    pub(super) input: Map<String, Value>,
    pub(super) melody: Melody,
    pub(super) hook: Option<Hook>,
    pub(super) created_at: u64,
    pub(super) deadline: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Starting,
    Processing,
    Succeeded,
    Failed,
    Canceled,
    /// The deadline came before the start.
    Aborted,
}

pub(super) struct Prediction {
    id: String,
    wish: Wish,
    fault: Option<Fault>,
    course: Course,
    status: Status,
    started_at: Option<u64>,
    completed_at: Option<u64>,
    output: Value,
    /// What has happened and was not yet written down as notices.
    news: Vec<(Event, Value)>,
    /// What a webhook can tell, once it has happened.
    notices: Vec<Notice>,
    sent: usize,
}

impl Prediction {
    pub(super) fn new(id: String, wish: Wish, fault: Option<Fault>, is_instant: bool) -> Prediction {
        Prediction {
            id,
            course: Course::new(fault.as_ref(), is_instant),
            wish,
            fault,
            status: Status::Starting,
            started_at: None,
            completed_at: None,
            output: Value::Null,
            news: Vec::new(),
            notices: Vec::new(),
            sent: 0,
        }
    }

    pub(super) fn created_at(&self) -> u64 {
        self.wish.created_at
    }

    pub(super) fn is_over(&self) -> bool {
        !matches!(self.status, Status::Starting | Status::Processing)
    }

    /// The caller looks.
    pub(super) fn look(&mut self, now: u64) {
        if !self.met_deadline(now) {
            let phase = self.course.look();
            self.reach(phase, now);
        }
    }

    /// Its own clock moves it on.
    pub(super) fn tick(&mut self, now: u64) {
        if !self.met_deadline(now) {
            let phase = self.course.tick();
            self.reach(phase, now);
        }
    }

    /// Ends it at once, as it would have ended.
    pub(super) fn finish(&mut self, now: u64) {
        self.course.cut_short();
        self.reach(Phase::Done, now);
    }

    /// What is over stays as it ended.
    pub(super) fn cancel(&mut self, now: u64) {
        if !self.is_over() {
            self.end(Status::Canceled, now);
        }
    }

    fn met_deadline(&mut self, now: u64) -> bool {
        let is_met = !self.is_over() && self.wish.deadline.is_some_and(|deadline| now >= deadline);
        if is_met {
            let has_started = self.status == Status::Processing;
            self.end(if has_started { Status::Canceled } else { Status::Aborted }, now);
        }
        is_met
    }

    fn reach(&mut self, phase: Phase, now: u64) {
        if self.is_over() || phase == Phase::Waiting {
            return;
        }
        if self.started_at.is_none() {
            self.started_at = Some(now);
            self.status = Status::Processing;
            self.news.push((Event::Start, Value::Null));
        }
        if phase == Phase::Done {
            self.run(now);
        }
    }

    fn run(&mut self, now: u64) {
        match self.fault {
            Some(Fault::ErrorFrame { .. } | Fault::ContentFilter) => self.end(Status::Failed, now),
            Some(Fault::Empty) => self.end(Status::Succeeded, now),
            _ => {
                let serving = Serving::after(self.fault.as_ref());
                self.output = Value::from(file::name(self.wish.melody, serving, now));
                self.news.push((Event::Output, self.output.clone()));
                self.news.push((Event::Logs, self.output.clone()));
                self.end(Status::Succeeded, now);
            }
        }
    }

    fn end(&mut self, status: Status, now: u64) {
        self.course.cut_short();
        self.status = status;
        self.completed_at = Some(now);
        self.news.push((Event::Completed, Value::Null));
    }

    fn error(&self) -> Value {
        match (self.status, &self.fault) {
            (Status::Failed, Some(Fault::ContentFilter)) => Value::from(
                "The input or output was flagged as sensitive. Please try again with different inputs. (E005)",
            ),
            (Status::Failed, _) => Value::from("CUDA out of memory. Tried to allocate 2.00 GiB"),
            _ => Value::Null,
        }
    }

    fn is_removed(&self, now: u64) -> bool {
        self.completed_at.is_some_and(|at| now >= at.saturating_add(KEPT_SECONDS))
    }

    /// The prediction as the API shows it now.
    pub(super) fn shown(&self, world: &World) -> Value {
        self.view(world, self.status, &self.output)
    }

    fn view(&self, world: &World, status: Status, output: &Value) -> Value {
        let is_removed = self.is_removed(world.now());
        let address = world.url(Service::Replicate, &format!("/v1/predictions/{}", self.id));
        let mut shown = json!({
            "id": self.id,
            "model": self.wish.model.full_name(),
            "version": self.wish.model.version,
            "input": if is_removed { Value::Object(Map::new()) } else { Value::from(self.wish.input.clone()) },
            "logs": if is_removed || self.started_at.is_none() { "" } else { "Generating speech\n" },
            "output": if is_removed { Value::Null } else { self.output_of(world, output) },
            "data_removed": is_removed,
            "error": if status == self.status { self.error() } else { Value::Null },
            "source": "api",
            "status": status.name(),
            "created_at": time(self.wish.created_at),
            "started_at": self.started_at.map(time),
            "completed_at": self.completed_at.filter(|_| status == self.status).map(time),
            "metrics": {},
            "urls": {
                "get": address,
                "cancel": format!("{address}/cancel"),
                "web": format!("https://replicate.com/p/{}", self.id),
            },
        });
        if let Some(deadline) = self.wish.deadline {
            shown["deadline"] = Value::from(time(deadline));
        }
        if status == self.status && self.is_over() {
            shown["metrics"] = self.metrics();
        }
        shown
    }

    fn output_of(&self, world: &World, name: &Value) -> Value {
        let Some(name) = name.as_str() else { return Value::Null };
        let uri = world.url(Service::Replicate, &format!("/files/{name}"));
        match self.wish.model.shape() {
            Shape::Uri => Value::from(uri),
            Shape::Path => json!({ "path": uri }),
        }
    }

    /// What never started has run no time.
    fn metrics(&self) -> Value {
        let run = self.wish.melody.millis / SPOKEN_PER_RUN;
        let waited = self.completed_at.unwrap_or_default().saturating_sub(self.wish.created_at);
        let total = decimal::number(waited.saturating_mul(1_000).saturating_add(run), 3);
        match self.started_at {
            Some(_) => json!({ "predict_time": decimal::number(run, 3), "total_time": total }),
            None => json!({ "total_time": total }),
        }
    }

    /// Writes down what has happened, and hands out what is to be sent about it.
    pub(super) fn due(&mut self, world: &World) -> Option<Due> {
        for (event, output) in std::mem::take(&mut self.news) {
            let body = match event {
                Event::Completed => self.shown(world),
                Event::Start | Event::Output | Event::Logs => self.view(world, Status::Processing, &output),
            };
            self.notices.push(Notice::of(event, &body));
        }
        let hook = self.wish.hook.as_ref()?;
        // In the wrong order means all at the end, the last thing first.
        if self.fault == Some(Fault::OutOfOrder) && !self.is_over() {
            return None;
        }
        let fresh = self.notices[self.sent..].iter().filter(|notice| hook.events.contains(&notice.event));
        let due = Due { url: hook.url.clone(), notices: fresh.cloned().collect(), fault: self.fault.clone() };
        self.sent = self.notices.len();
        (!due.notices.is_empty()).then_some(due)
    }

    pub(super) fn hook_url(&self) -> Option<String> {
        self.wish.hook.as_ref().map(|hook| hook.url.clone())
    }

    /// What a webhook says about an event; `None` before it has happened.
    pub(super) fn notice(&self, event: Event) -> Option<Notice> {
        self.notices.iter().find(|notice| notice.event == event).cloned()
    }
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Starting => "starting",
            Status::Processing => "processing",
            Status::Succeeded => "succeeded",
            Status::Failed => "failed",
            Status::Canceled => "canceled",
            Status::Aborted => "aborted",
        }
    }
}

fn time(unix: u64) -> String {
    Civil::utc(unix).iso_text()
}
