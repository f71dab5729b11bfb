//! Google and Dropbox: what their documentation says of tokens and uploads, and what they do besides.

use serde_json::{Value, json};

use super::{Answer, ask, instant};
use crate::{
    DROPBOX_CLIENT_ID, DROPBOX_CLIENT_SECRET, Fault, FaultRule, GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET,
    Sandbox, Service,
};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const BACK: &str = "http%3A%2F%2Flocalhost%3A9%2Fback";
const FILES: &str = "https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fdrive.file";
const GRAIN: usize = 256 * 1024;

/// The code in the address that the consent page sends back to.
async fn code(sandbox: &Sandbox, page: &str, form: &'static str) -> String {
    let answer = ask(sandbox, &format!("POST {page}"), &[FORM], form).await;
    assert_eq!(answer.status, 302);
    let url = url::Url::parse(answer.header("location")).expect("an address");
    url.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned()).unwrap_or_default()
}

fn google_page(more: &str) -> String {
    format!(
        "/sandbox/google/o/oauth2/v2/auth?client_id={GOOGLE_CLIENT_ID}&redirect_uri={BACK}&response_type=code&scope={FILES}{more}"
    )
}

async fn google_token(sandbox: &Sandbox, fields: &[(&str, &str)]) -> Answer {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs([("client_id", GOOGLE_CLIENT_ID), ("client_secret", GOOGLE_CLIENT_SECRET)]);
    ask(sandbox, "POST /sandbox/google/token", &[FORM], form.extend_pairs(fields).finish()).await
}

async fn google_code(sandbox: &Sandbox, code: &str) -> Answer {
    let fields =
        [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", "http://localhost:9/back")];
    google_token(sandbox, &fields).await
}

async fn google(sandbox: &Sandbox, person: &'static str) -> Value {
    let page = google_page("&access_type=offline&prompt=consent");
    let code = code(sandbox, &page, person).await;
    google_code(sandbox, &code).await.json()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn bearer(token: &Value) -> String {
    format!("Bearer {}", text(token))
}

#[tokio::test]
async fn googles_codes_are_good_once_and_a_second_refresh_token_needs_a_fresh_consent() {
    let sandbox = instant();
    let page = google_page("&access_type=offline");
    let first = code(&sandbox, &page, "person=ann").await;
    assert!(first.starts_with("4/0"), "{first}");
    assert!(google_code(&sandbox, &first).await.json()["refresh_token"].is_string());
    let again = google_code(&sandbox, &first).await;
    assert_eq!((again.status, text(&again.json()["error"])), (400, "invalid_grant"));
    let second = code(&sandbox, &page, "person=ann").await;
    assert!(google_code(&sandbox, &second).await.json()["refresh_token"].is_null());
    assert!(google(&sandbox, "person=ann").await["refresh_token"].is_string());
    assert_eq!(sandbox.google_grants("ann"), 2);
}

#[tokio::test]
async fn an_address_that_is_not_registered_gets_a_page_and_no_browser_back() {
    let sandbox = instant();
    for (page, status) in [
        (google_page("").replace(BACK, "https%3A%2F%2Fevil.example%2Fback"), 400),
        (google_page("").replace(BACK, "http%3A%2F%2Flocalhost%3A9%2Fback%3Fx%3D1"), 400),
        (google_page("").replace(GOOGLE_CLIENT_ID, "another"), 401),
        (google_page("&code_challenge=x&code_challenge_method=plain"), 400),
    ] {
        let answer = ask(&sandbox, &format!("POST {page}"), &[FORM], "person=ann").await;
        assert_eq!((answer.status, answer.header("location")), (status, ""), "{page}");
    }
}

#[tokio::test]
async fn revoking_one_token_at_google_ends_all_tokens_of_that_person_and_none_of_another_person() {
    let sandbox = instant();
    let (one, other) = (google(&sandbox, "person=ann").await, google(&sandbox, "person=ann").await);
    google(&sandbox, "person=bob").await;
    let revoked = format!("token={}", text(&one["access_token"]));
    assert_eq!(ask(&sandbox, "POST /sandbox/google/revoke", &[FORM], revoked).await.status, 200);
    assert_eq!((sandbox.google_grants("ann"), sandbox.google_grants("bob")), (0, 1));
    let fields = [("grant_type", "refresh_token"), ("refresh_token", text(&other["refresh_token"]))];
    assert_eq!(text(&google_token(&sandbox, &fields).await.json()["error"]), "invalid_grant");
}

#[tokio::test]
async fn the_hundred_and_first_refresh_token_at_google_ends_the_first() {
    let sandbox = instant();
    let first = google(&sandbox, "person=ann").await;
    for _ in 0..100 {
        google(&sandbox, "person=ann").await;
    }
    assert_eq!(sandbox.google_grants("ann"), 100);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", text(&first["refresh_token"]))];
    assert_eq!(google_token(&sandbox, &fields).await.status, 400);
}

/// Begins an upload of so many bytes; its address.
async fn begun(sandbox: &Sandbox, token: &str, body: &Value, bytes: usize) -> Answer {
    let length = bytes.to_string();
    let headers = [("authorization", token), ("x-upload-content-length", length.as_str())];
    let path = "POST /sandbox/google/upload/drive/v3/files?uploadType=resumable";
    ask(sandbox, path, &headers, body.to_string()).await
}

async fn part(sandbox: &Sandbox, address: &str, range: &str, body: Vec<u8>) -> Answer {
    ask(sandbox, &format!("PUT {address}"), &[("content-range", range)], body).await
}

#[tokio::test]
async fn google_keeps_whole_grains_passes_over_what_it_has_and_says_how_far_it_is() {
    let sandbox = instant();
    let token = bearer(&google(&sandbox, "person=ann").await["access_token"]);
    let total = 2 * GRAIN + 10;
    let address =
        begun(&sandbox, &token, &json!({ "name": "kite" }), total).await.header("location").to_owned();
    let nothing = part(&sandbox, &address, &format!("bytes */{total}"), vec![]).await;
    assert_eq!((nothing.status, nothing.header("range")), (308, ""));
    let most = part(&sandbox, &address, &format!("bytes 0-{}/{total}", GRAIN + 4), vec![1; GRAIN + 5]).await;
    assert_eq!((most.status, most.header("range")), (308, format!("bytes=0-{}", GRAIN - 1).as_str()));
    let gap =
        part(&sandbox, &address, &format!("bytes {}-{}/{total}", GRAIN + 5, total - 1), vec![1; GRAIN + 5])
            .await;
    assert_eq!(gap.status, 400);
    let rest = part(&sandbox, &address, &format!("bytes 0-{}/{total}", total - 1), vec![1; total]).await;
    assert_eq!((rest.status, text(&rest.json()["size"])), (200, total.to_string().as_str()));
    let again = part(&sandbox, &address, &format!("bytes */{total}"), vec![]).await;
    assert_eq!((again.status, &again.json()["id"]), (200, &rest.json()["id"]));
    assert_eq!((sandbox.google_files().len(), sandbox.google_files()[0].bytes), (1, total as u64));
    let journal = sandbox.journal();
    assert!(journal.iter().all(|entry| !entry.path.contains("AHVrFx")), "an address is a credential");
}

#[tokio::test]
async fn an_id_of_googles_is_good_for_one_file_and_an_invented_one_for_none() {
    let sandbox = instant();
    let token = bearer(&google(&sandbox, "person=ann").await["access_token"]);
    let path = "GET /sandbox/google/drive/v3/files/generateIds?count=1";
    let ids = ask(&sandbox, path, &[("authorization", &token)], "").await.json();
    let wish = json!({ "id": ids["ids"][0], "name": "kite" });
    let address = begun(&sandbox, &token, &wish, 4).await.header("location").to_owned();
    assert_eq!(part(&sandbox, &address, "bytes 0-3/4", b"kite".to_vec()).await.status, 200);
    let second = begun(&sandbox, &token, &wish, 4).await;
    assert_eq!((second.status, text(&second.json()["error"]["errors"][0]["reason"])), (409, "fileIdInUse"));
    assert_eq!(begun(&sandbox, &token, &json!({ "id": "1invented" }), 4).await.status, 400);
}

async fn dropbox(sandbox: &Sandbox, person: &'static str) -> Value {
    let page = format!(
        "/sandbox/dropbox/oauth2/authorize?client_id={DROPBOX_CLIENT_ID}&redirect_uri={BACK}&response_type=code&token_access_type=offline&scope=files.content.write+files.metadata.read"
    );
    let code = code(sandbox, &page, person).await;
    dropbox_token(
        sandbox,
        &[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", "http://localhost:9/back")],
    )
    .await
    .json()
}

async fn dropbox_token(sandbox: &Sandbox, fields: &[(&str, &str)]) -> Answer {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs([("client_id", DROPBOX_CLIENT_ID), ("client_secret", DROPBOX_CLIENT_SECRET)]);
    ask(sandbox, "POST /sandbox/dropbox/oauth2/token", &[FORM], form.extend_pairs(fields).finish()).await
}

async fn content(
    sandbox: &Sandbox,
    token: &str,
    path: &str,
    arguments: &Value,
    body: &'static str,
) -> Answer {
    let arguments = arguments.to_string();
    let headers = [
        ("authorization", token),
        ("dropbox-api-arg", arguments.as_str()),
        ("content-type", "application/octet-stream"),
    ];
    ask(sandbox, &format!("POST /sandbox/dropbox/2/files/upload_session/{path}"), &headers, body).await
}

#[tokio::test]
async fn a_renewed_token_of_dropboxs_comes_alone_and_revoking_it_ends_its_own_link() {
    let sandbox = instant();
    let (one, other) = (dropbox(&sandbox, "person=ann").await, dropbox(&sandbox, "person=ann").await);
    assert!(text(&one["account_id"]).starts_with("dbid:"));
    let refresh = text(&one["refresh_token"]).to_owned();
    let renewed =
        dropbox_token(&sandbox, &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await.json();
    assert!(
        renewed["scope"].is_null() && renewed["account_id"].is_null() && renewed["refresh_token"].is_null()
    );
    let token = bearer(&renewed["access_token"]);
    let revoked =
        ask(&sandbox, "POST /sandbox/dropbox/2/auth/token/revoke", &[("authorization", &token)], "").await;
    assert_eq!((revoked.status, revoked.text()), (200, "null"));
    let over = dropbox_token(&sandbox, &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await;
    assert_eq!(text(&over.json()["error"]), "invalid_grant");
    let still = [("grant_type", "refresh_token"), ("refresh_token", text(&other["refresh_token"]))];
    assert_eq!(dropbox_token(&sandbox, &still).await.status, 200);
}

#[tokio::test]
async fn dropbox_takes_the_next_byte_alone_and_the_same_file_twice() {
    let sandbox = instant();
    let token = bearer(&dropbox(&sandbox, "person=ann").await["access_token"]);
    let cursor = |session: &Value, offset: usize| json!({ "session_id": session, "offset": offset });
    let commit = json!({ "path": "/kite.txt", "mode": "add", "autorename": false });
    let mut ids = Vec::new();
    for _ in 0..2 {
        let begun = content(&sandbox, &token, "start", &json!({ "close": false }), "a red ").await.json();
        let session = &begun["session_id"];
        let wrong =
            content(&sandbox, &token, "append_v2", &json!({ "cursor": cursor(session, 0) }), "kite").await;
        assert_eq!((wrong.status, &wrong.json()["error"]["correct_offset"]), (409, &json!(6)));
        let end = json!({ "cursor": cursor(session, 6), "commit": commit });
        let made = content(&sandbox, &token, "finish", &end, "kite").await;
        assert_eq!((made.status, &made.json()["size"]), (200, &json!(10)));
        ids.push(made.json()["id"].clone());
        let again = content(&sandbox, &token, "finish", &end, "kite").await;
        assert_eq!(text(&again.json()["error"]["lookup_failed"][".tag"]), "not_found");
    }
    assert_eq!(ids[0], ids[1]);
    let begun = content(&sandbox, &token, "start", &json!({ "close": false }), "another").await.json();
    let end = json!({ "cursor": cursor(&begun["session_id"], 7), "commit": commit });
    let conflict = content(&sandbox, &token, "finish", &end, "").await;
    assert_eq!(text(&conflict.json()["error"]["path"][".tag"]), "conflict");
    assert!(text(&conflict.json()["error_summary"]).starts_with("path/conflict/file/"));
}

#[tokio::test]
async fn faults_have_each_drives_own_shape() {
    let sandbox = instant();
    let busy = Fault::Status { status: 429, retry_after: None };
    let path = "GET /sandbox/google/drive/v3/about";
    sandbox.faults().set(Service::Google, FaultRule::once(busy.clone()));
    let told = ask(&sandbox, path, &[], "").await;
    assert_eq!((told.status, text(&told.json()["error"]["errors"][0]["reason"])), (429, "rateLimitExceeded"));
    assert_eq!(text(&ask(&sandbox, path, &[], "").await.json()["error"]["status"]), "UNAUTHENTICATED");
    let path = "POST /sandbox/dropbox/2/files/get_metadata";
    sandbox.faults().set(Service::Dropbox, FaultRule::once(busy));
    let told = ask(&sandbox, path, &[], "").await;
    assert_eq!(
        (told.status, told.header("retry-after"), &told.json()["error"]["retry_after"]),
        (429, "1", &json!(1))
    );
    sandbox.faults().set(Service::Dropbox, FaultRule::once(Fault::Refuse));
    assert!(ask(&sandbox, path, &[], "").await.text().starts_with("<!doctype html>"), "a page, and no JSON");
    let refused = ask(&sandbox, path, &[("authorization", "Bearer x")], "").await;
    assert_eq!(text(&refused.json()["error"][".tag"]), "invalid_access_token");
}
