//! A million of one scenario, or a month of an idle stack, as lines of a bill.

use super::deployment::{Deployment, Schedule};
use super::prices::{self, Price};
use super::rules;
use super::steps::{Counted, Kind};
use super::work::WorkTimes;
use edge::RequestRules;

const MILLION: u128 = 1_000_000;
const MONTH_MINUTES: u128 = 730 * 60;

pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) price: Price,
    /// In the price's smallest units.
    pub(crate) quantity: u128,
    /// The letter of the legend; empty when the quantity is counted.
    pub(crate) rule: &'static str,
}

impl Line {
    fn new(price: Price, quantity: u128, rule: &'static str) -> Line {
        Line { what: price.what.to_owned(), price, quantity, rule }
    }

    pub(crate) fn nano_dollars(&self) -> u128 {
        self.price.of(self.quantity)
    }
}

pub(crate) struct Bill {
    pub(crate) title: &'static str,
    pub(crate) lines: Vec<Line>,
}

impl Bill {
    pub(crate) fn nano_dollars(&self) -> u128 {
        self.lines.iter().map(Line::nano_dollars).sum()
    }

    pub(crate) fn dearest(&self) -> &Line {
        self.lines.iter().max_by_key(|line| line.nano_dollars()).expect("a bill has lines")
    }
}

/// What all bills are made from.
pub(crate) struct Facts {
    pub(crate) steps: Vec<Counted>,
    pub(crate) work: WorkTimes,
    pub(crate) deployment: Deployment,
    pub(crate) limits: RequestRules,
}

impl Facts {
    /// One scenario, a million times.
    pub(crate) fn million(&self, title: &'static str, kind: Kind) -> Bill {
        let steps = self.steps_of(kind);
        let sum = |part: &dyn Fn(&Counted) -> u128| steps.iter().map(part).sum::<u128>() * MILLION;
        let objects = |part: u64| if kind == Kind::Image { u128::from(part) * MILLION } else { 0 };
        let access = rules::access_log_bytes(self.deployment.access_log_format().as_deref());
        let requests = sum(&|step| step.requests.into());
        let invocations = sum(&|step| step.invocations().into());
        let time = sum(&|step| self.memory_micros(step)) + self.starts(&steps);
        let index = sum(&|step| step.tally.index_units.into());
        let writes = sum(&|step| step.tally.table_units.into()) + index;
        let transactional = sum(&|step| step.tally.transactional_units.into());
        let of_index = if index > 0 {
            format!(" (of both, of indexes: {})", prices::WRITE.quantity(index))
        } else {
            String::new()
        };
        let in_transactions = Line {
            what: format!("DynamoDB write units of transactions{of_index}"),
            ..Line::new(prices::WRITE, transactional, "")
        };
        let plain = Line {
            what: "DynamoDB write units, plain".to_owned(),
            ..Line::new(prices::WRITE, writes - transactional, "")
        };
        let (puts, gets) = (sum(&|step| step.tally.puts.into()), sum(&|step| step.tally.gets.into()));
        let gets = gets + objects(1);
        let (readings, secrets) = self.secrets(&steps);
        let stored = sum(&|step| step.stored_bytes.into());
        let sent = sum(&|step| (step.answer_bytes + step.outside_bytes).into());
        let bucket = match kind {
            Kind::Image => objects(rules::IMAGE_BYTES),
            _ => sum(&|step| step.tally.put_bytes.into()),
        };
        let limits = Line {
            what: "DynamoDB write units of the request limits".to_owned(),
            ..Line::new(prices::WRITE, self.limit_writes(sum(&|step| step.signed_in().into())), "e")
        };
        let lines = vec![
            Line::new(prices::LAMBDA_TIME, time, "a"),
            Line::new(prices::INVOCATION, invocations, ""),
            Line::new(prices::REQUEST, requests, ""),
            plain,
            in_transactions,
            limits,
            Line::new(prices::READ_HALF, sum(&|step| step.tally.read_halves.into()), ""),
            Line::new(prices::S3_PUT, puts, ""),
            Line::new(prices::S3_GET, gets, if kind == Kind::Image { "f" } else { "" }),
            Line::new(
                prices::LOGS,
                sum(&|step| (rules::log_bytes(step, step.invocations()) + step.requests * access).into()),
                "b",
            ),
            Line::new(prices::TRACE, invocations, "c"),
            Line::new(prices::KMS, secrets + (puts + gets) / rules::BUCKET_KEY_ONE_IN, "d"),
            Line::new(prices::SSM, readings, "d"),
            Line::new(prices::EGRESS, sent + objects(rules::IMAGE_BYTES), "f"),
            Line::new(prices::INGRESS, sum(&|step| step.asked_bytes.into()), ""),
            Line::new(prices::TABLE_MONTH, stored, "g"),
            Line::new(prices::RECOVERY_MONTH, stored, "g"),
            Line::new(prices::BUCKET_MONTH, bucket, "g"),
        ];
        Bill { title, lines: lines.into_iter().filter(|line| line.quantity > 0).collect() }
    }

    /// A month in which nobody comes.
    pub(crate) fn month(&self) -> Bill {
        let mut sums = Month::default();
        for schedule in self.deployment.schedules() {
            self.tick(&schedule, &mut sums);
        }
        let keys = Line {
            what: "KMS requests for table keys, at most".to_owned(),
            ..Line::new(prices::KMS, sums.table_keys, "k")
        };
        let counted = |price, kind| Line::new(price, self.deployment.count(kind).into(), "");
        let lines = vec![
            Line::new(prices::LAMBDA_TIME, sums.time, "h"),
            Line::new(prices::INVOCATION, sums.ticks, ""),
            Line::new(prices::TICK, sums.ticks, ""),
            Line::new(prices::WRITE, sums.writes, ""),
            Line::new(prices::READ_HALF, sums.read_halves, ""),
            Line::new(prices::LOGS, sums.log_bytes, "b"),
            Line::new(prices::TRACE, sums.ticks, "c"),
            Line::new(prices::KMS, sums.secrets, "d"),
            keys,
            Line::new(prices::SSM, sums.secret_readings, "d"),
            Line::new(prices::EGRESS, sums.sent, ""),
            counted(prices::KEY_MONTH, "AWS::KMS::Key"),
            counted(prices::ALARM_MONTH, "AWS::CloudWatch::Alarm"),
            Line::new(prices::METRIC_MONTH, Deployment::metrics().len() as u128, "m"),
            counted(prices::DASHBOARD_MONTH, "AWS::CloudWatch::Dashboard"),
        ];
        let lines = lines.into_iter().filter(|line| line.quantity > 0).collect();
        Bill { title: "A month of the idle stack", lines }
    }

    /// What the month's table keys cost if every function is asked all the time, in nano-dollars.
    pub(crate) fn busy_table_keys(&self) -> u128 {
        let windows = MONTH_MINUTES / u128::from(rules::WARM_MINUTES);
        let pairs: u64 = self.deployment.functions().map(|function| self.deployment.tables(function)).sum();
        prices::KMS.of(u128::from(pairs) * windows)
    }

    fn tick(&self, schedule: &Schedule, sums: &mut Month) {
        let function = &schedule.function;
        let step = self.steps.iter().find(|step| step.kind == Kind::Tick && step.function == *function);
        let step =
            step.unwrap_or_else(|| panic!("{function} is ticked; count a tick of it in costs/scenarios.rs"));
        let ticks = u128::from(schedule.ticks_a_month());
        let memory = self.deployment.memory_mb(function);
        let is_kept_warm = schedule.minutes < rules::WARM_MINUTES;
        let start = if is_kept_warm { 0 } else { rules::start_micros() };
        let busy = rules::duration_micros(step, rules::tick_cpu_micros(), memory) + start;
        let secrets = self.deployment.secrets(function);
        let readings = if is_kept_warm { MONTH_MINUTES / u128::from(rules::WARM_MINUTES) } else { ticks };
        sums.ticks += ticks;
        sums.table_keys += readings * u128::from(self.deployment.tables(function));
        sums.time += ticks * u128::from(busy * memory);
        sums.writes += ticks * u128::from(step.tally.table_units + step.tally.index_units);
        sums.read_halves += ticks * u128::from(step.tally.read_halves);
        sums.log_bytes += ticks * u128::from(rules::log_bytes(step, 1));
        sums.sent += ticks * u128::from(step.outside_bytes);
        sums.secrets += readings * u128::from(secrets);
        sums.secret_readings += readings * u128::from(rules::calls_for(secrets));
    }

    fn steps_of(&self, kind: Kind) -> Vec<Counted> {
        let of_kind = |kind| self.steps.iter().filter(move |step| step.kind == kind);
        let quiet = of_kind(Kind::UsdtQuiet).next().expect("a quiet poll was counted");
        let own = |step: &Counted| match (kind, step.requests) {
            (Kind::Usdt, 0) => step.without(quiet),
            _ => step.clone(),
        };
        of_kind(kind).map(own).collect()
    }

    /// Megabytes times microseconds of one step.
    fn memory_micros(&self, step: &Counted) -> u128 {
        if step.is_front_doors() {
            return 0;
        }
        let memory = self.deployment.memory_mb(&step.function);
        let cpu = self.work.get(&step.work).copied().unwrap_or_else(rules::tick_cpu_micros);
        u128::from(rules::duration_micros(step, cpu, memory) * memory)
    }

    fn starts(&self, steps: &[Counted]) -> u128 {
        let each = steps.iter().filter(|step| !step.is_front_doors()).map(|step| {
            let memory = u128::from(self.deployment.memory_mb(&step.function));
            memory * rules::init_micros(MILLION * u128::from(step.invocations()))
        });
        each.sum()
    }

    /// How often Parameter Store is asked, and how many secrets it opens.
    fn secrets(&self, steps: &[Counted]) -> (u128, u128) {
        let mut sums = (0, 0);
        for step in steps.iter().filter(|step| !step.is_front_doors()) {
            let secrets = self.deployment.secrets(&step.function);
            let readings = rules::secret_readings(MILLION * u128::from(step.invocations()));
            sums.0 += readings * u128::from(rules::calls_for(secrets));
            sums.1 += readings * u128::from(secrets);
        }
        sums
    }

    fn limit_writes(&self, signed_in: u128) -> u128 {
        let limits = [self.limits.user_per_minute_max, self.limits.network_per_minute_max];
        limits.iter().map(|limit| signed_in / u128::from(limit / 16).max(1)).sum()
    }
}

#[derive(Default)]
struct Month {
    ticks: u128,
    table_keys: u128,
    time: u128,
    writes: u128,
    read_halves: u128,
    log_bytes: u128,
    sent: u128,
    secrets: u128,
    secret_readings: u128,
}

/// A million scripts on a usual stack: Node's size of function, three transactions a run.
///
/// `docs/facts/dynamodb.md`: 14 write units of the transactions and two of the index for stale holds.
pub(crate) fn usual_stack() -> Bill {
    const MEMORY_MB: u128 = 512;
    const MICROS: u128 = 10_000_000;
    let lines = vec![
        Line::new(prices::LAMBDA_TIME, MEMORY_MB * MICROS * MILLION, "a"),
        Line::new(prices::INVOCATION, MILLION, ""),
        Line::new(prices::REQUEST, MILLION, ""),
        Line::new(prices::WRITE, 16 * MILLION, ""),
    ];
    Bill { title: "Node-sized, 512 MB, REST API, three transactions a run", lines }
}
