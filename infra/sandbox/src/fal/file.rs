//! Files: the name says what is drawn, so that an address outlives the process, as fal's do.

use axum::response::Response;

use crate::picture::{Picture, SIDE_MAX, Serving};
use crate::{World, ids, reply};

/// `<palette>-<width>-<height>-<behaviour>-<unique>.png`
pub(super) fn name(picture: Picture, serving: Serving) -> String {
    let palette = picture.palette.map_or_else(|| "k".to_owned(), |palette| palette.to_string());
    let behaviour = match serving {
        Serving::Honest => "a",
        Serving::Html => "h",
        Serving::Huge => "l",
        Serving::HugeUnannounced => "u",
    };
    ids::tagged(&format!("{palette}-{}-{}-{behaviour}-", picture.width, picture.height)) + ".png"
}

pub(super) fn serve(world: &World, name: &str) -> Response {
    match read(name) {
        Some((picture, serving)) => world.pictures.serve(picture, serving),
        None => reply::json(404, &serde_json::json!({ "detail": "Not Found" })),
    }
}

fn read(name: &str) -> Option<(Picture, Serving)> {
    let mut parts = name.strip_suffix(".png")?.split('-');
    let palette = match parts.next()? {
        "k" => None,
        palette => Some(palette.parse().ok()?),
    };
    let mut side = || parts.next()?.parse().ok().filter(|side| (1..=SIDE_MAX).contains(side));
    let (width, height) = (side()?, side()?);
    let serving = match parts.next()? {
        "a" => Serving::Honest,
        "h" => Serving::Html,
        "l" => Serving::Huge,
        "u" => Serving::HugeUnannounced,
        _ => return None,
    };
    Some((Picture { width, height, palette }, serving))
}
