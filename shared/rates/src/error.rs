use platform::StoreError;
use primitives::Timestamp;

/// Why there is no rate that an order could be fixed at.
#[derive(Debug, thiserror::Error)]
pub enum RatesError {
    /// No feed of the currency has ever been accepted for orders.
    #[error("there is no rate yet that an order could be fixed at")]
    Missing,
    /// The last good rate is older than `RATE_AGE_MAX_HOURS`.
    #[error("the rate of {feed_at} is too old for an order")]
    Stale { feed_at: Timestamp },
    #[error(transparent)]
    Store(#[from] StoreError),
}
