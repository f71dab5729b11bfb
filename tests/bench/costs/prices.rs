//! What AWS asks for, in one table: us-east-1, US dollars, first tier, without any free allowance.
//!
//! `Read` was stated by the named source when it was looked up; `Unconfirmed` is believed. Check both before you
//! rely on a sum: prices change, and other regions are dearer.

/// How sure we are of a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Read,
    Unconfirmed,
}

/// `nano_dollars` for each `per` units, as it is published, so that no price is rounded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Price {
    pub(crate) what: &'static str,
    nano_dollars: u64,
    per: u64,
    /// What `per` units are called.
    per_words: &'static str,
    /// So many units are shown as one of `unit`.
    shown: u64,
    unit: &'static str,
    pub(crate) source: &'static str,
    pub(crate) mark: Mark,
}

const DOLLAR: u64 = 1_000_000_000;
const CENT: u64 = DOLLAR / 100;
const MILLION: u64 = 1_000_000;
/// Bytes are counted singly and charged by the gigabyte, here of 10^9 bytes, which is the dear reading.
const GIGABYTE: u64 = 1_000_000_000;
/// Lambda's time is counted in megabytes times microseconds.
pub(crate) const GB_SECOND: u64 = 1_024 * MILLION;

const DYNAMO: &str = "airbyte.com, DynamoDB Pricing, July 2025; jusdb.com";
const LAMBDA: &str = "cloudchipr.com, AWS Lambda pricing";
const GATEWAY: &str = "AWS whitepaper's table; 10 MB a request when streamed: aws-news.com, 19 Nov 2025";
const CLOUDWATCH: &str = "signoz.io and factualminds.com, CloudWatch pricing, 2026";
const NONE: &str = "no source opened";

const fn counted(
    what: &'static str,
    (nano_dollars, per): (u64, u64),
    per_words: &'static str,
    (source, mark): (&'static str, Mark),
) -> Price {
    Price { what, nano_dollars, per, per_words, shown: 1, unit: "", source, mark }
}

const fn bytes(what: &'static str, nano_dollars: u64, source: (&'static str, Mark)) -> Price {
    let (source, mark) = source;
    Price { what, nano_dollars, per: GIGABYTE, per_words: "GB", shown: GIGABYTE, unit: " GB", source, mark }
}

/// A half, so that an eventually consistent read of the smallest size is one.
pub(crate) const READ_HALF: Price = Price {
    what: "DynamoDB read units",
    nano_dollars: 125 * MILLION,
    per: 2 * MILLION,
    per_words: "million",
    shown: 2,
    unit: "",
    source: DYNAMO,
    mark: Mark::Read,
};
pub(crate) const WRITE: Price =
    counted("DynamoDB write units", (625 * MILLION, MILLION), "million", (DYNAMO, Mark::Read));
pub(crate) const LAMBDA_TIME: Price = Price {
    what: "Lambda time, arm64",
    nano_dollars: 13_333_400_000,
    per: MILLION * GB_SECOND,
    per_words: "million GB-s",
    shown: GB_SECOND,
    unit: " GB-s",
    source: LAMBDA,
    mark: Mark::Read,
};
pub(crate) const INVOCATION: Price =
    counted("Lambda invocations", (20 * CENT, MILLION), "million", (LAMBDA, Mark::Read));
pub(crate) const REQUEST: Price =
    counted("API Gateway requests, REST", (350 * CENT, MILLION), "million", (GATEWAY, Mark::Read));
pub(crate) const S3_PUT: Price = counted("S3 PUT", (CENT / 2, 1_000), "thousand", (NONE, Mark::Unconfirmed));
pub(crate) const S3_GET: Price =
    counted("S3 GET", (40 * CENT, MILLION), "million", (NONE, Mark::Unconfirmed));
pub(crate) const KMS: Price =
    counted("KMS requests", (3 * CENT, 10_000), "10 thousand", (NONE, Mark::Unconfirmed));
pub(crate) const SSM: Price = counted(
    "SSM GetParameters",
    (0, 1),
    "",
    ("webuildup.live: standard parameters at standard throughput cost nothing", Mark::Read),
);
pub(crate) const TRACE: Price =
    counted("X-Ray traces", (500 * CENT, MILLION), "million", (NONE, Mark::Unconfirmed));
pub(crate) const TICK: Price =
    counted("EventBridge schedules", (100 * CENT, MILLION), "million", (NONE, Mark::Unconfirmed));
pub(crate) const LOGS: Price =
    bytes("CloudWatch Logs taken in", 50 * CENT, ("go-cloud.io, CloudWatch", Mark::Read));
pub(crate) const EGRESS: Price =
    bytes("data out to the internet", 9 * CENT, ("apigatewaycost.com, awsforengineers.com", Mark::Read));
pub(crate) const INGRESS: Price = bytes("data in", 0, (NONE, Mark::Unconfirmed));
pub(crate) const TABLE_MONTH: Price = bytes("DynamoDB stored, a month", 25 * CENT, (NONE, Mark::Unconfirmed));
pub(crate) const RECOVERY_MONTH: Price =
    bytes("point-in-time recovery, a month", 20 * CENT, (NONE, Mark::Unconfirmed));
pub(crate) const BUCKET_MONTH: Price = bytes("S3 stored, a month", 23 * CENT / 10, (NONE, Mark::Unconfirmed));
pub(crate) const LOGS_MONTH: Price =
    bytes("CloudWatch Logs stored, a month", 3 * CENT, (NONE, Mark::Unconfirmed));
pub(crate) const KEY_MONTH: Price = counted("KMS keys", (100 * CENT, 1), "key", (NONE, Mark::Unconfirmed));
pub(crate) const ALARM_MONTH: Price =
    counted("CloudWatch alarms", (10 * CENT, 1), "alarm", (NONE, Mark::Unconfirmed));
pub(crate) const METRIC_MONTH: Price =
    counted("CloudWatch metrics of our own", (30 * CENT, 1), "metric", (CLOUDWATCH, Mark::Read));
pub(crate) const DASHBOARD_MONTH: Price =
    counted("CloudWatch dashboards", (300 * CENT, 1), "dashboard", (CLOUDWATCH, Mark::Read));

/// In the order of the sheet.
pub(crate) const ALL: [Price; 22] = [
    LAMBDA_TIME,
    INVOCATION,
    REQUEST,
    WRITE,
    READ_HALF,
    S3_PUT,
    S3_GET,
    LOGS,
    TRACE,
    KMS,
    SSM,
    EGRESS,
    INGRESS,
    TICK,
    TABLE_MONTH,
    RECOVERY_MONTH,
    BUCKET_MONTH,
    LOGS_MONTH,
    KEY_MONTH,
    ALARM_MONTH,
    METRIC_MONTH,
    DASHBOARD_MONTH,
];

impl Price {
    /// What so many units cost, in nano-dollars, half up.
    pub(crate) fn of(&self, quantity: u128) -> u128 {
        let per = u128::from(self.per);
        (quantity * u128::from(self.nano_dollars) + per / 2) / per
    }

    pub(crate) fn per_words(&self) -> String {
        match self.nano_dollars {
            0 => "nothing".to_owned(),
            some => format!("{} / {}", exact_dollars(some), self.per_words),
        }
    }

    /// A number of units in the words of the sheet.
    pub(crate) fn quantity(&self, units: u128) -> String {
        let shown = u128::from(self.shown);
        let whole = grouped(units / shown);
        let hundredths = units % shown * 100 / shown;
        match (self.shown, units / shown) {
            (1, _) | (_, 1_000..) => format!("{whole}{}", self.unit),
            _ => format!("{whole}.{hundredths:02}{}", self.unit),
        }
    }
}

/// Without a digit too many: a price is shown as it is published.
fn exact_dollars(nano: u64) -> String {
    let text = format!("{}.{:09}", nano / DOLLAR, nano % DOLLAR);
    let cents = text.len() - 7;
    let (kept, rest) = text.split_at(cents);
    format!("${kept}{}", rest.trim_end_matches('0'))
}

/// Dollars and cents, half up.
pub(crate) fn dollars(nano: u128) -> String {
    let cents = (nano + u128::from(CENT) / 2) / u128::from(CENT);
    format!("${}.{:02}", grouped(cents / 100), cents % 100)
}

fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
