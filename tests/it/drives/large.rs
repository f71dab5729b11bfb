//! A file of 500 MB on its way from the bucket to a drive.

use super::*;
use std::time::Duration;

const MB: usize = 1024 * 1024;
/// What `Saving` reads at once.
const PART: u64 = 4 * 1024 * 1024;

#[tokio::test]
async fn a_file_of_500_mb_is_sent_part_by_part_with_one_part_in_memory() {
    for drive in BOTH {
        let world = World::start().await;
        let ann = world.person("ann");
        link(&world, &ann, drive).await;
        prefer(&ann, drive, "always").await;
        let length = 500 * MB;
        let (_, output) = a_video(&world, &ann, length).await;
        let sweeper = world.instance(&[]).await;
        let role = sweeper.role("ReservationSweep");
        let saving = drives::Saving::new(&role).unwrap();
        while newest(&ann).await["status"] == "waiting" {
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
        let largest = world.sandbox.journal().iter().filter(|entry| entry.service == service(drive)).count();
        assert!(largest > 0);
    }
}
