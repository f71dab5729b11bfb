use super::tables::RemoteFault;
use dynoxide::DynoxideError;
use std::error::Error;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Why the stores could not be opened: what, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreStartError {
    #[error("the data folder `{folder}` can't be used ({source}); make it writable or choose another folder")]
    FolderUnusable { folder: PathBuf, source: std::io::Error },

    #[error("the data folder `{folder}` can't be used: the disk is full; make room or choose another folder")]
    FolderFull { folder: PathBuf, source: std::io::Error },

    #[error(
        "the data folder `{folder}` is in use by another process; stop that one or choose another folder"
    )]
    FolderInUse { folder: PathBuf },

    #[error("the database `{file}` {damage}; {}", damage.advice(folder))]
    DatabaseUnusable { file: String, damage: Damage, folder: PathBuf },

    #[error(
        "the database `{}` {}, but `{}` has content: it is not started as a new service; put the database back from a \
         copy, or {}",
        file.display(), state, rest.display(), copy_first(folder)
    )]
    DatabaseGone { file: PathBuf, state: Gone, rest: PathBuf, folder: PathBuf },

    #[error(
        "the table `{table}` in `{place}` was made by another version: it has {found}, this one needs {wanted}; go back \
         to that version, or {}",
        copy_first(folder)
    )]
    TableDiffers { table: String, place: String, found: String, wanted: String, folder: PathBuf },

    #[error(
        "the table `{table}` at {url} was made by another version: it has {found}, this one needs {wanted}; choose another \
         TABLE_PREFIX, or remove it there"
    )]
    TableElsewhereDiffers { table: String, url: String, found: String, wanted: String },

    #[error("the store at {url} can't be used: {reason}")]
    Elsewhere { url: String, reason: String },

    #[error("`{bucket}` is no name for a bucket: 3 to 63 small letters, digits and dashes")]
    InvalidBucket { bucket: String },

    #[error("the stores did not start: {0}")]
    Interrupted(#[source] Box<dyn Error + Send + Sync>),
}

/// A sweep that stopped half-way; the next one goes on.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database did not answer")]
    Database(#[from] dynoxide::DynoxideError),
    #[error("the object folder can't be read")]
    Objects(#[from] std::io::Error),
    #[error("the sweep was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// What is left of a database whose content is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    Missing,
    Empty,
    /// As after a copy that left the write-ahead log out.
    WithoutTables,
}

impl fmt::Display for Gone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Gone::Missing => "is missing",
            Gone::Empty => "is empty",
            Gone::WithoutTables => "has no tables",
        })
    }
}

/// What is wrong with a database file, as far as SQLite says. Its own words are for its developers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    DiskFull,
    ReadOnly,
    /// Another program has it open.
    Locked,
    /// Made by a later version of the store.
    Newer,
    /// It is no database, or not a whole one.
    Damaged,
    /// What was written last lies in a file beside it that can't be read.
    Log,
}

impl Damage {
    /// SQLite's errors come as text only; the texts are those of its result codes (sqlite.org, "Result and Error Codes").
    pub(super) fn of(error: &DynoxideError, folder: Option<&Path>) -> Damage {
        let text = error.to_string();
        let says = |part: &str| text.contains(part);
        match () {
            () if says("disk is full") => Damage::DiskFull,
            // Without room for its memory-mapped index, SQLite speaks of input and output.
            () if says("disk I/O error") && folder.is_some_and(is_full) => Damage::DiskFull,
            () if says("readonly database") || says("unable to open database file") => Damage::ReadOnly,
            () if says("database is locked") || says("database table is locked") => Damage::Locked,
            () if says("newer version") => Damage::Newer,
            () => Damage::Damaged,
        }
    }

    fn advice(self, folder: &Path) -> String {
        match self {
            Damage::DiskFull => "make room and start again: what was acknowledged is kept".to_owned(),
            Damage::ReadOnly => "let this user write the file and its folder, and start again".to_owned(),
            Damage::Locked => "end the other program and start again".to_owned(),
            Damage::Newer => format!("start it with that version, or {}", copy_first(folder)),
            Damage::Damaged | Damage::Log => {
                format!("put it back from a copy of yours, or {}", copy_first(folder))
            }
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Damage::DiskFull => "can't be written: the disk is full",
            Damage::ReadOnly => "can't be opened for writing",
            Damage::Locked => "is in use by another program",
            Damage::Newer => "was made by a later version",
            Damage::Damaged => "is damaged, or no database",
            Damage::Log => "is not whole: its write-ahead log, the file beside it with `-wal`, is damaged",
        })
    }
}

/// Whether there is no room for a little more.
fn is_full(folder: &Path) -> bool {
    let probe = folder.join(".probe");
    let written = fs::write(&probe, [0; 128 * 1024]);
    let _ = fs::remove_file(&probe);
    written.is_err_and(|error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

/// Erasing is the last advice: what looks lost may be mended from a copy.
fn copy_first(folder: &Path) -> String {
    format!(
        "keep a copy of the whole folder `{}` and then start with --fresh, which erases it",
        folder.display()
    )
}

impl StoreStartError {
    pub(super) fn interrupted(cause: impl Error + Send + Sync + 'static) -> StoreStartError {
        StoreStartError::Interrupted(Box::new(cause))
    }

    pub(super) fn folder(folder: &Path) -> impl FnOnce(std::io::Error) -> StoreStartError {
        let folder = folder.to_owned();
        |source| match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                StoreStartError::FolderFull { folder, source }
            }
            _ => StoreStartError::FolderUnusable { folder, source },
        }
    }
}

impl RemoteFault {
    pub(super) fn at(self, url: &str) -> StoreStartError {
        let url = url.to_owned();
        match self {
            RemoteFault::Differs { table, found, wanted } => {
                StoreStartError::TableElsewhereDiffers { table, url, found, wanted }
            }
            RemoteFault::Refused(reason) => StoreStartError::Elsewhere { url, reason },
        }
    }
}
