use super::users::{message, rows, sight};
use super::world::{NOW, World, person, user};
use crate::svix::{self, MessageId, NotAuthentic};
use crate::{Applied, InvalidEvent, UserEvent, UserState, VerifiedEmail, Welcome, WelcomeRefused};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use primitives::{Secret, Timestamp};
use serde_json::{Value, json};

/// Svix's own published example.
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
const AT: u64 = 1_649_367_553;
const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn headers(family: &str, id: &str, timestamp: &str, signature: &str) -> HeaderMap {
    let of = |part: &str| format!("{family}-{part}").parse::<HeaderName>().unwrap();
    let value = |text: &str| HeaderValue::from_str(text).unwrap();
    HeaderMap::from_iter([
        (of("id"), value(id)),
        (of("timestamp"), value(timestamp)),
        (of("signature"), value(signature)),
    ])
}

pub(super) fn verified(id: &str) -> MessageId {
    let secret = Secret::new(SECRET);
    let signature = svix::sign(&secret, id, at(AT), BODY).unwrap();
    svix::verify(&[secret], &headers("svix", id, &AT.to_string(), &signature), BODY, at(AT)).unwrap()
}

#[test]
fn the_published_check_value_holds() {
    let secret = Secret::new(SECRET);
    assert_eq!(svix::sign(&secret, ID, at(AT), BODY).unwrap(), SIGNATURE);
    for family in ["svix", "webhook"] {
        let headers = headers(family, ID, &AT.to_string(), SIGNATURE);
        let id = svix::verify(std::slice::from_ref(&secret), &headers, BODY, at(AT)).unwrap();
        assert_eq!(id.as_str(), ID);
    }
}

#[test]
fn the_reference_library_agrees() {
    let oracle = standardwebhooks::Webhook::new(SECRET).unwrap();
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let seconds = u64::try_from(now).unwrap();
    for body in [&b""[..], BODY, "{\"name\":\"Nguyễn\"}".as_bytes()] {
        let ours = svix::sign(&Secret::new(SECRET), ID, at(seconds), body).unwrap();
        assert_eq!(ours, oracle.sign(ID, now, body).unwrap());
        oracle.verify(body, &headers("webhook", ID, &now.to_string(), &ours)).unwrap();
    }
}

/// A delivery as it should be, of which each case changes one thing.
struct Delivery {
    secrets: Vec<String>,
    headers: HeaderMap,
    body: &'static [u8],
    now: u64,
}

impl Delivery {
    fn good() -> Delivery {
        Delivery { secrets: vec![SECRET.to_owned()], headers: signed(ID, AT), body: BODY, now: AT }
    }

    fn refusal(&self) -> Option<NotAuthentic> {
        let secrets: Vec<Secret> = self.secrets.iter().map(Secret::new).collect();
        svix::verify(&secrets, &self.headers, self.body, at(self.now)).err()
    }
}

/// The example's signature under other headers.
fn signed(id: &str, seconds: impl ToString) -> HeaderMap {
    headers("svix", id, &seconds.to_string(), SIGNATURE)
}

fn with_signature(signature: &str) -> HeaderMap {
    headers("svix", ID, &AT.to_string(), signature)
}

fn another_secret() -> String {
    format!("whsec_{}", STANDARD.encode([7; 24]))
}

type Change = fn(&mut Delivery);

#[test]
fn what_is_signed_for_now_is_taken() {
    let table: [(&str, Change); 4] = [
        ("as it is", |_| {}),
        ("one of two secrets", |d| d.secrets.insert(0, another_secret())),
        ("one of many signatures", |d| {
            d.headers = with_signature(&format!("v1,AAAA v2,{} v1a,xyz {SIGNATURE}", &SIGNATURE[3..]));
        }),
        ("five minutes late", |d| d.now = AT + 300),
    ];
    for (name, change) in table {
        let mut delivery = Delivery::good();
        change(&mut delivery);
        assert_eq!(delivery.refusal(), None, "{name}");
    }
}

#[test]
fn whatever_is_not_signed_for_now_is_refused() {
    use NotAuthentic::{BadSecret, Header, NoSecret, Signature, Timestamp};
    let table: [(&str, NotAuthentic, Change); 17] = [
        ("later", Timestamp, |d| d.now = AT + 301),
        ("too early", Timestamp, |d| d.now = AT - 301),
        ("last second", Timestamp, |d| d.headers = signed(ID, u64::MAX)),
        ("another body", Signature, |d| d.body = b"{}"),
        ("another id", Signature, |d| d.headers = signed("msg_1", AT)),
        ("another second", Signature, |d| d.headers = signed(ID, AT + 1)),
        ("another secret", Signature, |d| d.secrets = vec![another_secret()]),
        ("another version", Signature, |d| d.headers = with_signature(&SIGNATURE.replace("v1", "v2"))),
        ("cut signature", Signature, |d| d.headers = with_signature("v1,tZ1I")),
        ("no signature", Signature, |d| d.headers = with_signature("")),
        ("a dotted id", Header("svix-id"), |d| d.headers = signed("msg.1", AT)),
        ("signed seconds", Header("svix-timestamp"), |d| d.headers = signed(ID, "+1649367553")),
        ("hostile seconds", Header("svix-timestamp"), |d| d.headers = signed(ID, "99999999999999999999")),
        ("no headers", Header("svix-id"), |d| d.headers = HeaderMap::new()),
        ("no secret", NoSecret, |d| d.secrets.clear()),
        ("empty secret", BadSecret, |d| d.secrets = vec!["whsec_".to_owned()]),
        ("bare secret", BadSecret, |d| d.secrets = vec!["secret".to_owned()]),
    ];
    for (name, expected, change) in table {
        let mut delivery = Delivery::good();
        change(&mut delivery);
        assert_eq!(delivery.refusal(), Some(expected), "{name}");
    }
}

#[test]
fn a_doubled_header_is_refused() {
    let mut headers = headers("svix", ID, &AT.to_string(), SIGNATURE);
    headers.append("svix-signature", HeaderValue::from_static("v1,AAAA"));
    let refused = svix::verify(&[Secret::new(SECRET)], &headers, BODY, at(AT));
    assert_eq!(refused.err(), Some(NotAuthentic::Header("svix-signature")));
}

fn event(kind: &str, data: Value) -> UserEvent {
    let json =
        json!({ "type": kind, "object": "event", "instance_id": "ins_1", "timestamp": NOW, "data": data });
    UserEvent::parse(json.to_string().as_bytes(), Some("ins_1")).unwrap()
}

#[test]
fn events_are_read_narrowly() {
    let parse = |json: Value| UserEvent::parse(json.to_string().as_bytes(), Some("ins_1"));
    let of = |kind: &str, data: Value| json!({ "type": kind, "instance_id": "ins_1", "data": data });

    assert!(matches!(event("user.deleted", json!({ "id": "user_ann" })), UserEvent::Deleted(_)));
    for nothing in [
        of("user.deleted", json!({ "deleted": true })),
        of("user.deleted", json!({ "id": null })),
        of("session.created", json!({ "id": "sess_1" })),
    ] {
        assert!(matches!(parse(nothing), Ok(UserEvent::Ignored(_))));
    }
    for other in [
        json!({ "type": "user.deleted", "instance_id": "ins_2", "data": { "id": "user_ann" } }),
        json!({ "type": "user.deleted", "data": { "id": "user_ann" } }),
    ] {
        assert_eq!(parse(other).err(), Some(InvalidEvent::OtherInstance));
    }
    for odd in [
        of("user.deleted", json!({ "id": "org_1" })),
        of("user.deleted", json!({ "id": 7 })),
        of("user.created", json!({ "id": "org_1" })),
        of("user.created", json!({ "id": null })),
        of("user.created", json!(null)),
        json!({ "instance_id": "ins_1", "data": { "id": "user_ann" } }),
        json!({ "type": 7, "instance_id": "ins_1", "data": { "id": "user_ann" } }),
        json!("hello"),
        json!(null),
    ] {
        assert_eq!(parse(odd).err(), Some(InvalidEvent::Shape));
    }
}

/// What is beside the point, in every odd form, leaves an event that is still read.
#[test]
fn what_is_beside_the_point_is_read_leniently() {
    let odd =
        [json!(null), json!(7), json!(-1.5), json!("x"), json!([]), json!({}), json!([null, 7, "x", {}])];
    let fields = [
        "updated_at",
        "created_at",
        "email_addresses",
        "primary_email_address_id",
        "first_name",
        "last_name",
        "image_url",
        "object",
        "phone_numbers",
        "unheard_of",
    ];
    for field in fields {
        for value in &odd {
            let mut data = person("user_ann", "ann@example.com", 1_000);
            data[field] = value.clone();
            assert!(matches!(event("user.updated", data), UserEvent::Changed(_)), "{field}: {value}");
        }
        let mut data = person("user_ann", "ann@example.com", 1_000);
        data.as_object_mut().unwrap().remove(field);
        assert!(matches!(event("user.updated", data), UserEvent::Changed(_)), "without {field}");
    }
    for value in &odd {
        let mut json =
            json!({ "type": "user.updated", "data": person("user_ann", "ann@example.com", 1_000) });
        for field in ["object", "timestamp", "instance_id", "event_attributes"] {
            json[field] = value.clone();
            assert!(UserEvent::parse(json.to_string().as_bytes(), None).is_ok(), "{field}: {value}");
        }
    }
}

/// What decides about money is not: only the primary address, and only with the word `verified`.
#[test]
fn what_decides_about_an_address_is_read_strictly() {
    let read = |change: fn(&mut Value)| {
        let mut data = person("user_ann", "ann@example.com", 1_000);
        change(&mut data);
        let UserEvent::Changed(user) = event("user.updated", data) else { panic!() };
        match user.email {
            VerifiedEmail::Address(address) => address.expose().clone(),
            VerifiedEmail::None => "none".to_owned(),
            VerifiedEmail::NotTold => "not told".to_owned(),
        }
    };
    assert_eq!(read(|_| {}), "ann@example.com");
    let changes: [fn(&mut Value); 10] = [
        |data| data["primary_email_address_id"] = json!(null),
        |data| data["primary_email_address_id"] = json!("idn_9"),
        |data| data["email_addresses"] = json!([]),
        |data| data["email_addresses"][1]["verification"] = json!(null),
        |data| data["email_addresses"][1]["verification"]["status"] = json!(true),
        |data| data["email_addresses"][1]["verification"]["status"] = json!("Verified"),
        |data| data["email_addresses"][1]["verification"]["status"] = json!("unverified"),
        |data| data["email_addresses"][1]["email_address"] = json!(null),
        |data| data["email_addresses"][1]["email_address"] = json!(" "),
        |data| data["email_addresses"][1]["id"] = json!(null),
    ];
    for change in changes {
        assert_eq!(read(change), "none");
    }
    for list in [json!(null), json!("x"), json!({})] {
        let mut data = person("user_ann", "ann@example.com", 1_000);
        data["email_addresses"] = list;
        let UserEvent::Changed(user) = event("user.updated", data) else { panic!() };
        assert!(matches!(user.email, VerifiedEmail::NotTold));
    }
}

#[tokio::test]
async fn an_event_without_its_time_is_taken_by_the_time_it_was_sent() {
    let world = World::start().await;
    let (users, ann) = (world.users(), user("ann"));
    let timeless = |sent_at: u64, email: &str| {
        let mut data = person("user_ann", email, 0);
        data.as_object_mut().unwrap().remove("updated_at");
        let json = json!({ "type": "user.updated", "timestamp": sent_at, "data": data });
        UserEvent::parse(json.to_string().as_bytes(), None).unwrap()
    };
    let steps = [
        ("msg_1", timeless(2_000, "second@example.com"), Applied::Created, "second@example.com"),
        ("msg_2", timeless(1_000, "first@example.com"), Applied::Stale, "second@example.com"),
        ("msg_3", timeless(3_000, "third@example.com"), Applied::Updated, "third@example.com"),
    ];
    for (id, event, expected, email) in steps {
        assert_eq!(users.apply(&message(id), event).await.unwrap(), expected);
        assert_eq!(users.get(&ann).await.unwrap().unwrap().email.unwrap().expose(), email);
    }
}

#[tokio::test]
async fn the_webhook_creates_and_the_first_request_decides_the_welcome() {
    let world = World::start_with([("WELCOMES_PER_NETWORK_DAY_MAX", "1")]).await;
    let users = world.users();
    for (name, expected) in
        [("ann", Welcome::Eligible), ("bob", Welcome::Refused(WelcomeRefused::NetworkLimit))]
    {
        let id = user(name);
        let created = event("user.created", person(id.as_str(), &format!("{name}@example.com"), 1_000));
        let applied = users.apply(&message(&format!("msg_{name}")), created).await.unwrap();
        assert_eq!(applied, Applied::Created);
        assert_eq!(users.get(&id).await.unwrap().unwrap().welcome, Welcome::Undecided);

        let seen = users.ensure(sight(&id, "203.0.113.0/24")).await.unwrap();

        assert_eq!((seen.welcome, seen.country.as_deref()), (expected, Some("VN")));
    }
}

#[tokio::test]
async fn events_out_of_order_leave_the_newest() {
    let world = World::start().await;
    let (users, ann) = (world.users(), user("ann"));
    let updated = |at: u64, email: &str| event("user.updated", person("user_ann", email, at));
    let steps = [
        ("msg_1", updated(2_000, "second@example.com"), Applied::Created, "second@example.com"),
        ("msg_2", updated(1_000, "first@example.com"), Applied::Stale, "second@example.com"),
        ("msg_3", updated(2_000, "second@example.com"), Applied::Stale, "second@example.com"),
        ("msg_4", updated(3_000, "third@example.com"), Applied::Updated, "third@example.com"),
        ("msg_4", updated(4_000, "fourth@example.com"), Applied::Repeated, "third@example.com"),
    ];
    for (id, event, expected, email) in steps {
        assert_eq!(users.apply(&message(id), event).await.unwrap(), expected);
        let found = users.get(&ann).await.unwrap().unwrap();
        assert_eq!(found.email.unwrap().expose(), email);
    }
}

#[tokio::test]
async fn a_deletion_comes_first_and_wins() {
    let world = World::start().await;
    let (users, ann) = (world.users(), user("ann"));
    let deleted = || event("user.deleted", json!({ "id": "user_ann", "deleted": true }));
    let created = event("user.created", person("user_ann", "ann@example.com", 1_000));

    assert_eq!(users.apply(&message("msg_1"), deleted()).await.unwrap(), Applied::Deleted);
    assert_eq!(users.apply(&message("msg_2"), created).await.unwrap(), Applied::Dropped);
    assert_eq!(users.apply(&message("msg_3"), deleted()).await.unwrap(), Applied::Deleted);

    assert_eq!(users.get(&ann).await.unwrap().unwrap().state, UserState::Deleted);
    assert_eq!(rows(&world, "email#").await, 0);
}
