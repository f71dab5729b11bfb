//! A whole world per test: stores in memory, the sandbox on a port of its own, product instances on others.

mod contract;
mod guard;
mod meddler;
mod person;

pub(crate) use meddler::{Fault, Hanging, Meddler, StoreCall, Tally};
pub(crate) use person::{
    Answer, Person, StreamEvent, browser, credit, dong_of, events, http, image, new_run_id, script, text_of,
    transcript,
};

use axum::Router;
use axum::middleware::from_fn_with_state;
use citipen::stores::{Elsewhere, Place, Stores};
use citipen::{MEDIA_BUCKET, functions_in_roles, local_env, tables, with_source_ip};
use emulator::iam::Names;
use guard::Guard;
use platform::{Env, Platform, Profile};
use primitives::{Clock, Timestamp};
use sandbox::{Sandbox, SandboxConfig};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The page's origin in every world.
pub(crate) const ORIGIN: &str = "http://page.test";

/// The key of KMS that tokens of drives are sealed with.
pub(crate) const DRIVE_KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/drives";

pub(crate) struct World {
    pub(crate) stores: Stores,
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Clock,
    outside: String,
    settings: HashMap<String, String>,
    guard: Guard,
    /// The instance that most tests talk to.
    pub(crate) product: Instance,
    /// For a look at the stores past all that a test breaks.
    pub(crate) accountant: Platform,
    books: Mutex<Books>,
    serving: JoinHandle<()>,
}

/// What must hold in a world's tables when its test ends, whether the test looks or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Books {
    /// Accounts and their ledgers agree.
    Credit,
    /// Payments and orders agree with them, too.
    Payments,
}

/// One running copy of the product, as one Lambda environment would be.
pub(crate) struct Instance {
    pub(crate) base: String,
    /// For a look at the stores from outside of every function: it may do everything.
    pub(crate) platform: Platform,
    pub(crate) meddler: Meddler,
    env: Env,
    guard: Guard,
    serving: JoinHandle<()>,
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Drop for World {
    /// Fails the test if its books don't agree, or a function asked for what the template does not allow it.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.close_books();
        }
        self.serving.abort();
        self.guard.settle();
    }
}

impl World {
    /// Says what must hold at the end of the test.
    pub(crate) fn keep(&self, books: Books) {
        *self.books.lock().unwrap() = books;
    }

    /// Looks at the books from a thread of its own: a runtime can't wait for anything while it drops a value.
    fn close_books(&self) {
        let books = *self.books.lock().unwrap();
        let look = async {
            match books {
                Books::Credit => crate::books::check(self).await,
                Books::Payments => crate::books::check_payments(self).await,
            }
        };
        let wait =
            || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(look);
        let look = std::thread::scope(|scope| scope.spawn(wait).join());
        look.unwrap_or_else(|failure| std::panic::resume_unwind(failure));
    }

    pub(crate) async fn start() -> World {
        World::with(&[]).await
    }

    /// A world with some settings of its own.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> World {
        let quick = [
            ("PROVIDER_POLL_MS", "5"),
            ("PROVIDER_BACKOFF_MS", "1"),
            ("USER_REQUESTS_PER_MINUTE_MAX", "1000000"),
            ("NETWORK_REQUESTS_PER_MINUTE_MAX", "1000000"),
            ("WELCOMES_PER_NETWORK_DAY_MAX", "1000000"),
            ("DRIVE_VAULT", DRIVE_KEY),
        ];
        let mut settings: HashMap<String, String> =
            quick.iter().chain(settings).map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let rules = citipen::media_rules();
        let clock = Clock::manual(a_morning());
        let elsewhere = elsewhere();
        let prefix = prefix_of_a_world(&elsewhere);
        let (place, tables) = (Place::Memory, tables());
        let opened = Stores::open_beside(elsewhere, &place, &tables, &prefix, MEDIA_BUCKET, &rules, &clock);
        let stores = opened.await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let outside = format!("http://{}", listener.local_addr().unwrap());
        let sandbox = Sandbox::new(SandboxConfig {
            public_base: outside.clone(),
            webhook_target: None,
            origin: ORIGIN.to_owned(),
            zero_latency: true,
        });
        settings.entry("AWS_ENDPOINT_URL_KMS".to_owned()).or_insert_with(|| format!("{outside}/kms"));
        let guard = Guard::new(Names { table_prefix: prefix, bucket: MEDIA_BUCKET.to_owned() });
        let links = stores.s3_router(&[ORIGIN.to_owned()]);
        let links = links.layer(from_fn_with_state(guard.clone(), Guard::check_link));
        let keys = emulator::kms::router("/kms/").layer(from_fn_with_state(guard.clone(), Guard::check_key));
        let serving = serve(listener, sandbox.router().merge(keys).merge(links));
        prepare(&stores, &clock, &outside).await;
        let product = Instance::start(&stores, &clock, &outside, &settings, &guard, None).await;
        runs::Shop::new(&product.platform).unwrap().seed().await.unwrap();
        let accountant = stores.carry(&Platform::build(product.env.clone(), clock.clone(), None).unwrap());
        let books = Mutex::new(Books::Credit);
        let world =
            World { stores, sandbox, clock, outside, settings, guard, product, accountant, books, serving };
        world.sync_clock();
        world
    }

    /// Another copy of the product on the same stores, with settings of its own on top.
    pub(crate) async fn instance(&self, more: &[(&str, &str)]) -> Instance {
        let mut settings = self.settings.clone();
        settings.extend(more.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        Instance::start(&self.stores, &self.clock, &self.outside, &settings, &self.guard, None).await
    }

    /// A copy of the product on the same stores that is another service.
    pub(crate) async fn service(&self, profile: Profile) -> Instance {
        let service = Some(profile);
        Instance::start(&self.stores, &self.clock, &self.outside, &self.settings, &self.guard, service).await
    }

    /// Somebody with a sign-in token; unknown to the product until they call.
    pub(crate) fn person(&self, name: &str) -> Person {
        Person::new(self.sandbox.clone(), &self.product.base, name)
    }

    /// Base URL of the sandbox and the media store.
    pub(crate) fn outside(&self) -> &str {
        &self.outside
    }

    /// What a table is called in this world.
    pub(crate) fn table(&self, name: &str) -> String {
        format!("{}{name}", self.product.platform.store().table_prefix)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
        self.sync_clock();
    }

    fn sync_clock(&self) {
        self.sandbox.set_now(Some(self.clock.now().seconds()));
    }

    /// Past every hold's expiry and grace, then the schedule, as a fresh instance would run it.
    pub(crate) async fn advance_and_sweep(&self) -> runs::SweepReport {
        self.advance(Duration::from_secs(961));
        let sweeper = self.instance(&[]).await;
        reservation_sweep::handle(&sweeper.role("ReservationSweep")).await.unwrap()
    }

    /// How many requests that start work a provider has received.
    pub(crate) fn provider_calls(&self, service: sandbox::Service) -> usize {
        let starts_work = |entry: &sandbox::JournalEntry| {
            let path = entry.path.split('?').next().unwrap_or_default();
            // The journal also has what the provider tells us.
            entry.method == "POST"
                && path.starts_with("/sandbox/")
                && !path.ends_with("/cancel")
                && !path.ends_with("/queue")
        };
        self.sandbox.journal().iter().filter(|entry| entry.service == service && starts_work(entry)).count()
    }
}

impl Instance {
    async fn start(
        stores: &Stores,
        clock: &Clock,
        outside: &str,
        settings: &HashMap<String, String>,
        guard: &Guard,
        service: Option<Profile>,
    ) -> Instance {
        let mut given = settings.clone();
        given.entry("ALLOWED_ORIGINS".to_owned()).or_insert_with(|| ORIGIN.to_owned());
        let env: Env = local_env(given, outside, stores);
        let platform = stores.carry(&Platform::build(env.clone(), clock.clone(), None).unwrap());
        let platform = match service {
            Some(profile) => platform.with_profile(profile),
            None => platform,
        };
        let meddler = Meddler::around(platform.connector(), &platform.store().table_prefix);
        let platform = platform.carried_by(guard.client(meddler.client()));
        let router = functions_in_roles(&platform, |folder| Ok(role(&platform, guard, &pascal(folder))));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let serving = serve(listener, with_source_ip(router.unwrap()));
        Instance { base, platform, meddler, env, guard: guard.clone(), serving }
    }

    /// What a function has, by its name in the template: its settings, and at the stores only its rights. Schedules
    /// are called with it.
    pub(crate) fn role(&self, function: &str) -> Platform {
        role(&self.platform, &self.guard, function)
    }
}

/// When a world begins: at the same hour whenever the scenarios run, far from any midnight. (Stores that are not ours look
/// at their own clock.)
pub(crate) fn a_morning() -> Timestamp {
    if elsewhere().is_nowhere() { Timestamp::from_seconds(1_800_000_000) } else { Clock::system().now() }
}

/// Stores that `tests/stores/check.sh` has started, in place of the embedded ones.
pub(crate) fn elsewhere() -> Elsewhere {
    let given = |name: &str| std::env::var(name).ok().filter(|url| !url.is_empty());
    Elsewhere { dynamo: given("TEST_DYNAMODB_URL"), s3: given("TEST_S3_URL"), ..Elsewhere::default() }
}

/// Worlds that share a store have tables of their own. (The bucket's keys hold run ids, which no two worlds share.)
pub(crate) fn prefix_of_a_world(elsewhere: &Elsewhere) -> String {
    match elsewhere.dynamo {
        None => "citipen-".to_owned(),
        Some(_) => format!("w{:016x}-", u64::from_be_bytes(primitives::random_bytes())),
    }
}

/// Makes tables and bucket where they are not embedded.
async fn prepare(stores: &Stores, clock: &Clock, outside: &str) {
    if stores.elsewhere().is_nowhere() {
        return;
    }
    let env = local_env(HashMap::new(), outside, stores);
    let platform = stores.carry(&Platform::build(env, clock.clone(), None).unwrap());
    stores.prepare(&platform, &[ORIGIN.to_owned()]).await.unwrap();
}

fn role(platform: &Platform, guard: &Guard, function: &str) -> Platform {
    platform.in_role(guard.environment_of(function, platform.env())).unwrap()
}

/// `run-tool` is `RunTool` in the template.
fn pascal(folder: &str) -> String {
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    folder.split('-').map(capital).collect()
}

fn serve(listener: TcpListener, router: Router) -> JoinHandle<()> {
    tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await.unwrap();
    })
}
