//! The actors known here. The names and rows are those of public actors, but for `sandbox~…`, which are ours.

use serde_json::{Value, json};

mod captions;
mod channel;
mod search;
mod shop;
mod youtube;

use super::input::Input;

/// A program that turns an input into rows.
pub(super) struct Actor {
    user: &'static str,
    name: &'static str,
    pub(super) id: &'static str,
    /// Millionths of a dollar.
    pub(super) start_micros: u64,
    pub(super) row_micros: u64,
    /// The rows, or which field is missing.
    rows: fn(&Input) -> Result<Vec<Value>, &'static str>,
}

const ACTORS: [Actor; 7] = [
    Actor {
        user: "pintostudio",
        name: "youtube-transcript-scraper",
        id: "faVsWy9VTSNVIhWpR",
        start_micros: 5_000,
        row_micros: 1_000,
        rows: captions::in_one_row,
    },
    Actor {
        user: "sandbox",
        name: "youtube-transcript",
        id: "sandboxActor00001",
        start_micros: 50,
        row_micros: 2_000,
        rows: captions::in_rows,
    },
    Actor {
        user: "streamers",
        name: "youtube-scraper",
        id: "h7sDV53CddomktSi5",
        start_micros: 50,
        row_micros: 5_000,
        rows: channel::with_likes,
    },
    Actor {
        user: "streamers",
        name: "youtube-channel-scraper",
        id: "67Q6fmd8iedTVcCwY",
        start_micros: 50,
        row_micros: 1_000,
        rows: channel::basic,
    },
    Actor {
        user: "apify",
        name: "google-search-scraper",
        id: "nFJndFXA5zjCTuudP",
        start_micros: 1_000,
        row_micros: 4_500,
        rows: search::pages,
    },
    Actor {
        user: "apify",
        name: "e-commerce-scraping-tool",
        id: "2APbAvDfNDOWXbkWf",
        start_micros: 70,
        row_micros: 3_000,
        rows: shop::products,
    },
    Actor {
        user: "sandbox",
        name: "market-search",
        id: "sandboxActor00002",
        start_micros: 50,
        row_micros: 1_500,
        rows: shop::market,
    },
];

impl Actor {
    /// By `user~name`, by `user/name` as clients write it, or by its id.
    pub(super) fn named(reference: &str) -> Option<&'static Actor> {
        let reference = reference.replace("%2F", "~");
        ACTORS.iter().find(|actor| actor.id == reference || actor.path_name() == reference)
    }

    fn path_name(&self) -> String {
        format!("{}~{}", self.user, self.name)
    }

    pub(super) fn rows(&self, input: &Input) -> Result<Vec<Value>, &'static str> {
        (self.rows)(input)
    }

    /// `GET /actors/{id}`.
    pub(super) fn shown(&self) -> Value {
        json!({
            "id": self.id, "userId": "sandboxUser000002", "username": self.user, "name": self.name,
            "title": self.path_name(), "description": "Invented by the sandbox.", "isPublic": true,
            "createdAt": "2024-01-01T00:00:00.000Z", "modifiedAt": "2026-01-01T00:00:00.000Z",
            "stats": { "totalBuilds": 1, "totalRuns": 1 }, "versions": [],
            "defaultRunOptions": { "build": "latest", "timeoutSecs": 3_600, "memoryMbytes": 1_024 },
        })
    }
}
