//! Files: the name says what is in it and how its address behaves, so that an address outlives the process, as fal's do.

use axum::response::Response;

use crate::call::Call;
use crate::media::{Media, Serving};
use crate::picture::{Picture, SIDE_MAX};
use crate::video::{self, Video};
use crate::{World, reply};

/// `<palette>-<width>-<height>-<behaviour>-<unique>.png`, or
/// `<palette>-<width>-<height>-<frames>-<frame ticks>-<tail ticks>-<behaviour>-<unique>.mp4`
pub(super) fn name(media: Media, serving: Serving, unique: &str) -> String {
    let behaviour = match serving {
        Serving::Honest => "a".to_owned(),
        Serving::Html => "h".to_owned(),
        Serving::Huge => "l".to_owned(),
        Serving::HugeUnannounced => "u".to_owned(),
        Serving::Cut => "c".to_owned(),
        Serving::Large { mebibytes } => format!("m{mebibytes}"),
    };
    match media {
        Media::Picture(Picture { width, height, palette }) => {
            let palette = palette.map_or_else(|| "k".to_owned(), |palette| palette.to_string());
            format!("{palette}-{width}-{height}-{behaviour}-{unique}.png")
        }
        Media::Video(Video { width, height, frames, frame_ticks, tail_ticks, palette }) => {
            format!("{palette}-{width}-{height}-{frames}-{frame_ticks}-{tail_ticks}-{behaviour}-{unique}.mp4")
        }
    }
}

pub(super) fn serve(world: &World, name: &str, call: &Call) -> Response {
    match picture(name).or_else(|| film(name)) {
        Some((media, serving)) => media.serve(world, serving, call),
        None => reply::json(404, &serde_json::json!({ "detail": "Not Found" })),
    }
}

fn picture(name: &str) -> Option<(Media, Serving)> {
    let mut parts = name.strip_suffix(".png")?.split('-');
    let palette = match parts.next()? {
        "k" => None,
        palette => Some(palette.parse().ok()?),
    };
    let [width, height] = [(); 2].map(|()| number(parts.next(), 1, SIDE_MAX));
    let picture = Picture { width: width?, height: height?, palette };
    Some((Media::Picture(picture), behaviour(parts.next()?)?))
}

fn film(name: &str) -> Option<(Media, Serving)> {
    let mut parts = name.strip_suffix(".mp4")?.split('-');
    let palette = parts.next()?.parse().ok()?;
    let [width, height] = [(); 2].map(|()| number(parts.next(), 2, video::SIDE_MAX));
    let frames = number(parts.next(), 1, video::FRAMES_MAX)?;
    let [frame_ticks, tail_ticks] = [1, 0].map(|min| number(parts.next(), min, video::TICKS_PER_SECOND));
    let video = Video {
        width: width? & !1,
        height: height? & !1,
        frames,
        frame_ticks: frame_ticks?,
        tail_ticks: tail_ticks?,
        palette,
    };
    Some((Media::Video(video), behaviour(parts.next()?)?))
}

fn number(part: Option<&str>, min: u32, max: u32) -> Option<u32> {
    part?.parse().ok().filter(|number| (min..=max).contains(number))
}

fn behaviour(part: &str) -> Option<Serving> {
    match part {
        "a" => Some(Serving::Honest),
        "h" => Some(Serving::Html),
        "l" => Some(Serving::Huge),
        "u" => Some(Serving::HugeUnannounced),
        "c" => Some(Serving::Cut),
        _ => Some(Serving::Large { mebibytes: number(part.strip_prefix('m'), 0, video::MEBIBYTES_MAX)? }),
    }
}
