use super::LifecycleRule;
use super::objects::ObjectFolder;
use primitives::Timestamp;
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// How long parts wait for the rest of their file; every rule of `template.yaml` says so.
pub(super) const UNFINISHED_DAYS: u32 = 1;

/// Removes the objects whose rule's days are over, of several rules that fit by the shortest, and files that were begun in
/// parts and never completed.
pub(super) fn sweep(
    folder: &ObjectFolder,
    bucket: &str,
    rules: &[LifecycleRule],
    now: Timestamp,
) -> io::Result<usize> {
    let mut removed = folder.give_up_unfinished(now.before(days(UNFINISHED_DAYS)))?;
    for (key, stored_at) in objects(&folder.bucket(bucket))? {
        let kept = rules.iter().filter(|rule| key.starts_with(&rule.prefix)).map(|rule| rule.days).min();
        let over = kept.is_some_and(|kept| now.since(stored_at) >= days(kept));
        if over {
            fs::remove_file(folder.object(bucket, &key))?;
            folder.forget(bucket, &key);
            removed += 1;
        }
    }
    Ok(removed)
}

fn days(number: u32) -> Duration {
    Duration::from_secs(86_400 * u64::from(number))
}

/// Every object of the bucket with the time it was stored.
fn objects(bucket: &Path) -> io::Result<Vec<(String, Timestamp)>> {
    let mut found = Vec::new();
    let mut folders = vec![bucket.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                found.extend(object(bucket, &entry)?);
            }
        }
    }
    Ok(found)
}

fn object(bucket: &Path, entry: &DirEntry) -> io::Result<Option<(String, Timestamp)>> {
    let path = entry.path();
    let Some(key) = path.strip_prefix(bucket).ok().and_then(Path::to_str) else { return Ok(None) };
    let age = entry.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    Ok(Some((key.to_owned(), Timestamp::from_millis(millis))))
}
