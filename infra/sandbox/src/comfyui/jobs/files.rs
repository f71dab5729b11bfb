//! Names for the files of a job, counted as the server counts them.

use serde_json::{Map, Value, json};

use crate::comfyui::workflow::{Output, Plan};
use crate::media::{Media, Serving};
use crate::picture::Picture;
use crate::shelf::Shelf;

/// Puts the pictures on the shelf; answers `outputs` of the history.
pub(super) fn lay_out(
    files: &mut Shelf<(Media, Serving)>,
    counter: &mut u64,
    plan: &Plan,
    serving: Serving,
) -> Value {
    let mut outputs = Map::new();
    for output in &plan.outputs {
        let images: Vec<Value> = (0..plan.batch)
            .map(|place_in_batch| {
                *counter += 1;
                let (subfolder, name) = file_name(output, *counter);
                let seed = plan.seed.wrapping_add(u64::from(place_in_batch));
                let picture = Media::Picture(Picture::of(&plan.prompt, seed, plan.width, plan.height));
                files.put(place(output.folder, subfolder, &name), (picture, serving));
                json!({ "filename": name, "subfolder": subfolder, "type": output.folder })
            })
            .collect();
        outputs.insert(output.node.clone(), json!({ "images": images }));
    }
    Value::Object(outputs)
}

/// The key under which `/view` finds a file.
pub(super) fn place(kind: &str, subfolder: &str, name: &str) -> String {
    format!("{kind}/{subfolder}/{name}")
}

/// A prefix may hold a folder: `cit/poster` becomes `cit` and `poster_00001_.png`.
fn file_name(output: &Output, number: u64) -> (&str, String) {
    let (subfolder, stem) = output.prefix.rsplit_once('/').unwrap_or(("", &output.prefix));
    (subfolder, format!("{stem}_{number:05}_.png"))
}
