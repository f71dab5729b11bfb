use crate::stores::Stores;
use platform::Platform;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// The housekeeping looks at every item and every object; the first runs after a start must not queue behind it.
const HOUSEKEEPING_DELAY: Duration = Duration::from_secs(30);

/// What EventBridge and the stores' own housekeeping do in the cloud.
pub(crate) fn start(platform: &Platform, stores: Stores) -> Vec<JoinHandle<()>> {
    let (clock, platform) = (platform.clock().clone(), platform.clone());
    let rates = tokio::spawn({
        let platform = platform.clone();
        async move {
            let mut ticks = every(Duration::from_secs(24 * 3600), Duration::ZERO);
            loop {
                ticks.tick().await;
                if let Err(error) = function_exchange_rates::handle(&platform).await {
                    tracing::error!(error = %error, "the exchange rates could not be refreshed");
                }
            }
        }
    });
    let sweep = tokio::spawn(async move {
        let mut ticks = every(Duration::from_secs(60), Duration::ZERO);
        loop {
            ticks.tick().await;
            if let Err(error) = function_reservation_sweep::handle(&platform).await {
                tracing::error!(error = %error, "the reservation sweep failed");
            }
        }
    });
    let housekeeping = tokio::spawn(async move {
        let mut ticks = every(Duration::from_secs(3600), HOUSEKEEPING_DELAY);
        loop {
            ticks.tick().await;
            let now = clock.now();
            for swept in [stores.sweep_ttl().await, stores.sweep_media(now).await] {
                if let Err(error) = swept {
                    tracing::error!(error = %error, "expired items or objects could not be removed");
                }
            }
        }
    });
    vec![rates, sweep, housekeeping]
}

fn every(period: Duration, delay: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + delay, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}
