use super::stand::{Received, Reply, Stand};
use super::store::Store;
use crate::{
    Artifact, BrokenOff, Chain, Event, Failed, FailureClass, GivenUp, ImageRequest, Job, JobOrder, Made,
    Next, Providers, Request, Served, Sign, SourceFile, SpeechRequest, TextRequest, Visit, Visited, Voice,
    Work,
};
use futures_util::{StreamExt, TryStreamExt};
use platform::{Env, Platform};
use primitives::{Clock, CostCents, Private, RunId, Timestamp};
use std::time::Duration;
use tokio::sync::mpsc;

/// Every provider configured, all of them played by one stand, each below its own path.
pub(super) struct World {
    pub(super) stand: Stand,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) providers: Providers,
}

pub(super) struct Told {
    pub(super) outcome: Result<Served, Failed>,
    /// All text, and that there was thinking.
    pub(super) events: Vec<Event>,
    /// What a job brought.
    pub(super) files: Vec<Artifact>,
    /// Everything that a job brought.
    pub(super) made: Vec<Made>,
    /// Where a job was said to be.
    pub(super) signs: Vec<Sign>,
}

pub(super) const PROMPT: &str = "a red kite over Đà Nẵng";

impl World {
    pub(super) async fn start(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> World {
        World::with([], answer).await
    }

    /// With some settings replaced; an empty value unsets one.
    pub(super) async fn with<const N: usize>(
        settings: [(&str, &str); N],
        answer: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> World {
        let stand = Stand::start(answer).await;
        let clock = Clock::manual(Timestamp::from_seconds(1_790_000_000));
        let store = Store::default();
        let env = env(&stand.host).with(settings);
        let platform = Platform::build(env, clock.clone(), Some(store.connector())).unwrap();
        World { stand, store, clock, providers: Providers::new(&platform).unwrap() }
    }

    pub(super) async fn text(&self, steps: &[&str]) -> Told {
        self.job(steps, job(text())).await
    }

    /// A text for another account than the usual one.
    pub(super) async fn text_for(&self, account: &str, steps: &[&str]) -> Told {
        self.job(steps, Job { account: account.parse().unwrap(), ..job(text()) }).await
    }

    pub(super) async fn image(&self, steps: &[&str]) -> Told {
        self.order(steps, order(image())).await
    }

    pub(super) async fn job(&self, steps: &[&str], job: Job) -> Told {
        let (sender, mut receiver) = mpsc::channel(256);
        let outcome = self.chain(steps).run(&job, &sender).await;
        drop(sender);
        let mut events = Vec::new();
        while let Some(event) = receiver.recv().await {
            if event != Event::Asked {
                events.push(event);
            }
        }
        Told { outcome, events, files: Vec::new(), made: Vec::new(), signs: Vec::new() }
    }

    /// Goes the whole way of a job, as one visitor who stores nothing.
    pub(super) async fn order(&self, steps: &[&str], order: JobOrder) -> Told {
        let (chain, mut made, mut signs) = (self.chain(steps), Vec::new(), Vec::new());
        let visit = Visit::new(self.clock.now(), Duration::from_secs(20), Duration::from_secs(20));
        let at = |seconds| visit.now().after(Duration::from_secs(seconds));
        let mut work = Work::new(visit.now(), at(15), at(900));
        let outcome = loop {
            // What a process stores in between must be as good as what it knows.
            work = serde_json::from_str(&serde_json::to_string(&work).unwrap()).unwrap();
            let visited = match work.next(visit.now()) {
                Next::Wait { .. } if work.is_doubtful() => break Err(FailureClass::UnknownOutcome),
                Next::Wait { until } => {
                    tokio::time::sleep_until(visit.until(until)).await;
                    Visited::GoesOn
                }
                Next::Ask => match chain.choose(&work, &order).await {
                    Ok(choice) => {
                        let asked = chain.ask(&choice.asking(&work, visit.now()), &order, visit).await;
                        match asked.finished {
                            Some(finished) => {
                                work = asked.work;
                                Visited::Finished(finished)
                            }
                            None => Visited::Next(asked.work),
                        }
                    }
                    Err(failed) => Visited::Next(failed),
                },
                Next::Find { since } => Visited::Next(chain.find(&work, &order, since, visit).await),
                Next::Watch { ticket, until } => {
                    let mut tell = |sign| signs.push(sign);
                    chain.watch(&work, ticket, &order, visit, visit.until(until), &mut tell).await
                }
                Next::Withdraw { ticket } => chain.withdraw(&work, ticket, &order, visit).await,
                Next::GiveUp(GivenUp::Failed(class)) => break Err(class),
                Next::GiveUp(GivenUp::Cancelled) => unreachable!("no test cancels here"),
            };
            match visited {
                Visited::GoesOn => {}
                Visited::Next(next) => work = next,
                Visited::Finished(finished) => match chain.fetch(&work, &finished, &order, visit).await {
                    Ok(fetched) => {
                        made = fetched;
                        break Ok(chain.served(&work, &order, &finished, visit.now()).unwrap());
                    }
                    Err(next) => work = next,
                },
            }
        };
        let attempts = work.attempts().to_vec();
        let outcome = outcome.map_err(|class| Failed { class, content_was_sent: false, attempts });
        let picture = |made: &Made| match made {
            Made::Picture(artifact) => Some(artifact.clone()),
            _ => None,
        };
        let files = made.iter().filter_map(picture).collect();
        Told { outcome, events: Vec::new(), files, made, signs }
    }

    pub(super) fn chain(&self, steps: &[&str]) -> Chain {
        let steps: Vec<_> = steps.iter().map(|step| (*step).to_owned()).collect();
        self.providers.chain(&steps).unwrap()
    }
}

impl Told {
    pub(super) fn text(&self) -> String {
        let delta = |event: &Event| match event {
            Event::Delta(text) => Some(text.clone()),
            _ => None,
        };
        self.events.iter().filter_map(delta).collect()
    }

    pub(super) fn served(&self) -> &Served {
        self.outcome.as_ref().unwrap()
    }

    /// The class of the failure, and of each attempt in order.
    pub(super) fn failure(&self) -> (&'static str, Vec<&'static str>) {
        let failed = self.outcome.as_ref().unwrap_err();
        let attempts = failed.attempts.iter();
        (failed.class.as_str(), attempts.map(|attempt| attempt.failure.unwrap().as_str()).collect())
    }
}

pub(crate) fn env(host: &str) -> Env {
    let text = |text: &str| text.to_owned();
    [
        ("AWS_REGION", text("test-1")),
        ("MEDIA_BUCKET", text("media")),
        ("AWS_ACCESS_KEY_ID", text("test")),
        ("AWS_SECRET_ACCESS_KEY", text("test")),
        ("DEEPSEEK_URL", format!("http://{host}/deepseek")),
        ("DEEPSEEK_API_KEY", text("deep-key")),
        ("ANTHROPIC_URL", format!("http://{host}/anthropic")),
        ("ANTHROPIC_API_KEY", text("claude-key")),
        ("FAL_QUEUE_URL", format!("http://{host}/fal")),
        ("FAL_KEY", text("id:secret")),
        ("COMFYUI_URL", format!("http://{host}/comfyui/")),
        ("COMFYUI_TOKEN", text("comfy-token")),
        ("OMNIVOICE_URL", format!("http://{host}/omnivoice")),
        ("OMNIVOICE_API_KEY", text("omni-key")),
        ("REPLICATE_URL", format!("http://{host}/replicate/v1")),
        ("REPLICATE_API_TOKEN", text("r8_key")),
        ("REPLICATE_VIXTTS_VERSION", text("suminhthanh/vixtts:5222")),
        ("REPLICATE_SPEAKER_URL", text("https://voices.test/ann.wav?signed=1")),
        ("GROQ_URL", format!("http://{host}/groq")),
        ("GROQ_API_KEY", text("groq-key")),
        ("APIFY_URL", format!("http://{host}/apify")),
        ("APIFY_TOKEN", text("apify-token")),
        ("PROVIDER_BACKOFF_MS", text("1")),
        ("PROVIDER_POLL_MS", text("1")),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

pub(super) fn text() -> Request {
    Request::Text(TextRequest { prompt: Private::new(PROMPT.to_owned()), output_tokens_max: 500 })
}

pub(super) fn image() -> Request {
    let prompt = Private::new(PROMPT.to_owned());
    Request::Image(ImageRequest { prompt, width: 1024, height: 768, seed: 7, count: 1, source: None })
}

/// A thousand characters at most, in one of our voices.
pub(super) fn speech(language: &str) -> Request {
    spoken(PROMPT, language, Voice::Named("man_deep".to_owned()))
}

pub(super) fn spoken(text: &str, language: &str, voice: Voice) -> Request {
    let text = Private::new(text.to_owned());
    Request::Speech(SpeechRequest { text, language: language.to_owned(), voice })
}

/// A recording that the stand has below `/media/`.
pub(super) fn recording(host: &str, bytes: u64) -> SourceFile {
    let link = format!("http://{host}/media/ann.wav?signed=1").parse().unwrap();
    let link = Private::new(link);
    SourceFile { link, media_type: "audio/wav", extension: "wav", bytes, pixels: None }
}

/// A WAV with something to hear in it.
pub(super) fn wav() -> Vec<u8> {
    let mut wav = b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wav.extend([24_000_u32.to_le_bytes(), 48_000_u32.to_le_bytes()].concat());
    wav.extend(b"\x02\0\x10\0data\x08\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08");
    wav
}

/// The bytes of the file that a job brought.
pub(super) async fn brought(told: &Told) -> Result<Vec<u8>, BrokenOff> {
    let [Made::File(file)] = told.made.as_slice() else { panic!("{:?}", told.made) };
    let limit = tokio::time::Instant::now() + Duration::from_secs(5);
    let mut pieces = file.open(limit).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}

pub(super) fn job(request: Request) -> Job {
    let run: RunId = "01KAQ3V7W00000000000000001".parse().unwrap();
    Job {
        run,
        account: "user_ann".parse().unwrap(),
        request,
        budget: Duration::from_secs(20),
        cost_max: CostCents::MAX,
    }
}

pub(super) fn order(request: Request) -> JobOrder {
    let Job { run, account, request, cost_max, .. } = job(request);
    JobOrder { run, account, request, cost_max, webhooks: None }
}

/// A picture that the customer uploaded, below `/media/` at the stand; its link is a secret.
pub(super) fn source(world: &World, name: &str) -> SourceFile {
    let link = format!("http://{}/media/{name}?signature=secret-link", world.stand.host);
    SourceFile {
        link: Private::new(link.parse().unwrap()),
        media_type: "image/png",
        extension: "png",
        bytes: super::fal::PNG.len() as u64,
        pixels: Some((1024, 768)),
    }
}

/// All of a file that is passed on in pieces.
pub(super) async fn content(made: &Made) -> Result<Vec<u8>, BrokenOff> {
    let Made::File(file) = made else { panic!("a file, not {made:?}") };
    let limit = tokio::time::Instant::now() + Duration::from_secs(5);
    let pieces: Vec<_> = file.open(limit).await?.try_collect().await?;
    Ok(pieces.concat())
}
