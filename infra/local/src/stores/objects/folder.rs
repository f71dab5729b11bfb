use crate::stores::StoreStartError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use primitives::Timestamp;
use s3s::{S3Result, s3_error};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// File systems end names here, and `s3s-fs` names its notes after the whole key.
const NAME_MAX: usize = 255;
/// What `s3s-fs` adds to the name of a note while parts are being uploaded.
pub(super) const UPLOAD_SUFFIX: usize = ".upload-00000000-0000-0000-0000-000000000000".len();

/// How `s3s-fs` begins the name of its note about a file that comes in parts; its id follows.
const UNFINISHED: &str = ".upload-";

/// How `s3s-fs` lays objects out: a folder per bucket, the key as path, and notes beside the buckets.
#[derive(Debug, Clone)]
pub(crate) struct ObjectFolder {
    root: PathBuf,
    drafts: Arc<AtomicU64>,
}

impl ObjectFolder {
    pub(crate) fn prepare(root: PathBuf, bucket: &str) -> Result<ObjectFolder, StoreStartError> {
        if !s3s::path::check_bucket_name(bucket) {
            return Err(StoreStartError::InvalidBucket { bucket: bucket.to_owned() });
        }
        fs::create_dir_all(root.join(bucket)).map_err(StoreStartError::folder(&root))?;
        Ok(ObjectFolder { root, drafts: Arc::default() })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn bucket(&self, bucket: &str) -> PathBuf {
        self.root.join(bucket)
    }

    pub(crate) fn object(&self, bucket: &str, key: &str) -> PathBuf {
        self.bucket(bucket).join(key)
    }

    /// A note about the bucket, or about one of its objects.
    pub(crate) fn note(&self, bucket: &str, key: Option<&str>, kind: &str) -> PathBuf {
        self.root.join(note_name(bucket, key, kind))
    }

    /// Removes what an object leaves behind when it goes: its notes and the folders it was alone in.
    ///
    /// A put that makes one of these folders at the same moment fails once; the SDK repeats it.
    pub(crate) fn forget(&self, bucket: &str, key: &str) {
        for kind in ["metadata.json", "internal.json", "tagging.xml"] {
            let _ = fs::remove_file(self.note(bucket, Some(key), kind));
        }
        let bucket = self.bucket(bucket);
        let object = bucket.join(key);
        for folder in object.ancestors().skip(1).take_while(|folder| **folder != bucket) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }

    /// Writes a file beside its place and moves it there, so that nobody ever sees half of it.
    pub(super) fn put(&self, path: &Path, content: &[u8], now: Timestamp) -> io::Result<()> {
        // `s3s-fs` clears such names away when it starts.
        let number = self.drafts.fetch_add(1, Ordering::Relaxed);
        let draft = self.root.join(format!(".tmp.plain-{number}.internal.part"));
        let mut file = File::create(&draft)?;
        let written = file.write_all(content).and_then(|()| file.set_modified(moment(now)));
        let moved = written.and_then(|()| fs::rename(&draft, path));
        if moved.is_err() {
            let _ = fs::remove_file(&draft);
        }
        moved
    }

    /// Dates a file that was begun in parts by our clock: its age decides when it is given up.
    pub(super) fn date_unfinished(&self, id: &str, now: Timestamp) -> io::Result<()> {
        let note = self.root.join(format!("{UNFINISHED}{id}.json"));
        File::options().write(true).open(note)?.set_modified(moment(now))
    }

    /// Key and id of every file of the bucket that was begun in parts and not completed.
    pub(super) fn unfinished(&self, bucket: &str) -> io::Result<Vec<(String, String)>> {
        let start = format!(".bucket-{}.object-", URL_SAFE_NO_PAD.encode(bucket));
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let name = entry?.file_name();
            let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(&start)) else { continue };
            let parts = rest.strip_suffix(".metadata.json").and_then(|rest| rest.split_once(UNFINISHED));
            let Some((key, id)) = parts else { continue };
            let key = URL_SAFE_NO_PAD.decode(key).ok().and_then(|key| String::from_utf8(key).ok());
            found.extend(key.map(|key| (key, id.to_owned())));
        }
        Ok(found)
    }

    /// Removes files that were begun in parts before this moment, with all their parts, and tells how many.
    pub(crate) fn give_up_unfinished(&self, before: Timestamp) -> io::Result<usize> {
        let (mut old, mut names) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let id = name.strip_prefix(UNFINISHED).and_then(|rest| rest.strip_suffix(".json"));
            if let Some(id) = id
                && entry.metadata()?.modified()? <= moment(before)
            {
                old.push(id.to_owned());
            }
            names.push(name);
        }
        for name in names.iter().filter(|name| old.iter().any(|id| name.contains(id.as_str()))) {
            fs::remove_file(self.root.join(name))?;
        }
        Ok(old.len())
    }

    /// Dates the object by our clock: its age decides when it ends.
    pub(super) fn date(&self, bucket: &str, key: &str, now: Timestamp) -> io::Result<()> {
        File::options().write(true).open(self.object(bucket, key))?.set_modified(moment(now))
    }
}

/// Refuses the keys that `s3s-fs` would turn into paths outside the bucket or into names too long to write.
pub(super) fn check_key(bucket: &str, key: &str, spare: usize) -> S3Result<()> {
    if note_name(bucket, Some(key), "metadata.json").len() + spare > NAME_MAX {
        return Err(s3_error!(KeyTooLongError, "the local store takes shorter keys than S3"));
    }
    let is_path = |part: &str| matches!(part, "" | "." | "..") || part.contains(['\\', '\0']);
    if key.split('/').any(is_path) {
        return Err(s3_error!(InvalidArgument, "the local store takes no key with `.`, `..` or empty parts"));
    }
    Ok(())
}

fn moment(now: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(now.millis())
}

fn note_name(bucket: &str, key: Option<&str>, kind: &str) -> String {
    let bucket = URL_SAFE_NO_PAD.encode(bucket);
    match key {
        Some(key) => format!(".bucket-{bucket}.object-{}.{kind}", URL_SAFE_NO_PAD.encode(key)),
        None => format!(".bucket-{bucket}.{kind}"),
    }
}
