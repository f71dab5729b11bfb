//! How accounts and entries are stored. Attribute names of the account are short: it is written twice per run
//! and must stay under one kilobyte with 13 open holds (`docs/facts/dynamodb.md`).

use crate::account::{Account, Block};
use crate::entry::{Entry, Kind, OnceKey, Origin, RunOutcome, Verdict};
use crate::{Hold, Nonce};
use aws_sdk_dynamodb::types::AttributeValue;
use platform::{Attributes, Index, Item, ItemBuilder, Key, KeyType, StoreError, TableSpec, key};
use primitives::{AccountId, CostCents, Credits, CreditsDelta, EntryId, Fingerprint, RunId};
use std::collections::HashMap;
use std::str::FromStr;

/// `id` → available `avail`, open `holds` by run id, `debt`, `blocked`, counters of runs `w<minute>` and of losses
/// `l<day>` (millionths of a cent), ends of the ids of runs that ended `e<minute>`, what was `paid` in and the `budget`
/// for losses that follows from it, sweep mark, and `welcome` while it is awaited.
pub const ACCOUNTS: TableSpec = TableSpec {
    name: "accounts",
    partition_key: "id",
    sort_key: None,
    indexes: &[Index { name: SWEEP_INDEX, partition_key: "sweep", sort_key: ("due", KeyType::Number) }],
    ttl: None,
};

/// `account`, `entry` → one immutable entry; `once#<key>`, `once` → the posting that used the key up.
pub const CREDIT_TRANSACTIONS: TableSpec = TableSpec {
    name: "credit_transactions",
    partition_key: "account",
    sort_key: Some("entry"),
    indexes: &[],
    ttl: None,
};

/// The tables this crate owns.
pub const TABLES: &[TableSpec] = &[ACCOUNTS, CREDIT_TRANSACTIONS];

/// Accounts with holds, by the moment the sweep should look at them; sparse, keys only.
pub const SWEEP_INDEX: &str = "by-due";
/// Spread over this many partitions, because one takes 1,000 writes a second.
pub const SWEEP_SHARDS: u8 = 8;

pub(crate) fn sweep_shard(account: &AccountId) -> String {
    shard_name(Fingerprint::of(&[account.as_str().as_bytes()]).first_byte() % SWEEP_SHARDS)
}

pub(crate) fn shard_name(shard: u8) -> String {
    format!("OPEN#{shard}")
}

pub(crate) fn minute_counter(minute: u64) -> String {
    format!("w{minute}")
}

pub(crate) fn ended_in(minute: u64) -> String {
    format!("e{minute}")
}

/// Enough of a run's id to tell it from most others: where two look alike, an outcome is looked for in vain.
pub(crate) fn ended_mark(run: RunId) -> String {
    let id = run.to_string();
    id[id.len().saturating_sub(3)..].to_owned()
}

pub(crate) fn day_counter(day: u64) -> String {
    format!("l{day}")
}

pub(crate) fn account_key(id: &AccountId) -> Key {
    key([("id", id.as_str())])
}

pub(crate) fn entry_key(account: &AccountId, entry: EntryId) -> Key {
    key([("account", account.as_str()), ("entry", &entry.to_string())])
}

pub(crate) fn once_key(once: &OnceKey) -> Key {
    key([("account", &format!("once#{}", once.as_str())), ("entry", "once")])
}

/// Opened before it was known whether the person may have the welcome credit.
pub(crate) fn new_account_awaiting_welcome(id: &AccountId) -> Attributes {
    let mut item = new_account(id, Credits::ZERO);
    item.insert("welcome".to_owned(), platform::text("awaited"));
    item
}

pub(crate) fn new_account(id: &AccountId, available: Credits) -> Attributes {
    ItemBuilder::default()
        .text("id", id)
        .number("avail", available.get())
        .value("holds", AttributeValue::M(HashMap::new()))
        .build()
}

pub(crate) fn read_account(attributes: &Attributes) -> Result<Account, StoreError> {
    let item = Item::new(ACCOUNTS.name, attributes);
    let credits = |name: &str| -> Result<Credits, StoreError> {
        let units = item.maybe_number(name)?.unwrap_or_default();
        Credits::new(units).map_err(|_| item.corrupt(name))
    };
    Ok(Account {
        id: item.parsed("id")?,
        available: credits("avail")?,
        debt: credits("debt")?,
        holds: read_holds(&item)?,
        block: read_block(attributes)?,
        awaits_welcome: item.maybe_text("welcome")?.is_some(),
        run_counts: read_counters(attributes, 'w'),
        losses: read_losses(attributes),
        ended: read_ended(attributes),
        paid: CreditsDelta::new(item.maybe_number("paid")?.unwrap_or(0)).map_err(|_| item.corrupt("paid"))?,
        loss_budget: read_budget(&item)?,
        due: item.maybe_number("due")?,
    })
}

pub(crate) fn read_block(attributes: &Attributes) -> Result<Option<Block>, StoreError> {
    let item = Item::new(ACCOUNTS.name, attributes);
    let block = item.maybe_text("blocked")?;
    block.map(|text| Block::parse(text).ok_or(item.corrupt("blocked"))).transpose()
}

fn read_holds(item: &Item<'_>) -> Result<Vec<Hold>, StoreError> {
    let read = |(run, value): (&String, &AttributeValue)| {
        let hold = value.as_s().ok().zip(run.parse().ok()).and_then(|(text, run)| Hold::decode(run, text));
        hold.ok_or_else(|| item.corrupt("holds"))
    };
    let mut holds = item.map("holds")?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    holds.sort_by_key(|hold| hold.run);
    Ok(holds)
}

/// The attributes named by `prefix` and a moment.
fn read_counters<T: FromStr>(attributes: &Attributes, prefix: char) -> Vec<(u64, T)> {
    let read = |(name, value): (&String, &AttributeValue)| {
        let moment = name.strip_prefix(prefix)?.parse().ok()?;
        Some((moment, value.as_n().ok()?.parse().ok()?))
    };
    attributes.iter().filter_map(read).collect()
}

/// A sum of nonsense bills may be larger than any cost: it counts as the largest.
fn read_losses(attributes: &Attributes) -> Vec<(u64, CostCents)> {
    let cost = |micro: u128| CostCents::from_micro_cents(u64::try_from(micro).unwrap_or(u64::MAX));
    read_counters(attributes, 'l').into_iter().map(|(day, micro)| (day, cost(micro))).collect()
}

fn read_budget(item: &Item<'_>) -> Result<CostCents, StoreError> {
    Ok(CostCents::from_micro_cents(item.maybe_number("budget")?.unwrap_or(0)))
}

/// The ends of the ids of the runs that ended in each of the last minutes.
fn read_ended(attributes: &Attributes) -> Vec<(u64, Vec<String>)> {
    let read = |(name, value): (&String, &AttributeValue)| {
        let minute = name.strip_prefix('e')?.parse().ok()?;
        Some((minute, value.as_ss().ok()?.clone()))
    };
    attributes.iter().filter_map(read).collect()
}

pub(crate) fn entry_item(entry: &Entry) -> Attributes {
    let item = ItemBuilder::default()
        .text("account", &entry.account)
        .text("entry", entry.id)
        .text("kind", entry.kind.as_str())
        .number("amount", entry.amount.get())
        .number("at", entry.at.millis());
    match &entry.kind {
        Kind::Grant { origin, key, top_up } => item
            .text("origin", origin.as_str())
            .text("once", key.as_str())
            .maybe_text("topUp", top_up.as_ref()),
        Kind::Run(outcome) => {
            let item = item.text("nonce", outcome.nonce.encode()).text("receipt", &outcome.receipt);
            match &outcome.verdict {
                Verdict::Charged(_) => item,
                Verdict::Released { reason, lost, counted } => {
                    let counted = (counted != lost).then_some(counted.micro_cents());
                    let lost = Some(lost.micro_cents()).filter(|lost| *lost > 0);
                    item.text("reason", reason).maybe_number("lost", lost).maybe_number("counted", counted)
                }
            }
        }
        Kind::Refund { run, reason } => item.text("run", run).text("reason", reason),
        Kind::Reversal { of, debt, key } => {
            item.text("of", of).number("debt", debt.get()).text("once", key.as_str())
        }
        Kind::Reinstatement { of, key } => item.text("of", of).text("once", key.as_str()),
    }
    .build()
}

pub(crate) fn read_entry(attributes: &Attributes) -> Result<Entry, StoreError> {
    let item = Item::new(CREDIT_TRANSACTIONS.name, attributes);
    let amount = CreditsDelta::new(item.number("amount")?).map_err(|_| item.corrupt("amount"))?;
    Ok(Entry {
        id: item.parsed("entry")?,
        account: item.parsed("account")?,
        kind: read_kind(&item, amount)?,
        amount,
        at: item.time("at")?,
    })
}

fn read_kind(item: &Item<'_>, amount: CreditsDelta) -> Result<Kind, StoreError> {
    let once = || item.text("once").map(OnceKey::stored);
    Ok(match item.text("kind")? {
        "grant" => {
            let origin = Origin::parse(item.text("origin")?).ok_or(item.corrupt("origin"))?;
            Kind::Grant { origin, key: once()?, top_up: item.maybe_parsed("topUp")? }
        }
        "charge" => Kind::Run(read_outcome(item, Verdict::Charged(amount.magnitude()))?),
        "release" => {
            let lost = CostCents::from_micro_cents(item.maybe_number("lost")?.unwrap_or(0));
            // Absent where all of it counts.
            let counted = item.maybe_number("counted")?.map_or(lost, CostCents::from_micro_cents);
            let reason = item.text("reason")?.to_owned();
            Kind::Run(read_outcome(item, Verdict::Released { reason, lost, counted })?)
        }
        "refund" => Kind::Refund { run: item.parsed("run")?, reason: item.text("reason")?.to_owned() },
        "reversal" => {
            let debt = Credits::new(item.number("debt")?).map_err(|_| item.corrupt("debt"))?;
            Kind::Reversal { of: item.parsed("of")?, debt, key: once()? }
        }
        "reinstatement" => Kind::Reinstatement { of: item.parsed("of")?, key: once()? },
        _ => return Err(item.corrupt("kind")),
    })
}

fn read_outcome(item: &Item<'_>, verdict: Verdict) -> Result<RunOutcome, StoreError> {
    let nonce = Nonce::decode(item.text("nonce")?).ok_or(item.corrupt("nonce"))?;
    Ok(RunOutcome { verdict, nonce, receipt: item.text("receipt")?.to_owned() })
}
