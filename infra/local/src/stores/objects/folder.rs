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
