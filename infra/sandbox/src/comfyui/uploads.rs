//! Pictures that clients upload, which workflows then name. They are kept in memory, the latest of them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::response::Response;
use serde_json::json;

use super::jobs::place;
use super::multipart::{self, Field};
use super::refusal::server_trouble;
use crate::call::Call;
use crate::media::in_parts;
use crate::picture::Seen;
use crate::{World, ids, reply};

const BYTES_MAX: usize = 256 * 1024 * 1024;
const FOLDERS: [&str; 3] = ["input", "temp", "output"];

/// The files by folder, subfolder and name.
#[derive(Default)]
pub(crate) struct Uploads {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    files: HashMap<String, Bytes>,
    order: VecDeque<String>,
    bytes: usize,
}

/// `POST /upload/image`: `image`, and perhaps `overwrite`, `type` and `subfolder`.
pub(super) fn take(world: &World, call: &Call) -> Response {
    let Some(fields) = multipart::read(call) else { return server_trouble() };
    let named = |name: &str| fields.iter().find(|field| field.name == name);
    let text = |name: &str| named(name).map(text_of).unwrap_or_default();
    let Some((image, filename)) = named("image").and_then(|image| Some((image, image.filename.as_deref()?)))
    else {
        return reply::empty(400);
    };
    let subfolder = text("subfolder");
    if filename.is_empty() || is_outside(filename) || is_outside(&subfolder) {
        return reply::empty(400);
    }
    let folder = Some(text("type")).filter(|folder| !folder.is_empty()).unwrap_or_else(|| "input".to_owned());
    if !FOLDERS.contains(&folder.as_str()) {
        return server_trouble();
    }
    let overwrites = matches!(text("overwrite").as_str(), "true" | "1");
    let subfolder = subfolder.trim_matches('/');
    let name = world.comfyui.uploads.put([&folder, subfolder, filename], &image.content, overwrites);
    reply::json(200, &json!({ "name": name, "subfolder": subfolder, "type": folder }))
}

impl Uploads {
    /// Keeps a file and answers its name. One that is taken by another content gets a number behind it.
    fn put(&self, [folder, subfolder, filename]: [&str; 3], content: &Bytes, overwrites: bool) -> String {
        let mut kept = self.lock();
        let (stem, extension) = match filename.rfind('.') {
            Some(dot) if dot > 0 => filename.split_at(dot),
            _ => (filename, ""),
        };
        let numbered = (1..).map(|number| format!("{stem} ({number}){extension}"));
        let name = std::iter::once(filename.to_owned())
            .chain(numbered)
            .find(|name| {
                let there = kept.files.get(&place(folder, subfolder, name));
                overwrites || there.is_none_or(|there| there == content)
            })
            .unwrap_or_else(|| filename.to_owned());
        kept.put(place(folder, subfolder, &name), content.clone());
        name
    }

    /// The picture that a node names: `kite.png`, `folder/kite.png`, `kite.png [output]`.
    pub(super) fn seen(&self, name: &str) -> Option<Seen> {
        let annotated = FOLDERS
            .into_iter()
            .find_map(|folder| Some((name.strip_suffix(&format!(" [{folder}]"))?, folder)));
        let (path, folder) = annotated.unwrap_or((name, "input"));
        let (subfolder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Seen::read(self.lock().files.get(&place(folder, subfolder, name))?)
    }

    /// The answer of `/view`; `None` when there is no such file.
    pub(super) fn serve(&self, folder: &str, subfolder: &str, name: &str, call: &Call) -> Option<Response> {
        let key = place(folder, subfolder, name);
        let file = self.lock().files.get(&key)?.clone();
        let content_type = Seen::read(&file).map_or("application/octet-stream", |seen| seen.content_type);
        let tag = format!("\"{:016x}-{}\"", ids::hash(&key), file.len());
        Some(in_parts(call, content_type, &file.into(), &tag, false))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn put(&mut self, key: String, content: Bytes) {
        self.bytes += content.len();
        match self.files.insert(key.clone(), content) {
            Some(before) => self.bytes -= before.len(),
            None => self.order.push_back(key),
        }
        while self.bytes > BYTES_MAX && self.order.len() > 1 {
            if let Some(oldest) = self.order.pop_front().and_then(|key| self.files.remove(&key)) {
                self.bytes -= oldest.len();
            }
        }
    }
}

fn text_of(field: &Field) -> String {
    String::from_utf8_lossy(&field.content).into_owned()
}

fn is_outside(path: &str) -> bool {
    path.starts_with('/') || path.split(['/', '\\']).any(|part| part == "..")
}
