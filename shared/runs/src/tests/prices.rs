//! No input that the limits allow is sold for less than it can cost, by the true profiles and the default settings.

use crate::pricing::{Case, PriceRow, SUMMARY_TRIES, Unsellable};
use crate::tools::Materials;
use crate::{ImageSize, Tool, ToolInput, ToolSeed};
use platform::{Env, Platform};
use primitives::{Clock, CostCents, Credits, Timestamp};
use proptest::prelude::*;
use providers::{Measure, WorstCosts};
use serde_json::json;

fn platform(profile: &str) -> Platform {
    let settings = [
        ("PROFILE", profile),
        ("AWS_REGION", "test-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("MEDIA_BUCKET", "media"),
        // Every fallback that a deployment can have.
        ("COMFYUI_URL", "http://comfyui.test"),
        ("OMNIVOICE_URL", "http://omnivoice.test"),
    ];
    let env: Env = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Platform::build(env, Clock::manual(Timestamp::from_seconds(1_800_000_000)), None).unwrap()
}

/// The rows of every profile in `infra/profiles`, with what their steps cost at worst.
fn rows() -> Vec<(PriceRow, WorstCosts)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/profiles");
    let files =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let of_profile = |file: String| {
        let platform = platform(file.strip_suffix(".toml").unwrap());
        let worst = WorstCosts::new(&platform).unwrap();
        let seeds =
            platform.rules(|profile, settings| ToolSeed::read_all(profile, settings, &worst)).unwrap();
        let (seeds, unit) = (seeds.iter().enumerate(), platform.profile().unit);
        seeds.map(|(at, seed)| (PriceRow::of_seed(seed, unit, at), worst.clone())).collect::<Vec<_>>()
    };
    let rows: Vec<_> = files.flat_map(of_profile).collect();
    assert!(rows.len() >= 5, "the profiles sell something");
    rows
}

fn row(name: &str) -> (PriceRow, WorstCosts) {
    rows().into_iter().find(|(row, _)| row.name() == name).unwrap()
}

fn credits(units: u64) -> Credits {
    Credits::new(units).unwrap()
}

fn cents(text: &str) -> CostCents {
    text.parse().unwrap()
}

/// Whichever step serves `input`, its cost at worst is below the price; the first one is asked for all of it, and what is
/// written about gathered rows may be begun twice.
fn assert_is_paid(row: &PriceRow, worst: &WorstCosts, (input, materials): &(ToolInput, Materials)) {
    let paid = row.ledger_unit.cost_paid_by(row.price_of(input, materials).unwrap());
    let summary = row.summary_cost(worst).unwrap();
    let kept = (0..SUMMARY_TRIES).fold(CostCents::ZERO, |sum, _| sum.saturating_add(summary));
    let paid = paid.checked_sub(kept).unwrap();
    let measure = input.measure(row.output_tokens_max(), materials);
    let whole = worst.of_step(&row.chain[0], measure).unwrap();
    assert_eq!(worst.of_step_within(&row.chain[0], measure, paid), Some(whole), "{} {measure:?}", row.name());
    for step in &row.chain {
        if let Some(cost) = worst.of_step_within(step, measure, paid) {
            assert!(cost <= paid, "{} by {step}: {cost} for {paid}: {measure:?}", row.name());
        }
    }
}

fn input(tool: &str, fields: serde_json::Value) -> (ToolInput, Materials) {
    (ToolInput::parse(tool, &fields).unwrap().unwrap(), Materials::default())
}

fn image(size: ImageSize) -> (ToolInput, Materials) {
    input("image", json!({ "prompt": "x", "size": size.as_str() }))
}

/// A text's input, for the tool of this name.
fn text(tool: &str, prompt: &str) -> (ToolInput, Materials) {
    input(tool, json!({ "prompt": prompt }))
}

const UPLOAD: &str = "upload_01KAQ3V7W00000000000000001";

fn recording(seconds: u32) -> (ToolInput, Materials) {
    let (input, _) = input("transcript", json!({ "recording": UPLOAD }));
    let facts = json!({
        "file_type": "mp3", "bytes": 1_000_000, "sha256": vec![0; 32], "pixels": null, "millis": u64::from(seconds) * 1_000,
        "key": "up30/x",
    });
    let material = json!([{ "id": UPLOAD, "kind": "audio", "facts": facts }]);
    (input, serde_json::from_value(material).unwrap())
}

/// Inputs on both sides of every step of a row's price, as long, as large and as many as its limits allow.
fn inputs(row: &PriceRow) -> Vec<(ToolInput, Materials)> {
    let max = row.prompt_chars_max as usize;
    let wide = |chars: usize| "\u{1F3AC}".repeat(chars);
    match row.tool.as_str() {
        "script" => {
            // Without steps one unit is as long as a prompt can be.
            let stretch = row.prompt_bytes_per_unit.map_or(4 * max, |bytes| bytes as usize).max(1);
            let bytes = (0..=4 * max / stretch).flat_map(|step| [step * stretch, step * stretch + 1]);
            let prompts = bytes.map(|bytes| wide(bytes / 4) + &"x".repeat(bytes % 4));
            let fits = |prompt: &String| !prompt.is_empty() && prompt.chars().count() <= max;
            prompts.filter(fits).chain([wide(max)]).map(|prompt| text("script", &prompt)).collect()
        }
        "image" => {
            let counts = ImageSize::ALL.into_iter().flat_map(|size| (1..=4).map(move |count| (size, count)));
            let of = |(size, count): (ImageSize, u32)| {
                input("image", json!({ "prompt": wide(max), "size": size.as_str(), "count": count }))
            };
            counts.map(of).collect()
        }
        "video" => [5, 10]
            .into_iter()
            .flat_map(|seconds| ["16:9", "9:16", "1:1"].map(move |shape| (seconds, shape)))
            .map(|(seconds, shape)| {
                input("video", json!({ "prompt": "x", "seconds": seconds, "shape": shape }))
            })
            .collect(),
        "voice" => [1, 999, 1_000, 1_001, max]
            .into_iter()
            .flat_map(|chars| ["vi", "en", "th"].map(move |language| (chars, language)))
            .map(|(chars, language)| input("voice", json!({ "text": wide(chars), "language": language })))
            .collect(),
        "transcript" if row.option == "captions" => {
            vec![input("transcript", json!({ "url": "https://youtu.be/dQw4w9WgXcQ" }))]
        }
        "transcript" => [1, 10, 11, 600, 601, row.amount_max.unwrap()].map(recording).to_vec(),
        researched => {
            let (field, value) = match researched {
                "analytics" => ("urls", json!(vec!["@kites"; 5])),
                "channel_research" => ("channels", json!(vec!["@kites"; 5])),
                "market_research" => ("queries", json!(vec!["kites"; 5])),
                other => panic!("this test has no inputs for {other}"),
            };
            let of =
                |rows: &str| input(researched, json!({ field: value, "rows": rows, "question": wide(max) }));
            ["10", "25", "50"].map(of).to_vec()
        }
    }
}

#[test]
fn no_row_of_any_profile_sells_below_its_worst_cost() {
    let mut tools = std::collections::HashSet::new();
    for (row, worst) in rows() {
        assert_eq!(row.check_cost(&worst), Ok(()), "{}", row.name());
        for input in inputs(&row) {
            assert_is_paid(&row, &worst, &input);
        }
        tools.insert(row.tool);
    }
    assert_eq!(tools.len(), Tool::ALL.len(), "every tool is sold by some profile: {tools:?}");
}

#[test]
fn a_fallback_serves_a_usual_input_of_every_row() {
    for (row, worst) in rows() {
        let (input, materials) = match row.tool.as_str() {
            "script" => text("script", &"word ".repeat(40)),
            "image" => image(ImageSize::DEFAULT),
            _ => inputs(&row).swap_remove(0),
        };
        let paid = row.ledger_unit.cost_paid_by(row.price_of(&input, &materials).unwrap());
        for step in &row.chain {
            let cost = worst.of_step_within(step, input.measure(row.output_tokens_max(), &materials), paid);
            assert!(cost.is_some(), "{}: {step} is left out of a usual input", row.name());
        }
    }
}

#[test]
fn the_price_of_an_image_follows_its_megapixels() {
    let (dev, _) = row("image/flux-dev");
    let (schnell, _) = row("image/flux-schnell");
    let price_of =
        |row: &PriceRow, (input, materials): (ToolInput, Materials)| row.price_of(&input, &materials);
    for (size, of_dev, of_schnell) in [
        (ImageSize::SquareHd, 8, 3),
        (ImageSize::Square, 4, 2),
        (ImageSize::Portrait43, 4, 2),
        (ImageSize::Portrait169, 4, 2),
        (ImageSize::Landscape43, 4, 2),
        (ImageSize::Landscape169, 4, 2),
    ] {
        assert_eq!(price_of(&dev, image(size)), Ok(credits(of_dev)), "{size:?}");
        assert_eq!(price_of(&schnell, image(size)), Ok(credits(of_schnell)), "{size:?}");
    }
    let three = input("image", json!({ "prompt": "x", "size": "square_hd", "count": 3 }));
    assert_eq!(price_of(&dev, three), Ok(credits(24)));
}

#[test]
fn the_price_of_a_text_follows_the_bytes_of_its_prompt() {
    for (name, per_unit, price) in
        [("script/chat", 40_000, 1), ("script/reasoner", 40_000, 3), ("script/premium", 12_000, 8)]
    {
        let (row, _) = row(name);
        let price_of = |bytes: usize| {
            let (input, materials) = text(&row.tool, &"x".repeat(bytes));
            row.price_of(&input, &materials)
        };
        assert_eq!((price_of(1), price_of(per_unit)), (Ok(credits(price)), Ok(credits(price))), "{name}");
        assert_eq!(price_of(per_unit + 1), Ok(credits(2 * price)), "{name}");
    }
}

#[test]
fn the_listed_prices_are_those_of_the_inputs_they_name() {
    for (row, _) in rows() {
        let mut shorter_than = 0;
        let mut ends = |max: u64| {
            let first = usize::try_from(shorter_than + 1).unwrap();
            shorter_than = max;
            [first, usize::try_from(max).unwrap()]
        };
        for case in row.cases().unwrap() {
            let inputs = match case.of {
                Case::Any => inputs(&row),
                Case::Size(size, count) => {
                    let fields = json!({ "prompt": "x", "size": size.as_str(), "count": count });
                    vec![input("image", fields)]
                }
                Case::PromptBytesMax(max) => {
                    ends(max).map(|bytes| text(&row.tool, &"x".repeat(bytes))).to_vec()
                }
                Case::CharsMax(max) => {
                    ends(max).map(|chars| input("voice", json!({ "text": "x".repeat(chars) }))).to_vec()
                }
                Case::SecondsMax(max) => {
                    ends(max).map(|seconds| recording(u32::try_from(seconds).unwrap())).to_vec()
                }
                Case::Seconds(seconds) => {
                    vec![input("video", json!({ "prompt": "x", "seconds": seconds }))]
                }
                Case::Rows(rows) => {
                    let of = |(input, _): &(ToolInput, Materials)| {
                        input.measure(0, &Materials::default())
                            == Measure::Rows { rows: u32::try_from(rows).unwrap() }
                    };
                    inputs(&row).into_iter().filter(of).collect()
                }
            };
            assert!(!inputs.is_empty());
            for (input, materials) in inputs {
                assert_eq!(row.price_of(&input, &materials), Ok(case.price), "{} {:?}", row.name(), case.of);
            }
        }
    }
}

#[test]
fn a_row_that_would_sell_below_its_cost_is_found_by_name() {
    let (dev, worst) = row("image/flux-dev");
    let cheap = PriceRow { markup: "1".parse().unwrap(), provider_cost: cents("2.4"), ..dev.clone() };
    // 4.8 is rounded up to 5 for two units, but 2.4 down to 2 for one.
    let below =
        Unsellable::BelowCost { step: "fal/flux-dev".to_owned(), cost: cents("2.5"), price: credits(2) };
    assert_eq!(cheap.check_cost(&worst), Err(below));
    let misspelt = PriceRow { chain: vec!["fal/flux-pro".to_owned()], ..dev.clone() };
    assert_eq!(misspelt.check_cost(&worst), Err(Unsellable::UnknownStep("fal/flux-pro".to_owned())));
    let other = PriceRow { chain: vec!["deepseek/chat".to_owned()], ..dev.clone() };
    assert_eq!(other.check_cost(&worst), Err(Unsellable::UnknownStep("deepseek/chat".to_owned())));
    assert_eq!(PriceRow { chain: Vec::new(), ..dev }.check_cost(&worst), Err(Unsellable::NoStep));

    let (chat, worst) = row("script/chat");
    let endless = PriceRow { prompt_bytes_per_unit: None, prompt_chars_max: 1_000_000, ..chat.clone() };
    assert!(matches!(endless.check_cost(&worst), Err(Unsellable::BelowCost { .. })));
    let talkative = PriceRow { output_tokens_max: Some(40_000), ..chat.clone() };
    assert!(matches!(talkative.check_cost(&worst), Err(Unsellable::BelowCost { .. })));
    let countless = PriceRow { prompt_bytes_per_unit: Some(1), ..chat };
    assert_eq!(countless.check_cost(&worst), Err(Unsellable::TooManyPrices));
}

proptest! {
    #[test]
    fn whatever_is_asked_for_is_paid_by_its_price(prompt in "\\PC{1,400}", times in 1..50_usize, at in 0..3_usize) {
        let mut of_texts = rows().into_iter().filter(|(row, _)| row.tool == "script");
        let (row, worst) = of_texts.nth(at).unwrap();
        let prompt = prompt.repeat(times);
        prop_assume!(!prompt.trim().is_empty() && prompt.chars().count() <= row.prompt_chars_max as usize);
        assert_is_paid(&row, &worst, &text(&row.tool, &prompt));
    }

    /// Of every row, whatever a person writes into it.
    #[test]
    fn a_row_that_passes_the_check_sells_nothing_below_cost(
        cost in 1..200_000_000_u64, markup in 1..40_u32, chars in 1..12_000_u32, stretch in 1_000..100_000_u32,
        each in 1..2_000_u32, most in 1..20_000_u32, output in 1..20_000_u32, at in 0..64_usize,
    ) {
        let mut all = rows();
        let at = at % all.len();
        let (row, worst) = all.swap_remove(at);
        let row = PriceRow {
            provider_cost: CostCents::from_micro_cents(cost),
            markup: primitives::Markup::new(markup, 10).unwrap(),
            prompt_chars_max: chars,
            prompt_bytes_per_unit: Some(stretch),
            amount_per_unit: Some(each),
            amount_max: Some(most),
            output_tokens_max: Some(output),
            ..row
        };
        prop_assume!(row.check_cost(&worst).is_ok());
        let fits = |(input, materials): &(ToolInput, Materials)| {
            input.chars() <= row.prompt_chars_max as usize
                && materials.seconds(UPLOAD.parse().unwrap()).is_none_or(|seconds| seconds <= most)
        };
        for input in inputs(&row).iter().filter(|input| fits(input)) {
            assert_is_paid(&row, &worst, input);
        }
    }
}
