//! Google Drive and Dropbox: a person links and disconnects them, and outputs are saved there, also when one of our
//! processes is killed at any store call and when a drive fails.

mod crashes;
mod faults;
mod large;
mod linking;
mod saving;
mod sealed;

use crate::world::{Answer, Person, World, browser, http};
use drives::DriveKind;
use media::{FileFamily, Media, NewOutput, StoredOutput};
use primitives::{AccountId, RunId};
use sandbox::DriveFile;
use serde_json::{Value, json};

const GOOGLE: DriveKind = DriveKind::GoogleDrive;
const DROPBOX: DriveKind = DriveKind::Dropbox;
const BOTH: [DriveKind; 2] = [GOOGLE, DROPBOX];

/// A link that was begun: where the browser is sent, and the cookie that it was given.
struct Begun {
    consent_url: String,
    cookie: String,
}

async fn begin(person: &Person, drive: DriveKind) -> Begun {
    let begun = person.send("POST", &format!("/v1/drives/{drive}/link"), &Value::Null).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    let cookie = begun.headers["set-cookie"].to_str().unwrap();
    for part in ["__Host-link-", "Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=600"] {
        assert!(cookie.contains(part), "{part} is not in {cookie}");
    }
    let consent_url = begun.body["consent_url"].as_str().unwrap().to_owned();
    Begun { consent_url, cookie: cookie.split(';').next().unwrap().to_owned() }
}

/// The person decides at the drive's page; the address that the browser is sent back to.
async fn decide(consent_url: &str, form: &[(&str, &str)]) -> String {
    let page = browser().get(consent_url).send().await.unwrap();
    assert_eq!(page.status(), 200, "the drive knows us and the address");
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    let request = browser().post(consent_url).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(body.extend_pairs(form).finish()).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

/// What our page learns from a return: the word in `result`. Whatever came, the browser goes there and nowhere else.
async fn come_back(world: &World, base: &str, address: &str, cookie: Option<&str>) -> String {
    let url = url::Url::parse(address).unwrap();
    let path = format!("{base}{}?{}", url.path(), url.query().unwrap_or_default());
    let mut request = browser().get(path);
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert_eq!(answer.headers["referrer-policy"], "no-referrer");
    let location = answer.headers["location"].to_str().unwrap();
    let rest = location.strip_prefix(&format!("{}/sandbox/settings?drive=", world.outside()));
    let (_, result) = rest.unwrap_or_else(|| panic!("{location}")).split_once("&result=").unwrap();
    result.to_owned()
}

/// Links a drive as a person does; `owner` is who they are there.
async fn link_as(world: &World, person: &Person, drive: DriveKind, owner: &str) -> String {
    let begun = begin(person, drive).await;
    let address = decide(&begun.consent_url, &[("decision", "allow"), ("person", owner)]).await;
    come_back(world, &world.product.base, &address, Some(&begun.cookie)).await
}

async fn link(world: &World, person: &Person, drive: DriveKind) {
    assert_eq!(link_as(world, person, drive, &person.name).await, "linked");
}

/// As the page shows it.
async fn status(person: &Person, drive: DriveKind) -> String {
    let shown = person.get("/v1/drives").await;
    let found = shown.body["drives"].as_array().unwrap().iter().find(|row| row["drive"] == drive.as_str());
    found.unwrap_or_else(|| panic!("{}", shown.text))["status"].as_str().unwrap().to_owned()
}

async fn prefer(person: &Person, drive: DriveKind, saving: &str) {
    let wish = json!({ "storage_provider": drive.as_str(), "saving": saving });
    let preferred = person.send("PATCH", "/v1/drives", &wish).await;
    assert_eq!((preferred.status, &preferred.body["saving"]), (200, &json!(saving)), "{}", preferred.text);
}

/// Asks for an output to be saved, and waits for what goes on behind the answer.
async fn save(world: &World, person: &Person, run: &str, drive: DriveKind) -> Answer {
    let asked = ask(person, run, drive).await;
    world.product.platform.idle().await;
    asked
}

async fn ask(person: &Person, run: &str, drive: DriveKind) -> Answer {
    person.send("POST", "/v1/saves", &json!({ "run_id": run, "drive": drive.as_str() })).await
}

/// What the run shows of its saves: status, link, reason.
async fn shown(person: &Person, run: &str) -> Vec<(String, Option<String>, Option<String>)> {
    let shown = person.get(&format!("/v1/runs/{run}")).await;
    let saves = shown.body["outputs"][0]["saves"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    saves
        .iter()
        .map(|save| (text(&save["status"]).unwrap(), text(&save["url"]), text(&save["failure"])))
        .collect()
}

fn waiting() -> (String, Option<String>, Option<String>) {
    ("waiting".to_owned(), None, None)
}

fn failed(why: &str) -> (String, Option<String>, Option<String>) {
    ("failed".to_owned(), None, Some(why.to_owned()))
}

fn saved(file: &DriveFile) -> (String, Option<String>, Option<String>) {
    ("saved".to_owned(), Some(file.link.clone()), None)
}

/// The sweep, at an instance of its own.
async fn sweep(world: &World) {
    let sweeper = world.instance(&[]).await;
    reservation_sweep::handle(&sweeper.role("ReservationSweep")).await.unwrap();
}

fn files(world: &World, drive: DriveKind) -> Vec<DriveFile> {
    match drive {
        DriveKind::GoogleDrive => world.sandbox.google_files(),
        DriveKind::Dropbox => world.sandbox.dropbox_files(),
    }
}

fn grants(world: &World, drive: DriveKind, owner: &str) -> usize {
    match drive {
        DriveKind::GoogleDrive => world.sandbox.google_grants(owner),
        DriveKind::Dropbox => world.sandbox.dropbox_grants(owner),
    }
}

fn revoke(world: &World, drive: DriveKind, owner: &str) {
    match drive {
        DriveKind::GoogleDrive => world.sandbox.revoke_at_google(owner),
        DriveKind::Dropbox => world.sandbox.revoke_at_dropbox(owner),
    }
}

fn service(drive: DriveKind) -> sandbox::Service {
    match drive {
        DriveKind::GoogleDrive => sandbox::Service::Google,
        DriveKind::Dropbox => sandbox::Service::Dropbox,
    }
}

/// A text that was run and paid for; its run's id.
async fn a_text(person: &Person) -> String {
    let run = person.script("a red kite").await;
    assert_eq!(run.status, 200, "{}", run.text);
    run.body["id"].as_str().unwrap().to_owned()
}

/// The content of a run's output, by its own link.
async fn content_of(person: &Person, run: &str) -> Vec<u8> {
    let shown = person.get(&format!("/v1/runs/{run}")).await;
    let url = shown.body["outputs"][0]["download_url"].as_str().unwrap().to_owned();
    http().get(url).send().await.unwrap().bytes().await.unwrap().to_vec()
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A long output as a run would have brought it, asked for as a run's end asks.
async fn a_video(world: &World, person: &Person, length: usize) -> (RunId, StoredOutput) {
    let account: AccountId = person.id().parse().unwrap();
    let run = RunId::mint(world.now());
    let name = format!("{run}-hold-0");
    let new = NewOutput {
        account: &account,
        name: &name,
        tool: "video",
        n: None,
        family: FileFamily::Video,
        bytes_max: u64::MAX,
        with_thumbnail: false,
    };
    let content = crate::uploads::outputs::long_mp4(length);
    let media = Media::new(&world.accountant).unwrap();
    let stored = media.store_stream(&new, content, world.now()).await.unwrap();
    let saves = drives::Saves::new(&world.accountant).unwrap();
    let outputs = std::slice::from_ref(&stored);
    saves.schedule_always(drives::Order { account: &account, run, tool: "video", outputs }).await.unwrap();
    (run, stored)
}

/// What has come of the person's newest save, by the list of them.
async fn newest(person: &Person) -> Value {
    let page = person.get("/v1/saves?limit=1").await;
    assert_eq!(page.status, 200, "{}", page.text);
    page.body["saves"][0].clone()
}

fn hex_of(output: &StoredOutput) -> String {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&output.sha256).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
