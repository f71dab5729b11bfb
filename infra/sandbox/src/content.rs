//! The bytes of a file. A stretch of zeros takes no memory, however long it is.

use std::io;
use std::ops::Range;

use axum::body::{Body, Bytes};

const ZEROS: &[u8] = &[0; 64 * 1024];

/// A file's bytes, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Bytes(Bytes),
    Zeros(u64),
}

impl Content {
    pub(crate) fn bytes(&mut self, bytes: Bytes) {
        self.parts.push(Part::Bytes(bytes));
    }

    pub(crate) fn zeros(&mut self, count: u64) {
        self.parts.push(Part::Zeros(count));
    }

    pub(crate) fn len(&self) -> u64 {
        self.parts.iter().map(Part::len).sum()
    }

    /// The bytes of a range that lies within the file.
    pub(crate) fn within(&self, range: &Range<u64>) -> Content {
        let mut at = 0;
        let mut within = Content::default();
        for part in &self.parts {
            let (from, to) = (range.start.max(at), range.end.min(at + part.len()));
            if from < to {
                within.parts.push(part.within(from - at, to - at));
            }
            at += part.len();
        }
        within
    }

    /// A body that hands the bytes out in pieces.
    pub(crate) fn into_body(self) -> Body {
        Body::from_stream(futures_util::stream::iter(self.pieces().map(Ok::<Bytes, io::Error>)))
    }

    /// The pieces, none larger than needed for a part that is held anyway.
    pub(crate) fn pieces(self) -> impl Iterator<Item = Bytes> + Send {
        self.parts.into_iter().flat_map(Part::pieces)
    }
}

impl Part {
    fn len(&self) -> u64 {
        match self {
            Part::Bytes(bytes) => bytes.len() as u64,
            Part::Zeros(count) => *count,
        }
    }

    fn within(&self, from: u64, to: u64) -> Part {
        match self {
            // A part that is held fits into the address space.
            Part::Bytes(bytes) => Part::Bytes(bytes.slice(from as usize..to as usize)),
            Part::Zeros(_) => Part::Zeros(to - from),
        }
    }

    fn pieces(self) -> Box<dyn Iterator<Item = Bytes> + Send> {
        match self {
            Part::Bytes(bytes) => Box::new(std::iter::once(bytes).filter(|bytes| !bytes.is_empty())),
            Part::Zeros(count) => {
                let step = ZEROS.len() as u64;
                let rest = (count % step) as usize;
                let whole =
                    std::iter::repeat_with(|| Bytes::from_static(ZEROS)).take((count / step) as usize);
                Box::new(whole.chain(
                    std::iter::once(Bytes::from_static(&ZEROS[..rest])).filter(|rest| !rest.is_empty()),
                ))
            }
        }
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Content {
        Content { parts: vec![Part::Bytes(bytes)] }
    }
}
