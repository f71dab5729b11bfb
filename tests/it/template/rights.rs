//! Checks of how rights are written down. Which ones a function has is no list here: a scenario in which one is missing
//! fails (`world/guard.rs`), and `tests/rights/check.sh` shows that none is too much.

use super::*;
pub(super) use emulator::iam::Rights;
use emulator::iam::policies;

const SECRETS: &str = "/Resources/Pricing/Properties/Policies/0/Statement/6";

fn statement(action: &str, resource: Value) -> Value {
    json!({ "Effect": "Allow", "Action": [action], "Resource": resource })
}

fn arn(resource: &str) -> Value {
    json!({ "Fn::GetAtt": [resource, "Arn"] })
}

fn secret(name: &str) -> Value {
    let place = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${SecretsPath}";
    json!({ "Fn::Sub": format!("{place}{name}") })
}

/// The template with one more statement for a function.
fn with(function: &str, statement: Value) -> Value {
    changed(&format!("/Resources/{function}/Properties/Policies/0/Statement/-"), statement)
}

fn assert_all_complain(table: impl IntoIterator<Item = (Value, &'static str)>) {
    for (template, part) in table {
        assert_complains(check_rights(&template, &function_sources()), part);
    }
}

#[test]
fn the_rights_of_the_template_are_fine() {
    assert_fine(check_rights(&template(), &function_sources()));
    assert_eq!(template().pointer(SECRETS).unwrap()["Sid"], "Secrets");
}

#[test]
fn rights_are_named_one_by_one() {
    assert_all_complain([
        (
            with("Runs", statement("dynamodb:*", arn("UsageLogTable"))),
            "does not allow actions by their names",
        ),
        (with("Runs", statement("*", arn("UsageLogTable"))), "does not allow actions by their names"),
        (with("Runs", statement("dynamodb:GetItem", json!("*"))), "no place a function may have rights to"),
        (
            with("Runs", statement("s3:GetObject", json!({ "Fn::Sub": "${MediaBucket.Arn}/*" }))),
            "no place a function may have rights to",
        ),
        (
            with("Runs", statement("dynamodb:Query", json!({ "Fn::Sub": "${AccountsTable.Arn}/index/*" }))),
            "no place a function may have rights to",
        ),
        (
            changed("/Resources/Runs/Properties/Policies/0/Statement/0/NotAction", json!(["s3:PutObject"])),
            "does not allow actions by their names",
        ),
    ]);
}

#[test]
fn secrets_are_those_that_the_function_reads() {
    assert_all_complain([
        (
            with("Runs", statement("ssm:GetParameters", secret("FAL_KEY"))),
            "Runs: ssm:GetParameters on secret FAL_KEY is too much",
        ),
        (with("Runs", statement("ssm:GetParameters", secret("*"))), "no place a function may have rights to"),
        (
            with("Pricing", statement("ssm:GetParametersByPath", secret("QUOTE_SECRET"))),
            "Pricing: ssm:GetParametersByPath on secret QUOTE_SECRET is too much",
        ),
        (
            changed(&format!("{SECRETS}/Resource"), json!([secret("PSEUDONYM_PEPPER")])),
            "Pricing: ssm:GetParameters on secret QUOTE_SECRET is missing",
        ),
        (
            changed(&format!("{SECRETS}/Effect"), json!("Deny")),
            "Pricing: ssm:GetParameters on secret QUOTE_SECRET is missing",
        ),
    ]);
}

#[test]
fn a_right_that_these_checks_do_not_read_is_refused() {
    assert_all_complain([
        // The key without the service it is meant for.
        (with("Runs", statement("kms:Decrypt", arn("DataKey"))), "no place a function may have rights to"),
        (
            changed("/Resources/Runs/Properties/Policies/-", json!("AdministratorAccess")),
            "no policy written here",
        ),
        (
            changed("/Resources/Runs/Properties/Role", json!("arn:…")),
            "Runs may give rights that nobody checks",
        ),
        // No role beside the functions' own.
        (
            changed("/Resources/Aside", json!({ "Type": "AWS::IAM::Role" })),
            "Aside may give rights that nobody checks",
        ),
        (
            changed("/Resources/Aside", json!({ "Type": "AWS::IAM::Policy" })),
            "Aside may give rights that nobody checks",
        ),
    ]);
}

#[test]
fn only_those_who_move_credit_may_write_accounts_and_nobody_rewrites_history() {
    assert_fine(check_account_writers(&template()));

    for (function, table, part) in [
        ("Pricing", "AccountsTable", "Pricing writes accounts"),
        ("TopUps", "AccountsTable", "TopUps writes accounts by dynamodb:UpdateItem"),
        ("Admin", "CreditTransactionsTable", "history"),
        ("RunTool", "CreditTransactionsTable", "history"),
    ] {
        let statement = json!({
            "Effect": "Allow", "Action": "dynamodb:UpdateItem", "Resource": { "Fn::GetAtt": [table, "Arn"] },
        });
        let pointer = format!("/Resources/{function}/Properties/Policies/0/Statement/-");
        assert_complains(check_account_writers(&changed(&pointer, statement)), part);
    }
}

fn check_rights(template: &Value, sources: &BTreeMap<String, String>) -> Complaints {
    let (mut found, mut complaints) = rights(template);
    found.retain(|(_, place, _)| place.starts_with("secret ") || place == "key via ssm");
    let wanted = rights_to_secrets(sources);
    let told =
        |(function, place, action): &(String, String, String)| format!("{function}: {action} on {place}");
    complaints.extend(found.difference(&wanted).map(|right| format!("{} is too much", told(right))));
    complaints.extend(wanted.difference(&found).map(|right| format!("{} is missing", told(right))));
    complaints
}

/// Each secret that a function reads, by its name, and our key to open it; none without secrets.
fn rights_to_secrets(sources: &BTreeMap<String, String>) -> Rights {
    let mut rights = Rights::new();
    for function in sources.keys() {
        let places: Vec<String> =
            secrets_of(function, sources).into_iter().map(|secret| format!("secret {secret}")).collect();
        if !places.is_empty() {
            rights.insert((function.clone(), "key via ssm".to_owned(), "kms:Decrypt".to_owned()));
        }
        let read = |place| (function.clone(), place, "ssm:GetParameters".to_owned());
        rights.extend(places.into_iter().map(read));
    }
    rights
}

/// Reads policies strictly: what it does not understand is a complaint, not a right.
pub(super) fn rights(template: &Value) -> (Rights, Complaints) {
    let (rights, mut complaints) = policies(template);
    for (name, resource) in template["Resources"].as_object().into_iter().flatten() {
        // Roles, policies and connectors beside the functions would be rights too.
        let is_known = KINDS.iter().any(|kind| resource["Type"] == *kind);
        if !is_known || !resource["Connectors"].is_null() || !resource["Properties"]["Role"].is_null() {
            complaints.push(format!("{name} may give rights that nobody checks"));
        }
    }
    (rights, complaints)
}

/// A right that a scenario uses may still be one that nobody should have: not everybody is a writer of balances.
fn check_account_writers(template: &Value) -> Complaints {
    let (rights, _) = rights(template);
    let reads = ["GetItem", "BatchGetItem", "ConditionCheckItem", "Query", "Scan"];
    let is_write = |action: &str| !reads.iter().any(|read| action == format!("dynamodb:{read}"));
    let writers: BTreeSet<(String, String)> = rights
        .iter()
        .filter(|(_, place, action)| place.starts_with("accounts") && is_write(action))
        .map(|(function, _, action)| (function.clone(), action.clone()))
        .collect();
    let allowed: BTreeSet<(String, String)> = ACCOUNT_WRITERS
        .iter()
        .flat_map(|(function, actions, _)| actions.iter().map(move |action| (function, action)))
        .map(|(function, action)| ((*function).to_owned(), format!("dynamodb:{action}")))
        .collect();
    let mut complaints: Complaints = writers
        .symmetric_difference(&allowed)
        .map(|(name, action)| format!("{name} writes accounts by {action}, or should"))
        .collect();
    // Entries are immutable: nobody rewrites or removes one.
    let rewrites = |(_, place, action): &&(String, String, String)| {
        place == "credit_transactions" && is_write(action) && action != "dynamodb:PutItem"
    };
    complaints.extend(rights.iter().filter(rewrites).map(|(name, ..)| format!("{name} may change history")));
    complaints
}
