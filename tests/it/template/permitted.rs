//! What each function may do and is given; the template must say the same.

use edge::{Permission, Role};

/// The class of outputs that expire (`media::output_key`).
pub(super) use emulator::iam::TEMPORARY_OUTPUTS as TEMPORARY;
pub(super) use emulator::iam::UPLOADS;

/// When a function without a route ticks.
pub(super) struct Tick {
    pub(super) function: &'static str,
    /// By default, where it is a parameter.
    pub(super) expression: &'static str,
    pub(super) parameter: Option<&'static str>,
    /// The shortest time from tick to tick that can be set.
    pub(super) seconds: u64,
    /// How many of its ticks may be at work at the same time, because none does what another one does.
    pub(super) at_once: u64,
}

pub(super) const SCHEDULES: &[Tick] = &[
    Tick {
        function: "ExchangeRates",
        expression: "cron(30 6 * * ? *)",
        parameter: None,
        seconds: 86_400,
        at_once: 1,
    },
    Tick {
        function: "PaymentReconciliation",
        expression: "rate(15 minutes)",
        parameter: Some("PaymentReconciliationSchedule"),
        seconds: 360,
        at_once: 1,
    },
    Tick {
        function: "ProviderBalances",
        expression: "rate(1 hour)",
        parameter: None,
        seconds: 3600,
        at_once: 1,
    },
    Tick { function: "RunPoll", expression: "rate(1 minute)", parameter: None, seconds: 60, at_once: 5 },
    Tick {
        function: "ReservationSweep",
        expression: "rate(1 minute)",
        parameter: None,
        seconds: 60,
        at_once: 1,
    },
    Tick {
        function: "TronPoll",
        expression: "rate(10 minutes)",
        parameter: Some("TronPollSchedule"),
        seconds: 360,
        at_once: 1,
    },
];

/// What a schedule that is a parameter may be: every six minutes to once a day.
pub(super) const SCHEDULE_PATTERN: &str =
    r"rate\(([6-9]|[1-5][0-9]) minutes\)|rate\(1 (hour|day)\)|rate\(([2-9]|1[0-9]|2[0-4]) hours\)";

/// Who may write a balance, how, and why. Whoever is added here can make money.
pub(super) const ACCOUNT_WRITERS: &[(&str, &[&str], &str)] = &[
    ("Account", &["PutItem", "UpdateItem"], "opens accounts with their welcome credit, or gives it later"),
    (
        "Admin",
        &["UpdateItem"],
        "assigns payments, takes credit back and reinstates it, each with an audit row",
    ),
    ("ClaimTransfer", &["UpdateItem"], "grants the transfer that a person claimed, and what its poll finds"),
    ("IdentityWebhook", &["UpdateItem"], "closes accounts of deleted people"),
    ("PaymentReconciliation", &["UpdateItem"], "grants and takes back what webhooks missed"),
    ("ProviderWebhook", &["UpdateItem"], "settles runs whose provider says that it is through"),
    ("ReservationSweep", &["UpdateItem"], "gives back what nobody settled"),
    ("RunPoll", &["UpdateItem"], "settles runs that nobody listens to any more"),
    ("RunTool", &["PutItem", "UpdateItem"], "reserves, settles, opens accounts at the first run"),
    ("SepayWebhook", &["UpdateItem"], "grants transfers and cards, takes voided cards back"),
    ("TopUps", &["PutItem"], "opens accounts at the first order; an order itself is no credit"),
    ("TronPoll", &["UpdateItem"], "grants USDT, and claims whose wait is over"),
];

/// Stands in every source: what each function builds before anything of its own.
const EVERY_FUNCTION: &str = "";

/// What a function needs in its environment and of the secrets, by what its source builds.
///
/// The first list is read at the start and must be there; of the second the function can do without.
pub(super) const SETTINGS: &[(&str, &[&str], &[&str])] = &[
    (EVERY_FUNCTION, &["MEDIA_BUCKET"], &["PROFILE", "TABLE_PREFIX"]),
    ("Shop::new", &["QUOTE_SECRET"], &[]),
    ("Signup::new", &[], &["CLERK_SECRET_KEY"]),
    ("WebhookSettings", &[], &["CLERK_INSTANCE_ID", "CLERK_WEBHOOK_SECRET"]),
    (
        "RunPoll::new",
        &["SEALING_KEYS"],
        &[
            "ANTHROPIC_API_KEY",
            "APIFY_TOKEN",
            "APIFY_WEBHOOK_SECRET",
            "API_URL",
            "COMFYUI_TOKEN",
            "COMFYUI_URL",
            "DEEPSEEK_API_KEY",
            "FAL_KEY",
            "GROQ_API_KEY",
            "OMNIVOICE_API_KEY",
            "OMNIVOICE_URL",
            "REPLICATE_API_TOKEN",
            "REPLICATE_SPEAKER_URL",
            "REPLICATE_VIXTTS_VERSION",
        ],
    ),
    (
        "Runs::new",
        &["QUOTE_SECRET", "SEALING_KEYS"],
        &[
            "ANTHROPIC_API_KEY",
            "APIFY_TOKEN",
            "APIFY_WEBHOOK_SECRET",
            "API_URL",
            "CLERK_SECRET_KEY",
            "COMFYUI_TOKEN",
            "COMFYUI_URL",
            "DEEPSEEK_API_KEY",
            "FAL_KEY",
            "GROQ_API_KEY",
            "OMNIVOICE_API_KEY",
            "OMNIVOICE_URL",
            "REPLICATE_API_TOKEN",
            "REPLICATE_SPEAKER_URL",
            "REPLICATE_VIXTTS_VERSION",
        ],
    ),
    ("ReplicateWebhook::new", &[], &["REPLICATE_WEBHOOK_SECRETS"]),
    // Where an order is paid; whether it was is not theirs to know.
    (
        "TopUps::new",
        &[],
        &[
            "API_URL",
            "BANK_ACCOUNT",
            "BANK_ACCOUNT_NAME",
            "BANK_BIN",
            "BANK_NAME",
            "RATE_AGE_MAX_HOURS",
            "SEPAY_MERCHANT_ID",
            "SEPAY_SECRET_KEY",
            "SITE_URL",
            "TRON_WALLET",
        ],
    ),
    ("Rates::new", &[], &["RATE_AGE_MAX_HOURS"]),
    ("Payments::new", &["SEALING_KEYS"], &[]),
    (
        "BankDesk::for_messages",
        &["SEALING_KEYS"],
        &["BANK_ACCOUNT", "BANK_ACCOUNT_ALIASES", "SEPAY_BANK_API_KEYS", "SEPAY_BANK_HMAC_SECRETS"],
    ),
    (
        "CardDesk::for_messages",
        &["SEALING_KEYS"],
        &["SEPAY_IPN_SECRETS", "SEPAY_MERCHANT_ID", "SEPAY_SECRET_KEY"],
    ),
    ("ChainDesk::new", &["SEALING_KEYS"], &["TRONGRID_API_KEY", "TRONSCAN_API_KEY", "TRON_WALLET"]),
    // Believes no message: no secrets of webhooks.
    (
        "Reconciliation::new",
        &["SEALING_KEYS"],
        &[
            "BANK_ACCOUNT",
            "BANK_ACCOUNT_ALIASES",
            "SEPAY_BANK_API_TOKEN",
            "SEPAY_MERCHANT_ID",
            "SEPAY_SECRET_KEY",
            "TRONGRID_API_KEY",
            "TRONSCAN_API_KEY",
            "TRON_WALLET",
        ],
    ),
    // A drive's client id is no secret; what opens its tokens is a key of KMS.
    (
        "Drives::new",
        &[],
        &[
            "API_URL",
            "DRIVE_VAULT",
            "DROPBOX_CLIENT_ID",
            "DROPBOX_CLIENT_SECRET",
            "DROPBOX_FOLDER_URL",
            "GOOGLE_DRIVE_CLIENT_ID",
            "GOOGLE_DRIVE_CLIENT_SECRET",
            "SITE_URL",
        ],
    ),
    (
        "Saving::new",
        &["SEALING_KEYS"],
        &[
            "DRIVE_VAULT",
            "DROPBOX_CLIENT_ID",
            "DROPBOX_CLIENT_SECRET",
            "DROPBOX_FOLDER_URL",
            "GOOGLE_DRIVE_CLIENT_ID",
            "GOOGLE_DRIVE_CLIENT_SECRET",
        ],
    ),
    // The address that a drive sends browsers back to.
    (".begin(caller.account(), kind)", &[], &["API_URL"]),
    ("Balances::new", &[], &["DEEPSEEK_API_KEY", "PROVIDER_BALANCE_MIN_CENTS"]),
    ("Users::new", &["PSEUDONYM_PEPPER"], &[]),
];

/// For which permissions, what must be there, and what may be absent.
pub(super) type EdgeSettings = (fn(Permission) -> bool, &'static [&'static str], &'static [&'static str]);

/// What a function's edge needs beside, by what its routes need of their callers (`edge::ROUTES`): as [`SETTINGS`].
pub(super) const EDGE_SETTINGS: &[EdgeSettings] = &[
    // Requests are counted, and pages may call.
    (|permission| permission != Permission::Signed, &["PSEUDONYM_PEPPER"], &["ALLOWED_ORIGINS"]),
    (Permission::needs_sign_in, &["CLERK_ISSUER"], &["CLERK_ACCEPT_WITHOUT_AZP"]),
    (|permission| permission.role() == Some(Role::Administrator), &[], &["ADMIN_USER_IDS"]),
];

/// Whether a setting is a secret, and so never stands in an environment.
pub(super) fn is_secret(setting: &str) -> bool {
    ["KEY", "SECRET", "TOKEN", "PEPPER"].iter().any(|word| setting.contains(word))
}

/// Where a function's metrics are counted; read by its host, not by what it builds.
pub(super) const METRICS_NAMESPACE: &str = "METRICS_NAMESPACE";

/// How a function that has secrets is told where they lie and which are its own.
pub(super) const WHERE_SECRETS_LIE: [&str; 2] = ["SECRETS", "SECRETS_PATH"];

/// Required by the code only where the setting beside it is given.
pub(super) const ONLY_BESIDE: &[(&str, &str)] = &[
    ("COMFYUI_URL", "COMFYUI_URL"),
    ("DROPBOX_CLIENT_SECRET", "DROPBOX_CLIENT_ID"),
    ("GOOGLE_DRIVE_CLIENT_SECRET", "GOOGLE_DRIVE_CLIENT_ID"),
    ("OMNIVOICE_URL", "OMNIVOICE_URL"),
    ("SEPAY_SECRET_KEY", "SEPAY_MERCHANT_ID"),
];

/// What the template consists of. Each kind is understood by a check here.
pub(super) const KINDS: &[&str] = &[
    "AWS::ApiGateway::Account",
    "AWS::ApiGateway::BasePathMapping",
    "AWS::ApiGateway::DomainName",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::DynamoDB::Table",
    "AWS::KMS::Alias",
    "AWS::KMS::Key",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::Route53::RecordSet",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::Serverless::Api",
    "AWS::Serverless::Function",
    "AWS::WAFv2::WebACL",
    "AWS::WAFv2::WebACLAssociation",
];

/// Set by Lambda itself; a template may not.
pub(super) const GIVEN_BY_LAMBDA: &[&str] = &["AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_SECRET_ACCESS_KEY"];
