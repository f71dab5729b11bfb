//! No input that the limits allow is sold for less than it can cost, by the true profiles and the default settings.

use crate::pricing::{Case, PriceRow, Unsellable};
use crate::{ImageSize, ToolInput, ToolSeed};
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

/// Whichever step serves `input`, its cost at worst is below the price; the first one is asked for all of it.
fn assert_is_paid(row: &PriceRow, worst: &WorstCosts, input: &ToolInput) {
    let paid = row.ledger_unit.cost_paid_by(row.price_of(input).unwrap());
    let measure = input.measure(row.output_tokens_max());
    let whole = worst.of_step(&row.chain[0], measure).unwrap();
    assert_eq!(worst.of_step_within(&row.chain[0], measure, paid), Some(whole), "{} {measure:?}", row.name());
    for step in &row.chain {
        if let Some(cost) = worst.of_step_within(step, measure, paid) {
            assert!(cost <= paid, "{} by {step}: {cost} for {paid}: {measure:?}", row.name());
        }
    }
}

fn image(size: ImageSize) -> ToolInput {
    ToolInput::parse("image", &json!({ "prompt": "x", "size": size.as_str() })).unwrap().unwrap()
}

/// A text's input, for the tool of this name.
fn text(tool: &str, prompt: &str) -> ToolInput {
    ToolInput::parse(tool, &json!({ "prompt": prompt })).unwrap().unwrap()
}

#[test]
fn no_row_of_any_profile_sells_below_its_worst_cost() {
    for (row, worst) in rows() {
        assert_eq!(row.check_cost(&worst), Ok(()), "{}", row.name());
        if row.tool == "image" {
            ImageSize::ALL.into_iter().for_each(|size| assert_is_paid(&row, &worst, &image(size)));
            continue;
        }
        // The longest prompt that is taken, in the widest characters, and both sides of every step of the price.
        let longest = row.prompt_chars_max as usize;
        assert_is_paid(&row, &worst, &text(&row.tool, &"\u{1F3AC}".repeat(longest)));
        // Without steps one unit is as long as a prompt can be.
        let stretch = row.prompt_bytes_per_unit.map_or(4 * longest, |bytes| bytes as usize).max(1);
        for bytes in (0..=4 * longest / stretch).flat_map(|step| [step * stretch, step * stretch + 1]) {
            let wide = bytes / 4;
            let prompt = "\u{1F3AC}".repeat(wide) + &"x".repeat(bytes - 4 * wide);
            if !prompt.is_empty() && row.check(&text(&row.tool, &prompt)).is_ok() {
                assert_is_paid(&row, &worst, &text(&row.tool, &prompt));
            }
        }
    }
}

#[test]
fn a_fallback_serves_a_usual_prompt_of_every_row() {
    for (row, worst) in rows() {
        let input = if row.tool == "image" {
            image(ImageSize::DEFAULT)
        } else {
            text(&row.tool, &"word ".repeat(40))
        };
        let paid = row.ledger_unit.cost_paid_by(row.price_of(&input).unwrap());
        for step in &row.chain {
            let cost = worst.of_step_within(step, input.measure(row.output_tokens_max()), paid);
            assert!(cost.is_some(), "{}: {step} is left out of 200 characters", row.name());
        }
    }
}

#[test]
fn the_price_of_an_image_follows_its_megapixels() {
    let (dev, _) = row("image/flux-dev");
    let (schnell, _) = row("image/flux-schnell");
    for (size, of_dev, of_schnell) in [
        (ImageSize::SquareHd, 8, 3),
        (ImageSize::Square, 4, 2),
        (ImageSize::Portrait43, 4, 2),
        (ImageSize::Portrait169, 4, 2),
        (ImageSize::Landscape43, 4, 2),
        (ImageSize::Landscape169, 4, 2),
    ] {
        assert_eq!(dev.price_of(&image(size)), Ok(credits(of_dev)), "{size:?}");
        assert_eq!(schnell.price_of(&image(size)), Ok(credits(of_schnell)), "{size:?}");
    }
}

#[test]
fn the_price_of_a_text_follows_the_bytes_of_its_prompt() {
    for (name, per_unit, price) in
        [("script/chat", 40_000, 1), ("script/reasoner", 40_000, 3), ("script/premium", 12_000, 8)]
    {
        let (row, _) = row(name);
        let price_of = |bytes: usize| row.price_of(&text(&row.tool, &"x".repeat(bytes)));
        assert_eq!((price_of(1), price_of(per_unit)), (Ok(credits(price)), Ok(credits(price))), "{name}");
        assert_eq!(price_of(per_unit + 1), Ok(credits(2 * price)), "{name}");
    }
}

#[test]
fn the_listed_prices_are_those_of_the_inputs_they_name() {
    for (row, _) in rows() {
        let mut shorter_than = 0;
        for case in row.cases().unwrap() {
            let inputs = match case.of {
                Case::Size(size) => vec![image(size)],
                Case::PromptBytesMax(max) => {
                    let first = usize::try_from(shorter_than + 1).unwrap();
                    shorter_than = max;
                    let last = usize::try_from(max).unwrap();
                    [first, last].map(|bytes| text(&row.tool, &"x".repeat(bytes))).to_vec()
                }
            };
            for input in inputs {
                assert_eq!(row.price_of(&input), Ok(case.price), "{} {:?}", row.name(), case.of);
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
    assert_eq!(countless.check_cost(&worst), Err(Unsellable::TooManyPrices(80_000)));
}

proptest! {
    #[test]
    fn whatever_is_asked_for_is_paid_by_its_price(prompt in "\\PC{1,400}", times in 1..50_usize, at in 0..5_usize) {
        let (row, worst) = &rows()[at];
        let prompt = prompt.repeat(times);
        prop_assume!(!prompt.trim().is_empty());
        if row.tool == "image" {
            assert_is_paid(row, worst, &image(ImageSize::ALL[times % ImageSize::ALL.len()]));
        } else if row.check(&text(&row.tool, &prompt)).is_ok() {
            assert_is_paid(row, worst, &text(&row.tool, &prompt));
        }
    }

    #[test]
    fn a_row_that_passes_the_check_sells_nothing_below_cost(
        cost in 1..20_000_000_u64, markup in 1..40_u32, chars in 1..40_000_u32, stretch in 1_000..100_000_u32,
        output in 1..20_000_u32, bytes in 1..160_000_u64, at in 0..5_usize,
    ) {
        let (row, worst) = rows().swap_remove(at);
        let row = PriceRow {
            provider_cost: CostCents::from_micro_cents(cost),
            markup: primitives::Markup::new(markup, 10).unwrap(),
            prompt_chars_max: chars,
            prompt_bytes_per_unit: Some(stretch),
            output_tokens_max: Some(output),
            ..row
        };
        prop_assume!(row.check_cost(&worst).is_ok());
        let (units, measure) = match row.tool.as_str() {
            "image" => (2, Measure::Image { width: 1024, height: 1024, count: 1 }),
            _ => {
                let prompt_bytes = bytes.min(4 * u64::from(chars));
                let units = prompt_bytes.div_ceil(u64::from(stretch));
                (units, Measure::Text { prompt_bytes, output_tokens_max: output })
            }
        };
        let cost = row.provider_cost.scaled_half_up(units, 1).unwrap();
        let price = row.ledger_unit.run_price_half_up(cost, row.markup);
        let cost = worst.of_step(&row.chain[0], measure).unwrap();
        prop_assert!(cost <= row.ledger_unit.cost_paid_by(price.unwrap()));
    }
}
