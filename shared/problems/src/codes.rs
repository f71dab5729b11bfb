use crate::Credit;
use Credit::{Held, NotTaken, Unchanged, Unknown};

/// What a code says unless the place that raises it knows better.
#[derive(Debug)]
pub struct Meaning {
    /// The stable name in the document's `code` and `type`.
    pub name: &'static str,
    /// HTTP's number of it.
    pub status: u16,
    pub title: &'static str,
    /// What happened, and what to do.
    pub detail: &'static str,
    pub credit: Credit,
}

/// Makes the enum, the list of all and what each means of one table, so that no code is in one of them alone.
macro_rules! problem_codes {
    ($($code:ident = $status:literal $name:literal, $credit:ident, $title:literal, $detail:literal;)+) => {
        /// Everything that can be refused or go wrong, as callers may tell it apart. The list is closed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemCode {
            $($code,)+
        }

        impl ProblemCode {
            pub const ALL: &[ProblemCode] = &[$(ProblemCode::$code,)+];
        }

        /// In the order of the codes.
        const MEANINGS: &[Meaning] = &[
            $(Meaning { name: $name, status: $status, title: $title, detail: $detail, credit: $credit },)+
        ];
    };
}

impl ProblemCode {
    pub fn as_str(self) -> &'static str {
        self.meaning().name
    }

    pub fn status(self) -> u16 {
        self.meaning().status
    }

    pub fn meaning(self) -> &'static Meaning {
        &MEANINGS[self as usize]
    }
}

problem_codes! {
    Unauthenticated = 401 "unauthenticated", NotTaken, "Sign in first",
        "The request carries no valid sign-in token. Get a fresh one and send it as `Authorization: Bearer`.";
    WebhookRefused = 401 "webhook_refused", Unchanged, "The webhook does not prove its sender",
        "The secret or signature is missing or wrong. Nothing was changed. If you run this service, set the same \
         secret here and at the sender, then have the message sent again; the log names the reason. Other callers \
         have no use for this address.";
    InsufficientCredit = 402 "insufficient_credit", NotTaken, "Not enough credit",
        "The balance does not cover the price. Top up, or wait until open runs are finished.";
    DebtOutstanding = 402 "debt_outstanding", NotTaken, "A reversed payment is outstanding",
        "A payment was reversed after its credit had been spent. Top up to cover it; then runs are possible again.";
    AccountSuspended = 403 "account_suspended", NotTaken, "The account is suspended",
        "Nothing can be started from this account. Write to support; the balance stays as it is.";
    StepUpRequired = 403 "step_up_required", NotTaken, "Confirm that it is you",
        "This needs a sign-in that is at most ten minutes old. Confirm your sign-in and try again.";
    ImpersonationRefused = 403 "impersonation_refused", NotTaken, "Only the person themselves may do this",
        "Whoever acts in a person's name may look, but not spend credit or change the account.";
    NotFound = 404 "not_found", Unchanged, "Nothing here",
        "There is nothing at this address that you may see. Check the address and the id.";
    MethodNotAllowed = 405 "method_not_allowed", Unchanged, "Another method is needed",
        "This address does not answer that method; the `Allow` header lists those it answers.";
    NotAcceptable = 406 "not_acceptable", NotTaken, "No such form of answer",
        "Answers come as `application/json` or `text/event-stream`. Ask for one of them in `Accept`.";
    RunConflict = 409 "run_conflict", Unchanged, "The run id is taken",
        "This run id or idempotency key already stands for other input. Use a new one for a new run.";
    QuoteExpired = 409 "quote_expired", NotTaken, "The quote has expired",
        "The quoted price is no longer kept. Ask for a new quote and start the run with it.";
    PriceChanged = 409 "price_changed", NotTaken, "The price has changed",
        "The price is another one than you were shown. No credit was taken.";
    BodyTooLarge = 413 "body_too_large", NotTaken, "The request is too large",
        "The body is longer than this address takes. Shorten it, or upload files instead of embedding them.";
    UnsupportedMediaType = 415 "unsupported_media_type", NotTaken, "Another content type is needed",
        "The body must be JSON, sent with `Content-Type: application/json`.";
    InvalidRequest = 400 "invalid_request", NotTaken, "The request can't be read",
        "The request is malformed. Correct it; sent again as it is, it will be refused again.";
    InvalidInput = 422 "invalid_input", NotTaken, "The input is not valid",
        "The request was understood, but a value in it can't be used; `errors` names it.";
    InvalidRunId = 422 "invalid_run_id", NotTaken, "The run id is not valid",
        "A run id is a ULID (26 characters) made within the last day. Make a new one, or leave it out.";
    QuoteMismatch = 422 "quote_mismatch", NotTaken, "The quote is for something else",
        "The quote is not ours, or was made for another input, tool, model or person. Ask for a quote of this run.";
    ToolDisabled = 422 "tool_disabled", NotTaken, "The tool is switched off",
        "This tool is not offered at the moment. Choose another option or try later.";
    UnknownTool = 422 "unknown_tool", NotTaken, "No such tool",
        "There is no tool or option of that name; the pricing page lists all.";
    ContentRejected = 422 "content_rejected", NotTaken, "The provider refused the content",
        "The AI provider does not process this input under its rules. Change the input and try again.";
    TooManyOpenRuns = 429 "too_many_open_runs", NotTaken, "Too many open runs",
        "As many runs as the account may have are under way. Wait until one is finished.";
    GivenBackTooMuch = 429 "given_back_too_much", NotTaken, "Too many runs were given back today",
        "Runs of this account that ended without a charge have cost us as much as we bear in a day. Runs are possible \
         again when the day ends (UTC); `Retry-After` says when.";
    RateLimited = 429 "rate_limited", NotTaken, "Too many requests",
        "Too many requests came in a short time. Wait as long as `Retry-After` says.";
    ProviderFailed = 502 "provider_failed", NotTaken, "The provider failed",
        "No AI provider of this tool could do the run. Try again with a new run id.";
    OutcomeUnknown = 502 "outcome_unknown", Held, "The outcome is not known yet",
        "The provider may still be working. Look at the run by its id: it will be delivered and charged, or its \
         credit comes back by itself.";
    OutputNotStored = 503 "output_not_stored", NotTaken, "The result could not be stored",
        "The result was made, but our storage did not take it. The credit is back and nothing was charged. Try again \
         with a new run id.";
    RunBrokenOff = 503 "run_broken_off", NotTaken, "The run was broken off",
        "The run was broken off on our side before it ended. The credit is back and nothing was charged. Try again \
         with a new run id.";
    RunCancelled = 409 "run_cancelled", NotTaken, "The run was cancelled",
        "You cancelled the run before its provider began. The credit is back and nothing was charged.";
    NotCancellable = 409 "not_cancellable", Held, "The run can't be cancelled any more",
        "Its provider is at work on it, or it is written while you listen. It goes on, and is charged when it has brought \
         its result. Look at `GET /v1/runs/{id}`.";
    ProviderTimeout = 504 "provider_timeout", NotTaken, "The provider took too long",
        "The AI provider did not finish in time. Try again with a new run id.";
    MethodUnavailable = 422 "method_unavailable", NotTaken, "This way to pay is not available",
        "This way to pay is not offered at the moment. Choose another one; `GET /v1/top-ups/methods` lists them.";
    AmountNotOffered = 422 "amount_not_offered", NotTaken, "The amount is not offered",
        "This amount can't be topped up. `GET /v1/top-ups/methods` lists the amounts.";
    RateUnavailable = 503 "rate_unavailable", NotTaken, "There is no exchange rate right now",
        "The exchange rate for this way to pay is missing or too old. Pay another way or try later.";
    TooManyOpenTopUps = 409 "too_many_open_top_ups", NotTaken, "Too many unpaid top-ups",
        "As many unpaid top-ups as you may have are open. Pay or cancel one of them, or wait until one expires; in \
         USDT an amount stays taken for a day, so cancelling makes no room.";
    TooManyTopUps = 429 "too_many_top_ups", NotTaken, "Too many top-ups in one day",
        "You have made as many top-ups as a day allows; cancelled ones count too. Pay one that is open, or wait as \
         long as `Retry-After` says.";
    IdempotencyConflict = 409 "idempotency_conflict", Unchanged, "The idempotency key is taken",
        "This idempotency key already stands for another request. Use a new one for a new intention.";
    TopUpNotOpen = 409 "top_up_not_open", Unchanged, "The top-up is not open any more",
        "It was paid or has expired, so there is nothing to cancel.";
    PaymentSettled = 409 "payment_settled", Unchanged, "The payment was decided before",
        "This payment was decided before: it became credit, was dismissed, or was taken back. Look at it again.";
    WrongPaymentState = 409 "wrong_payment_state", Unchanged, "The payment's state does not allow this",
        "Nothing was decided about this payment that this could follow from. Look at its state.";
    TransferUnknown = 404 "transfer_unknown", NotTaken, "The transfer was not seen yet",
        "No confirmed transfer of that transaction to our wallet is known yet. Check the transaction id, and try \
         again when the network has confirmed it.";
    NothingToClaim = 409 "nothing_to_claim", Unchanged, "Nothing of this transaction waits for an owner",
        "What this transaction brought was credited before. If it was yours, write to support with the transaction \
         id.";
    ClaimUnclear = 409 "claim_unclear", NotTaken, "The claim is looked at by a person",
        "The transfer can't be told to be yours by its amount and time alone, or another person claims it too. The \
         claim is noted; support decides and writes to you.";
    AccountClosed = 409 "account_closed", Unchanged, "The account is closed",
        "The account's person was deleted, so it can't be given credit.";
    UploadNotReady = 409 "upload_not_ready", NotTaken, "The file was not uploaded yet",
        "Nothing has come for this upload, or it was not looked at yet. Send the file by its form, then ask \
         GET /v1/uploads/{id} until it is ready; begin a new upload if the form has ended.";
    UploadRefused = 422 "upload_refused", NotTaken, "The uploaded file can't be used",
        "The file that was uploaded can't be used. Upload another one.";
    TooManyUploads = 429 "too_many_uploads", NotTaken, "Too many uploads",
        "As many uploads as the account may have are open, or a day's amount was announced. Wait as long as \
         `Retry-After` says.";
    DriveUnavailable = 422 "drive_unavailable", Unchanged, "This drive is not offered",
        "This drive can't be connected here. `GET /v1/drives` lists those that can.";
    DriveNotLinked = 409 "drive_not_linked", Unchanged, "The drive is not connected",
        "Connect the drive in the settings first, then save again.";
    DriveLinked = 409 "drive_linked", Unchanged, "The drive is connected already",
        "This drive is connected. To connect another account of it, disconnect it first.";
    DriveReconnect = 409 "drive_reconnect", Unchanged, "Connect the drive again",
        "The drive does not accept our access any more, because it was taken back or has ended. Connect it again in the \
         settings, then save again.";
    DriveFailed = 502 "drive_failed", Unchanged, "The drive did not answer",
        "The drive did not answer as it should. Nothing was changed; try again shortly.";
    OutputGone = 410 "output_gone", Unchanged, "The file is no longer here",
        "The output is past its time and was deleted, so it can't be saved any more.";
    ProcessorUnavailable = 502 "processor_unavailable", Unchanged, "The payment processor can't be asked",
        "The payment processor did not answer. Nothing is lost; try again shortly.";
    NotAdministrator = 403 "not_administrator", Unchanged, "Only administrators may do this",
        "Your account is not an administrator of this service.";
    StoreUnavailable = 503 "store_unavailable", Unchanged, "Try again shortly",
        "Our store did not answer. Send the same request again, a run with the same run id: nothing is charged twice.";
    IdentityUnavailable = 503 "identity_unavailable", NotTaken, "Sign-in can't be checked right now",
        "The sign-in service did not answer, so nobody can be recognised. Try again shortly.";
    // API Gateway says these two as well: template.yaml holds the documents, tests/it/template compares them.
    NoAnswer = 502 "no_answer", Unknown, "The service broke off",
        "Our service broke off before it answered; whether the request was carried out is not known. Send the same \
         request again, a run with the same run id, a top-up with the same `Idempotency-Key`: nothing is done twice.";
    TimedOut = 504 "timed_out", Unknown, "The service took too long",
        "Our service did not answer in time; it may still carry the request out. Look at the run by its id, or send \
         the same request again, with the same run id or `Idempotency-Key`: nothing is done twice.";
    Internal = 500 "internal", Unchanged, "Something broke on our side",
        "If this was a run, look at it by its id before you try again; with the same run id nothing is charged twice. \
         Support finds the request by `request_id`.";
}
