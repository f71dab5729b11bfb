use crate::stores::Stores;
use platform::Platform;
use serde_json::Value;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// The housekeeping looks at every item and every object; the first runs after a start must not queue behind it.
const HOUSEKEEPING_DELAY: Duration = Duration::from_secs(30);

/// What EventBridge and the stores' own housekeeping do in the cloud.
pub(crate) fn start(platform: &Platform, stores: Stores) -> Vec<JoinHandle<()>> {
    let clock = platform.clock().clone();
    let rates = ticking(platform, "exchange-rates", Duration::from_secs(24 * 3600), |platform| async move {
        function_exchange_rates::handle(&platform).await.map(|_| ())
    });
    let balances = ticking(platform, "provider-balances", Duration::from_secs(3600), |platform| async move {
        function_provider_balances::handle(&platform).await.map(|_| ())
    });
    let sweep = ticking(platform, "reservation-sweep", Duration::from_secs(60), |platform| async move {
        function_reservation_sweep::handle(&platform).await.map(|_| ())
    });
    let runs = ticking(platform, "run-poll", Duration::from_secs(60), |platform| async move {
        function_run_poll::handle(&platform).await.map(|_| ())
    });
    // In the cloud as often as its parameter says; here somebody is waiting for it.
    let poll = ticking(platform, "tron-poll", Duration::from_secs(15), |platform| async move {
        function_tron_poll::handle(&platform).await.map(|_| ())
    });
    let compare =
        ticking(platform, "payment-reconciliation", Duration::from_secs(300), |platform| async move {
            function_payment_reconciliation::handle(&platform, Value::Null).await.map(|_| ())
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
    vec![rates, balances, sweep, runs, poll, compare, housekeeping]
}

/// Runs a schedule's function at once and then again and again, whatever it says.
fn ticking<F, E>(
    platform: &Platform,
    name: &'static str,
    period: Duration,
    handle: impl Fn(Platform) -> F + Send + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = Result<(), E>> + Send,
    E: std::error::Error + Send,
{
    let platform = platform.clone();
    tokio::spawn(async move {
        let mut ticks = every(period, Duration::ZERO);
        loop {
            ticks.tick().await;
            if let Err(error) = handle(platform.clone()).await {
                tracing::error!(error = %error, "the schedule {name} failed");
            }
        }
    })
}

fn every(period: Duration, delay: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + delay, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}
