//! Fresh identifiers, unique across restarts because callers may store them.

use ring::rand::{SecureRandom, SystemRandom};

/// A random version 4 UUID, lower case with hyphens.
pub(crate) fn uuid() -> String {
    let mut bytes = random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// `prefix` and 24 random hexadecimal digits.
pub(crate) fn tagged(prefix: &str) -> String {
    format!("{prefix}{}", hex::encode(&random()[..12]))
}

/// Whether `text` is a UUID in lower case with hyphens, the only spelling ComfyUI takes.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// A small stable hash (FNV-1a), for colours and seeds that follow from a prompt.
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).expect("the operating system has random bytes");
    bytes
}
