use super::LifecycleRule;
use super::objects::ObjectFolder;
use primitives::Timestamp;
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// Removes the objects whose rule's days are over. Of several rules that fit, the shortest counts.
pub(super) fn sweep(
    folder: &ObjectFolder,
    bucket: &str,
    rules: &[LifecycleRule],
    now: Timestamp,
) -> io::Result<usize> {
    let mut removed = 0;
    for (key, stored_at) in objects(&folder.bucket(bucket))? {
        let days = rules.iter().filter(|rule| key.starts_with(&rule.prefix)).map(|rule| rule.days).min();
        let over =
            days.is_some_and(|days| now.since(stored_at) >= Duration::from_secs(86_400 * u64::from(days)));
        if over {
            fs::remove_file(folder.object(bucket, &key))?;
            folder.forget(bucket, &key);
            removed += 1;
        }
    }
    Ok(removed)
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
