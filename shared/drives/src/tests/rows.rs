use super::saves::{now, save};
use crate::DriveKind;
use crate::items::{
    link_item, pending_item, preference_item, read_link, read_pending, read_preference, read_save, save_item,
};
use crate::link::{LinkStatus, LinkedDrive, Preference, Sealed};
use crate::pending::PendingLink;
use crate::save::{Save, SaveFailure, SaveState};
use std::time::Duration;

fn link(status: LinkStatus) -> LinkedDrive {
    LinkedDrive {
        account: "user_ann".parse().unwrap(),
        kind: DriveKind::Dropbox,
        linked_at: now(),
        status,
        holder: "dbid:1".to_owned(),
        sealed: Sealed("l1.1.local.AAAA".to_owned()),
        version: "7".to_owned(),
    }
}

#[test]
fn a_save_is_read_as_it_was_written_in_every_state_and_only_one_that_waits_is_in_the_index() {
    let (due, leased_until) = (now(), Some(now().after(Duration::from_secs(90))));
    let mut states = vec![
        SaveState::Waiting { due, leased_until: None },
        SaveState::Waiting { due, leased_until },
        SaveState::Saved { link: "https://drive.example/1".to_owned(), at: now() },
    ];
    states.extend(SaveFailure::ALL.iter().map(|why| SaveState::Failed { why: *why, at: now() }));
    for state in states {
        for work in [None, Some("1.local.AAAA".to_owned())] {
            let save = Save { state: state.clone(), work, tries: 3, version: 4, ..save() };
            let row = save_item(&save, Duration::from_secs(1)).unwrap();
            assert_eq!(read_save(&row).unwrap(), save);
            let waits = matches!(save.state, SaveState::Waiting { .. });
            assert_eq!((row.contains_key("poll"), row.contains_key("due")), (waits, waits));
        }
    }
}

#[test]
fn links_preferences_and_begun_links_are_read_as_they_were_written() {
    for status in [LinkStatus::Linked, LinkStatus::Reconnect { since: now() }] {
        assert_eq!(read_link(&link_item(&link(status))).unwrap(), link(status));
    }
    let account = "user_ann".parse().unwrap();
    for preference in [Preference::ByHand(DriveKind::Dropbox), Preference::Always(DriveKind::GoogleDrive)] {
        assert_eq!(read_preference(&preference_item(&account, preference).unwrap()).unwrap(), preference);
    }
    assert!(preference_item(&account, Preference::Unset).is_none());
    let pending =
        PendingLink { account, kind: DriveKind::GoogleDrive, challenge: "c".to_owned(), expires_at: now() };
    assert_eq!(read_pending(&pending_item("s", &pending)).unwrap(), pending);
}

#[test]
fn a_row_that_is_not_as_we_write_it_is_an_error() {
    let whole = save_item(&save(), Duration::from_secs(1)).unwrap();
    for (name, value) in [("id", "x"), ("output", "{}"), ("failure", "tired"), ("account", "")] {
        let mut row = whole.clone();
        row.insert(name.to_owned(), platform::text(value));
        assert!(read_save(&row).is_err(), "{name}");
    }
    let mut row = link_item(&link(LinkStatus::Linked));
    row.insert("id".to_owned(), platform::text("floppy"));
    assert!(read_link(&row).is_err());
}

#[test]
fn nothing_sealed_or_secret_can_be_printed() {
    let token = crate::drive::RefreshToken(primitives::Secret::new("canary"));
    let session = crate::drive::Session("canary".to_owned());
    let link = LinkedDrive { sealed: Sealed("canary".to_owned()), ..link(LinkStatus::Linked) };
    let printed = format!("{token:?} {session:?} {link:?}");
    assert!(!printed.contains("canary"), "{printed}");
}
