//! Names for the files of a job, counted as the server counts them.

use serde_json::{Map, Value, json};

use crate::comfyui::nodes::Saves;
use crate::comfyui::workflow::{Output, Plan};
use crate::media::{Media, Serving};
use crate::picture::Picture;
use crate::shelf::Shelf;
use crate::video::Video;

/// Where the output folder of the real server would lie.
const FOLDERS: &str = "/opt/ComfyUI";

/// Puts the files on the shelf; answers `outputs` of the history.
pub(super) fn lay_out(
    files: &mut Shelf<(Media, Serving)>,
    counter: &mut u64,
    plan: &Plan,
    serving: Serving,
) -> Value {
    let mut outputs = Map::new();
    for output in &plan.outputs {
        let made = match output.saves {
            Saves::Pictures(_) => pictures(files, counter, plan, output, serving),
            Saves::AnimatedImages | Saves::Gifs | Saves::VideoList => {
                *counter += 1;
                film(files, *counter, plan, output, serving)
            }
        };
        outputs.insert(output.node.clone(), made);
    }
    Value::Object(outputs)
}

fn pictures(
    files: &mut Shelf<(Media, Serving)>,
    counter: &mut u64,
    plan: &Plan,
    output: &Output,
    serving: Serving,
) -> Value {
    let images: Vec<Value> = (0..plan.batch)
        .map(|place_in_batch| {
            *counter += 1;
            let (subfolder, stem) = parts_of(&output.prefix);
            let name = format!("{stem}_{:05}_.png", *counter);
            let seed = plan.seed.wrapping_add(u64::from(place_in_batch));
            let picture = Media::Picture(Picture::of(&plan.prompt, seed, plan.width, plan.height));
            files.put(place(output.folder, subfolder, &name), (picture, serving));
            json!({ "filename": name, "subfolder": subfolder, "type": output.folder })
        })
        .collect();
    json!({ "images": images })
}

/// One video, under the word that the node's class uses.
fn film(
    files: &mut Shelf<(Media, Serving)>,
    number: u64,
    plan: &Plan,
    output: &Output,
    serving: Serving,
) -> Value {
    let (subfolder, stem) = parts_of(&output.prefix);
    // ComfyUI's own node closes the number with a line, those of the node packs do not.
    let name = match output.saves {
        Saves::AnimatedImages => format!("{stem}_{number:05}_.mp4"),
        _ => format!("{stem}_{number:05}.mp4"),
    };
    let frames = plan.length.unwrap_or(plan.batch);
    let video = Video::of(&plan.prompt, plan.seed, plan.width, plan.height);
    let video = Media::Video(video.of_frames(frames, output.frame_ticks));
    files.put(place(output.folder, subfolder, &name), (video, serving));
    let mut file = json!({ "filename": name, "subfolder": subfolder, "type": output.folder });
    match output.saves {
        Saves::AnimatedImages | Saves::Pictures(_) => json!({ "images": [file], "animated": [true] }),
        Saves::VideoList => {
            file["format"] = Value::from("video/mp4");
            json!({ "video": [file] })
        }
        Saves::Gifs => {
            // The node also saves the first picture, which carries the workflow.
            let first = format!("{stem}_{number:05}.png");
            let picture = Media::Picture(Picture::of(&plan.prompt, plan.seed, plan.width, plan.height));
            files.put(place(output.folder, subfolder, &first), (picture, Serving::Honest));
            file["format"] = Value::from("video/h264-mp4");
            file["frame_rate"] = output.frame_rate.clone();
            file["workflow"] = Value::from(first);
            let folder = [output.folder, subfolder].join("/");
            file["fullpath"] = Value::from(format!("{FOLDERS}/{}/{name}", folder.trim_end_matches('/')));
            json!({ "gifs": [file] })
        }
    }
}

/// The key under which `/view` finds a file.
pub(in crate::comfyui) fn place(kind: &str, subfolder: &str, name: &str) -> String {
    format!("{kind}/{subfolder}/{name}")
}

/// A prefix may hold a folder: `cit/poster` is `poster` in `cit`.
fn parts_of(prefix: &str) -> (&str, &str) {
    prefix.rsplit_once('/').unwrap_or(("", prefix))
}
