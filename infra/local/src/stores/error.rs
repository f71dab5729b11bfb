use std::error::Error;
use std::path::{Path, PathBuf};

/// Why the stores could not be opened: what, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreStartError {
    #[error("the data folder `{folder}` can't be used ({source}); make it writable or choose another folder")]
    FolderUnusable { folder: PathBuf, source: std::io::Error },

    #[error(
        "the data folder `{folder}` is in use by another process; stop that one or choose another folder"
    )]
    FolderInUse { folder: PathBuf },

    #[error("the database `{file}` can't be read ({source}); start with --fresh to begin with empty stores")]
    DatabaseUnreadable { file: String, source: dynoxide::DynoxideError },

    #[error(
        "the table `{table}` in `{place}` was made by another version: it has {found}, this one needs \
         {wanted}; start with --fresh to begin with empty stores"
    )]
    TableDiffers { table: String, place: String, found: String, wanted: String },

    #[error("the table `{table}` can't be made in `{place}`: {reason}")]
    TableRefused { table: String, place: String, reason: String },

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

impl StoreStartError {
    pub(super) fn interrupted(cause: impl Error + Send + Sync + 'static) -> StoreStartError {
        StoreStartError::Interrupted(Box::new(cause))
    }

    pub(super) fn folder(folder: &Path) -> impl FnOnce(std::io::Error) -> StoreStartError {
        let folder = folder.to_owned();
        |source| StoreStartError::FolderUnusable { folder, source }
    }
}
