use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::io::Write;
use std::path::Path;

/// How large a function is, for the disk and for the deployment.
pub(super) struct Sizes {
    pub(super) binary: u64,
    /// The zip with the binary as its only file.
    pub(super) package: u64,
}

/// The two headers and the trailer around one file named `bootstrap`.
const ZIP_OVERHEAD: u64 = (30 + 9) + (46 + 9) + 22;

impl Sizes {
    pub(super) fn of(program: &Path) -> Sizes {
        let bytes = std::fs::read(program).unwrap();
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::default());
        deflated.write_all(&bytes).unwrap();
        let deflated = deflated.finish().unwrap();
        Sizes { binary: bytes.len() as u64, package: deflated.len() as u64 + ZIP_OVERHEAD }
    }
}
