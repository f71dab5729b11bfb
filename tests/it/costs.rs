//! What one run costs in counted things: a change that makes runs dearer fails here, and says by how much.
//!
//! The dollars are in the cost sheet, `cargo bench -p citipen-tests -- --costs`.

use crate::books;
use crate::world::{Tally, World, image, new_run_id, script};
use sandbox::{Fault, FaultRule, Service};
use serde_json::{Value, json};
use std::time::Duration;

/// A run in an environment that is warm: decide, log and apply behind the reservation, each of one kilobyte.
const WARM: Tally = Tally {
    // Reserve, outcome, usage log, apply.
    table_units: 4,
    // The account has stood in the sweep's index since its first run.
    index_units: 0,
    // No transaction stands in the path of a run.
    transactional_units: 0,
    // Whether the owner wants outputs saved in a drive, eventually; prices, keys and the providers' health are in memory.
    read_halves: 1,
    // Reserve, store the output, decide, log (and ask for the preference beside it), apply.
    rounds: 5,
    puts: 1,
    // The link to the output is signed, not fetched.
    gets: 0,
    put_bytes: 0,
};

/// The same of a run whose provider works apart from us: its job, of one to two kilobytes, is stored before the provider is
/// asked, when it has taken the work, and before the output is fetched; at the end it leaves the index.
/// A picture has its small picture beside it.
const WARM_APART: Tally = Tally {
    table_units: WARM.table_units + 8,
    index_units: 2,
    puts: WARM.puts + 1,
    rounds: WARM.rounds + 5,
    ..WARM
};

/// What a run costs, and how often its provider was asked to work. The size of its output is checked to be there.
async fn cost_of(world: &World, wish: &Value, provider: Service) -> (Tally, usize) {
    let asked_before = world.provider_calls(provider);
    world.product.meddler.forget();
    assert_eq!(world.person("ann").run(wish).await.status, 200);
    let tally = world.product.meddler.tally();
    assert!(tally.put_bytes > 0, "the output is stored: {tally:?}");
    (Tally { put_bytes: 0, ..tally }, world.provider_calls(provider) - asked_before)
}

/// Whether two calls that leave together overlap depends on how soon the embedded store answers the first.
fn besides_rounds(tally: Tally) -> Tally {
    Tally { rounds: 0, ..tally }
}

/// A run that is written while we listen, and one whose provider works apart from us.
fn kinds() -> [(Value, Service, Tally); 2] {
    [(script("a red kite"), Service::Deepseek, WARM), (image("a red kite"), Service::Fal, WARM_APART)]
}

fn named(mut wish: Value) -> Value {
    wish["run_id"] = json!(new_run_id());
    wish
}

#[tokio::test]
async fn a_run_of_a_warm_environment_reads_a_preference_and_a_text_writes_four_units() {
    let world = World::start().await;
    world.person("ann").script("open the account").await;
    for (wish, provider, warm) in kinds() {
        let (tally, asked) = cost_of(&world, &wish, provider).await;
        assert_eq!((besides_rounds(tally), asked), (besides_rounds(warm), 1), "{wish}");
        // The log and the preference leave together.
        assert!((warm.rounds..=warm.rounds + 1).contains(&tally.rounds), "{wish}: {tally:?}");
        // Whoever names the run has the ledger asked for an earlier outcome, strongly, beside the reservation.
        let (tally, asked) = cost_of(&world, &named(wish), provider).await;
        assert_eq!(besides_rounds(tally), Tally { read_halves: 3, ..besides_rounds(warm) });
        assert_eq!(asked, 1);
    }
    books::check(&world).await;
}

#[tokio::test]
async fn after_a_pause_a_run_reads_prices_and_health_once() {
    let world = World::start().await;
    world.person("ann").script("open the account").await;
    for (wish, provider, warm) in kinds() {
        // Longer than both are kept.
        world.advance(Duration::from_secs(30));
        let (tally, _) = cost_of(&world, &wish, provider).await;
        // The price list and the health of all eight providers, eventually, beside the preference.
        assert_eq!(besides_rounds(tally), Tally { read_halves: 10, ..besides_rounds(warm) });
    }
    books::check(&world).await;
}

#[tokio::test]
async fn a_run_that_no_provider_serves_costs_a_unit_more_for_each_that_refused() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.script("open the account").await;
    world.product.meddler.forget();

    assert_eq!(ann.script("a red kite [[sandbox:refuse]]").await.status, 502);

    let tally = world.product.meddler.tally();
    // Reserve, outcome, usage log, apply; and one more for the health of each provider that refused.
    assert_eq!((tally.table_units, tally.index_units, tally.transactional_units), (6, 0, 0));
    assert_eq!((tally.puts, tally.gets), (0, 0), "there is nothing to store");
    books::check(&world).await;
}

#[tokio::test]
async fn a_run_that_is_given_back_at_our_cost_is_counted_without_a_write_of_its_own() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.script("open the account").await;
    world.sandbox.faults().set(Service::Fal, FaultRule::always(Fault::Nsfw));
    // The second finds a counter to raise.
    for _ in 0..2 {
        world.product.meddler.forget();
        assert_eq!(ann.run(&image("a red kite")).await.problem(), "content_rejected");
        let tally = world.product.meddler.tally();
        // Reserve, decide, log, apply; and the job: stored, taken, given up, ended.
        assert_eq!((tally.table_units, tally.index_units, tally.transactional_units), (4 + 8, 2, 0));
        assert_eq!((tally.read_halves, tally.rounds), (0, 4 + 4));
    }
    books::check_losses(&world).await;
    books::check(&world).await;
}
