use platform::StoreError;
use primitives::Timestamp;

/// Why there is no rate that an order could be fixed at.
#[derive(Debug, thiserror::Error)]
pub enum RatesError {
    /// No feed has ever been accepted.
    #[error("there is no USD/VND rate yet")]
    Missing,
    /// The last good rate is older than `RATE_AGE_MAX_HOURS`.
    #[error("the USD/VND rate of {feed_at} is too old for an order")]
    Stale { feed_at: Timestamp },
    #[error(transparent)]
    Store(#[from] StoreError),
}
