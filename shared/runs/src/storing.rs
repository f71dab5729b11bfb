//! What a provider made, on its way into the media store. It is stored before anything is charged.

use crate::files::{self, NewFile};
use crate::job::RunJob;
use crate::jobs::Jobs;
use bytes::Bytes;
use futures_util::stream;
use media::{MediaError, NewOutput, StoredOutput, output_name};
use primitives::{Private, times};
use providers::{BrokenOff, Made, MadeFile, Visit};
use std::convert::Infallible;

/// The longest file that is taken from a provider.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// How often a file that broke off is asked for from its beginning.
const TRIES: u32 = 3;

/// Why outputs were not stored.
#[derive(Debug)]
pub(crate) enum NotStored {
    /// The provider's file broke off, again and again, or is no file of the kind that was ordered.
    BrokenOff,
    /// Our store did not take it.
    Ours(MediaError),
}

impl Jobs {
    /// Stores all that was made, each under a name of the hold's, so that nothing but the decision about it ever writes there.
    pub(crate) async fn store_all(
        &self,
        job: &RunJob,
        made: Vec<Made>,
        visit: Visit,
    ) -> Result<Vec<StoredOutput>, NotStored> {
        let files: Vec<NewFile> = made.into_iter().flat_map(|made| files::of(made, job.family())).collect();
        let is_one = files.len() == 1;
        let mut outputs = Vec::with_capacity(files.len());
        for (file, n) in files.into_iter().zip(1_u32..) {
            let name = output_name(job.run(), &job.hold.nonce.encode(), n);
            let family = file.family();
            let new = NewOutput {
                account: &job.account,
                name: &name,
                tool: job.tool(),
                n: (!is_one).then_some(n),
                family,
                bytes_max: FILE_BYTES_MAX,
                with_thumbnail: true,
            };
            outputs.push(match file {
                NewFile::Here { bytes, .. } => self.store_here(&new, bytes, visit).await?,
                NewFile::There { file, .. } => self.pass_on(&new, &file, visit).await?,
            });
        }
        Ok(outputs)
    }

    async fn store_here(
        &self,
        new: &NewOutput<'_>,
        bytes: Private<Bytes>,
        visit: Visit,
    ) -> Result<StoredOutput, NotStored> {
        let content = stream::iter([Ok::<_, Infallible>(bytes.into_inner())]);
        self.media.store_stream(new, content, visit.now()).await.map_err(NotStored::of)
    }

    /// A file that is not held in memory: from the provider into the store, piece by piece.
    async fn pass_on(
        &self,
        new: &NewOutput<'_>,
        file: &MadeFile,
        visit: Visit,
    ) -> Result<StoredOutput, NotStored> {
        let limit = visit.at_most(times::LARGE_FILE.limit);
        let mut left = TRIES;
        loop {
            left -= 1;
            let stored = match file.open(limit).await {
                Ok(content) => self.media.store_stream(new, content, visit.now()).await.map_err(NotStored::of),
                Err(BrokenOff) => Err(NotStored::BrokenOff),
            };
            match stored {
                Err(NotStored::BrokenOff) if left > 0 => {}
                Ok(mut output) => {
                    if let Some(poster) = &file.poster {
                        let picture = Private::new(poster.bytes.clone());
                        output.thumbnail = self.media.store_thumbnail(&output, picture).await;
                    }
                    return Ok(output);
                }
                Err(not) => return Err(not),
            }
        }
    }
}

impl NotStored {
    fn of(error: MediaError) -> NotStored {
        match error {
            MediaError::BrokeOff(_)
            | MediaError::Unfit { .. }
            | MediaError::TooLong { .. }
            | MediaError::Empty => NotStored::BrokenOff,
            ours => NotStored::Ours(ours),
        }
    }
}
