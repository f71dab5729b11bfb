"""The sandbox's Google against Google's Python clients (google-auth-oauthlib, google-auth, google-api-python-client)."""

import io
import json
import os
import urllib.parse
from importlib.resources import files

# The clients insist on https for tokens; on this machine there is none.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
# Google sends the scopes back in an order of its own.
os.environ["OAUTHLIB_RELAX_TOKEN_SCOPE"] = "1"

import requests
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials
from google_auth_oauthlib.flow import Flow
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseDownload, MediaIoBaseUpload
from oauthlib.oauth2.rfc6749.errors import AccessDeniedError, InvalidGrantError

from harness import Checks, equal, raises

SANDBOX = os.environ["SANDBOX"]
GOOGLE = f"{SANDBOX}/sandbox/google"
CLIENT_ID, CLIENT_SECRET = "123456789012-sandbox.apps.googleusercontent.com", "GOCSPX-sandbox-google-secret"
SCOPE = "https://www.googleapis.com/auth/drive.file"
BACK = "http://localhost:9/back"
GRAIN = 256 * 1024
check = Checks("sandbox Google, google-auth and google-api-python-client")


def flow():
    web = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "auth_uri": f"{GOOGLE}/o/oauth2/v2/auth",
        "token_uri": f"{GOOGLE}/token",
    }
    return Flow.from_client_config(
        {"web": web}, scopes=[SCOPE], redirect_uri=BACK, autogenerate_code_verifier=True
    )


def returned(of, person, decision="allow", **more):
    asked = {"access_type": "offline", "prompt": "consent", **more}
    url, _ = of.authorization_url(**{name: value for name, value in asked.items() if value})
    answer = requests.post(url, data={"decision": decision, "person": person}, allow_redirects=False)
    equal(answer.status_code, 302, "the page's answer")
    return answer.headers["location"]


def credentials(person):
    of = flow()
    of.fetch_token(authorization_response=returned(of, person))
    return of.credentials


def drive(person):
    text = files("googleapiclient.discovery_cache.documents").joinpath("drive.v3.json").read_text()
    document = json.loads(text.replace("https://www.googleapis.com/", f"{GOOGLE}/"))
    # Scopes are names and no addresses.
    return build_from_document(document, credentials=credentials(person))


def content(length):
    return bytes(at % 251 for at in range(length))


def reason(error):
    return error.error_details[0]["reason"]


@check("a code becomes an access token and a refresh token, by PKCE")
def _():
    of = flow()
    address = returned(of, "ann")
    code = urllib.parse.parse_qs(urllib.parse.urlparse(address).query)["code"][0]
    assert code.startswith("4/0"), "Google's codes have a slash"
    token = of.fetch_token(authorization_response=address)
    assert token["refresh_token"] and token["expires_in"] <= 3599
    equal(of.credentials.scopes, [SCOPE], "the scopes")


@check("a code is good once, and for its own verifier")
def _():
    of = flow()
    address = returned(of, "ann")
    of.fetch_token(authorization_response=address)
    raises(InvalidGrantError, lambda: of.fetch_token(authorization_response=address))
    other = flow()
    address = returned(other, "ann")
    other.code_verifier = "another" * 10
    raises(InvalidGrantError, lambda: other.fetch_token(authorization_response=address))


@check("a person who says no is an error of its own")
def _():
    of = flow()
    address = returned(of, "ann", decision="deny")
    raises(AccessDeniedError, lambda: of.fetch_token(authorization_response=address))


@check("without a fresh consent there is no second refresh token")
def _():
    credentials("carl")
    of = flow()
    token = of.fetch_token(authorization_response=returned(of, "carl", prompt=None))
    assert "refresh_token" not in token, token


@check("a refresh token gives fresh access tokens until it is revoked, and revoking ends all of the person")
def _():
    first, second = credentials("dora"), credentials("dora")
    for one in (first, second):
        before = one.token
        one.refresh(Request())
        assert one.token != before
    answer = requests.post(f"{GOOGLE}/revoke", data={"token": first.refresh_token})
    equal(answer.status_code, 200, "revoking")
    for one in (first, second):
        error = raises(RefreshError, lambda: one.refresh(Request()))
        equal(error.args[1]["error"], "invalid_grant", "the word")
    equal(requests.post(f"{GOOGLE}/revoke", data={"token": first.refresh_token}).json()["error"], "invalid_token", "again")


@check("another secret is no client")
def _():
    known = credentials("ann")
    other = Credentials(
        None, refresh_token=known.refresh_token, token_uri=f"{GOOGLE}/token", client_id=CLIENT_ID, client_secret="x"
    )
    error = raises(RefreshError, lambda: other.refresh(Request()))
    equal(error.args[1]["error"], "invalid_client", "the word")


@check("a file is sent in parts under an id that was given out, read again and listed")
def _():
    service = drive("emil")
    name = service.files().generateIds(count=1, space="drive", type="files").execute()["ids"][0]
    body = content(3 * GRAIN + 1000)
    media = MediaIoBaseUpload(io.BytesIO(body), "video/mp4", chunksize=GRAIN, resumable=True)
    request = service.files().create(
        body={"id": name, "name": "kite.mp4", "mimeType": "video/mp4"}, media_body=media, fields="id,size,webViewLink"
    )
    told, answer = [], None
    while answer is None:
        status, answer = request.next_chunk()
        told.append(status.resumable_progress if status else None)
    equal(told, [GRAIN, 2 * GRAIN, 3 * GRAIN, None], "how far it was")
    equal((answer["id"], answer["size"]), (name, str(len(body))), "the file")
    equal(requests.get(answer["webViewLink"]).content, body, "what its owner sees")
    taken = io.BytesIO()
    download = MediaIoBaseDownload(taken, service.files().get_media(fileId=name), chunksize=GRAIN)
    while not download.next_chunk()[1]:
        pass
    equal(taken.getvalue(), body, "what the client reads")
    equal([file["id"] for file in service.files().list().execute()["files"]], [name], "the list")


@check("a folder is made, found by a property of the app's own, and files lie in it")
def _():
    service = drive("gesa")
    kind = "application/vnd.google-apps.folder"
    about = {"name": "Citipen", "mimeType": kind, "appProperties": {"holds": "outputs"}}
    folder = service.files().create(body=about, fields="id").execute()["id"]
    media = MediaIoBaseUpload(io.BytesIO(b"kite"), "text/plain", resumable=True)
    about = {"name": "kite.txt", "parents": [folder]}
    made = service.files().create(body=about, media_body=media, fields="id,parents").execute()
    equal(made["parents"], [folder], "where it lies")

    def found(query):
        return [file["id"] for file in service.files().list(q=query, pageSize=10, orderBy="createdTime").execute()["files"]]

    mark = "appProperties has { key='holds' and value='outputs' }"
    equal(found(f"mimeType = '{kind}' and {mark} and trashed = false"), [folder], "by the mark")
    equal(found(f"'{folder}' in parents"), [made["id"]], "what lies in it")
    service.files().update(fileId=folder, body={"name": "Kites", "trashed": True}).execute()
    equal(found(f"{mark} and trashed = false"), [], "in the trash")
    equal(found(f"{mark} and name = 'Kites' and trashed = true"), [folder], "in the trash, by its new name")
    error = raises(HttpError, lambda: found("mimeType"))
    equal((error.status_code, reason(error)), (400, "invalid"), "the refusal")
    about = {"name": "kite.txt", "parents": ["1elsewhere"]}
    error = raises(HttpError, lambda: service.files().create(body=about, fields="id").execute())
    equal((error.status_code, reason(error)), (404, "notFound"), "another's folder")


@check("a second file of one id is refused, and so is an id that was not given out")
def _():
    service = drive("fritz")
    name = service.files().generateIds(count=1).execute()["ids"][0]

    def create(of):
        media = MediaIoBaseUpload(io.BytesIO(b"kite"), "text/plain", resumable=True)
        return service.files().create(body={"id": of, "name": "kite.txt"}, media_body=media).execute()

    create(name)
    error = raises(HttpError, lambda: create(name))
    equal((error.status_code, reason(error)), (409, "fileIdInUse"), "the refusal")
    equal(raises(HttpError, lambda: create("1invented")).status_code, 400, "the refusal")


@check("an upload goes on where it was, also when the client does not know how far it is")
def _():
    service = drive("greta")
    body = content(2 * GRAIN)
    media = MediaIoBaseUpload(io.BytesIO(body), "video/mp4", chunksize=GRAIN, resumable=True)
    request = service.files().create(body={"name": "kite.mp4"}, media_body=media)
    request.next_chunk()
    # The client asks how far it is when it was cut off.
    request._in_error_state = True
    request.resumable_progress = 0
    answer = None
    while answer is None:
        _, answer = request.next_chunk()
    equal(answer["size"], str(len(body)), "the file")


@check("another person's file is not there, a full drive says so, a trashed file is marked")
def _():
    one, other = drive("hanna"), drive("ida")
    media = MediaIoBaseUpload(io.BytesIO(b"kite"), "text/plain", resumable=True)
    made = one.files().create(body={"name": "kite.txt"}, media_body=media).execute()
    error = raises(HttpError, lambda: other.files().get(fileId=made["id"]).execute())
    equal((error.status_code, reason(error)), (404, "notFound"), "the refusal")
    one.files().update(fileId=made["id"], body={"trashed": True}).execute()
    equal(one.files().get(fileId=made["id"]).execute()["trashed"], True, "in the trash")
    requests.post(f"{GOOGLE}/room/ida", json={"bytes": 1})
    error = raises(HttpError, lambda: other.files().create(body={"name": "x"}, media_body=media).execute())
    equal((error.status_code, reason(error)), (403, "storageQuotaExceeded"), "the refusal")


@check("whose drive it is stands in about, and a token that is over is 401")
def _():
    service = drive("jan")
    equal(service.about().get(fields="user").execute()["user"]["displayName"], "jan", "the person")
    stranger = Credentials("ya29.invented")
    answer = requests.get(f"{GOOGLE}/drive/v3/about", headers={"authorization": f"Bearer {stranger.token}"})
    equal((answer.status_code, answer.json()["error"]["status"]), (401, "UNAUTHENTICATED"), "the refusal")


check.run()
