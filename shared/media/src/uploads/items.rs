use super::allowance::Allowance;
use super::upload::{Announced, Upload, UploadFacts, UploadRefusal, UploadState};
use super::wish::UploadWish;
use crate::FileType;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::{Attributes, Item, ItemBuilder, Key, StoreError, TableSpec, key};
use primitives::{AccountId, Timestamp, UploadId};
use serde::Deserialize;
use serde::de::IntoDeserializer;

/// An account's uploads (`upload_…`), and beside them how much of its allowance is used (`allowance`).
pub(crate) const UPLOADS_TABLE: TableSpec = TableSpec {
    name: "uploads",
    partition_key: "account",
    sort_key: Some("id"),
    indexes: &[],
    ttl: Some("ttl"),
};

/// The row of an account that is no upload.
const ALLOWANCE: &str = "allowance";
/// What an allowance counts is over by then.
const ALLOWANCE_KEPT: std::time::Duration = std::time::Duration::from_secs(2 * 86_400);

pub(crate) fn upload_key(account: &AccountId, id: UploadId) -> Key {
    key([("account", account.as_str()), ("id", &id.to_string())])
}

pub(crate) fn allowance_key(account: &AccountId) -> Key {
    key([("account", account.as_str()), ("id", ALLOWANCE)])
}

/// A new upload; its state comes later ([`state_values`]).
pub(crate) fn upload_item(upload: &Upload) -> Attributes {
    ItemBuilder::default()
        .text("account", &upload.account)
        .text("id", upload.id)
        .text("kind", upload.kind.as_str())
        .text("content_type", &upload.announced.content_type)
        .number("bytes", upload.announced.bytes)
        .text("sha256", URL_SAFE_NO_PAD.encode(upload.announced.sha256))
        .text("key", &upload.key)
        .number("created_at", upload.created_at.millis())
        .number("form_until", upload.form_until.millis())
        .number("expires_at", upload.expires_at.millis())
        .number("ttl", upload.expires_at.seconds())
        .build()
}

/// What is set in an upload's row when it is settled: by name, without the colon and the hash of an expression.
pub(crate) fn state_values(state: &UploadState) -> Attributes {
    match state {
        UploadState::Waiting => Attributes::new(),
        UploadState::Refused(refusal) => ItemBuilder::default().text("refusal", refusal.as_str()).build(),
        UploadState::Ready(facts) => ItemBuilder::default()
            .text("file_type", facts.file_type.extension())
            .text("file_key", &facts.key)
            .number("file_bytes", facts.bytes)
            .text("file_sha256", URL_SAFE_NO_PAD.encode(facts.sha256))
            .maybe_number("width", facts.pixels.map(|(width, _)| width))
            .maybe_number("height", facts.pixels.map(|(_, height)| height))
            .maybe_number("millis", facts.millis)
            .build(),
    }
}

pub(crate) fn read_upload(attributes: &Attributes) -> Result<Upload, StoreError> {
    let item = Item::new(UPLOADS_TABLE.name, attributes);
    let kind = item.text("kind")?;
    Ok(Upload {
        id: item.parsed("id")?,
        account: item.parsed("account")?,
        kind: UploadWish::kinds().find(|known| known.as_str() == kind).ok_or_else(|| item.corrupt("kind"))?,
        announced: Announced {
            content_type: item.text("content_type")?.to_owned(),
            bytes: item.number("bytes")?,
            sha256: sha256(&item, "sha256")?,
        },
        created_at: item.time("created_at")?,
        form_until: item.time("form_until")?,
        expires_at: item.time("expires_at")?,
        state: read_state(&item)?,
        key: item.text("key")?.to_owned(),
    })
}

fn read_state(item: &Item<'_>) -> Result<UploadState, StoreError> {
    if let Some(refusal) = item.maybe_text("refusal")? {
        let refusal = UploadRefusal::of_name(refusal).ok_or_else(|| item.corrupt("refusal"))?;
        return Ok(UploadState::Refused(refusal));
    }
    let Some(file_type) = item.maybe_text("file_type")? else { return Ok(UploadState::Waiting) };
    Ok(UploadState::Ready(UploadFacts {
        file_type: of_extension(file_type).ok_or_else(|| item.corrupt("file_type"))?,
        bytes: item.number("file_bytes")?,
        sha256: sha256(item, "file_sha256")?,
        pixels: item.maybe_number("width")?.zip(item.maybe_number("height")?),
        millis: item.maybe_number("millis")?,
        key: item.text("file_key")?.to_owned(),
    }))
}

/// Types are told apart by how their files end; only `jpg` is spelled otherwise in other rows.
fn of_extension(text: &str) -> Option<FileType> {
    let name = if text == "jpg" { "jpeg" } else { text };
    let name: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
    FileType::deserialize(name).ok()
}

fn sha256(item: &Item<'_>, name: &str) -> Result<[u8; 32], StoreError> {
    let bytes = URL_SAFE_NO_PAD.decode(item.text(name)?).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| item.corrupt(name))
}

pub(crate) fn allowance_item(account: &AccountId, allowance: &Allowance, now: Timestamp) -> Attributes {
    let open = allowance.open.iter().map(|(id, until)| {
        let open = ItemBuilder::default().text("id", id).number("until", until.millis()).build();
        AttributeValue::M(open)
    });
    ItemBuilder::default()
        .text("account", account)
        .text("id", ALLOWANCE)
        .text("day", &allowance.day)
        .number("bytes", allowance.bytes)
        .value("open", AttributeValue::L(open.collect()))
        .number("version", allowance.version)
        .number("ttl", now.after(ALLOWANCE_KEPT).seconds())
        .build()
}

pub(crate) fn read_allowance(attributes: &Attributes) -> Result<Allowance, StoreError> {
    let item = Item::new(UPLOADS_TABLE.name, attributes);
    let open = attributes.get("open").and_then(|value| value.as_l().ok());
    let open = open.ok_or_else(|| item.corrupt("open"))?.iter().map(|value| {
        let open = value.as_m().map_err(|_| item.corrupt("open"))?;
        let open = Item::new(UPLOADS_TABLE.name, open);
        Ok((open.parsed("id")?, open.time("until")?))
    });
    Ok(Allowance {
        day: item.text("day")?.to_owned(),
        bytes: item.number("bytes")?,
        open: open.collect::<Result<_, StoreError>>()?,
        version: item.number("version")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::upload::tests::{now, upload};
    use super::*;
    use crate::FileFamily;

    #[test]
    fn an_upload_is_read_as_it_was_written_in_every_state() {
        let ready = UploadFacts {
            file_type: FileType::Jpeg,
            bytes: 90,
            sha256: [9; 32],
            pixels: Some((64, 48)),
            millis: Some(2_000),
            key: "up30/user_ann/clean.jpg".to_owned(),
        };
        let bare = UploadFacts { pixels: None, millis: None, file_type: FileType::Weba, ..ready.clone() };
        for state in [
            UploadState::Waiting,
            UploadState::Ready(ready),
            UploadState::Ready(bare),
            UploadState::Refused(UploadRefusal::Damaged),
        ] {
            let upload = Upload { state, ..upload(FileFamily::Audio) };
            let mut row = upload_item(&upload);
            row.extend(state_values(&upload.state));
            assert_eq!(read_upload(&row).unwrap(), upload);
        }
    }

    #[test]
    fn an_allowance_is_read_as_it_was_written() {
        let account: AccountId = "user_ann".parse().unwrap();
        let allowance = Allowance {
            day: "2027-01-15".to_owned(),
            bytes: 7,
            open: vec![(UploadId::mint(now()), now())],
            version: 4,
        };
        assert_eq!(read_allowance(&allowance_item(&account, &allowance, now())).unwrap(), allowance);
    }

    #[test]
    fn a_row_that_is_not_as_we_write_it_is_an_error() {
        let whole = upload_item(&upload(FileFamily::Image));
        for (name, value) in [
            ("kind", "film"),
            ("sha256", "AAAA"),
            ("id", "upload_1"),
            ("refusal", "bad"),
            ("file_type", "exe"),
        ] {
            let mut row = whole.clone();
            row.insert(name.to_owned(), platform::text(value));
            assert!(read_upload(&row).is_err(), "{name}");
        }
    }
}
