//! What each function may do and is given; the template must say the same.

use super::*;

/// The class of outputs that expire (`media::output_key`).
pub(super) const TEMPORARY: &str = "tmp30/";

/// What each function's code does to tables, outputs and the key: exactly this, and nothing else.
///
/// `key via x` is the use of our KMS key by service x in the function's name: to open a table, or an object.
pub(super) const RIGHTS: &[(&str, Places)] = &[
    (
        "RunTool",
        &[
            ("tool_pricing", &["Scan"]),
            ("accounts", &["GetItem", "PutItem", "UpdateItem"]),
            ("credit_transactions", &["GetItem", "PutItem"]),
            ("usage_log", &["GetItem", "PutItem", "UpdateItem"]),
            ("idempotency", &["GetItem", "PutItem"]),
            ("users", &["GetItem", "PutItem", "UpdateItem"]),
            ("provider_health", &["BatchGetItem", "GetItem", "PutItem"]),
            ("request_limits", &["UpdateItem"]),
            ("outputs", &["GetObject", "PutObject"]),
            ("key via dynamodb", &["Decrypt"]),
            ("key via s3", &["Decrypt", "GenerateDataKey"]),
        ],
    ),
    (
        "Pricing",
        &[
            ("tool_pricing", &["Scan"]),
            ("exchange_rates", &["GetItem"]),
            ("request_limits", &["UpdateItem"]),
            ("key via dynamodb", &["Decrypt"]),
        ],
    ),
    (
        "Runs",
        &[
            ("accounts", &["GetItem"]),
            ("credit_transactions", &["GetItem"]),
            ("usage_log", &["GetItem", "Query"]),
            ("request_limits", &["UpdateItem"]),
            ("outputs", &["GetObject"]),
            ("key via dynamodb", &["Decrypt"]),
            ("key via s3", &["Decrypt"]),
        ],
    ),
    (
        "Account",
        &[
            ("users", &["GetItem", "PutItem", "UpdateItem"]),
            ("accounts", &["GetItem", "PutItem"]),
            ("credit_transactions", &["PutItem", "Query"]),
            ("exchange_rates", &["GetItem"]),
            ("request_limits", &["UpdateItem"]),
            ("key via dynamodb", &["Decrypt"]),
        ],
    ),
    ("ExchangeRates", &[("exchange_rates", &["GetItem", "UpdateItem"]), ("key via dynamodb", &["Decrypt"])]),
    (
        "IdentityWebhook",
        &[
            ("users", &["GetItem", "PutItem", "UpdateItem"]),
            ("accounts", &["UpdateItem"]),
            ("key via dynamodb", &["Decrypt"]),
        ],
    ),
    (
        "ReservationSweep",
        &[
            ("accounts/index/by-due", &["Query"]),
            ("accounts", &["GetItem", "UpdateItem"]),
            ("credit_transactions", &["PutItem"]),
            ("usage_log", &["PutItem"]),
            ("key via dynamodb", &["Decrypt"]),
        ],
    ),
];

/// When each function without a route ticks.
pub(super) const SCHEDULES: &[(&str, &str)] =
    &[("ExchangeRates", "cron(30 6 * * ? *)"), ("ReservationSweep", "rate(1 minute)")];

/// Who may write a balance, and why. Whoever is added here can make money.
pub(super) const ACCOUNT_WRITERS: &[(&str, &str)] = &[
    ("Account", "opens accounts with their welcome credit"),
    ("IdentityWebhook", "closes accounts of deleted people"),
    ("ReservationSweep", "gives back what nobody settled"),
    ("RunTool", "reserves, settles, opens accounts at the first run"),
];

/// What a function needs in its environment, by what its source builds.
///
/// The first list is read at the start and must be there; of the second the function can do without.
pub(super) const SETTINGS: &[(&str, &[&str], &[&str])] = &[
    ("Platform::from_env", &["MEDIA_BUCKET"], &["PROFILE", "TABLE_PREFIX"]),
    ("Edge::new", &["CLERK_ISSUER", "PSEUDONYM_PEPPER"], &["ALLOWED_ORIGINS"]),
    ("Shop::new", &["QUOTE_SECRET"], &[]),
    ("Signup::new", &[], &["CLERK_SECRET_KEY"]),
    ("webhook_secrets", &[], &["CLERK_INSTANCE_ID", "CLERK_WEBHOOK_SECRET"]),
    (
        "Runs::new",
        &["QUOTE_SECRET"],
        &[
            "ANTHROPIC_API_KEY",
            "CLERK_SECRET_KEY",
            "COMFYUI_TOKEN",
            "COMFYUI_URL",
            "DEEPSEEK_API_KEY",
            "FAL_KEY",
        ],
    ),
];

/// What the template consists of. Each kind is understood by a check here.
pub(super) const KINDS: &[&str] = &[
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::Serverless::Api",
    "AWS::Serverless::Function",
];

/// Set by Lambda itself; a template may not.
pub(super) const GIVEN_BY_LAMBDA: &[&str] = &["AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_SECRET_ACCESS_KEY"];
