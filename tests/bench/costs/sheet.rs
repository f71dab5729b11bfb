use super::bill::{Bill, Facts, Line, usual_stack};
use super::prices::{self, Mark, dollars};
use super::rules;
use super::steps::Kind;
use crate::figures::ms;
use std::fmt::Write;

const SCENARIOS: [(Kind, &str); 8] = [
    (Kind::Script, "A script, streamed for 10 s"),
    (Kind::Image, "An image"),
    (Kind::Failed, "A run that no provider serves; the credit goes back"),
    (Kind::SignUp, "Somebody new: Clerk's webhook and the account page"),
    (Kind::AccountPage, "The account page again"),
    (Kind::Bank, "A top-up by bank transfer"),
    (Kind::Card, "A top-up by card"),
    (Kind::Usdt, "A top-up in USDT"),
];

/// The whole sheet in Markdown.
pub(crate) fn sheet(facts: &Facts) -> String {
    let bills: Vec<Bill> = SCENARIOS.iter().map(|(kind, title)| facts.million(title, *kind)).collect();
    let month = facts.month();
    let mut text =
        String::from("\n| a million times, the month once | dollars | the dearest line |\n|---|---|---|\n");
    for bill in bills.iter().chain([&month]) {
        let Bill { title, .. } = bill;
        let (sum, line) = (bill.nano_dollars(), bill.dearest());
        let part = share(line.nano_dollars(), sum);
        let _ = writeln!(text, "| {title} | {} | {}, {part} |", dollars(sum), line.what);
    }
    for bill in &bills {
        let _ = writeln!(text, "\n### {}: {} a million\n", bill.title, dollars(bill.nano_dollars()));
        text += &table(bill);
    }
    let _ = writeln!(text, "\n### {}: {}\n", month.title, dollars(month.nano_dollars()));
    text += &table(&month);
    let keys = dollars(facts.busy_table_keys());
    let _ =
        writeln!(text, "\nWith every function asked all the time, table keys cost at most {keys} a month.\n");
    text += &rules::legend();
    text += "\n### Processor time of the whole local process, measured\n\n";
    text += &work_table(facts);
    text += "\n### Prices, us-east-1, first tier, no free allowance taken off\n\n";
    text += &price_table();
    let _ = writeln!(text, "\n{}", comparison(&bills[0]));
    text
}

fn table(bill: &Bill) -> String {
    let mut text =
        String::from("| line | quantity | price | dollars | share | |\n|---|--:|--:|--:|--:|---|\n");
    let sum = bill.nano_dollars();
    for line in &bill.lines {
        let Line { what, price, quantity, rule } = line;
        let (quantity, cost) = (price.quantity(*quantity), line.nano_dollars());
        let (price, part) = (price.per_words(), share(cost, sum));
        let _ = writeln!(text, "| {what} | {quantity} | {price} | {} | {part} | {rule} |", dollars(cost));
    }
    let _ = writeln!(text, "| **sum** | | | **{}** | | |", dollars(sum));
    text
}

fn price_table() -> String {
    let mut text = String::from("| what | price | source | |\n|---|--:|---|---|\n");
    for price in prices::ALL {
        let mark = match price.mark {
            Mark::Read => "read",
            Mark::Unconfirmed => "unconfirmed",
        };
        let _ = writeln!(text, "| {} | {} | {} | {mark} |", price.what, price.per_words(), price.source);
    }
    text
}

fn work_table(facts: &Facts) -> String {
    let mut times: Vec<(String, u64)> =
        facts.work.iter().map(|(work, micros)| (format!("{work:?}"), *micros)).collect();
    times.sort();
    let mut text = String::from("| each | CPU |\n|---|--:|\n");
    for (work, micros) in times {
        let _ = writeln!(text, "| {work} | {} |", ms(i64::try_from(micros).unwrap_or(i64::MAX)));
    }
    text
}

/// Only lines that the usual stack's sheet has too.
fn comparison(script: &Bill) -> String {
    let usual = usual_stack();
    let has = |what: &str| usual.lines.iter().any(|line| what.starts_with(&line.what));
    let ours: u128 = script.lines.iter().filter(|line| has(&line.what)).map(Line::nano_dollars).sum();
    let theirs = usual.nano_dollars();
    format!(
        "A million scripts at the same prices, counting time, invocations, front door and writes: ours {}; {} {}. Ours is {} of it.",
        dollars(ours),
        usual.title,
        dollars(theirs),
        share(ours, theirs),
    )
}

/// Percent with one decimal.
fn share(part: u128, whole: u128) -> String {
    let tenths = (part * 1_000 + whole / 2) / whole.max(1);
    format!("{}.{} %", tenths / 10, tenths % 10)
}
