//! A long file on its way from the bucket to a drive.

use super::*;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use media::FileType;
use std::time::Duration;

const MB: usize = 1024 * 1024;
/// What `Saving` reads at once.
const PART: u64 = 4 * 1024 * 1024;

/// As a run would have stored it, but by a client that waits for as long as the embedded store takes.
async fn a_long_file(world: &World, person: &Person, length: usize) -> (RunId, StoredOutput) {
    let account: AccountId = person.id().parse().unwrap();
    let run = RunId::mint(world.now());
    let key = media::output_key(&account, &format!("{run}-hold-0"), FileType::Mp4, world.now());
    let patient = || aws_sdk_s3::Config::builder().timeout_config(TimeoutConfig::disabled());
    let (s3, bucket) = (world.accountant.s3(), &world.accountant.store().media_bucket);
    let begun = s3.create_multipart_upload().bucket(bucket).key(&key).customize().config_override(patient());
    let upload = begun.send().await.unwrap().upload_id.unwrap();
    let (mut hash, mut parts) = (ring::digest::Context::new(&ring::digest::SHA256), Vec::new());
    for number in 1..=length / (10 * MB) {
        let content = Bytes::from(vec![number as u8; 10 * MB]);
        hash.update(&content);
        let number = i32::try_from(number).unwrap();
        let part = s3.upload_part().bucket(bucket).key(&key).upload_id(&upload).part_number(number);
        let part = part.body(content.into()).customize().config_override(patient()).send().await.unwrap();
        parts.push(CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build());
    }
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let end =
        s3.complete_multipart_upload().bucket(bucket).key(&key).upload_id(upload).multipart_upload(parts);
    end.customize().config_override(patient()).send().await.unwrap();
    use base64::Engine;
    let sha256 = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hash.finish());
    let stored = StoredOutput {
        kind: FileType::Mp4,
        key,
        bytes: length as u64,
        sha256,
        expires_at: world.now().after(Duration::from_secs(30 * 86_400)),
        file_name: None,
        pixels: None,
        millis: None,
        thumbnail: None,
    };
    let outputs = std::slice::from_ref(&stored);
    let order = drives::Order { account: &account, run, tool: "video", outputs };
    drives::Saves::new(&world.accountant).unwrap().schedule_always(order).await.unwrap();
    (run, stored)
}

#[tokio::test]
async fn a_long_file_is_sent_part_by_part_with_one_part_in_memory() {
    for drive in BOTH {
        let world = World::start().await;
        let ann = world.person("ann");
        link(&world, &ann, drive).await;
        prefer(&ann, drive, "always").await;
        // More parts are more of the same, and a debug build takes seconds for each.
        let length = 50 * MB;
        let (_, output) = a_long_file(&world, &ann, length).await;
        let sweeper = world.instance(&[]).await;
        let role = sweeper.role("ReservationSweep");
        let saving = drives::Saving::new(&role).unwrap();
        while newest(&ann).await["status"] == "waiting" {
            let save = newest(&ann).await;
            assert!(save["next_try_at"].is_null(), "nothing stood in the way: {save}");
            saving.run_due_within(Duration::from_secs(20)).await.unwrap();
        }
        let found = files(&world, drive);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].bytes, &found[0].sha256), (length as u64, &hex_of(&output)));
        // Each part is read by a call of its own, and sent before the next one is read.
        let calls = sweeper.meddler.calls();
        let reads = calls.iter().filter(|call| call.object.is_some()).count() as u64;
        assert_eq!(reads, (length as u64).div_ceil(PART), "as many reads as parts, and none twice");
        let in_a_row = calls.windows(2).filter(|pair| pair.iter().all(|call| call.object.is_some())).count();
        assert_eq!(in_a_row, 0, "between two reads it is noted that the part has arrived");
    }
}
