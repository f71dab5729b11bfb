use crate::figures::{Figure, median, megabytes, micros, ms, ratio};
use crate::load::{Load, RUN_DONE, Taken};
use crate::stack::Site;
use crate::wire::{Connection, get, post};
use crate::world::{World, script};
use crate::{money, seeds, till};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 16;
const PEOPLE: usize = 1_000;
const ROUNDS: usize = 5;
const RUNS_PER_ROUND: usize = 1_500;
const STREAM_ROUNDS: usize = 3;
const STREAMS_PER_ROUND: usize = 80;
const PACE_MS: u64 = 25;
/// About how long a paced stream takes.
const STREAM: Duration = Duration::from_millis(400);
const LISTED_RUNS: usize = 100_000;
const LISTINGS: usize = 200;
const STARTS: usize = 9;
/// The first words of the sandbox's answer, behind a character that it cuts in two.
const FIRST_CONTENT: &str = "MORNING";

/// A place to measure at, and people with tokens.
struct Bench {
    site: Site,
    people: Vec<String>,
    tokens: Vec<String>,
}

/// Every figure but the binaries' sizes, in the order of the table.
pub(crate) async fn all(program: &Path) -> Vec<Figure> {
    let mut bench = Bench::new(program).await;
    let mut figures = bench.throughput().await;
    figures.extend(bench.in_memory().await);
    figures.extend(bench.first_bytes().await);
    figures.extend(bench.listings().await);
    figures.push(bench.cold_start().await);
    figures.extend(money::all(program).await);
    figures.push(write_units().await);
    figures
}

impl Bench {
    async fn new(program: &Path) -> Bench {
        let people: Vec<String> = (0..PEOPLE).map(|number| format!("p{number}")).collect();
        let site = Site::new(program);
        seeds::accounts(&site.data(), &people).await;
        Bench { site, people, tokens: Vec::new() }
    }

    /// Processor time, runs per second and memory, by many accounts and by one.
    async fn throughput(&mut self) -> Vec<Figure> {
        let stack = self.site.start(&["--zero-latency"]).await;
        self.tokens = till::tokens(&self.site.authority(), &self.people).await;
        let (many, one) = (self.load(PEOPLE), self.load(1));
        many.make(PEOPLE, RUN_DONE, &stack).await;
        let (mut of_many, mut of_one) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            of_many.push(many.make(RUNS_PER_ROUND, RUN_DONE, &stack).await);
            of_one.push(one.make(RUNS_PER_ROUND, RUN_DONE, &stack).await);
        }
        let memory = stack.memory_peak();
        stack.stop().await;
        let (many, one) = (middle(&of_many), middle(&of_one));
        let fairness = ratio(one.per_second, many.per_second);
        vec![
            cpu("CPU of the whole process per run, 16 connections", many),
            rate("runs per second in the same runs", many),
            Figure::new(
                "one account's runs per second over those of 1,000 accounts",
                fairness,
                ("≥ 0.90", ""),
            ),
            Figure::new("peak memory after that load", megabytes(memory), ("≤ 40 MB", "20 MB")),
        ]
    }

    /// The same without a disk; accounts live on their welcome credit.
    async fn in_memory(&self) -> Vec<Figure> {
        let stack = self.site.start(&["--zero-latency", "--memory"]).await;
        let load = self.load(PEOPLE);
        load.make(PEOPLE, RUN_DONE, &stack).await;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push(load.make(RUNS_PER_ROUND, RUN_DONE, &stack).await);
        }
        stack.stop().await;
        let taken = middle(&rounds);
        vec![cpu("CPU per run, store in memory", taken), rate("runs per second, store in memory", taken)]
    }

    /// What we add to the time until a paced stream's first content, against asking the provider directly.
    async fn first_bytes(&self) -> Vec<Figure> {
        let stack = self.site.start(&[]).await;
        let figure = |how: &str, added| {
            let what = format!("added time to first content of a paced stream, {how}");
            Figure::new(what, ms(added), ("≤ 2 ms", "1.3 ms"))
        };
        let at_once = Duration::ZERO;
        let figures = vec![
            figure("1 connection", self.added(1, 5, at_once).await),
            figure("16 connections", self.added(CONNECTIONS, PACE_MS, STREAM / 16).await),
            figure(
                "16 connections that all ask at the same moment",
                self.added(CONNECTIONS, PACE_MS, at_once).await,
            ),
        ];
        stack.stop().await;
        figures
    }

    /// Ours and the provider's own take turns, so that both meet the same machine.
    async fn added(&self, connections: usize, pace_ms: u64, spread: Duration) -> i64 {
        let prompt = format!("a red kite [[sandbox:pace ms={pace_ms}]]");
        let wish = json!({ "tool": "script", "input": { "prompt": prompt } });
        let authority = self.site.authority();
        let ours = self.tokens.iter().map(|token| post(&authority, "/v1/runs", token, &wish)).collect();
        let ours = Load { authority: authority.clone(), requests: Arc::new(ours), connections, spread };
        let asked = json!({
            "model": "deepseek-v4-flash", "stream": true, "thinking": { "type": "disabled" },
            "messages": [{ "role": "user", "content": prompt }],
        });
        let path = "/sandbox/deepseek/chat/completions";
        let theirs = vec![post(&authority, path, sandbox::DEEPSEEK_KEY, &asked)];
        let theirs = Load { requests: Arc::new(theirs), ..ours.clone() };
        let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
        ours.times_to(FIRST_CONTENT, CONNECTIONS).await;
        for _ in 0..STREAM_ROUNDS {
            our_times.extend(ours.times_to(FIRST_CONTENT, STREAMS_PER_ROUND).await);
            their_times.extend(theirs.times_to(FIRST_CONTENT, STREAMS_PER_ROUND).await);
        }
        micros(median(our_times)) - micros(median(their_times))
    }

    /// The first and a deep page of somebody with very many runs.
    async fn listings(&self) -> Vec<Figure> {
        let (writer, reader) = (&self.people[0], &self.people[1]);
        let cursor = seeds::runs(&self.site.data(), writer, reader, LISTED_RUNS).await;
        let stack = self.site.start(&["--zero-latency"]).await;
        let first = self.listing("/v1/runs").await;
        let deep = self.listing(&format!("/v1/runs?cursor={cursor}")).await;
        stack.stop().await;
        vec![
            Figure::new("`GET /v1/runs` of 100,000 runs, first page, median", ms(first), ("", "")),
            Figure::new("the same, 50,000 runs deep, median", ms(deep), ("", "")),
        ]
    }

    async fn listing(&self, path: &str) -> i64 {
        let authority = self.site.authority();
        let mut connection = Connection::open(&authority).await;
        let request = get(&authority, path, &self.tokens[1]);
        let mut times = Vec::new();
        for _ in 0..LISTINGS {
            let begun = Instant::now();
            let answer = connection.ask(&request, "").await;
            times.push(begun.elapsed());
            assert_eq!(answer.json()["runs"].as_array().unwrap().len(), 20, "a full page");
        }
        micros(median(times))
    }

    /// From the start of the process to the end of its first run, on the folder all the others left.
    async fn cold_start(&self) -> Figure {
        let mut times = Vec::new();
        for _ in 0..STARTS {
            let begun = Instant::now();
            let stack = self.site.start(&["--zero-latency"]).await;
            let first = Load { connections: 1, ..self.load(1) };
            first.times_to(RUN_DONE, 1).await;
            times.push(begun.elapsed());
            stack.stop().await;
        }
        let what = "process start to the end of the first charged run, kept data";
        Figure::new(what, ms(micros(median(times))), ("≤ 100 ms", "35 ms"))
    }

    /// Runs by the first `people`, in turn.
    fn load(&self, people: usize) -> Load {
        let authority = self.site.authority();
        let request = |token: &String| post(&authority, "/v1/runs", token, &script("a red kite"));
        let requests = Arc::new(self.tokens[..people].iter().map(request).collect());
        Load { authority: authority.clone(), requests, connections: CONNECTIONS, spread: Duration::ZERO }
    }
}

/// Counted in the scenarios' world, where every request to a store is seen.
async fn write_units() -> Figure {
    let world = World::start().await;
    let ann = world.person("ann");
    assert_eq!(ann.script("a red kite").await.status, 200);
    // The limiter tells the table about new callers now and then; a run later it is quiet.
    world.product.meddler.forget();
    assert_eq!(ann.script("a red kite").await.status, 200);
    let calls = world.product.meddler.calls();
    let units: u64 = calls.iter().map(|call| call.table_units).sum();
    Figure::new("write units of a run, sweep index apart (counted)", units.to_string(), ("≤ 5", ""))
}

fn middle(rounds: &[Taken]) -> Taken {
    Taken {
        cpu_micros: median(rounds.iter().map(|round| round.cpu_micros)),
        per_second: median(rounds.iter().map(|round| round.per_second)),
    }
}

fn cpu(what: &str, taken: Taken) -> Figure {
    let micros = i64::try_from(taken.cpu_micros).unwrap_or(i64::MAX);
    Figure::new(what, ms(micros), ("≤ 1.5 ms", "0.8 ms"))
}

fn rate(what: &str, taken: Taken) -> Figure {
    Figure::new(what, taken.per_second.to_string(), ("≥ 500", "1,000"))
}
