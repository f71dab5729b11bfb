//! What a provider made, on its way into the media store. It is stored before anything is charged.

use crate::files::NewFile;
use crate::job::RunJob;
use crate::jobs::Jobs;
use bytes::Bytes;
use futures_util::stream;
use media::{MediaError, NewOutput, StoredOutput, output_name};
use primitives::{Private, times};
use providers::{BrokenOff, MadeFile, Visit};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::Instant;

/// The longest file that is taken from a provider.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// The pauses before a file that broke off, or is not there yet, is asked for from its beginning again.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Why outputs were not stored.
#[derive(Debug)]
pub(crate) enum NotStored {
    /// The provider's file broke off, again and again.
    BrokenOff,
    /// It is no file of the kind that was ordered, or is not to be had.
    Unfit,
    /// Our store did not take it.
    Ours(MediaError),
}

impl Jobs {
    /// Stores all files of a run, each under a name of the hold's, so that nothing but the decision about it ever writes there.
    pub(crate) async fn store_all(
        &self,
        job: &RunJob,
        files: Vec<NewFile>,
        visit: Visit,
    ) -> Result<Vec<StoredOutput>, NotStored> {
        let is_one = files.len() == 1;
        let mut outputs = Vec::with_capacity(files.len());
        for (file, n) in files.into_iter().zip(1_u32..) {
            // No two who fetch the same work ever write to the same place: what one of them booked stays as it was.
            let nonce = format!("{}-{}", job.hold.nonce.encode(), job.work.finishings());
            let name = output_name(job.run(), &nonce, n);
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
        self.media.store_stream(new, content, visit.now()).await.map_err(NotStored::Ours)
    }

    /// A file that is not held in memory: from the provider into the store, piece by piece.
    async fn pass_on(
        &self,
        new: &NewOutput<'_>,
        file: &MadeFile,
        visit: Visit,
    ) -> Result<StoredOutput, NotStored> {
        let limit = visit.at_most(times::LARGE_FILE.limit);
        let mut pauses = PAUSES.into_iter();
        loop {
            let stored = match file.open(limit).await {
                Ok(content) => {
                    self.media.store_stream(new, content, visit.now()).await.map_err(NotStored::of)
                }
                Err(BrokenOff::ForNow) => Err(NotStored::BrokenOff),
                Err(BrokenOff::ForGood) => return Err(NotStored::Unfit),
            };
            match stored {
                // It is paid, so it is asked for again.
                Err(NotStored::BrokenOff) => match pauses.next().map(|pause| Instant::now() + pause) {
                    Some(again) if again < limit => tokio::time::sleep_until(again).await,
                    _ => return Err(NotStored::BrokenOff),
                },
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
            MediaError::BrokeOff(_) | MediaError::Empty => NotStored::BrokenOff,
            MediaError::Unfit { .. } | MediaError::TooLong { .. } => NotStored::Unfit,
            ours => NotStored::Ours(ours),
        }
    }
}
