//! Every step that a tool's chain can name: what it makes, what it is paid for, and which adapter does it.

use crate::ProviderName;
use crate::adapter::{Adapter, Kind, Step, Worker};
use crate::anthropic::Anthropic;
use crate::apify::Apify;
use crate::at_worst::StepPrice;
use crate::comfyui::Comfyui;
use crate::deepseek::Deepseek;
use crate::fal::Fal;
use crate::groq::Groq;
use crate::job::JobAdapter;
use crate::omnivoice::Omnivoice;
use crate::replicate::Replicate;
use crate::settings::{FalModel, ProviderSettings};
use platform::Platform;
use primitives::CostCents;
use std::sync::Arc;

/// A step as it is named and paid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    provider: ProviderName,
    kind: Kind,
    pub(crate) price: StepPrice,
}

/// Every step, by this deployment's prices, whether its provider is configured or not.
pub(crate) fn specs(settings: &ProviderSettings) -> Vec<Spec> {
    use ProviderName::{Anthropic, Apify, Comfyui, Deepseek, Fal, Groq, Omnivoice, Replicate};
    let spec = |name, provider, kind, price| Spec { name, provider, kind, price };
    // A provider of our own that is not configured has no cost setting: its steps have the price 0.
    let own = |cost: Option<CostCents>| cost.unwrap_or_default();
    let comfyui = settings.comfyui.as_ref();
    let omnivoice = settings.omnivoice.as_ref();
    let dearer = |one: &FalModel, other: &FalModel| one.unit_price.max(other.unit_price);
    let rows =
        |program: &crate::settings::Gatherer| StepPrice::Rows { start: program.start, row: program.row };
    vec![
        spec("deepseek/chat", Deepseek, Kind::Text, StepPrice::Tokens(settings.deepseek.chat.prices)),
        spec("deepseek/reasoner", Deepseek, Kind::Text, StepPrice::Tokens(settings.deepseek.reasoner.prices)),
        spec(
            "anthropic/premium",
            Anthropic,
            Kind::Text,
            StepPrice::Tokens(settings.anthropic.premium.prices),
        ),
        spec("fal/flux-dev", Fal, Kind::Image, StepPrice::Megapixels(settings.fal.flux_dev.unit_price)),
        spec(
            "fal/flux-schnell",
            Fal,
            Kind::Image,
            StepPrice::Megapixels(settings.fal.flux_schnell.unit_price),
        ),
        spec("comfyui/image", Comfyui, Kind::Image, StepPrice::Image(own(comfyui.map(|own| own.cost)))),
        spec(
            "fal/kling",
            Fal,
            Kind::Video,
            StepPrice::VideoSeconds(dearer(&settings.fal.kling, &settings.fal.kling_from_picture)),
        ),
        spec(
            "fal/wan",
            Fal,
            Kind::Video,
            StepPrice::VideoSeconds(dearer(&settings.fal.wan, &settings.fal.wan_from_picture)),
        ),
        spec("comfyui/video", Comfyui, Kind::Video, StepPrice::Video(own(comfyui.map(|own| own.video_cost)))),
        spec(
            "omnivoice/speech",
            Omnivoice,
            Kind::Speech,
            StepPrice::Characters(own(omnivoice.map(|own| own.cost))),
        ),
        spec(
            "replicate/xtts",
            Replicate,
            Kind::Speech,
            StepPrice::Characters(settings.replicate.speech_cost),
        ),
        spec("apify/captions", Apify, Kind::Captions, StepPrice::Captions(settings.apify.captions.cost)),
        spec("groq/whisper", Groq, Kind::Hearing, StepPrice::SoundHours(settings.groq.hour_cost)),
        spec("apify/videos", Apify, Kind::Videos, rows(&settings.apify.videos)),
        spec("apify/channels", Apify, Kind::Channels, rows(&settings.apify.channels)),
        spec("apify/market", Apify, Kind::Market, rows(&settings.apify.market)),
    ]
}

/// Every step, with the adapter that does its work; a step whose provider is not configured has none.
pub(crate) fn steps(platform: &Platform, settings: ProviderSettings) -> Vec<Arc<Step>> {
    let specs = specs(&settings);
    let mut workers = workers(platform, settings);
    let step = |spec: Spec| {
        let at = workers.iter().position(|(name, _)| *name == spec.name);
        let worker = at.map(|at| workers.swap_remove(at).1);
        let Spec { name, provider, kind, price } = spec;
        Arc::new(Step { name, provider, kind, price, worker })
    };
    specs.into_iter().map(step).collect()
}

/// The adapters of the steps whose providers are configured, by the steps' names.
fn workers(platform: &Platform, settings: ProviderSettings) -> Vec<(&'static str, Worker)> {
    let mut all = Vec::new();
    if let Some([chat, reasoner]) = Deepseek::models(platform, settings.deepseek) {
        all.extend([("deepseek/chat", stream(chat)), ("deepseek/reasoner", stream(reasoner))]);
    }
    if let Some(premium) = Anthropic::new(platform, settings.anthropic) {
        all.push(("anthropic/premium", stream(premium)));
    }
    if let Some([flux_dev, flux_schnell, kling, wan]) = Fal::models(platform, settings.fal) {
        all.extend([("fal/flux-dev", job(flux_dev)), ("fal/flux-schnell", job(flux_schnell))]);
        all.extend([("fal/kling", job(kling)), ("fal/wan", job(wan))]);
    }
    if let Some(settings) = settings.comfyui {
        let [images, videos] = Comfyui::models(platform, settings);
        all.extend([("comfyui/image", job(images)), ("comfyui/video", job(videos))]);
    }
    if let Some(omnivoice) = settings.omnivoice.and_then(|own| Omnivoice::new(platform, own)) {
        all.push(("omnivoice/speech", job(omnivoice)));
    }
    if let Some(replicate) = Replicate::new(platform, settings.replicate) {
        all.push(("replicate/xtts", job(replicate)));
    }
    if let Some(groq) = Groq::new(platform, settings.groq) {
        all.push(("groq/whisper", job(groq)));
    }
    if let Some(actors) = Apify::actors(platform, settings.apify) {
        all.extend([
            ("apify/captions", job(actors.captions)),
            ("apify/videos", job(actors.videos)),
            ("apify/channels", job(actors.channels)),
            ("apify/market", job(actors.market)),
        ]);
    }
    all
}

fn stream(adapter: impl Adapter + 'static) -> Worker {
    Worker::Stream(Arc::new(adapter))
}

fn job(adapter: impl JobAdapter + 'static) -> Worker {
    Worker::Job(Arc::new(adapter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_steps_have_one_name_and_every_step_is_named_after_its_provider() {
        let platform = Platform::build(
            crate::tests::world::env("127.0.0.1"),
            primitives::Clock::manual(primitives::Timestamp::from_seconds(0)),
            None,
        );
        let specs =
            platform.unwrap().env().section(|settings| specs(&ProviderSettings::read(settings))).unwrap();
        let names: HashSet<_> = specs.iter().map(|spec| spec.name).collect();
        assert_eq!(names.len(), specs.len());
        for spec in specs {
            assert_eq!(spec.name.split_once('/').unwrap().0, spec.provider.as_str());
        }
    }
}
