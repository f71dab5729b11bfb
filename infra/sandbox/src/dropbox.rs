//! Dropbox: the consent page, tokens, and the part of its API that an app with its own folder uses.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

mod files;
mod refusal;
mod token;
mod upload;

pub(crate) use refusal::refusal;

use crate::cabinet::{Growing, Whole, number_of};
use crate::call::Call;
use crate::door::Mood;
use crate::faults::Moment;
use crate::grants::{Asked, Grant, Grants, Style};
use crate::{DROPBOX_CLIENT_ID, DriveFile, Fault, Sandbox, Service, World, consent, reply};

const STYLE: Style = Style {
    code: "sandbox-code-",
    access: "sl.u.",
    refresh: "sandbox-dropbox-refresh-",
    access_seconds: 14_400,
    refresh_max: 10_000,
};

/// Grants and files of all people.
#[derive(Default)]
pub(crate) struct Dropbox {
    pub(crate) grants: Grants,
    folders: Mutex<Folders>,
}

#[derive(Default)]
pub(crate) struct Folders {
    /// By person and path in lower case: Dropbox knows no difference.
    files: BTreeMap<(String, String), File>,
    sessions: HashMap<String, Session>,
    room: HashMap<String, u64>,
    made: u64,
}

struct File {
    id: String,
    name: String,
    content: Whole,
    number: u64,
    changed_at: u64,
}

struct Session {
    person: String,
    content: Growing,
    is_closed: bool,
    began_at: u64,
}

impl Dropbox {
    fn folders(&self) -> MutexGuard<'_, Folders> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sandbox {
    /// The files in the app folders of all persons, oldest first.
    pub fn dropbox_files(&self) -> Vec<DriveFile> {
        self.world.dropbox.folders().shown(&self.world)
    }

    /// The person disconnects the app, in the settings of their Dropbox account.
    pub fn revoke_at_dropbox(&self, person: &str) {
        self.world.dropbox.grants.lock().forget(person);
    }

    /// How many refresh tokens of a person are alive at Dropbox.
    pub fn dropbox_grants(&self, person: &str) -> usize {
        self.world.dropbox.grants.lock().alive(person)
    }

    /// Leaves so many bytes in a person's Dropbox.
    pub fn set_dropbox_room(&self, person: &str, bytes: u64) {
        self.world.dropbox.folders().room.insert(person.to_owned(), bytes);
    }

    /// Dropbox forgets every upload that is under way.
    pub fn forget_dropbox_uploads(&self) {
        self.world.dropbox.folders().sessions.clear();
    }

    /// Every access token of Dropbox's ends now.
    pub fn end_dropbox_access(&self) {
        self.world.dropbox.grants.lock().end_access(self.world.now());
    }
}

impl Folders {
    fn shown(&self, world: &World) -> Vec<DriveFile> {
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by_key(|(_, file)| file.number);
        let show = |((person, _), file): (&(String, String), &File)| DriveFile {
            person: person.clone(),
            id: file.id.clone(),
            name: file.name.clone(),
            folder: None,
            bytes: file.content.bytes,
            sha256: file.content.sha256.clone(),
            link: world.url(Service::Dropbox, &format!("/home/Apps/Citipen?preview={}", file.name)),
        };
        files.into_iter().map(show).collect()
    }
}

/// The pages for people and the controls are never disturbed.
pub(crate) fn moment(call: &Call) -> Moment {
    match (&call.method, call.segments().as_slice()) {
        (_, ["oauth2", "authorize"] | ["home" | "grants" | "files" | "room", ..]) => Moment::Control,
        (&Method::POST, _) => Moment::Work,
        _ => Moment::Read,
    }
}

pub(crate) fn answer(world: &Arc<World>, call: &Call, mood: &Mood) -> Response {
    if mood.fault == Some(Fault::Empty) {
        return reply::json(200, &json!({}));
    }
    let segments = call.segments();
    match (&call.method, segments.as_slice()) {
        (_, ["oauth2", "authorize"]) => authorize(world, call),
        (&Method::POST, ["oauth2", "token"]) => token::exchange(world, call),
        (&Method::GET, ["home", "Apps", "Citipen"]) => view(world, call),
        (&Method::GET, ["files"]) => {
            reply::json(200, &json!({ "files": world.dropbox.folders().shown(world) }))
        }
        (&Method::DELETE, ["grants", person]) => {
            world.dropbox.grants.lock().forget(person);
            reply::empty(204)
        }
        (&Method::POST, ["room", person]) => {
            let bytes = call.json().ok().and_then(|body| body["bytes"].as_u64()).unwrap_or_default();
            world.dropbox.folders().room.insert((*person).to_owned(), bytes);
            reply::empty(204)
        }
        (&Method::POST, ["2", path @ ..]) => api(world, call, mood, path),
        _ => reply::html(404, "<!doctype html><title>Dropbox - 404</title><h1>Error (404)</h1>"),
    }
}

fn api(world: &Arc<World>, call: &Call, mood: &Mood, path: &[&str]) -> Response {
    let Some(token) = call.credential("Bearer").map(str::to_owned) else {
        return refusal::malformed(path, "The given OAuth 2 access token is malformed.");
    };
    let holder = world.dropbox.grants.lock().holder(&token, world.now());
    let grant = match holder {
        Some(Ok(grant)) => grant,
        Some(Err(())) => return refusal::token("expired_access_token"),
        None => return refusal::token("invalid_access_token"),
    };
    if path == ["auth", "token", "revoke"] {
        world.dropbox.grants.lock().revoke_chain_of(&token);
        return reply::json(200, &Value::Null);
    }
    let needed = match path {
        ["files", "get_metadata" | "list_folder"] => "files.metadata.read",
        ["files", "download"] => "files.content.read",
        ["users", ..] => "account_info.read",
        _ => "files.content.write",
    };
    if !grant.scope.split(' ').any(|scope| scope == needed) {
        return refusal::scope(needed);
    }
    route(world, call, mood, path, &grant)
}

fn route(world: &Arc<World>, call: &Call, mood: &Mood, path: &[&str], grant: &Grant) -> Response {
    let person = grant.person.as_str();
    match path {
        ["users", "get_current_account"] => reply::json(
            200,
            &json!({
                "account_id": account_id(person), "email": format!("{person}@example.com"), "email_verified": true,
                "disabled": false, "country": "VN", "locale": "en",
                "name": { "given_name": person, "surname": "", "familiar_name": person, "display_name": person,
                          "abbreviated_name": "A" },
                "referral_link": "https://db.tt/sandbox", "is_paired": false, "account_type": { ".tag": "basic" },
                "root_info": { ".tag": "user", "root_namespace_id": "1", "home_namespace_id": "1" },
            }),
        ),
        ["files", "get_metadata"] => files::metadata(world, call, person),
        ["files", "list_folder"] => files::list(world, person),
        ["files", "download"] => files::download(world, call, person),
        ["files", "upload_session", "start"] => upload::start(world, call, person),
        ["files", "upload_session", "append_v2"] => upload::append(world, call, mood, person),
        ["files", "upload_session", "finish"] => upload::finish(world, call, mood, person),
        _ => refusal::malformed(path, "Unknown API function"),
    }
}

fn authorize(world: &Arc<World>, call: &Call) -> Response {
    let request = match consent::Request::read(call, DROPBOX_CLIENT_ID) {
        Ok(request) => request,
        Err(unfit) => return consent::refusal("Dropbox", unfit),
    };
    let Some(decision) = consent::Decision::read(call) else { return consent::page("Dropbox", &request) };
    if !decision.says_yes {
        let why = "The user chose not to give your app access to their Dropbox account.";
        return request.back(&[("error", "access_denied"), ("error_description", why)]);
    }
    let scope = if decision.grants_nothing { "account_info.read".to_owned() } else { request.scope.clone() };
    let asked = Asked {
        person: decision.person,
        scope,
        redirect_uri: request.redirect_uri.clone(),
        challenge: request.challenge.clone(),
        // Without it, Dropbox gives an access token and nothing to renew it with.
        is_offline: request.query.get("token_access_type").is_some_and(|kind| kind == "offline"),
    };
    let code = world.dropbox.grants.lock().code(STYLE, asked, world.now());
    request.back(&[("code", &code)])
}

fn account_id(person: &str) -> String {
    // As long as all of them.
    format!("dbid:AAH{:0>32}", number_of(person))
}

fn view(world: &Arc<World>, call: &Call) -> Response {
    let name = call.query().remove("preview").unwrap_or_default();
    let folders = world.dropbox.folders();
    let file = folders.files.values().find(|file| file.name == name);
    match file.and_then(|file| file.content.content.clone()) {
        Some(content) => reply::with_type(200, "application/octet-stream", content),
        None => reply::html(404, "<!doctype html><title>Dropbox - 404</title><h1>Error (404)</h1>"),
    }
}
