use platform::StoreError;

/// Why a user who must be there could not be shown or changed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Nobody of that id has been seen yet.
    #[error("the user is not known yet")]
    Unknown,
    /// The person was deleted; what remains is a tombstone, and a token that lives a few seconds longer.
    #[error("the user was deleted")]
    Deleted,
    #[error(transparent)]
    Store(#[from] StoreError),
}
