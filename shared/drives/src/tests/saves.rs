use crate::drive::DriveFailure;
use crate::save::{Save, SaveFailure, SaveId, SaveState, Setback, Writer};
use crate::{DriveKind, SaveId as Id};
use media::{FileType, StoredOutput};
use primitives::{RunId, Timestamp};
use proptest::prelude::*;
use std::time::Duration;

pub(super) fn now() -> Timestamp {
    Timestamp::from_seconds(1_800_000_000)
}

pub(super) fn save() -> Save {
    let run = RunId::mint(now());
    let output = StoredOutput {
        kind: FileType::Png,
        key: format!("tmp30/user_ann/2027-01-15/{run}.png"),
        bytes: 1_000,
        sha256: "x".to_owned(),
        expires_at: now().after(Duration::from_secs(30 * 86_400)),
        file_name: None,
        pixels: None,
        millis: None,
        thumbnail: None,
    };
    let id = SaveId { run, output: 0, drive: DriveKind::GoogleDrive };
    Save::new(&"user_ann".parse().unwrap(), id, "image", &output, now())
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn is_over(save: &Save) -> bool {
    !matches!(save.state, SaveState::Waiting { .. })
}

const BUSY: Setback = Setback::Passing(None);

#[test]
fn an_id_has_one_spelling() {
    let id = save().id;
    assert_eq!(id.to_string().parse(), Ok(id));
    let text = id.to_string();
    for other in [
        text.replace(".0.", ".00."),
        text.replace(".0.", ".-1."),
        text.to_lowercase(),
        text.replace("google_drive", "gdrive"),
        text[1..].to_owned(),
        format!("{text}.x"),
        String::new(),
    ] {
        assert!(other.parse::<Id>().is_err(), "{other}");
    }
}

#[test]
fn the_files_of_a_run_have_names_of_their_own_that_say_nothing_of_the_content() {
    let first = save();
    let run = first.id.run;
    assert_eq!(first.file().name, format!("image-{run}.png"));
    let second = Save { id: SaveId { output: 1, ..first.id }, ..first.clone() };
    assert_eq!(second.file().name, format!("image-{run}-2.png"));
    let odd = Save { tool: "../x \u{202e}y".to_owned(), ..first };
    assert_eq!(odd.file().name, format!("xy-{run}.png"));
}

#[test]
fn one_visitor_at_a_time_has_a_save_and_a_lost_one_gives_it_back_after_its_lease() {
    let (one, other) = (Writer::draw(), Writer::draw());
    let claimed = save().claimed(5, &one, now()).unwrap();
    assert_eq!((claimed.tries, claimed.version), (1, 1));
    assert!(claimed.claimed(5, &other, now().after(seconds(89))).is_none());
    assert!(claimed.again(now()).is_none(), "its owner does not disturb it");
    let again = claimed.claimed(5, &other, now().after(seconds(90))).unwrap();
    assert_eq!(again.tries, 2, "the visitor that was lost has used up a try");
}

#[test]
fn waits_double_up_to_an_hour_and_then_the_save_is_given_up() {
    let writer = Writer::draw();
    let (mut save, mut at, mut waits) = (save(), now(), Vec::new());
    loop {
        save = save.claimed(9, &writer, at).unwrap().set_back(BUSY, 9, &writer, at);
        match save.state {
            SaveState::Waiting { due, .. } => {
                waits.push(due.since(at).as_secs() / 60);
                at = due;
            }
            SaveState::Failed { why, .. } => {
                assert_eq!(why, SaveFailure::DriveUnavailable);
                break;
            }
            SaveState::Saved { .. } => unreachable!("nothing was sent"),
        }
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert!(save.claimed(5, &writer, at.after(seconds(86_400))).is_none(), "it is over");
    let again = save.again(at).unwrap();
    assert_eq!((again.tries, &again.state), (0, &SaveState::Waiting { due: at, leased_until: None }));
}

#[test]
fn a_drive_that_says_how_long_to_wait_is_waited_for() {
    let writer = Writer::draw();
    let claimed = save().claimed(5, &writer, now()).unwrap();
    for (told, waited) in [(5, 60), (600, 600)] {
        let waiting = claimed.set_back(Setback::Passing(Some(seconds(told))), 9, &writer, now());
        let due = now().after(seconds(waited));
        assert_eq!(waiting.state, SaveState::Waiting { due, leased_until: None });
    }
}

#[test]
fn a_revoked_grant_a_full_drive_and_a_refused_file_fail_without_a_wait() {
    for (failure, why) in [
        (DriveFailure::GrantRevoked, SaveFailure::Reconnect),
        (DriveFailure::Full, SaveFailure::DriveFull),
        (DriveFailure::Refused(400), SaveFailure::DriveRefused),
    ] {
        assert_eq!(Setback::from(&failure), Setback::Final(why));
    }
    for failure in [DriveFailure::AccessRefused, DriveFailure::Passing("busy", None)] {
        assert_eq!(Setback::from(&failure), Setback::Passing(None));
    }
}

#[test]
fn a_save_is_not_tried_after_its_output_is_gone() {
    let writer = Writer::draw();
    let last = save().output.expires_at.before(seconds(60));
    let waiting = Save { state: SaveState::Waiting { due: last, leased_until: None }, ..save() };
    let failed = waiting.claimed(9, &writer, last).unwrap().set_back(BUSY, 9, &writer, last);
    assert!(matches!(failed.state, SaveState::Failed { why: SaveFailure::DriveUnavailable, .. }));
}

#[test]
fn a_visit_that_brought_the_file_further_does_not_count_as_a_try() {
    let writer = Writer::draw();
    let claimed = save().claimed(5, &writer, now()).unwrap();
    assert_eq!(claimed.paused(true, &writer, now()).tries, 0);
    assert_eq!(claimed.paused(false, &writer, now()).tries, 1);
}

#[test]
fn a_save_whose_visitors_are_all_lost_fails_after_its_tries() {
    let (writer, mut save, mut at) = (Writer::draw(), save(), now());
    for tries in 1..=5 {
        save = save.claimed(5, &writer, at).unwrap();
        assert!(!is_over(&save) && save.tries == tries);
        at = at.after(seconds(90));
    }
    let over = save.claimed(5, &writer, at).unwrap();
    assert_eq!(over.state, SaveState::Failed { why: SaveFailure::DriveUnavailable, at });
    assert_eq!(over.again(at).unwrap().tries, 0, "its owner can ask again");
}

/// What a save may meet.
#[derive(Debug, Clone, Copy)]
enum Event {
    Visit(u8),
    Killed,
    Later(u16),
    Again,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..6_u8).prop_map(Event::Visit),
        Just(Event::Killed),
        (0..5_000_u16).prop_map(Event::Later),
        Just(Event::Again),
    ]
}

proptest! {
    /// Every row that follows has the next version, a save that is over stays as it is until its owner asks, and one that waits
    /// is due within an hour or when its lease ends.
    #[test]
    fn after_any_events_a_save_is_due_within_an_hour_or_is_over(events in prop::collection::vec(event(), 1..60)) {
        let writer = Writer::draw();
        let (mut save, mut at) = (save(), now());
        for event in events {
            let before = save.clone();
            match event {
                Event::Later(later) => at = at.after(seconds(later.into())),
                Event::Again => if let Some(again) = save.again(at) { save = again },
                Event::Killed => if let Some(claimed) = save.claimed(5, &writer, at) { save = claimed },
                Event::Visit(kind) => if let Some(claimed) = save.claimed(5, &writer, at) {
                    save = match kind {
                        _ if is_over(&claimed) => claimed,
                        0 => claimed.done("https://drive.example/1".to_owned(), &writer, at),
                        1 => claimed.set_back(BUSY, 5, &writer, at),
                        2 => claimed.set_back(Setback::Final(SaveFailure::DriveFull), 5, &writer, at),
                        3 => claimed.paused(true, &writer, at),
                        _ => claimed.advanced(Some("work".to_owned()), &writer).set_back(BUSY, 5, &writer, at),
                    };
                },
            }
            prop_assert!(save.version >= before.version);
            prop_assert!((save.version == before.version) == (save == before));
            prop_assert!(save.tries <= 5);
            match &save.state {
                SaveState::Waiting { due, .. } => prop_assert!(*due <= at.after(seconds(3_600))),
                SaveState::Saved { .. } => prop_assert!(save.again(at).is_none()),
                SaveState::Failed { .. } => prop_assert!(save.claimed(5, &writer, at).is_none()),
            }
        }
    }
}
