//! The list a person reads: which fault means what, and where.

use serde::Serialize;

use crate::Service;
use crate::Service::{Anthropic, Bank, Clerk, Comfyui, Deepseek, Fal, Sepay, Trongrid, Tronscan};
use crate::Service::{Apify, Dropbox, Google, Groq, Omnivoice, Replicate};

/// One line of the list.
#[derive(Debug, Serialize)]
pub(crate) struct CatalogueLine {
    pub(crate) name: &'static str,
    pub(crate) services: &'static [Service],
    /// Parameters with their defaults.
    pub(crate) parameters: &'static str,
    pub(crate) meaning: &'static str,
}

const ALL: &[Service] = &Service::ALL;
const STREAMS: &[Service] = &[Deepseek, Anthropic, Omnivoice];
const QUEUED: &[Service] = &[Fal, Comfyui, Replicate, Apify];
const FILES: &[Service] = &[Fal, Comfyui, Replicate];
const MAKING: &[Service] = &[Fal, Comfyui, Deepseek, Anthropic, Replicate, Apify];

/// Every fault.
pub(crate) const CATALOGUE: &[CatalogueLine] = &[
    line("slow", ALL, "ms=1000", "the answer comes after a wait"),
    line("refuse", ALL, "", "503 before anything is accepted"),
    line("status", ALL, "status=500 retry_after=", "any error status in the vendor's shape"),
    line("drop_connection", ALL, "", "accepted, then the connection closes without an answer"),
    line("drop_before", ALL, "", "the connection closes and nothing was accepted"),
    line("garbage", ALL, "", "200 with an HTML page"),
    line("wrong_shape", ALL, "", "valid JSON that is not the documented answer"),
    line(
        "scripted",
        ALL,
        "status=200 headers={} content_type=application/json body= then=end|cut|hang",
        "exactly this answer; nothing is accepted",
    ),
    line("cut_stream", STREAMS, "after=3", "the connection breaks after n content pieces"),
    line("end_early", STREAMS, "after=3", "a clean end without the final events"),
    line("error_frame", MAKING, "after=3", "an error inside the 200 stream; a queued job fails"),
    line("stall", STREAMS, "ms=60000 after=3", "the stream pauses"),
    line("empty", ALL, "", "a complete answer without content: no keys, transfers or rates"),
    line("content_filter", &[Fal, Deepseek, Anthropic, Replicate], "", "the vendor's content rules stop it"),
    line("late", QUEUED, "polls=5", "the job waits some looks longer"),
    line(
        "lost",
        &[Clerk, Fal, Comfyui, Sepay, Bank, Replicate, Apify, Google, Dropbox],
        "",
        "the job disappears, or the upload that is under way; the webhook is never sent",
    ),
    line("result_504", &[Fal], "", "the first result call answers 504, then it works"),
    line("nsfw", &[Fal], "", "has_nsfw_concepts is true and the image black"),
    line(
        "duplicate",
        &[Clerk, Fal, Deepseek, Anthropic, Sepay, Bank, Tronscan, Trongrid, Replicate, Apify],
        "",
        "webhooks twice; the usage event twice; the rows of the chain's list twice",
    ),
    line("unmarked", &[Tronscan, Trongrid, Sepay], "", "a page does not say that its list goes on"),
    line("not_an_image", FILES, "", "the output's address serves an HTML page"),
    line("huge", FILES, "announced=true", "the output is larger than 64 MiB"),
    line("early", &[Replicate, Apify], "", "done and told by webhook before the submit is answered"),
    line("out_of_order", &[Replicate], "", "all webhooks at the end, the last event first"),
    line("forged", &[Replicate, Apify], "", "somebody else sends a webhook too, before the true one"),
    line("no_speech", &[Omnivoice, Groq], "", "a drone in place of a voice; text heard in silence"),
    line("error_rows", &[Apify], "", "the rows say what went wrong in place of data"),
    line("large", QUEUED, "mb=100", "a whole video of this size, byte ranges included"),
    line("cut_file", QUEUED, "", "the output's address breaks off half way; a later part is answered whole"),
    line(
        "webhook",
        &[Fal],
        "how=lost|forged|stale|early|after_cancel|error|payload_error|other_gateway",
        "what the webhook about the job has of wrong",
    ),
    line("keys", &[Fal], "show=padded|other|none", "the key set for webhooks looks different"),
];

const fn line(
    name: &'static str,
    services: &'static [Service],
    parameters: &'static str,
    meaning: &'static str,
) -> CatalogueLine {
    CatalogueLine { name, services, parameters, meaning }
}

/// The names that mean something for a service.
pub(crate) fn names_for(service: Service) -> Vec<&'static str> {
    CATALOGUE.iter().filter(|line| line.services.contains(&service)).map(|line| line.name).collect()
}
