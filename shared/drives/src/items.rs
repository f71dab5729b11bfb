use crate::link::{LinkStatus, LinkedDrive, Preference, Sealed};
use crate::pending::PendingLink;
use crate::save::{Save, SaveFailure, SaveState, Writer};
use crate::{DriveKind, SaveId};
use platform::{Attributes, Index, Item, ItemBuilder, Key, KeyType, StoreError, TableSpec, key};
use primitives::{AccountId, Timestamp};
use std::time::Duration;

/// An account's linked drives (`google_drive`, `dropbox`), each with its sealed token, and beside them what it prefers
/// (`preference`).
pub const LINKED_DRIVES: TableSpec = TableSpec {
    name: "linked_drives",
    partition_key: "account",
    sort_key: Some("id"),
    indexes: &[],
    ttl: None,
};

/// `state` (a hash of what the drive brings back) → a link that was begun, for ten minutes.
pub const PENDING_LINKS: TableSpec = TableSpec {
    name: "pending_links",
    partition_key: "state",
    sort_key: None,
    indexes: &[],
    ttl: Some("ttl"),
};

/// `account`, `id` (run, output and drive) → a save and what has come of it. In the index as long as it waits.
pub const DRIVE_SAVES: TableSpec = TableSpec {
    name: "drive_saves",
    partition_key: "account",
    sort_key: Some("id"),
    indexes: &[Index { name: DUE_INDEX, partition_key: "poll", sort_key: ("due", KeyType::Number) }],
    ttl: Some("ttl"),
};

/// `poll` (`SAVE#0` to `SAVE#3`), `due` (Unix seconds).
pub(crate) const DUE_INDEX: &str = "by-due";
/// Saves are spread over so many keys of the index, which are swept side by side.
pub(crate) const SHARDS: u8 = 4;

/// Every table of this crate.
pub const TABLES: &[TableSpec] = &[LINKED_DRIVES, PENDING_LINKS, DRIVE_SAVES];

/// The row of an account that is no drive.
pub(crate) const PREFERENCE: &str = "preference";

pub(crate) fn link_key(account: &AccountId, kind: DriveKind) -> Key {
    key([("account", account.as_str()), ("id", kind.as_str())])
}

pub(crate) fn preference_key(account: &AccountId) -> Key {
    key([("account", account.as_str()), ("id", PREFERENCE)])
}

pub(crate) fn link_item(link: &LinkedDrive) -> Attributes {
    let since = match link.status {
        LinkStatus::Linked => None,
        LinkStatus::Reconnect { since } => Some(since.millis()),
    };
    ItemBuilder::default()
        .text("account", &link.account)
        .text("id", link.kind)
        .text("holder", &link.holder)
        .text("token", &link.sealed.0)
        .text("version", &link.version)
        .number("linked_at", link.linked_at.millis())
        .maybe_number("reconnect", since)
        .build()
}

pub(crate) fn read_link(attributes: &Attributes) -> Result<LinkedDrive, StoreError> {
    let item = Item::new(LINKED_DRIVES.name, attributes);
    let since: Option<u64> = item.maybe_number("reconnect")?;
    Ok(LinkedDrive {
        account: item.parsed("account")?,
        kind: item.parsed("id")?,
        linked_at: item.time("linked_at")?,
        status: since.map_or(LinkStatus::Linked, |since| LinkStatus::Reconnect {
            since: Timestamp::from_millis(since),
        }),
        holder: item.text("holder")?.to_owned(),
        sealed: Sealed(item.text("token")?.to_owned()),
        version: item.text("version")?.to_owned(),
    })
}

/// `None`: nothing is preferred, so there is no row.
pub(crate) fn preference_item(account: &AccountId, preference: Preference) -> Option<Attributes> {
    let drive = preference.drive()?;
    let item = ItemBuilder::default()
        .text("account", account)
        .text("id", PREFERENCE)
        .text("drive", drive)
        .maybe_true("always", preference.always().is_some());
    Some(item.build())
}

pub(crate) fn read_preference(attributes: &Attributes) -> Result<Preference, StoreError> {
    let item = Item::new(LINKED_DRIVES.name, attributes);
    let drive = item.parsed("drive")?;
    Ok(if item.flag("always") { Preference::Always(drive) } else { Preference::ByHand(drive) })
}

pub(crate) fn is_preference(attributes: &Attributes) -> bool {
    attributes.get("id").and_then(|id| id.as_s().ok()).is_some_and(|id| id == PREFERENCE)
}

pub(crate) fn pending_key(state: &str) -> Key {
    key([("state", state)])
}

pub(crate) fn pending_item(state: &str, pending: &PendingLink) -> Attributes {
    ItemBuilder::default()
        .text("state", state)
        .text("account", &pending.account)
        .text("drive", pending.kind)
        .text("challenge", &pending.challenge)
        .number("expires_at", pending.expires_at.millis())
        .number("ttl", pending.expires_at.seconds())
        .build()
}

pub(crate) fn read_pending(attributes: &Attributes) -> Result<PendingLink, StoreError> {
    let item = Item::new(PENDING_LINKS.name, attributes);
    Ok(PendingLink {
        account: item.parsed("account")?,
        kind: item.parsed("drive")?,
        challenge: item.text("challenge")?.to_owned(),
        expires_at: item.time("expires_at")?,
    })
}

pub(crate) fn save_key(account: &AccountId, id: &str) -> Key {
    key([("account", account.as_str()), ("id", id)])
}

pub(crate) fn shard_name(shard: u8) -> String {
    format!("SAVE#{shard}")
}

pub(crate) fn save_item(save: &Save, kept_for: Duration) -> Result<Attributes, StoreError> {
    let output = serde_json::to_string(&save.output);
    let output =
        output.map_err(|_| StoreError::corrupt(DRIVE_SAVES.name, "attribute `output` can't be written"))?;
    let item = ItemBuilder::default()
        .text("account", &save.account)
        .text("id", save.id)
        .text("tool", &save.tool)
        .text("output", output)
        .maybe_text("work", save.work.as_ref())
        .number("tries", save.tries)
        .number("version", save.version)
        .text("writer", &save.writer.0)
        .number("created_at", save.created_at.millis())
        .number("ttl", save.created_at.after(kept_for).seconds());
    let item = match &save.state {
        SaveState::Waiting { due, leased_until } => item
            .text("poll", shard_name(save.id.shard(&save.account, SHARDS)))
            .number("due", due.seconds())
            .number("due_at", due.millis())
            .maybe_number("leased_until", leased_until.map(Timestamp::millis)),
        SaveState::Saved { link, at } => item.text("link", link).number("ended_at", at.millis()),
        SaveState::Failed { why, at } => item.text("failure", why.as_str()).number("ended_at", at.millis()),
    };
    Ok(item.build())
}

pub(crate) fn read_save(attributes: &Attributes) -> Result<Save, StoreError> {
    let item = Item::new(DRIVE_SAVES.name, attributes);
    let state = match (item.maybe_text("link")?, item.maybe_text("failure")?) {
        (Some(link), None) => SaveState::Saved { link: link.to_owned(), at: item.time("ended_at")? },
        (None, Some(why)) => {
            let why = SaveFailure::named(why).ok_or_else(|| item.corrupt("failure"))?;
            SaveState::Failed { why, at: item.time("ended_at")? }
        }
        (None, None) => {
            let leased_until: Option<u64> = item.maybe_number("leased_until")?;
            SaveState::Waiting {
                due: item.time("due_at")?,
                leased_until: leased_until.map(Timestamp::from_millis),
            }
        }
        (Some(_), Some(_)) => return Err(item.corrupt("failure")),
    };
    Ok(Save {
        account: item.parsed("account")?,
        id: item.parsed::<SaveId>("id")?,
        created_at: item.time("created_at")?,
        state,
        tool: item.text("tool")?.to_owned(),
        output: serde_json::from_str(item.text("output")?).map_err(|_| item.corrupt("output"))?,
        work: item.maybe_text("work")?.map(str::to_owned),
        tries: item.number("tries")?,
        version: item.number("version")?,
        writer: Writer(item.text("writer")?.to_owned()),
    })
}
