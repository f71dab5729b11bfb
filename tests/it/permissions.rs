//! Who may call what: every row of the table `edge::ROUTES`, called by everybody who may not. A new route is in these walks
//! by itself.

use crate::books;
use crate::world::{Answer, Person, World, credit, http, image, new_run_id, script};
use credits::{Block, Ledger, SuspensionError};
use edge::{Permission, ROUTES};
use serde_json::{Value, json};

/// What a suspended person is refused, beside what only administrators may.
const BITES: [&str; 6] = [
    "post /v1/drives/{drive}/link",
    "post /v1/quotes",
    "post /v1/runs",
    "post /v1/top-ups",
    "post /v1/top-ups/claims",
    "post /v1/uploads",
];

/// One route that asks for a sign-in.
struct Route {
    /// As the document writes it: `get /v1/runs/{id}`
    name: String,
    method: String,
    path: String,
    permission: Permission,
}

impl Route {
    fn is_for_administrators(&self) -> bool {
        self.path.starts_with("/v1/admin/")
    }

    fn at(&self, id: &str) -> String {
        self.path.replace("{id}", id).replace("{drive}", "dropbox")
    }

    fn takes_a_body(&self) -> bool {
        self.method != "GET"
    }
}

/// From the table, which is that of the documented routes (`openapi`, `template::functions`).
fn routes() -> Vec<Route> {
    let rows = ROUTES.iter().filter(|row| row.permission.needs_sign_in());
    let routes = rows.map(|row| Route {
        name: format!("{} {}", row.method.as_str().to_lowercase(), row.path),
        method: row.method.to_string(),
        path: row.path.to_owned(),
        permission: row.permission,
    });
    let routes: Vec<Route> = routes.collect();
    assert!(routes.len() >= 16, "the table lists {} routes", routes.len());
    routes
}

/// Requests that would do something if the caller might: a body that fits each route, so that nothing but the person is in
/// the way.
fn fitting(route: &Route) -> Value {
    match route.name.as_str() {
        "post /v1/runs" | "post /v1/quotes" => script("a red kite"),
        "post /v1/top-ups" => json!({ "method": "viet_qr", "credits": credit(500) }),
        "post /v1/top-ups/claims" => json!({ "transaction_id": "ab".repeat(32) }),
        "post /v1/uploads" => {
            json!({ "kind": "image", "content_type": "image/png", "bytes": 1, "sha256": "ab".repeat(32) })
        }
        "patch /v1/drives" => json!({ "saving": "by_hand" }),
        "post /v1/saves" => json!({ "run_id": "01KABCDEFGHJKMNPQRSTVWXYZ0", "drive": "dropbox" }),
        "patch /v1/account" => json!({ "name": "Ann" }),
        name if name.ends_with("/assign") => json!({ "account_id": "user_sandbox_bob", "note": "theirs" }),
        name if name.ends_with("/dismiss") => json!({ "note": "no top-up" }),
        name if name.ends_with("/reverse") => json!({ "cause": "return", "case": "1", "note": "sent back" }),
        name if name.ends_with("/reinstate") => {
            json!({ "reversal_entry_id": "01KABCDEFGHJKMNPQRSTVWXYZ0", "note": "won" })
        }
        _ => Value::Null,
    }
}

async fn call(person: &Person, route: &Route, id: &str, body: &[u8], kind: &str) -> Answer {
    let mut request = person.request(&route.method, &route.at(id));
    if route.takes_a_body() {
        request = request.header("content-type", kind).body(body.to_vec());
    }
    Answer::of(request.send().await.unwrap()).await
}

async fn ask(person: &Person, route: &Route) -> Answer {
    let body = fitting(route).to_string();
    call(person, route, "01KABCDEFGHJKMNPQRSTVWXYZ0", body.as_bytes(), "application/json").await
}

/// Bodies and ids that no route can use, each of another kind.
fn rubbish() -> Vec<(&'static str, Vec<u8>, &'static str, &'static str)> {
    vec![
        ("no JSON", b"{\"tool\":".to_vec(), "application/json", "1"),
        ("no fields", b"{}".to_vec(), "application/json", "1"),
        ("foreign fields", b"{\"is_admin\":true}".to_vec(), "application/json", "1"),
        ("another type", b"tool=script".to_vec(), "text/plain", "1"),
        ("too long", vec![b' '; 300 * 1024], "application/json", "1"),
        ("too deep", vec![b'['; 4000], "application/json", "1"),
        ("an id that is none", b"{}".to_vec(), "application/json", "%ff%fe"),
        ("an id with a slash", b"{}".to_vec(), "application/json", "a%2Fb"),
    ]
}

/// Which permissions a kind of caller is refused, and with which code. The README of `shared/edge` has the same table.
type Kind = (&'static str, &'static str, &'static [Permission], &'static str);

const KINDS: &[Kind] = {
    use Permission::{Administer, AskPrice, Change, Inspect, Link, Look, Run, Spend, Unlink};
    &[
        (
            "a caller without a token",
            "",
            &[Look, Change, AskPrice, Spend, Run, Link, Unlink, Inspect, Administer],
            "unauthenticated",
        ),
        (
            "staff in ann's name",
            "person=ann&act=admin",
            &[Change, Spend, Run, Link, Unlink, Inspect, Administer],
            "impersonation_refused",
        ),
        (
            "staff in an administrator's name",
            "person=admin&act=bob",
            &[Change, Spend, Run, Link, Unlink, Inspect, Administer],
            "impersonation_refused",
        ),
        ("ann", "person=ann", &[Inspect, Administer], "not_administrator"),
        (
            "an administrator of eleven minutes ago",
            "person=admin&fva=11",
            &[Link, Unlink, Administer],
            "step_up_required",
        ),
        ("an administrator", "person=admin", &[], ""),
    ]
};

#[tokio::test]
async fn every_route_lets_in_whom_its_permission_says() {
    let world = World::start().await;
    let reasons: Vec<&str> =
        KINDS.iter().map(|(_, _, _, code)| *code).filter(|code| !code.is_empty()).collect();
    for (who, query, refused, code) in KINDS {
        let token = match *query {
            "" => None,
            query => {
                let page = format!("{}/sandbox/clerk/token?{query}", world.outside());
                Some(http().get(page).send().await.unwrap().text().await.unwrap())
            }
        };
        for route in routes() {
            let url = format!("{}{}", world.product.base, route.at("01KABCDEFGHJKMNPQRSTVWXYZ0"));
            let mut request = http().request(route.method.parse().unwrap(), url);
            if let Some(token) = &token {
                request = request.bearer_auth(token);
            }
            if route.takes_a_body() {
                request =
                    request.header("content-type", "application/json").body(fitting(&route).to_string());
            }
            let answer = Answer::of(request.send().await.unwrap()).await;
            let said = answer.body["code"].as_str().unwrap_or_default();
            if refused.contains(&route.permission) {
                assert_eq!(said, *code, "{} as {who}", route.name);
            } else {
                assert!(!reasons.contains(&said), "{} as {who}: {}", route.name, answer.text);
            }
        }
    }
    books::check(&world).await;
}

async fn delete(world: &World, person: &Person) {
    let url =
        format!("{}/sandbox/clerk/people/{}/webhook-request?type=user.deleted", world.outside(), person.name);
    let made = Answer::of(http().get(url).send().await.unwrap()).await;
    let mut request = http().post(format!("{}/v1/webhooks/clerk", world.product.base));
    for (name, value) in made.body["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    let sent = request.body(made.body["body"].as_str().unwrap().to_owned()).send().await.unwrap();
    assert_eq!(sent.status(), 204);
}

#[tokio::test]
async fn a_deleted_person_is_let_in_nowhere_and_hears_why() {
    let world = World::start().await;
    let (known, unseen) = (world.person("ann"), world.person("bob"));
    known.script("x").await;
    for person in [&known, &unseen] {
        delete(&world, person).await;
        for route in routes() {
            let answer = ask(person, &route).await;
            assert_eq!((answer.status, answer.problem()), (401, "unauthenticated"), "{}", route.name);
            assert!(
                answer.body["detail"].as_str().unwrap().contains("was deleted"),
                "{}: {}",
                route.name,
                answer.text
            );
            for (what, body, kind, id) in rubbish() {
                let answer = call(person, &route, id, &body, kind).await;
                assert_eq!(answer.status, 401, "{} with {what}: {}", route.name, answer.text);
            }
        }
    }
    books::check(&world).await;
}

#[tokio::test]
async fn a_deleted_administrator_moves_nobodys_credit() {
    let world = World::start().await;
    let admin = world.person("admin");
    assert_eq!(admin.get("/v1/admin/payments").await.status, 200);
    delete(&world, &admin).await;
    for route in routes().iter().filter(|route| route.is_for_administrators()) {
        let answer = ask(&admin, route).await;
        assert_eq!((answer.status, answer.problem()), (401, "unauthenticated"), "{}", route.name);
    }
}

/// An administrator's deletion holds from the next request on: their routes read it consistently.
#[tokio::test]
async fn an_administrators_standing_is_read_consistently_and_a_plain_persons_at_half_the_price() {
    let world = World::start().await;
    let (admin, ann) = (world.person("admin"), world.person("ann"));
    ann.balance().await;
    let halves = async |person: &Person, method: &str, path: &str, body: &Value| {
        world.product.meddler.forget();
        person.send(method, path, body).await;
        let calls = world.product.meddler.calls();
        let first =
            calls.iter().find(|call| call.rights.iter().any(|(place, _)| place == "accounts")).unwrap();
        first.read_halves
    };
    let path = "/v1/admin/payments/viet_qr.1.0/dismiss";
    assert_eq!(halves(&admin, "POST", path, &json!({ "note": "x" })).await, 2);
    assert_eq!(halves(&ann, "POST", "/v1/quotes", &script("x")).await, 1);
}

#[tokio::test]
async fn a_deleted_persons_runs_are_not_told_again() {
    let world = World::start().await;
    let ann = world.person("ann");
    let mut finished = image("a red kite");
    finished["run_id"] = json!(new_run_id());
    assert_eq!(ann.run(&finished).await.status, 200);
    delete(&world, &ann).await;

    let repeated = ann.run(&finished).await;
    assert_eq!((repeated.status, repeated.problem()), (401, "unauthenticated"), "{}", repeated.text);
    // At another price it can't be reserved at all, which must not open a way around the reservation's condition.
    finished["price"] = credit(9_999);
    assert_eq!(ann.run(&finished).await.status, 401);
    assert_eq!(ann.stream(&finished).await.unwrap_err().status, 401);
    books::check(&world).await;
}

#[tokio::test]
async fn a_suspended_person_sees_and_corrects_and_starts_nothing() {
    let world = World::start().await;
    let (ann, admin) = (world.person("ann"), world.person("admin"));
    ann.balance().await;
    admin.balance().await;
    let ledger = Ledger::new(&world.product.platform).unwrap();
    for person in [&ann, &admin] {
        ledger.set_suspended(&person.id().parse().unwrap(), true).await.unwrap();
    }
    let mut bites = BITES.to_vec();
    for route in routes() {
        let answer = ask(&ann, &route).await;
        if route.is_for_administrators() {
            assert_eq!(answer.problem(), "not_administrator", "{}", route.name);
            assert_eq!(ask(&admin, &route).await.problem(), "account_suspended", "{}", route.name);
        } else if BITES.contains(&route.name.as_str()) {
            bites.retain(|name| *name != route.name);
            assert_eq!((answer.status, answer.problem()), (403, "account_suspended"), "{}", route.name);
            for (what, body, kind, id) in rubbish() {
                let answer = call(&ann, &route, id, &body, kind).await;
                assert_eq!(answer.status, 403, "{} with {what}: {}", route.name, answer.text);
            }
        } else {
            assert_ne!(answer.status, 403, "{}: {}", route.name, answer.text);
        }
    }
    assert!(bites.is_empty(), "no such routes: {bites:?}");
    books::check(&world).await;
}

#[tokio::test]
async fn a_suspended_person_still_hears_of_a_run_they_paid_for() {
    let world = World::start().await;
    let ann = world.person("ann");
    let mut wish = script("a red kite");
    wish["run_id"] = json!(new_run_id());
    assert_eq!(ann.run(&wish).await.status, 200);
    let ledger = Ledger::new(&world.product.platform).unwrap();
    ledger.set_suspended(&ann.id().parse().unwrap(), true).await.unwrap();
    let again = ann.run(&wish).await;
    assert_eq!((again.status, &again.body["replayed"]), (200, &json!(true)), "{}", again.text);
}

#[tokio::test]
async fn who_is_not_signed_in_learns_nothing_of_what_a_request_should_be() {
    let world = World::start().await;
    for route in routes() {
        for (what, body, kind, id) in rubbish() {
            let url = format!("{}{}", world.product.base, route.at(id));
            let mut request = http().request(route.method.parse().unwrap(), url);
            if route.takes_a_body() {
                request = request.header("content-type", kind).body(body);
            }
            let answer = Answer::of(request.header("idempotency-key", "").send().await.unwrap()).await;
            assert_eq!(answer.status, 401, "{} with {what}: {}", route.name, answer.text);
        }
    }
}

#[tokio::test]
async fn who_is_no_administrator_hears_that_before_anything_about_the_request() {
    let world = World::start().await;
    let ann = world.person("ann");
    for route in routes().iter().filter(|route| route.is_for_administrators()) {
        let mut answers = vec![("what fits", ask(&ann, route).await)];
        for (what, body, kind, id) in rubbish() {
            answers.push((what, call(&ann, route, id, &body, kind).await));
        }
        let (name, method, permission) = (route.name.clone(), route.method.clone(), route.permission);
        let queried = Route { name, method, path: format!("{}?limit=x", route.path), permission };
        answers.push(("a limit that is none", ask(&ann, &queried).await));
        for (what, answer) in answers {
            assert_eq!(
                (answer.status, answer.problem()),
                (403, "not_administrator"),
                "{} with {what}",
                route.name
            );
            assert!(answer.body.get("errors").is_none(), "{}", answer.text);
        }
    }
}

/// Links in an order carry no token, and still end with their person.
#[tokio::test]
async fn a_deleted_persons_order_asks_nobody_to_pay() {
    let world = World::start().await;
    exchange_rates::handle(&world.product.role("ExchangeRates")).await.unwrap();
    let ann = world.person("ann");
    let order =
        ann.send("POST", "/v1/top-ups", &json!({ "method": "viet_qr", "credits": credit(500) })).await;
    let link = order.body["pay"]["qr_svg_url"].as_str().unwrap().to_owned();
    let link = format!("{}{}", world.product.base, link.strip_prefix(world.outside()).unwrap_or(&link));
    assert_eq!(http().get(&link).send().await.unwrap().status(), 200);
    delete(&world, &ann).await;
    assert_eq!(http().get(&link).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_closed_account_is_never_opened_again() {
    let world = World::start().await;
    let (known, unseen) = (world.person("ann"), world.person("bob"));
    known.balance().await;
    let ledger = Ledger::new(&world.product.platform).unwrap();
    for person in [&known, &unseen] {
        let id = person.id().parse().unwrap();
        assert!(person.name != "bob" || ledger.account(&id).await.unwrap().is_none());
        for _ in 0..2 {
            ledger.close(&id).await.unwrap();
        }
        for is_suspended in [true, false] {
            let refused = ledger.set_suspended(&id, is_suspended).await;
            assert!(matches!(refused, Err(SuspensionError::Closed)), "{refused:?}");
        }
        assert_eq!(ledger.account(&id).await.unwrap().unwrap().block, Some(Block::Closed));
    }
    let nobody = ledger.set_suspended(&"user_sandbox_nobody".parse().unwrap(), true).await;
    assert!(matches!(nobody, Err(SuspensionError::NoAccount)), "{nobody:?}");
    books::check(&world).await;
}
