//! How long everything waits. Each wait fits into the one around it, so that whoever waits outside hears what happened
//! inside, instead of giving up first.
//!
//! Clients and loops take their limits from here, and `tests/it/template/times.rs` reads this table together with
//! `template.yaml`. Where the limits of AWS come from stands in `docs/facts/lambda-times.md`.

use std::time::Duration;

/// One wait: what for, how long at most, and what is waiting meanwhile.
#[derive(Debug)]
pub struct Wait {
    /// What is waited for, in words that fit into a log line.
    pub name: &'static str,
    /// How long at most.
    pub limit: Duration,
    /// What waits for it meanwhile, and must wait longer.
    pub inside: &'static [Inside],
}

/// What goes on around a wait, and must be longer.
#[derive(Debug, Clone, Copy)]
pub enum Inside {
    /// Another wait of this table.
    Wait(&'static Wait),
    /// The time of an invocation of each function that has routes, less [`ANSWER_MARGIN`].
    AnyRequest,
    /// The time of an invocation of this function, by its name in the template; less the margin if it has routes.
    Function(&'static str),
    /// Lambda's patience for a start.
    Start,
    /// The life of a reservation.
    Reservation,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn wait(name: &'static str, limit: Duration, inside: &'static [Inside]) -> Wait {
    Wait { name, limit, inside }
}

/// A connection with its TLS. A lost packet of a handshake is sent again after a second, and still gets through.
pub static CONNECT: Wait = wait(
    "a connection",
    ms(1_800),
    &[
        Inside::Wait(&STORE_TRY),
        Inside::Wait(&MEDIA_TRY),
        Inside::Wait(&SECRETS_TRY),
        Inside::Wait(&SIGN_IN_CALL),
        Inside::Wait(&VENDOR_CALL),
    ],
);

// ---- stores

/// A store that answers at all answers within milliseconds.
pub static STORE_TRY: Wait = wait("one try of a table", ms(2_500), &[Inside::Wait(&STORE_CALL)]);
/// All tries of one call, with the pauses between them.
pub static STORE_CALL: Wait = wait(
    "a call of a table",
    ms(6_000),
    &[Inside::Wait(&CONFLICTS), Inside::Wait(&RUN_BEFORE), Inside::Wait(&RUN_AFTER), Inside::AnyRequest],
);
/// All repeats of a write that meets other people's transactions, its last call included.
pub static CONFLICTS: Wait =
    wait("a write among others", ms(9_000), &[Inside::Wait(&RUN_AFTER), Inside::AnyRequest]);
/// What is known of the providers' health is no reason to let a run wait.
pub static HEALTH: Wait = wait("a look at the providers' health", ms(1_000), &[Inside::Wait(&STORE_CALL)]);
/// The largest picture there is takes a tenth of it.
pub static MEDIA_TRY: Wait = wait("one try of the media store", ms(6_000), &[Inside::Wait(&MEDIA_CALL)]);
/// All tries of one call of the media store, with the pauses between them.
pub static MEDIA_CALL: Wait = wait(
    "a call of the media store",
    ms(13_000),
    &[Inside::Wait(&UPLOAD_LOOK), Inside::Wait(&RUN_AFTER), Inside::AnyRequest],
);

/// Reading an uploaded file from its beginning to its end, and storing a picture once more without its metadata.
pub static UPLOAD_LOOK: Wait = wait("a look at an upload", ms(14_000), &[Inside::Function("Uploads")]);

// ---- linked drives

/// One question to KMS about a sealed token.
pub static KEY_TRY: Wait = wait("one try of the key service", ms(2_000), &[Inside::Wait(&DRIVE_CALL)]);
/// A small call of a drive: a token, a file's name, a look.
pub static DRIVE_CALL: Wait = wait(
    "a call of a drive",
    ms(6_000),
    &[Inside::Wait(&SAVE_END), Inside::Function("Drives"), Inside::Function("OauthCallback")],
);
/// One part of a file on its way to a drive.
pub static DRIVE_PART: Wait =
    wait("a part of a file sent to a drive", ms(15_000), &[Inside::Wait(&SAVE_END)]);
/// After so long a visit of a save that a person has just asked for begins nothing more; the sweep goes on with it.
pub static SAVE_NOW: Wait =
    wait("a save that a person has just asked for", ms(4_000), &[Inside::Function("Drives")]);
/// After so long a visit of the sweep begins nothing more; the next one goes on with it.
pub static SAVE_SWEEP: Wait =
    wait("a save that the sweep goes on with", ms(20_000), &[Inside::Function("ReservationSweep")]);
/// What a visit has begun when its time is over: a part is read, sent, and noted.
pub static SAVE_END: Wait =
    wait("the last step of a visit of a save", ms(22_000), &[Inside::Function("ReservationSweep")]);

// ---- a start, and what a request may need besides

/// Saves time or costs none.
pub static WARM_UP: Wait = wait("a connection made ahead", ms(800), &[Inside::Wait(&SECRETS_START)]);
/// One question to Parameter Store; several fit into a look.
pub static SECRETS_TRY: Wait =
    wait("one try of the secrets", ms(2_000), &[Inside::Wait(&SECRETS_LOOK), Inside::Wait(&SECRETS_START)]);
/// A later look, which a request is waiting for.
pub static SECRETS_LOOK: Wait =
    wait("a look at the secrets", ms(2_400), &[Inside::Wait(&RUN_BEFORE), Inside::AnyRequest]);
/// An account may ask forty times a second, so many environments that start at once have to wait for one another.
pub static SECRETS_START: Wait = wait("the first look at the secrets", ms(8_500), &[Inside::Start]);
/// Sign-in keys, or a person at Clerk.
pub static SIGN_IN_CALL: Wait =
    wait("a call of the sign-in service", ms(2_000), &[Inside::Wait(&RUN_BEFORE), Inside::AnyRequest]);

// ---- payments

/// A call of a processor, an indexer, a feed.
pub static VENDOR_CALL: Wait = wait(
    "a call of a payment service or feed",
    ms(10_000),
    &[
        Inside::Wait(&IPN_QUESTIONS),
        Inside::Function("SepayWebhook"),
        Inside::Function("TopUps"),
        Inside::Wait(&CHAIN_LOOK),
        Inside::Function("Admin"),
        Inside::Function("ExchangeRates"),
        Inside::Wait(&RAIL_COMPARISON),
        Inside::Function("TronPoll"),
    ],
);
/// All that SePay is asked about one card message. What the message claims is noted afterwards, and SePay gets its answer.
pub static IPN_QUESTIONS: Wait =
    wait("SePay's answers about a card message", ms(11_000), &[Inside::Function("SepayWebhook")]);
/// What a claim reads of the chain's two indexes before it answers "try again later".
pub static CHAIN_LOOK: Wait =
    wait("a claim's look at the chain", ms(15_000), &[Inside::Function("ClaimTransfer")]);
/// A processor's whole list, read and compared; a rail that takes longer is reported as failed.
pub static RAIL_COMPARISON: Wait =
    wait("one rail's comparison", ms(200_000), &[Inside::Function("PaymentReconciliation")]);
/// One provider's answer about what is left of our prepaid balance.
pub static BALANCE_CALL: Wait =
    wait("a provider's balance", ms(15_000), &[Inside::Function("ProviderBalances")]);

// ---- a run: before, while and after a provider works

/// From the request to the hold: who asks, what it costs, the reserving write.
pub static RUN_BEFORE: Wait = wait("a run before its hold", ms(20_000), &[Inside::Wait(&RUN_ANSWER)]);
/// One look at a job that works elsewhere; a hanging one must not eat the others' time.
pub static PROVIDER_LOOK: Wait = wait("one look at a job", ms(5_000), &[Inside::Wait(&IMAGE)]);
/// Taking back a job that is too late.
pub static WITHDRAWAL: Wait = wait("a job's withdrawal", ms(6_000), &[Inside::Wait(&IMAGE)]);
/// A finished job's file. It is paid: asking again costs nothing, another provider does.
pub static IMAGE_FILE: Wait = wait("a finished job's file", ms(30_000), &[Inside::Wait(&IMAGE)]);
/// A provider that is asked to do a job, by whoever looks after runs that nobody listens to.
pub static JOB_VISIT: Wait = wait(
    "a provider asked for a job that nobody listens to",
    ms(20_000),
    &[Inside::Function("RunPoll"), Inside::Function("ProviderWebhook")],
);
/// Default of `PROVIDER_FIRST_CONTENT_MS_IMAGE`.
pub static IMAGE: Wait = wait("a finished image", ms(120_000), &[Inside::Wait(&PROVIDER_ATTEMPT)]);
/// Default of `PROVIDER_FIRST_CONTENT_MS_SPEECH`.
pub static SPEECH: Wait = wait("a finished speech", ms(110_000), &[Inside::Wait(&PROVIDER_ATTEMPT)]);
/// Default of `PROVIDER_FIRST_CONTENT_MS_CAPTIONS`.
pub static CAPTIONS: Wait = wait("a video's captions", ms(150_000), &[Inside::Wait(&PROVIDER_ATTEMPT)]);
/// Default of `PROVIDER_FIRST_CONTENT_MS_HEARING`: hours of sound, in parts.
pub static HEARING: Wait = wait("a finished transcript", ms(210_000), &[Inside::Wait(&PROVIDER_ATTEMPT)]);
/// Default of `PROVIDER_FIRST_CONTENT_MS_VIDEO`.
pub static VIDEO: Wait = wait("a finished video", ms(1_200_000), &[Inside::Wait(&VIDEO_RUN)]);
/// Default of `PROVIDER_FIRST_CONTENT_MS_ROWS`.
pub static ROWS: Wait = wait("gathered rows", ms(600_000), &[Inside::Wait(&RESEARCH_RUN)]);
/// A file that is passed on in pieces: from piece to piece.
pub static FILE_GAP: Wait = wait("the next piece of a file", ms(15_000), &[Inside::Wait(&LARGE_FILE)]);
/// A finished job's large file, on its way into the media store.
pub static LARGE_FILE: Wait = wait("a large file", ms(240_000), &[Inside::Function("RunPoll")]);
/// All providers of a video.
pub static VIDEO_RUN: Wait = wait("the providers of a video", ms(2_700_000), &[Inside::Wait(&VIDEO_HOLD)]);
/// How long a video's credit is held at most.
pub static VIDEO_HOLD: Wait = wait("a video's reservation", ms(3_600_000), &[]);
/// All providers of a research, its text included.
pub static RESEARCH_RUN: Wait =
    wait("the providers of a research", ms(1_200_000), &[Inside::Wait(&RESEARCH_HOLD)]);
/// How long a research's credit is held at most.
pub static RESEARCH_HOLD: Wait = wait("a research's reservation", ms(1_800_000), &[]);
/// Default of `PROVIDER_FIRST_CONTENT_MS_CHAT`.
/// Milliseconds until a chat's first token, before its fallback is asked: several times what these models need on a
/// bad day, and still short enough for a person who waits.
pub static FIRST_CHAT_TOKEN: Wait =
    wait("a chat's first token", ms(12_000), &[Inside::Wait(&PROVIDER_ATTEMPT)]);
/// Default of `PROVIDER_FIRST_CONTENT_MS_REASONER`.
pub static FIRST_REASONER_TOKEN: Wait =
    wait("a reasoner's first token", ms(120_000), &[Inside::Wait(&PROVIDER_ATTEMPT)]);
/// Default of `PROVIDER_STREAM_GAP_MS`.
pub static STREAM_GAP: Wait = wait("the next token", ms(30_000), &[Inside::Wait(&PROVIDER_ATTEMPT)]);
/// Default of `PROVIDER_TOTAL_MS`.
pub static PROVIDER_ATTEMPT: Wait =
    wait("one attempt at a provider", ms(220_000), &[Inside::Wait(&RUN_BUDGET)]);
/// Default of `RUN_BUDGET_MS`: all attempts together.
pub static RUN_BUDGET: Wait = wait("the providers of a run", ms(230_000), &[Inside::Wait(&RUN_ANSWER)]);
/// Storing the output, deciding, logging, applying.
pub static RUN_AFTER: Wait = wait("a run after its providers", ms(45_000), &[Inside::Wait(&RUN_ANSWER)]);
/// The whole of a run, for which a caller who wants one JSON document hears nothing: shorter than the silence that API
/// Gateway puts up with.
pub static RUN_ANSWER: Wait =
    wait("a run's one answer", ms(297_000), &[Inside::Function("RunTool"), Inside::Reservation]);
/// How often the process that writes a text asks whether there is a listener at another process, and stores the text
/// for it.
pub static LIVE_TEXT: Wait = wait("a text shown elsewhere", ms(2_000), &[Inside::Wait(&RUN_PROGRESS)]);
/// All visits of one poll to the runs that are due; a visit ends sooner where less of this time is left.
pub static POLL: Wait = wait("a poll of jobs", ms(260_000), &[Inside::Function("RunPoll")]);
/// A run that is followed by its owner: no visit is begun later than a budget, and all of them end by then.
pub static FOLLOWING: Wait = wait("a run that is followed", ms(300_000), &[Inside::Function("RunTool")]);
/// A text about gathered rows, by all of its providers.
pub static SUMMARY: Wait = wait("a text about gathered rows", ms(200_000), &[Inside::Function("RunPoll")]);
/// Default of `RUN_PROGRESS_MS`.
pub static RUN_PROGRESS: Wait =
    wait("a stream without an event", ms(10_000), &[Inside::Wait(&STREAM_COMMENT)]);
/// An event stream carries a comment when no event came for so long.
pub static STREAM_COMMENT: Wait =
    wait("a stream without a comment", ms(15_000), &[Inside::Wait(&RUN_ANSWER)]);

/// Every wait of the house.
pub static ALL: &[&Wait] = &[
    &CONNECT,
    &STORE_TRY,
    &STORE_CALL,
    &CONFLICTS,
    &HEALTH,
    &MEDIA_TRY,
    &MEDIA_CALL,
    &UPLOAD_LOOK,
    &KEY_TRY,
    &DRIVE_CALL,
    &DRIVE_PART,
    &SAVE_NOW,
    &SAVE_SWEEP,
    &SAVE_END,
    &WARM_UP,
    &SECRETS_TRY,
    &SECRETS_LOOK,
    &SECRETS_START,
    &SIGN_IN_CALL,
    &VENDOR_CALL,
    &IPN_QUESTIONS,
    &CHAIN_LOOK,
    &RAIL_COMPARISON,
    &BALANCE_CALL,
    &RUN_BEFORE,
    &PROVIDER_LOOK,
    &WITHDRAWAL,
    &IMAGE_FILE,
    &JOB_VISIT,
    &IMAGE,
    &SPEECH,
    &CAPTIONS,
    &HEARING,
    &VIDEO,
    &ROWS,
    &FILE_GAP,
    &LARGE_FILE,
    &VIDEO_RUN,
    &VIDEO_HOLD,
    &RESEARCH_RUN,
    &RESEARCH_HOLD,
    &FIRST_CHAT_TOKEN,
    &FIRST_REASONER_TOKEN,
    &STREAM_GAP,
    &PROVIDER_ATTEMPT,
    &RUN_BUDGET,
    &RUN_AFTER,
    &RUN_ANSWER,
    &LIVE_TEXT,
    &POLL,
    &FOLLOWING,
    &SUMMARY,
    &RUN_PROGRESS,
    &STREAM_COMMENT,
];

/// Waits that come one after the other, and what all of them together must fit into.
pub static IN_A_ROW: &[(&[&Wait], Inside)] = &[
    (&[&RUN_BEFORE, &RUN_BUDGET, &RUN_AFTER], Inside::Wait(&RUN_ANSWER)),
    // Secrets, the token's keys, the price list, the reserving write.
    (&[&SECRETS_LOOK, &SIGN_IN_CALL, &STORE_CALL, &CONFLICTS], Inside::Wait(&RUN_BEFORE)),
    // The output, the decision, the usage log, the account.
    (&[&MEDIA_CALL, &CONFLICTS, &STORE_CALL, &CONFLICTS], Inside::Wait(&RUN_AFTER)),
    // Its row, the file, and the row once more.
    (&[&STORE_CALL, &UPLOAD_LOOK, &STORE_CALL], Inside::Function("Uploads")),
    // The code's exchange, who the drive belongs to, the sealing of the token, its row.
    (&[&SECRETS_LOOK, &DRIVE_CALL, &STORE_CALL], Inside::Function("OauthCallback")),
    // What a visit has begun when its time is over must end before the next tick.
    (&[&SAVE_SWEEP, &SAVE_END], Inside::Function("ReservationSweep")),
    // A card's order is asked for before it is believed.
    (&[&SECRETS_LOOK, &IPN_QUESTIONS, &STORE_CALL], Inside::Function("SepayWebhook")),
];

/// What is left of an invocation's time when a request is answered with a problem instead of by Lambda's end.
pub const ANSWER_MARGIN: Duration = ms(1_000);

// ---- the limits of others (docs/facts/lambda-times.md)

/// Lambda ends an environment whose start takes longer.
pub const LAMBDA_START_MAX: Duration = ms(10_000);
/// The longest timeout that a Lambda function can have.
pub const LAMBDA_INVOCATION_MAX: Duration = ms(900_000);
/// What API Gateway waits for an integration without a limit of its own.
pub const GATEWAY_INTEGRATION: Duration = ms(29_000);
/// API Gateway ends a streamed answer after so long.
pub const GATEWAY_STREAM_MAX: Duration = ms(900_000);
/// How long a streamed answer of a regional API may carry nothing, its first byte included.
pub const GATEWAY_SILENCE_MAX: Duration = ms(300_000);
