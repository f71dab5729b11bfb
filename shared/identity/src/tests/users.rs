use super::world::{World, person, user};
use crate::question::Answer;
use crate::{
    FirstSight, IdentityError, Language, PreferencesChange, ProfileChange, StorageProvider, Theme, User,
    UserEvent, UserState, Users, Welcome, WelcomeRefused,
};
use primitives::{Currency, UserId};
use serde_json::json;

pub(super) fn sight<'a>(user: &'a UserId, network: &'a str) -> FirstSight<'a> {
    FirstSight { user, country: Some("VN"), network: Some(network) }
}

async fn welcome_of(users: &Users, name: &str, network: &str) -> Welcome {
    users.ensure(sight(&user(name), network)).await.unwrap().welcome
}

fn email(user: &User) -> Option<&str> {
    user.email.as_ref().map(|email| email.expose().as_str())
}

#[tokio::test]
async fn the_first_request_creates_the_user_with_what_clerk_knows() {
    let world = World::start().await;
    let ann = user("ann");
    world.clerk_knows(&ann, "ann@example.com");

    let created = world.users().ensure(sight(&ann, "203.0.113.0/24")).await.unwrap();

    assert_eq!(email(&created), Some("ann@example.com"));
    assert_eq!(created.name.as_ref().map(|name| name.expose().as_str()), Some("Ann Lee"));
    assert_eq!(created.welcome, Welcome::Eligible);
    assert_eq!(created.created_at, world.platform.now());
    assert_eq!(created.preferences.language, Language::Vi);
    assert_eq!(created.preferences.display_currency, Currency::VND);
    assert_eq!(format!("{:?}", created.email), "Some([private])");
}

#[tokio::test]
async fn parallel_first_requests_create_one_user_and_take_one_place() {
    let world = World::start_with([("WELCOMES_PER_NETWORK_DAY_MAX", "1")]).await;
    let ann = user("ann");
    world.clerk_knows(&ann, "ann@example.com");
    let mut tasks = Vec::new();
    for _ in 0..16 {
        let (users, ann) = (world.users(), ann.clone());
        tasks.push(tokio::spawn(async move { users.ensure(sight(&ann, "203.0.113.0/24")).await.unwrap() }));
    }
    for task in tasks {
        assert_eq!(task.await.unwrap().welcome, Welcome::Eligible);
    }
    assert_eq!(rows(&world, "user#").await, 1);
    assert_eq!(rows(&world, "email#").await, 1);
    assert_eq!(rows(&world, "net#").await, 1);
}

#[tokio::test]
async fn one_mailbox_has_one_welcome() {
    let world = World::start().await;
    let users = world.users();
    world.clerk_knows(&user("ann"), "ann.lee@gmail.com");
    world.clerk_knows(&user("ann2"), "AnnLee+2@googlemail.com");
    world.clerk_knows(&user("bob"), "bob@example.com");

    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Eligible);
    let refused = Welcome::Refused(WelcomeRefused::EmailSeenBefore);
    assert_eq!(welcome_of(&users, "ann2", "b").await, refused);
    assert_eq!(welcome_of(&users, "bob", "c").await, Welcome::Eligible);
    assert_eq!(welcome_of(&users, "ann2", "b").await, refused);
    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Eligible);
}

#[tokio::test]
async fn the_address_is_still_known_after_the_account_was_deleted() {
    let world = World::start().await;
    let users = world.users();
    world.clerk_knows(&user("ann"), "ann@example.com");
    world.clerk_knows(&user("ann2"), "ann@example.com");
    welcome_of(&users, "ann", "a").await;
    users.apply(&message("msg_1"), UserEvent::Deleted(user("ann"))).await.unwrap();

    assert_eq!(welcome_of(&users, "ann2", "a").await, Welcome::Refused(WelcomeRefused::EmailSeenBefore));
}

#[tokio::test]
async fn a_network_has_so_many_welcomes_a_day() {
    let world = World::start_with([("WELCOMES_PER_NETWORK_DAY_MAX", "2")]).await;
    let users = world.users();
    for name in ["a", "b", "c", "d", "e"] {
        world.clerk_knows(&user(name), &format!("{name}@example.com"));
    }
    assert_eq!(welcome_of(&users, "a", "here").await, Welcome::Eligible);
    assert_eq!(welcome_of(&users, "b", "here").await, Welcome::Eligible);
    assert_eq!(welcome_of(&users, "c", "here").await, Welcome::Refused(WelcomeRefused::NetworkLimit));
    assert_eq!(welcome_of(&users, "d", "there").await, Welcome::Eligible);
    world.advance(86_400);
    assert_eq!(welcome_of(&users, "e", "here").await, Welcome::Eligible);
}

#[tokio::test]
async fn without_a_verified_address_there_is_no_welcome() {
    let world = World::start().await;
    let mut unverified = person("user_ann", "ann@example.com", 1);
    unverified["email_addresses"][1]["verification"]["status"] = json!("unverified");
    world.clerk.people.lock().unwrap().insert("user_ann".to_owned(), unverified);

    let ann = world.users().ensure(sight(&user("ann"), "a")).await.unwrap();

    assert_eq!(ann.welcome, Welcome::Refused(WelcomeRefused::NoVerifiedEmail));
    assert_eq!(email(&ann), None);
}

#[tokio::test]
async fn a_silent_clerk_keeps_nobody_out_and_decides_no_welcome() {
    let world = World::start_with([("CLERK_API_URL", "http://127.0.0.1:1")]).await;
    let ann = world.users().ensure(sight(&user("ann"), "a")).await.unwrap();
    assert_eq!((ann.welcome, email(&ann)), (Welcome::Undecided, None));
    assert!(ann.welcome_due_at().unwrap() > world.platform.now());
}

#[tokio::test]
async fn a_refusal_of_clerk_gives_no_second_welcome_to_an_alias() {
    let world = World::start().await;
    let users = world.users();
    world.clerk_knows(&user("ann"), "ann.lee@gmail.com");
    world.clerk_knows(&user("ann2"), "annlee+2@gmail.com");
    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Eligible);
    world.clerk_refuses(1, Some("7"));

    assert_eq!(welcome_of(&users, "ann2", "b").await, Welcome::Undecided);
    assert_eq!(welcome_of(&users, "ann2", "b").await, Welcome::Undecided, "too early to ask again");
    assert_eq!(world.questions(), 2);
    world.advance(7);
    assert_eq!(welcome_of(&users, "ann2", "b").await, Welcome::Refused(WelcomeRefused::EmailSeenBefore));
}

#[tokio::test]
async fn what_clerk_did_not_tell_is_asked_again_and_then_given() {
    let world = World::start().await;
    let users = world.users();
    world.clerk_knows(&user("ann"), "ann@example.com");
    world.clerk_refuses(2, None);
    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Undecided);
    world.advance(10);
    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Undecided);
    world.advance(10);
    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Eligible);
    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Eligible);
    assert_eq!(world.questions(), 3);
}

#[tokio::test]
async fn the_webhook_brings_the_address_that_clerk_would_not_show() {
    let world = World::start().await;
    let users = world.users();
    world.clerk_refuses(100, Some("300"));
    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Undecided);

    let news = json!({ "type": "user.created", "data": person("user_ann", "ann@example.com", 1_000) });
    let news = UserEvent::parse(news.to_string().as_bytes(), None).unwrap();
    users.apply(&message("msg_1"), news).await.unwrap();

    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Eligible);
    assert_eq!(world.questions(), 1);
}

/// Two requests read the row, and one of them asks and hears before the other wants to.
#[tokio::test]
async fn a_request_whose_question_was_asked_meanwhile_looks_again() {
    let world = World::start().await;
    let users = world.users();
    world.clerk_refuses(1, Some("5"));
    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Undecided);
    world.clerk_knows(&user("ann"), "ann@example.com");
    world.advance(5);
    let read_before = users.get(&user("ann")).await.unwrap().unwrap();
    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Eligible);

    let answer = users.ask(read_before, false).await.unwrap();

    assert!(matches!(answer, Answer::Learned), "what was read before tells nothing any more");
    assert_eq!(world.questions(), 2);
}

/// One process is left alone by its own pause; all together by the count of the window.
#[tokio::test]
async fn a_burst_of_new_people_asks_clerk_no_more_than_it_allows() {
    let world = World::start_with([("CLERK_READS_PER_WINDOW_MAX", "3")]).await;
    let names: Vec<String> = (0..12).map(|number| format!("p{number}")).collect();
    let mut tasks = Vec::new();
    for name in &names {
        world.clerk_knows(&user(name), &format!("{name}@example.com"));
        let (users, id) = (world.users(), user(name));
        tasks.push(tokio::spawn(async move { users.ensure(sight(&id, "a")).await.unwrap().welcome }));
    }
    let mut given = 0;
    for task in tasks {
        given += u32::from(task.await.unwrap() == Welcome::Eligible);
    }
    assert_eq!((given, world.questions()), (3, 3));
    for _ in 0..3 {
        world.advance(10);
        for name in &names {
            given += u32::from(welcome_of(&world.users(), name, "a").await == Welcome::Eligible);
        }
    }
    assert_eq!(world.questions(), 12, "the others in later windows, each once");
    assert_eq!(rows(&world, "email#").await, 12);
    assert!(given >= 12);
}

#[tokio::test]
async fn clerk_is_left_alone_for_as_long_as_it_asks() {
    let world = World::start().await;
    let users = world.users();
    world.clerk_refuses(1, Some("60"));
    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Undecided);
    world.clerk_knows(&user("bob"), "bob@example.com");
    world.advance(59);
    assert_eq!(welcome_of(&users, "bob", "a").await, Welcome::Undecided, "also about others");
    assert_eq!(world.questions(), 1);
    world.advance(1);
    assert_eq!(welcome_of(&users, "bob", "a").await, Welcome::Eligible);
}

/// As when its environment was killed while it asked: the row says that a question is under way, and it never ends.
#[tokio::test]
async fn a_question_that_was_killed_is_asked_by_the_next_request() {
    let world = World::start().await;
    let (users, ann) = (world.users(), user("ann"));
    world.clerk_knows(&ann, "ann@example.com");
    let mut row = crate::items::new_user(&ann, None, None, Welcome::Undecided, world.platform.now());
    row.extend(crate::question::question_columns(world.platform.now()));
    users.put_new(row).await.unwrap();

    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Eligible);
}

#[tokio::test]
async fn without_a_key_for_clerk_only_the_webhook_decides() {
    let world = World::start_with([("CLERK_SECRET_KEY", "")]).await;
    let users = world.users();
    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Undecided);
    let news = json!({ "type": "user.created", "data": person("user_ann", "ann@example.com", 1_000) });
    users
        .apply(&message("msg_1"), UserEvent::parse(news.to_string().as_bytes(), None).unwrap())
        .await
        .unwrap();
    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Eligible);
    assert_eq!(world.questions(), 0);
}

#[tokio::test]
async fn an_address_that_is_verified_later_still_brings_the_welcome() {
    let world = World::start().await;
    let users = world.users();
    let mut unverified = person("user_ann", "ann@example.com", 1);
    unverified["email_addresses"][1]["verification"]["status"] = json!("unverified");
    world.clerk.people.lock().unwrap().insert("user_ann".to_owned(), unverified);
    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Refused(WelcomeRefused::NoVerifiedEmail));

    let news = json!({ "type": "user.updated", "data": person("user_ann", "ann@example.com", 2_000) });
    users
        .apply(&message("msg_1"), UserEvent::parse(news.to_string().as_bytes(), None).unwrap())
        .await
        .unwrap();

    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Eligible);
}

#[tokio::test]
async fn a_silence_about_addresses_neither_decides_nor_forgets() {
    let world = World::start().await;
    let (users, ann) = (world.users(), user("ann"));
    let mut silent = person("user_ann", "", 2_000);
    silent["email_addresses"] = json!(null);
    world.clerk.people.lock().unwrap().insert("user_ann".to_owned(), silent.clone());
    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Undecided);

    let told = json!({ "type": "user.updated", "data": person("user_ann", "ann@example.com", 3_000) });
    users
        .apply(&message("msg_1"), UserEvent::parse(told.to_string().as_bytes(), None).unwrap())
        .await
        .unwrap();
    silent["updated_at"] = json!(4_000);
    let silent = json!({ "type": "user.updated", "data": silent });
    users
        .apply(&message("msg_2"), UserEvent::parse(silent.to_string().as_bytes(), None).unwrap())
        .await
        .unwrap();

    assert_eq!(email(&users.get(&ann).await.unwrap().unwrap()), Some("ann@example.com"));
    assert_eq!(welcome_of(&users, "ann", "a").await, Welcome::Eligible);
}

#[tokio::test]
async fn the_deleted_stay_deleted() {
    let world = World::start().await;
    let (users, ann) = (world.users(), user("ann"));
    world.clerk_knows(&ann, "ann@example.com");
    users.ensure(sight(&ann, "a")).await.unwrap();
    users.apply(&message("msg_1"), UserEvent::Deleted(ann.clone())).await.unwrap();

    let refused = users.ensure(sight(&ann, "a")).await;
    assert!(matches!(refused, Err(IdentityError::Deleted)));
    let change = PreferencesChange { theme: Some(Theme::Dark), ..PreferencesChange::default() };
    assert!(matches!(users.update_preferences(&ann, &change).await, Err(IdentityError::Deleted)));

    let tombstone = users.get(&ann).await.unwrap().unwrap();
    assert_eq!(tombstone.state, UserState::Deleted);
    assert!(tombstone.email.is_none() && tombstone.name.is_none() && tombstone.country.is_none());
}

#[tokio::test]
async fn a_person_corrects_their_own_data() {
    let world = World::start().await;
    let (users, ann) = (world.users(), user("ann"));
    let wanted: PreferencesChange = serde_json::from_value(
        json!({ "theme": "dark", "display_currency": "EUR", "storage_provider": "dropbox" }),
    )
    .unwrap();
    let missing = users.update_preferences(&ann, &wanted).await;
    assert!(matches!(missing, Err(IdentityError::Unknown)));

    world.clerk_knows(&ann, "ann@example.com");
    users.ensure(sight(&ann, "a")).await.unwrap();
    let changed = users.update_preferences(&ann, &wanted).await.unwrap();
    assert_eq!(changed.preferences.theme, Theme::Dark);
    assert_eq!(changed.preferences.storage_provider, StorageProvider::Dropbox);
    assert_eq!(changed.preferences.display_currency.code(), "EUR");
    assert_eq!(changed.preferences.language, Language::Vi);

    let renamed: ProfileChange = serde_json::from_value(json!({ "name": "Lee" })).unwrap();
    users.update_profile(&ann, &renamed).await.unwrap();
    let news = UserEvent::parse(
        json!({ "type": "user.updated", "data": person("user_ann", "new@example.com", 9_000) })
            .to_string()
            .as_bytes(),
        None,
    );
    users.apply(&message("msg_1"), news.unwrap()).await.unwrap();
    let found = users.get(&ann).await.unwrap().unwrap();
    assert_eq!(found.name.as_ref().map(|name| name.expose().as_str()), Some("Lee"));
    assert_eq!(email(&found), Some("new@example.com"));

    let unchanged = users.update_profile(&ann, &ProfileChange::default()).await.unwrap();
    assert_eq!(unchanged.name.unwrap().expose(), "Lee");
}

#[test]
fn unknown_wishes_are_refused() {
    for wish in [json!({ "theme": "pink" }), json!({ "admin": true }), json!({ "display_currency": "eur" })] {
        assert!(serde_json::from_value::<PreferencesChange>(wish).is_err());
    }
    assert!(serde_json::from_value::<ProfileChange>(json!({ "name": "a\u{202e}b" })).is_err());
}

pub(super) fn message(id: &str) -> crate::svix::MessageId {
    super::webhooks::verified(id)
}

pub(super) async fn rows(world: &World, prefix: &str) -> usize {
    let scan = world.platform.dynamo().scan().table_name(world.platform.table(&crate::USERS));
    let items = scan.send().await.unwrap().items.unwrap_or_default();
    items.iter().filter(|item| item["id"].as_s().unwrap().starts_with(prefix)).count()
}
