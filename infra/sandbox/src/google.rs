//! Google: the consent page, tokens, and the part of Drive that an app with `drive.file` uses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use http::Method;
use serde_json::{Map, Value, json};

mod api;
mod refusal;
mod search;
mod token;
mod upload;

pub(crate) use refusal::refusal;

use crate::cabinet::{Growing, Whole, number_of};
use crate::call::Call;
use crate::door::Mood;
use crate::faults::Moment;
use crate::grants::{Asked, Grants, Style};
use crate::reply::Refused;
use crate::{DriveFile, Fault, GOOGLE_CLIENT_ID, Sandbox, Service, World, consent, reply};

/// What a folder is called as a type.
const FOLDER: &str = "application/vnd.google-apps.folder";

const STYLE: Style = Style {
    code: "4/0",
    access: "ya29.",
    refresh: "1//0",
    access_seconds: 3_599,
    // Google keeps a hundred for one app and person, and drops the oldest without a word.
    refresh_max: 100,
};

/// Grants and files of all people.
#[derive(Default)]
pub(crate) struct Google {
    pub(crate) grants: Grants,
    drive: Mutex<Drive>,
}

#[derive(Default)]
pub(crate) struct Drive {
    files: HashMap<String, File>,
    /// In the order they were made.
    order: Vec<String>,
    /// Ids that were given out.
    generated: HashMap<String, String>,
    uploads: HashMap<String, Upload>,
    /// Bytes that a person has left; absent: enough.
    room: HashMap<String, u64>,
}

struct File {
    person: String,
    name: String,
    media_type: String,
    content: Whole,
    /// The id of the folder that it lies in.
    parent: String,
    /// The app's own words for it.
    app_properties: Map<String, Value>,
    is_trashed: bool,
}

/// What an app says of a file that it makes.
struct About {
    id: String,
    name: String,
    media_type: Option<String>,
    parent: String,
    app_properties: Map<String, Value>,
}

struct Upload {
    person: String,
    about: About,
    media_type: String,
    bytes: Option<u64>,
    content: Growing,
    began_at: u64,
    /// What is said of it once it is whole.
    is_done: bool,
}

impl Google {
    fn drive(&self) -> MutexGuard<'_, Drive> {
        self.drive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sandbox {
    /// The files in the Google Drives of all persons, oldest first, without those in the trash.
    pub fn google_files(&self) -> Vec<DriveFile> {
        let drive = self.world.google.drive();
        drive.order.iter().filter_map(|id| drive.shown(&self.world, id)).collect()
    }

    /// The person takes the app's access back, in the settings of their Google account.
    pub fn revoke_at_google(&self, person: &str) {
        self.world.google.grants.lock().forget(person);
    }

    /// How many refresh tokens of a person are alive at Google.
    pub fn google_grants(&self, person: &str) -> usize {
        self.world.google.grants.lock().alive(person)
    }

    /// Leaves so many bytes in a person's Google Drive.
    pub fn set_google_room(&self, person: &str, bytes: u64) {
        self.world.google.drive().room.insert(person.to_owned(), bytes);
    }

    /// A person gives the app's folder another name.
    pub fn rename_google_folder(&self, person: &str, name: &str) {
        self.world.google.drive().folders_of(person).for_each(|folder| name.clone_into(&mut folder.name));
    }

    /// A person throws the app's folder away.
    pub fn trash_google_folder(&self, person: &str) {
        self.world.google.drive().folders_of(person).for_each(|folder| folder.is_trashed = true);
    }

    /// Google forgets every upload that is under way.
    pub fn forget_google_uploads(&self) {
        self.world.google.drive().uploads.clear();
    }

    /// Every access token of Google's ends now.
    pub fn end_google_access(&self) {
        self.world.google.grants.lock().end_access(self.world.now());
    }
}

impl File {
    fn is_folder(&self) -> bool {
        self.media_type == FOLDER
    }
}

impl Drive {
    /// What is asked of a new file, or Google's refusal of it.
    fn about(&self, person: &str, wish: &Value) -> Result<About, Refused> {
        let text = |name: &str| wish[name].as_str().map(str::to_owned);
        let id = match text("id") {
            None => api::fresh_id(),
            Some(id) if self.files.contains_key(&id) => return Err(Box::new(refusal::taken())),
            // Only ids that Google gave out beforehand are taken.
            Some(id) if self.generated.get(&id).is_some_and(|of| of == person) => id,
            Some(_) => return Err(Box::new(refusal::not_generated())),
        };
        let parent = match wish["parents"].as_array().map(Vec::as_slice) {
            None => root_of(person),
            Some([Value::String(parent)]) if parent == "root" => root_of(person),
            Some([Value::String(parent)]) => {
                let folder = self.files.get(parent).filter(|file| file.person == person && file.is_folder());
                folder.ok_or_else(|| Box::new(refusal::no_file(parent)))?;
                parent.clone()
            }
            // A file has one folder.
            Some(_) => return Err(Box::new(refusal::refusal(403))),
        };
        Ok(About {
            id,
            name: text("name").unwrap_or_else(|| "Untitled".to_owned()),
            media_type: text("mimeType"),
            parent,
            app_properties: wish["appProperties"].as_object().cloned().unwrap_or_default(),
        })
    }

    fn folders_of<'a>(&'a mut self, person: &'a str) -> impl Iterator<Item = &'a mut File> {
        self.files.values_mut().filter(move |file| file.person == person && file.is_folder())
    }

    fn keep(&mut self, id: String, file: File) {
        self.order.push(id.clone());
        self.files.insert(id, file);
    }

    fn shown(&self, world: &World, id: &str) -> Option<DriveFile> {
        let file = self.files.get(id).filter(|file| !file.is_trashed && !file.is_folder())?;
        Some(DriveFile {
            person: file.person.clone(),
            id: id.to_owned(),
            name: file.name.clone(),
            folder: self.files.get(&file.parent).map(|folder| folder.name.clone()),
            bytes: file.content.bytes,
            sha256: file.content.sha256.clone(),
            link: link(world, id),
        })
    }
}

/// The folder that Google shows as "My Drive".
fn root_of(person: &str) -> String {
    format!("0A{}PVA", number_of(person))
}

fn link(world: &World, id: &str) -> String {
    world.url(Service::Google, &format!("/file/d/{id}/view?usp=drivesdk"))
}

/// The pages for people and the controls are never disturbed.
pub(crate) fn moment(call: &Call) -> Moment {
    match (&call.method, call.segments().as_slice()) {
        (_, ["o" | "file" | "grants" | "files" | "room", ..]) => Moment::Control,
        (&Method::POST | &Method::PUT | &Method::PATCH, _) => Moment::Work,
        _ => Moment::Read,
    }
}

pub(crate) fn answer(world: &Arc<World>, call: &Call, mood: &Mood) -> Response {
    if mood.fault == Some(Fault::Empty) {
        return reply::json(200, &json!({}));
    }
    let segments = call.segments();
    match (&call.method, segments.as_slice()) {
        (_, ["o", "oauth2", "v2", "auth"]) => authorize(world, call),
        (&Method::POST, ["token"]) => token::exchange(world, call),
        (&Method::POST, ["revoke"]) => token::revoke(world, call),
        (&Method::GET, ["file", "d", id, "view"]) => view(world, id),
        (&Method::GET, ["files"]) => control_files(world),
        (&Method::DELETE, ["grants", person]) => {
            world.google.grants.lock().forget(person);
            reply::empty(204)
        }
        (&Method::POST, ["room", person]) => {
            let bytes = call.json().ok().and_then(|body| body["bytes"].as_u64()).unwrap_or_default();
            world.google.drive().room.insert((*person).to_owned(), bytes);
            reply::empty(204)
        }
        // A client that has an upload's address may send to it without a token.
        (&Method::PUT, ["upload", "drive", "v3", "files"]) => upload::part(world, call, mood),
        (_, ["drive" | "upload", "v3" | "drive", ..]) => api(world, call, &segments),
        _ => refusal(404),
    }
}

fn api(world: &Arc<World>, call: &Call, segments: &[&str]) -> Response {
    let token = call.credential("Bearer").map(str::to_owned);
    let holder = token.and_then(|token| world.google.grants.lock().holder(&token, world.now()));
    let Some(Ok(grant)) = holder else { return refusal(401) };
    if !grant
        .scope
        .split(' ')
        .any(|scope| scope.ends_with("/auth/drive.file") || scope.ends_with("/auth/drive"))
    {
        return refusal::scope();
    }
    let person = grant.person.as_str();
    match (&call.method, segments) {
        (&Method::GET, ["drive", "v3", "about"]) => api::about(person),
        (&Method::GET, ["drive", "v3", "files", "generateIds"]) => api::generate_ids(world, person, call),
        (&Method::GET, ["drive", "v3", "files"]) => api::list(world, person, call),
        (&Method::POST, ["drive", "v3", "files"]) => api::create(world, person, call),
        (&Method::GET, ["drive", "v3", "files", id]) => api::get(world, person, id, call),
        (&Method::PATCH, ["drive", "v3", "files", id]) => api::change(world, person, id, call),
        (&Method::DELETE, ["drive", "v3", "files", id]) => api::delete(world, person, id),
        (&Method::POST, ["upload", "drive", "v3", "files"]) => upload::begin(world, person, call),
        _ => refusal(404),
    }
}

/// Google sends the scope back too, and codes with a slash in them.
fn authorize(world: &Arc<World>, call: &Call) -> Response {
    let request = match consent::Request::read(call, GOOGLE_CLIENT_ID) {
        Ok(request) => request,
        Err(unfit) => return consent::refusal("Google", unfit),
    };
    let Some(decision) = consent::Decision::read(call) else { return consent::page("Google", &request) };
    if !decision.says_yes {
        return request.back(&[("error", "access_denied")]);
    }
    let scope = if decision.grants_nothing { "openid".to_owned() } else { request.scope.clone() };
    let field = |name: &str| request.query.get(name).map_or("", String::as_str);
    // A person who said yes before gives a refresh token again only when they are asked again.
    let was_asked = field("prompt").split(' ').any(|prompt| prompt == "consent");
    let is_first = world.google.grants.lock().alive(&decision.person) == 0;
    let asked = Asked {
        person: decision.person,
        scope: scope.clone(),
        redirect_uri: request.redirect_uri.clone(),
        challenge: request.challenge.clone(),
        is_offline: field("access_type") == "offline" && (was_asked || is_first),
    };
    let code = world.google.grants.lock().code(STYLE, asked, world.now());
    request.back(&[("code", &code), ("scope", &scope), ("authuser", "0"), ("prompt", "consent")])
}

fn view(world: &Arc<World>, id: &str) -> Response {
    let drive = world.google.drive();
    match drive.files.get(id).and_then(|file| Some((file, file.content.content.clone()?))) {
        Some((file, content)) => reply::with_header(
            reply::with_type(200, "application/octet-stream", content),
            "content-type",
            &file.media_type,
        ),
        None => reply::html(
            404,
            "<!doctype html><title>Sorry</title><h1>Sorry, the file you have requested does not exist.</h1>",
        ),
    }
}

fn control_files(world: &Arc<World>) -> Response {
    let drive = world.google.drive();
    let files: Vec<DriveFile> = drive.order.iter().filter_map(|id| drive.shown(world, id)).collect();
    reply::json(200, &json!({ "files": files }))
}

/// As the API shows a file; `fields` is not looked at, everything is there.
fn resource(world: &World, id: &str, file: &File) -> Value {
    json!({
        "kind": "drive#file",
        "id": id,
        "name": file.name,
        "mimeType": file.media_type,
        "webViewLink": link(world, id),
        // 64 bits are a text.
        "size": file.content.bytes.to_string(),
        "sha256Checksum": file.content.sha256,
        "parents": [file.parent],
        "appProperties": file.app_properties,
        "trashed": file.is_trashed,
        "ownedByMe": true,
    })
}
