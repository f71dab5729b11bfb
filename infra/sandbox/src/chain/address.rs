//! TRON addresses: Base58Check of `0x41` and 20 bytes.

use ring::digest::{SHA256, digest};

const MAIN_NET: u8 = 0x41;
const CHECKSUM_BYTES: usize = 4;

/// Whether `text` is an address: 25 bytes, the main net's version, a right checksum.
pub(crate) fn is_address(text: &str) -> bool {
    let Ok(bytes) = bs58::decode(text).into_vec() else { return false };
    let Some((body, checksum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else { return false };
    body.len() == 21 && body[0] == MAIN_NET && *checksum == checksum_of(body)
}

/// An address nobody owns, the same for the same label.
pub(crate) fn invented(label: &str) -> String {
    let mut bytes = vec![MAIN_NET];
    bytes.extend_from_slice(&digest(&SHA256, label.as_bytes()).as_ref()[..20]);
    let checksum = checksum_of(&bytes);
    bytes.extend_from_slice(&checksum);
    bs58::encode(bytes).into_string()
}

/// The first bytes of the double SHA-256.
fn checksum_of(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = digest(&SHA256, digest(&SHA256, body).as_ref());
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&hash.as_ref()[..CHECKSUM_BYTES]);
    checksum
}
