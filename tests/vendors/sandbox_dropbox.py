"""The sandbox's Dropbox against Dropbox's Python client (dropbox)."""

import hashlib
import os
from urllib.parse import parse_qsl, urlparse

# The client knows hosts and https alone; its session is told where they are here.
HOST = "dropbox.sandbox"
for name in ("API", "API_CONTENT", "API_NOTIFY", "WEB"):
    os.environ[f"DROPBOX_{name}_HOST"] = HOST

import dropbox
import requests
from dropbox.exceptions import ApiError, AuthError, RateLimitError
from dropbox.files import CommitInfo, UploadSessionCursor, WriteMode
from dropbox.oauth import DropboxOAuth2Flow, NotApprovedException

from harness import Checks, equal, raises

SANDBOX = os.environ["SANDBOX"]
BASE = f"{SANDBOX}/sandbox/dropbox"
KEY, SECRET = "sandboxdropboxkey", "sandbox-dropbox-secret"
BACK = "http://localhost:9/back"
SCOPES = ["files.content.write", "files.content.read", "files.metadata.read", "account_info.read"]
PART = 4 * 1024 * 1024
check = Checks("sandbox Dropbox, dropbox")


class Here(requests.Session):
    def request(self, method, url, *more, **named):
        return super().request(method, url.replace(f"https://{HOST}", BASE), *more, **named)


def flow(session, scopes=SCOPES):
    made = DropboxOAuth2Flow(
        KEY, BACK, session, "csrf", consumer_secret=SECRET, token_access_type="offline", use_pkce=True, scope=scopes
    )
    made.requests_session = Here()
    return made


def returned(of, person, **form):
    url = of.start().replace(f"https://{HOST}", BASE)
    answer = requests.post(url, data={"decision": "allow", "person": person, **form}, allow_redirects=False)
    equal(answer.status_code, 302, "the page's answer")
    return dict(parse_qsl(urlparse(answer.headers["location"]).query))


def linked(person, scopes=SCOPES):
    of = flow({}, scopes)
    return of.finish(returned(of, person))


def client(person, scopes=SCOPES):
    token = linked(person, scopes)
    return dropbox.Dropbox(
        oauth2_refresh_token=token.refresh_token, app_key=KEY, app_secret=SECRET, session=Here(),
        max_retries_on_error=0, max_retries_on_rate_limit=0
    )


def content(length):
    return bytes(at % 251 for at in range(length))


def commit(path, **more):
    return CommitInfo(path=path, mode=WriteMode.add, autorename=False, **more)


@check("a code becomes an access token and a refresh token, by PKCE, with scope and account")
def _():
    token = linked("ann")
    assert token.refresh_token and token.account_id.startswith("dbid:")
    equal(set(token.scope.split()), set(SCOPES), "the scopes")


@check("a code is good once; a person who says no is an error of its own")
def _():
    session = {}
    of = flow(session)
    query = returned(of, "ann")
    kept = dict(session)
    of.finish(query)
    session.update(kept)
    error = raises(requests.HTTPError, lambda: of.finish(query))
    equal(error.response.json()["error"], "invalid_grant", "the word")
    of = flow({})
    raises(NotApprovedException, lambda: of.finish(returned(of, "ann", decision="deny")))


@check("a refresh token gives access tokens until its access token is revoked, and then no more")
def _():
    one, other = client("carl"), client("carl")
    equal(one.users_get_current_account().name.display_name, "carl", "the person")
    equal(other.users_get_current_account().name.display_name, "carl", "the person")
    one.auth_token_revoke()
    raises(AuthError, one.users_get_current_account)
    raises(AuthError, one.refresh_access_token)
    equal(other.users_get_current_account().name.display_name, "carl", "another link of the person")


@check("a file is sent in a session, part by part, and lies whole in the folder with Dropbox's own hash")
def _():
    dbx = client("dora")
    body = content(PART + 1000)
    session = dbx.files_upload_session_start(body[:1000]).session_id
    dbx.files_upload_session_append_v2(body[1000:PART], UploadSessionCursor(session, 1000))
    made = dbx.files_upload_session_finish(body[PART:], UploadSessionCursor(session, PART), commit("/kite.mp4"))
    equal((made.name, made.size), ("kite.mp4", len(body)), "the file")
    blocks = b"".join(hashlib.sha256(body[at : at + PART]).digest() for at in range(0, len(body), PART))
    equal(made.content_hash, hashlib.sha256(blocks).hexdigest(), "the hash")
    found, answer = dbx.files_download("/Kite.MP4")
    equal((found.id, answer.content), (made.id, body), "what the client reads, whatever the case")
    equal([entry.name for entry in dbx.files_list_folder("").entries], ["kite.mp4"], "the list")


@check("a wrong offset tells the right one, also at the end")
def _():
    dbx = client("emil")
    session = dbx.files_upload_session_start(b"0123456789").session_id
    error = raises(ApiError, lambda: dbx.files_upload_session_append_v2(b"x", UploadSessionCursor(session, 3)))
    equal(error.error.get_incorrect_offset().correct_offset, 10, "the offset")
    error = raises(
        ApiError, lambda: dbx.files_upload_session_finish(b"x", UploadSessionCursor(session, 3), commit("/a.txt"))
    )
    equal(error.error.get_lookup_failed().get_incorrect_offset().correct_offset, 10, "the offset at the end")
    error = raises(ApiError, lambda: dbx.files_upload_session_append_v2(b"x", UploadSessionCursor("unknown", 0)))
    assert error.error.is_not_found()


@check("the same file at the same place is the same file, another one is a conflict")
def _():
    dbx = client("fritz")

    def save(body, **more):
        session = dbx.files_upload_session_start(body).session_id
        return dbx.files_upload_session_finish(b"", UploadSessionCursor(session, len(body)), commit("/a.txt", **more))

    made = save(b"kite")
    equal(save(b"kite").id, made.id, "again")
    for body, more in ((b"another", {}), (b"kite", {"strict_conflict": True})):
        error = raises(ApiError, lambda: save(body, **more))
        assert error.error.get_path().is_conflict(), error


@check("a finished session is gone; a full account says so")
def _():
    dbx = client("greta")
    session = dbx.files_upload_session_start(b"kite").session_id
    dbx.files_upload_session_finish(b"", UploadSessionCursor(session, 4), commit("/a.txt"))
    error = raises(
        ApiError, lambda: dbx.files_upload_session_finish(b"", UploadSessionCursor(session, 4), commit("/a.txt"))
    )
    assert error.error.get_lookup_failed().is_not_found()
    requests.post(f"{BASE}/room/greta", json={"bytes": 1})
    session = dbx.files_upload_session_start(b"kites").session_id
    error = raises(
        ApiError, lambda: dbx.files_upload_session_finish(b"", UploadSessionCursor(session, 5), commit("/b.txt"))
    )
    assert error.error.get_path().is_insufficient_space()


@check("what is not there, not granted, or too much has an error of its own")
def _():
    dbx = client("hanna")
    error = raises(ApiError, lambda: dbx.files_get_metadata("/none.txt"))
    assert error.error.get_path().is_not_found()
    narrow = client("ida", ["files.content.write"])
    error = raises(AuthError, lambda: narrow.files_get_metadata("/none.txt"))
    equal(error.error.get_missing_scope().required_scope, "files.metadata.read", "the scope")
    rule = {"service": "dropbox", "fault": "status", "status": 429, "matching": "get_metadata", "times": 1}
    equal(requests.post(f"{SANDBOX}/sandbox/faults", json=rule).status_code, 201, "the fault")
    error = raises(RateLimitError, lambda: dbx.files_get_metadata("/none.txt"))
    equal(error.backoff, 1, "how long to wait")


check.run()
