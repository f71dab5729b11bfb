use super::answers::Output;
use crate::at_worst::megapixels;
use crate::{ImageRequest, Request, SourceFile, VideoRequest};
use primitives::CostCents;
use serde_json::Value;

/// What a job of fal's is to make.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    Images(&'a ImageRequest),
    Video(&'a VideoRequest),
}

impl<'a> Wanted<'a> {
    /// `None`: no model of ours at fal makes such a thing.
    pub(super) fn of(request: &'a Request) -> Option<Wanted<'a>> {
        request.image().map(Wanted::Images).or_else(|| request.video().map(Wanted::Video))
    }

    pub(super) fn prompt(self) -> &'a str {
        match self {
            Wanted::Images(image) => image.prompt.expose(),
            Wanted::Video(video) => video.prompt.expose(),
        }
    }

    /// The picture that it is made from.
    pub(super) fn picture(self) -> Option<&'a SourceFile> {
        match self {
            Wanted::Images(image) => image.source.as_ref().map(|source| &source.picture),
            Wanted::Video(video) => video.first_picture.as_ref(),
        }
    }

    /// How many files have to come.
    pub(super) fn files(self) -> usize {
        match self {
            Wanted::Images(image) => usize::try_from(image.count).unwrap_or(usize::MAX),
            Wanted::Video(_) => 1,
        }
    }

    /// What fal tells that it made.
    pub(super) fn output(self, document: &Value) -> Output {
        match self {
            Wanted::Images(_) => Output::of_images(document),
            Wanted::Video(_) => Output::of_video(document),
        }
    }

    /// What it costs at a price of a unit, as far as the request tells: a unit is a begun megapixel of each picture, or a
    /// second of a video.
    pub(super) fn cost(self, unit_price: CostCents) -> CostCents {
        let units = match self {
            Wanted::Images(image) => {
                let (width, height) = size(image);
                megapixels(width, height).saturating_mul(u64::from(image.count))
            }
            Wanted::Video(video) => u64::from(video.seconds),
        };
        // Only an absurd price leaves the range, and the largest cost is easily noticed.
        unit_price.scaled_half_up(units, 1).unwrap_or(CostCents::MAX)
    }
}

/// A picture made from another has that one's size: fal's model for it takes no size.
fn size(image: &ImageRequest) -> (u32, u32) {
    let source = image.source.as_ref().and_then(|source| source.picture.pixels);
    source.unwrap_or((image.width, image.height))
}
