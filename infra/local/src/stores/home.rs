use super::error::{Damage, Gone};
use super::tables::{self, TableFault};
use super::{Place, StoreStartError};
use dynoxide::{Database, DynoxideError};
use primitives::{Clock, random_bytes};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DATABASE: &str = "dynamo.db";
const OBJECTS: &str = "objects";
const LOCK: &str = "lock";
/// What the sandbox remembers. Not the stores' own, but it goes with them.
const SANDBOX: &str = "sandbox.jsonl";

/// The folder the stores live in, held against other processes while this value lives.
pub(super) struct Home {
    folder: PathBuf,
    lock: Option<File>,
}

impl Home {
    pub(super) fn open(place: &Place) -> Result<Home, StoreStartError> {
        let folder = match place {
            Place::Memory => {
                std::env::temp_dir().join(format!("citipen-{:016x}", u64::from_be_bytes(random_bytes())))
            }
            Place::Disk(folder) => folder.clone(),
        };
        fs::create_dir_all(&folder).map_err(StoreStartError::folder(&folder))?;
        let lock = match place {
            Place::Memory => None,
            Place::Disk(_) => Some(lock(&folder)?),
        };
        Ok(Home { folder, lock })
    }

    pub(super) fn objects(&self) -> PathBuf {
        self.folder.join(OBJECTS)
    }

    /// The folder that outlives the process.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.lock.as_ref().map(|_| self.folder.as_path())
    }

    /// Where the sandbox may keep what it remembers; nowhere, when nothing is kept.
    pub(super) fn sandbox_file(&self) -> Option<PathBuf> {
        self.lock.as_ref().map(|_| self.folder.join(SANDBOX))
    }

    pub(super) fn open_database(&self, clock: &Clock) -> Result<Database, StoreStartError> {
        let Some(file) = self.database_file() else {
            let opened = Database::memory_with_clock(Arc::new(StoreClock(clock.clone())));
            return opened.map_err(|error| self.unusable(&error));
        };
        self.require_database_of_the_rest(&file)?;
        let database = open_file(&file).map_err(|error| self.unusable(&error))?;
        match tables::are_there(&database) {
            Ok(true) => Ok(database),
            Ok(false) => match self.rest() {
                Some(rest) => Err(self.gone(file, Gone::WithoutTables, rest)),
                None => Ok(database),
            },
            Err(error) => Err(self.unusable(&error)),
        }
    }

    /// An empty database beside outputs is what a failed copy or a repair leaves. Started as a new service, it would
    /// answer every account with nothing. So would one whose write-ahead log SQLite can't read: it passes over that log.
    fn require_database_of_the_rest(&self, file: &Path) -> Result<(), StoreStartError> {
        let log = self.folder.join(format!("{DATABASE}-wal"));
        if length(file) > 0 {
            let is_readable = is_log_readable(&log).map_err(StoreStartError::folder(&self.folder))?;
            return if is_readable { Ok(()) } else { Err(self.damaged(Damage::Log)) };
        }
        let rest = (length(&log) > 0).then_some(log).or_else(|| self.rest());
        let state = if file.exists() { Gone::Empty } else { Gone::Missing };
        rest.map_or(Ok(()), |rest| Err(self.gone(file.to_owned(), state, rest)))
    }

    /// What only a used database leaves beside it.
    fn rest(&self) -> Option<PathBuf> {
        let (sandbox, objects) = (self.folder.join(SANDBOX), self.objects());
        if length(&sandbox) > 0 { Some(sandbox) } else { holds_a_file(&objects).then_some(objects) }
    }

    fn gone(&self, file: PathBuf, state: Gone, rest: PathBuf) -> StoreStartError {
        StoreStartError::DatabaseGone { file, state, rest, folder: self.folder.clone() }
    }

    fn unusable(&self, error: &DynoxideError) -> StoreStartError {
        tracing::debug!(error = %error, "the database can't be used");
        self.damaged(Damage::of(error, Some(&self.folder)))
    }

    pub(super) fn damaged(&self, damage: Damage) -> StoreStartError {
        StoreStartError::DatabaseUnusable { file: self.name(), damage, folder: self.folder.clone() }
    }

    pub(super) fn fault(&self, fault: TableFault) -> StoreStartError {
        let place = self.name();
        match fault {
            TableFault::Differs { table, found, wanted } => {
                StoreStartError::TableDiffers { table, place, found, wanted, folder: self.folder.clone() }
            }
            TableFault::Unusable(error) => self.unusable(&error),
        }
    }

    /// Keeps the folder and its lock, so that a process waiting outside can't slip in between.
    pub(super) fn erase(self) -> Result<(), StoreStartError> {
        let files = ["", "-wal", "-shm"].map(|suffix| self.folder.join(format!("{DATABASE}{suffix}")));
        let files = files.into_iter().chain([self.folder.join(SANDBOX)]);
        let removed = files.map(fs::remove_file).chain([fs::remove_dir_all(self.objects())]);
        for outcome in removed {
            match outcome {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreStartError::folder(&self.folder)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn database_file(&self) -> Option<PathBuf> {
        self.lock.as_ref().map(|_| self.folder.join(DATABASE))
    }

    fn name(&self) -> String {
        self.database_file().map_or_else(|| "memory".to_owned(), |file| file.display().to_string())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.lock.is_none() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

/// Whether SQLite can read a write-ahead log, or has none to read: it begins with one of two numbers (sqlite.org, "Database
/// File Format", "WAL File Format").
fn is_log_readable(log: &Path) -> io::Result<bool> {
    let mut file = match File::open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start)?;
    Ok(start.is_empty() || matches!(start.as_slice(), [0x37, 0x7f, 0x06, 0x82 | 0x83]))
}

/// Whether there is any file below the folder. What can't be read counts as one: it is not for us to erase.
fn holds_a_file(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return folder.exists() };
    entries.into_iter().any(|entry| {
        entry
            .and_then(|entry| entry.file_type().map(|kind| (kind, entry)))
            .map_or(true, |(kind, entry)| !kind.is_dir() || holds_a_file(&entry.path()))
    })
}

/// The kernel gives the lock up with the process, however that ends.
fn lock(folder: &Path) -> Result<File, StoreStartError> {
    let opened = File::options().create(true).truncate(false).write(true).open(folder.join(LOCK));
    let file = opened.map_err(StoreStartError::folder(folder))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreStartError::FolderInUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreStartError::folder(folder)(error)),
    }
}

/// SQLite's default waits for the disk at every commit. `NORMAL` waits at checkpoints only: in WAL mode a
/// killed process loses nothing, a power cut may lose the last writes but never tears one. That is what
/// `disable_bulk_loading` sets; its other settings are the defaults.
fn open_file(file: &Path) -> dynoxide::Result<Database> {
    let path = file.to_str().ok_or_else(|| {
        dynoxide::DynoxideError::InternalServerError("the path is not valid text".to_owned())
    })?;
    let database = Database::new(path)?;
    database.disable_bulk_loading()?;
    Ok(database)
}

struct StoreClock(Clock);

impl dynoxide::storage_backend::Clock for StoreClock {
    fn now_unix_secs(&self) -> u64 {
        self.0.now().seconds()
    }

    fn now_unix_secs_f64(&self) -> f64 {
        std::time::Duration::from_millis(self.0.now().millis()).as_secs_f64()
    }
}
