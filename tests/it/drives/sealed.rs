//! Tokens at rest: they open for their person, their drive and their key, and for nothing else.

use super::*;
use crate::books;
use crate::world::DRIVE_KEY;
use aws_sdk_dynamodb::types::AttributeValue;
use platform::{Binding, Platform, Vault, VaultError};
use primitives::Secret;

const OTHER_KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/another";

fn vault(platform: &Platform, key: &str) -> Vault {
    let platform = platform.with_settings([("DRIVE_VAULT".to_owned(), key.to_owned())]);
    platform.env().section(|settings| Vault::read(&platform, settings)).unwrap()
}

fn binding<'a>(account: &'a str, provider: &'a str) -> Binding<'a> {
    Binding { purpose: "drive-token", account, provider }
}

/// By KMS, and by the local key.
#[tokio::test]
async fn a_sealed_token_opens_for_its_person_and_its_drive_alone() {
    let world = World::start().await;
    let token = Secret::new("1//0-a-refresh-token");
    for key in [DRIVE_KEY, ""] {
        let vault = vault(&world.accountant, key);
        let ann = binding("user_ann", "google_drive");
        let sealed = vault.seal(&ann, &token).await.unwrap();
        assert!(!sealed.contains("refresh"), "{sealed}");
        assert!(vault.open(&ann, &sealed).await.unwrap() == token);
        assert_ne!(vault.seal(&ann, &token).await.unwrap(), sealed, "sealed anew each time");
        for other in [
            binding("user_bob", "google_drive"),
            binding("user_ann", "dropbox"),
            Binding { purpose: "other", ..ann.clone() },
        ] {
            let refused = vault.open(&other, &sealed).await;
            assert!(matches!(refused, Err(VaultError::Broken)), "{other:?}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn a_sealed_token_with_one_bit_changed_or_cut_off_does_not_open() {
    let world = World::start().await;
    for key in [DRIVE_KEY, ""] {
        let vault = vault(&world.accountant, key);
        let ann = binding("user_ann", "dropbox");
        let sealed = vault.seal(&ann, &Secret::new("token")).await.unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            // Another character of base64, so that it is the content that is wrong and not the form.
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let opened = vault.open(&ann, &changed).await;
            // The last character of a base64 text may hold bits that belong to no byte.
            let is_padding = at + 1 >= sealed.trim_end_matches('=').len();
            assert!(opened.is_err() || is_padding, "{at}: {changed}");
        }
        for length in [0, 1, 3, 10, sealed.len() / 2, sealed.len() - 4] {
            assert!(vault.open(&ann, &sealed[..length]).await.is_err(), "{length}");
        }
    }
}

#[tokio::test]
async fn a_token_that_was_sealed_with_another_key_is_refused_as_that() {
    let world = World::start().await;
    let ann = binding("user_ann", "dropbox");
    let (ours, other, local) = (
        vault(&world.accountant, DRIVE_KEY),
        vault(&world.accountant, OTHER_KEY),
        vault(&world.accountant, ""),
    );
    let sealed = ours.seal(&ann, &Secret::new("token")).await.unwrap();
    for vault in [&other, &local] {
        let refused = vault.open(&ann, &sealed).await;
        assert!(matches!(refused, Err(VaultError::OtherKey)), "{refused:?}");
    }
    let sealed = local.seal(&ann, &Secret::new("token")).await.unwrap();
    assert!(matches!(ours.open(&ann, &sealed).await, Err(VaultError::OtherKey)));
    let nowhere = vault(&world.accountant, "no-key");
    let refused = nowhere.seal(&ann, &Secret::new("token")).await;
    assert!(matches!(refused, Err(VaultError::Refused { .. })), "{refused:?}");
}

async fn token_of(world: &World, person: &Person) -> String {
    let rows = books::scan(world, "linked_drives").await;
    let row = rows.iter().find(|row| row["account"].as_s().unwrap() == &person.id()).unwrap();
    row["token"].as_s().unwrap().clone()
}

async fn put_token(world: &World, person: &Person, drive: DriveKind, token: String) {
    let update = world.accountant.dynamo().update_item().table_name(world.table("linked_drives"));
    let update = update
        .key("account", platform::text(person.id()))
        .key("id", platform::text(drive))
        .update_expression("SET #token = :token")
        .expression_attribute_names("#token", "token")
        .expression_attribute_values(":token", AttributeValue::S(token));
    update.send().await.unwrap();
}

#[tokio::test]
async fn a_token_in_another_persons_row_is_told_as_reconnect_and_never_used() {
    let world = World::start().await;
    let (ann, bob) = (world.person("ann"), world.person("bob"));
    for drive in BOTH {
        link(&world, &ann, drive).await;
        link(&world, &bob, drive).await;
        let run = a_text(&bob).await;
        put_token(&world, &bob, drive, token_of(&world, &ann).await).await;
        save(&world, &bob, &run, drive).await;
        assert_eq!(shown(&bob, &run).await, [failed("reconnect")]);
        assert_eq!(
            (status(&bob, drive).await.as_str(), status(&ann, drive).await.as_str()),
            ("reconnect", "linked")
        );
        assert!(files(&world, drive).is_empty(), "Ann's drive has nothing of Bob's");
        link(&world, &bob, drive).await;
        save(&world, &bob, &run, drive).await;
        assert_eq!(files(&world, drive)[0].person, "bob");
        for person in [&ann, &bob] {
            person.send("DELETE", &format!("/v1/drives/{drive}"), &Value::Null).await;
        }
    }
}

#[tokio::test]
async fn with_another_key_saves_wait_and_go_through_when_the_right_one_is_back() {
    let world = World::start().await;
    let ann = world.person("ann");
    link(&world, &ann, GOOGLE).await;
    prefer(&ann, GOOGLE, "always").await;
    let run = a_text(&ann).await;
    let misled = world.instance(&[("DRIVE_VAULT", OTHER_KEY)]).await;
    reservation_sweep::handle(&misled.role("ReservationSweep")).await.unwrap();
    assert_eq!(
        shown(&ann, &run).await,
        [waiting()],
        "the link may be whole: a person has to look at the key"
    );
    assert_eq!(status(&ann, GOOGLE).await, "linked");
    world.advance(std::time::Duration::from_secs(61));
    sweep(&world).await;
    assert_eq!(shown(&ann, &run).await, [saved(&files(&world, GOOGLE)[0])]);
}

#[tokio::test]
async fn no_token_code_or_address_of_an_upload_stands_in_a_table_in_clear() {
    let world = World::start().await;
    let ann = world.person("ann");
    for drive in BOTH {
        link(&world, &ann, drive).await;
        prefer(&ann, drive, "always").await;
        begin(&world.person("bob"), drive).await;
        a_video(&world, &ann, 72 * 1024 * 1024).await;
        // An upload is under way, so its address is stored.
        super::faults::visit_once(&world).await;
        for table in ["linked_drives", "pending_links", "drive_saves"] {
            for row in books::scan(&world, table).await {
                let text = format!("{row:?}");
                for secret in ["1//0", "ya29.", "4/0", "sl.u.", "refresh-", "upload_id", "pid_upload_session"]
                {
                    assert!(!text.contains(secret), "{table}: {secret} in {text}");
                }
            }
        }
        ann.send("DELETE", &format!("/v1/drives/{drive}"), &Value::Null).await;
    }
}
