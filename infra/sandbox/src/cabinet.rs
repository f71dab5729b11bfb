//! Files in people's drives. Of long ones only length and hashes are kept, so that a long file costs no memory.

use ring::digest::{Context, SHA256, digest};

/// As much of a file as is kept to be read again.
const KEPT_BYTES: usize = 8 * 1024 * 1024;
/// Dropbox hashes blocks of this length, and then the hashes.
const BLOCK_BYTES: usize = 4 * 1024 * 1024;

/// A file that grows.
#[derive(Clone)]
pub(crate) struct Growing {
    pub(crate) bytes: u64,
    kept: Vec<u8>,
    whole: Context,
    block: Context,
    in_block: usize,
    blocks: Context,
}

/// A file that is whole.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    pub(crate) bytes: u64,
    /// `None`: it was too long to keep.
    pub(crate) content: Option<Vec<u8>>,
    pub(crate) sha256: String,
    /// As Dropbox hashes.
    pub(crate) content_hash: String,
}

/// A file in a person's drive.
#[derive(Clone, Debug, serde::Serialize)]
pub struct DriveFile {
    /// Whose drive it is in.
    pub person: String,
    /// The vendor's name for it.
    pub id: String,
    /// What its owner sees.
    pub name: String,
    /// The folder that it lies in; `None`: the one where everything begins.
    pub folder: Option<String>,
    /// Its length.
    pub bytes: u64,
    /// Of its content, in hexadecimal digits.
    pub sha256: String,
    /// Where its owner sees it.
    pub link: String,
}

impl Default for Growing {
    fn default() -> Growing {
        let context = || Context::new(&SHA256);
        Growing {
            bytes: 0,
            kept: Vec::new(),
            whole: context(),
            block: context(),
            in_block: 0,
            blocks: context(),
        }
    }
}

impl Growing {
    pub(crate) fn add(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.whole.update(bytes);
        let room = KEPT_BYTES.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.in_block));
            self.block.update(now);
            self.in_block += now.len();
            if self.in_block == BLOCK_BYTES {
                self.close_block();
            }
            bytes = later;
        }
    }

    fn close_block(&mut self) {
        let block = std::mem::replace(&mut self.block, Context::new(&SHA256)).finish();
        self.blocks.update(block.as_ref());
        self.in_block = 0;
    }

    pub(crate) fn whole(mut self) -> Whole {
        if self.in_block > 0 {
            self.close_block();
        }
        Whole {
            bytes: self.bytes,
            content: (self.kept.len() as u64 == self.bytes).then_some(self.kept),
            sha256: hex::encode(self.whole.finish()),
            content_hash: hex::encode(self.blocks.finish()),
        }
    }
}

/// A stable name for a person at a vendor.
pub(crate) fn number_of(person: &str) -> String {
    let hash = digest(&SHA256, person.as_bytes());
    let digits = hash.as_ref().iter().take(10).map(|byte| char::from(b'0' + byte % 10));
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dropbox's documentation has this one: its picture of a nebula is too long for here, so the rule itself.
    #[test]
    fn a_file_is_hashed_block_by_block_however_it_comes() {
        let content: Vec<u8> = (0..BLOCK_BYTES + 1_000).map(|at| (at % 251) as u8).collect();
        let hash = |bytes: &[u8]| digest(&SHA256, bytes).as_ref().to_vec();
        let expected = hash(&[hash(&content[..BLOCK_BYTES]), hash(&content[BLOCK_BYTES..])].concat());
        for step in [7_919, BLOCK_BYTES, content.len()] {
            let mut growing = Growing::default();
            content.chunks(step).for_each(|piece| growing.add(piece));
            let whole = growing.whole();
            assert_eq!(whole.content_hash, hex::encode(&expected), "{step}");
            assert_eq!(whole.sha256, hex::encode(hash(&content)));
            assert_eq!(whole.content.as_deref(), Some(content.as_slice()));
        }
        let mut long = Growing::default();
        long.add(&vec![0; KEPT_BYTES + 1]);
        assert!(long.whole().content.is_none());
    }
}
