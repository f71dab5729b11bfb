//! Valid inputs, spoilt: bits, cuts, splices, other numbers, and words that readers may trip over.

use super::chance::Chance;

/// Mostly one: what stays readable goes deepest.
const STEPS: [usize; 8] = [0, 1, 1, 1, 1, 2, 3, 4];
/// Below what the webhook routes take.
const BYTES_MAX: usize = 200_000;
/// Seldom, so that speed does not suffer.
const STRETCH_ONE_IN: usize = 500;

/// What belongs nowhere, or to some other place.
const WORDS: [&str; 44] = [
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"",
    "\\",
    ",",
    ":",
    "{",
    "}",
    "[[[[[[[[[[[[[[[[",
    "\\u0000",
    "\\ud800",
    "\0",
    "\u{feff}",
    "\u{a0}",
    "\u{200b}",
    "\u{301}",
    "đ",
    "Nạp tiền",
    "🪁",
    "\r\n",
    "#",
    "/",
    ".",
    "..",
    "%00",
    "CIT",
    "citab2cde",
    "CITAB2CDE",
    "CIT AB2 CDE",
    "CITCITAB2CDE",
    "in",
    "out",
    "CAPTURED",
    "CANCELLED",
    "ORDER_PAID",
    "TRANSACTION_VOID",
    "0000-00-00 00:00:00",
    "9999-12-31 23:59:59",
    "-001-01-01 00:00:00",
    "1970-01-01 00:00:00",
    "2026-02-30 24:60:60",
];
/// Where numbers end, in what JSON calls a number.
const NUMBERS: [&str; 26] = [
    "0",
    "-0",
    "-1",
    "1",
    "00",
    "0.0",
    "1.0",
    "1.5",
    "1e3",
    "1e308",
    "1e999",
    "-1e999",
    "9007199254740991",
    "9007199254740993",
    "4294967296",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1844674407370955161500",
    "131350",
    "131349",
    "131351",
    "99999999999999999999999999999999999999999",
];

/// One of the samples with up to four changes; now and then none.
pub(crate) fn mutated(chance: &mut Chance, samples: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = chance.pick(samples).clone();
    for _ in 0..*chance.pick(&STEPS) {
        change(chance, &mut bytes, samples);
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

fn change(chance: &mut Chance, bytes: &mut Vec<u8>, samples: &[Vec<u8>]) {
    let at = chance.below(bytes.len() + 1);
    match chance.below(11) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        1 => drop(bytes.drain(short(chance, bytes.len()))),
        2 => bytes.truncate(at),
        3 => {
            let word = *chance.pick(&WORDS);
            bytes.splice(at..at, word.bytes());
        }
        4 => {
            let (place, word) = (short(chance, bytes.len()), *chance.pick(&WORDS));
            bytes.splice(place, word.bytes());
        }
        5 => {
            let other = chance.pick(samples);
            let part = chance.part(other.len());
            bytes.splice(at..at, other[part].iter().copied());
        }
        6 => {
            let part = short(chance, bytes.len());
            let twice = bytes[part].to_vec();
            bytes.splice(at..at, twice);
        }
        7 => other_number(chance, bytes),
        8 | 9 => other_digit(chance, bytes),
        _ if chance.one_in(STRETCH_ONE_IN) => {
            let (byte, count) = (bytes.get(at).copied().unwrap_or(b'['), chance.below(BYTES_MAX));
            bytes.splice(at..at, std::iter::repeat_n(byte, count));
        }
        _ => swap_numbers(chance, bytes),
    }
}

/// A part of 40 bytes at most.
fn short(chance: &mut Chance, length: usize) -> std::ops::Range<usize> {
    let start = chance.below(length + 1);
    start..(start + chance.below(40)).min(length)
}

fn other_number(chance: &mut Chance, bytes: &mut Vec<u8>) {
    let numbers = numbers(bytes);
    if !numbers.is_empty() {
        let (place, number) = (chance.pick(&numbers).clone(), *chance.pick(&NUMBERS));
        bytes.splice(place, number.bytes());
    }
}

/// The number stays one, and the input as readable as it was.
fn other_digit(chance: &mut Chance, bytes: &mut [u8]) {
    let numbers = numbers(bytes);
    if !numbers.is_empty() {
        let number = chance.pick(&numbers).clone();
        let at = number.start + chance.below(number.len());
        bytes[at] = *chance.pick(b"0123456789");
    }
}

fn swap_numbers(chance: &mut Chance, bytes: &mut Vec<u8>) {
    let numbers = numbers(bytes);
    if numbers.len() > 1 {
        let (one, other) = (chance.pick(&numbers).clone(), chance.pick(&numbers).clone());
        let text = bytes[other].to_vec();
        bytes.splice(one, text);
    }
}

/// Where digits stand side by side.
fn numbers(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| byte.is_ascii_digit()) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end += 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}
