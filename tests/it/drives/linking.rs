//! How a drive is linked and given up.

use super::*;
use crate::books;
use crate::world::ORIGIN;
use std::time::Duration;

#[tokio::test]
async fn a_drive_is_linked_at_its_own_page_and_shown_to_its_person_alone() {
    let world = World::start().await;
    let (ann, bob) = (world.person("ann"), world.person("bob"));
    for drive in BOTH {
        assert_eq!(status(&ann, drive).await, "not_linked");
        link(&world, &ann, drive).await;
        assert_eq!(
            (status(&ann, drive).await.as_str(), status(&bob, drive).await.as_str()),
            ("linked", "not_linked")
        );
        assert_eq!(grants(&world, drive, "ann"), 1);
    }
    // Asked for is the least: the files that we make, and a refresh token, by PKCE.
    let begun = begin(&bob, GOOGLE).await;
    for part in [
        "scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fdrive.file&",
        "access_type=offline",
        "prompt=consent",
        "code_challenge_method=S256",
    ] {
        assert!(begun.consent_url.contains(part), "{part}: {}", begun.consent_url);
    }
    let begun = begin(&bob, DROPBOX).await;
    for part in [
        "scope=files.content.write+files.metadata.read&",
        "token_access_type=offline",
        "code_challenge_method=S256",
    ] {
        assert!(begun.consent_url.contains(part), "{part}: {}", begun.consent_url);
    }
}

#[tokio::test]
async fn a_return_counts_once() {
    let world = World::start().await;
    let ann = world.person("ann");
    for drive in BOTH {
        let begun = begin(&ann, drive).await;
        let address = decide(&begun.consent_url, &[("person", "ann")]).await;
        let cookie = Some(begun.cookie.as_str());
        assert_eq!(come_back(&world, &world.product.base, &address, cookie).await, "linked");
        assert_eq!(come_back(&world, &world.product.base, &address, cookie).await, "expired");
        // The code is used up at the drive too: another state would not help.
        assert_eq!(status(&ann, drive).await, "linked");
    }
}

#[tokio::test]
async fn a_return_in_another_browser_links_nothing_and_uses_up_the_state() {
    let world = World::start().await;
    let (ann, mallory) = (world.person("ann"), world.person("mallory"));
    for drive in BOTH {
        let (of_mallory, of_ann) = (begin(&mallory, drive).await, begin(&ann, drive).await);
        // Mallory agrees with an own drive and sends Ann the address of the return; Ann has a cookie of her own, or none.
        for cookie in [Some(of_ann.cookie.as_str()), None, Some("__Host-link-dropbox=x")] {
            let address = decide(&of_mallory.consent_url, &[("person", "mallory")]).await;
            let result = come_back(&world, &world.product.base, &address, cookie).await;
            assert!(["other_browser", "expired"].contains(&result.as_str()), "{result}");
        }
        // And the other way round: Ann is sent to the page that Mallory began, and her drive is not linked to Mallory.
        let again = begin(&mallory, drive).await;
        let address = decide(&again.consent_url, &[("person", "ann")]).await;
        assert_eq!(
            come_back(&world, &world.product.base, &address, Some(&of_ann.cookie)).await,
            "other_browser"
        );
        assert_eq!(come_back(&world, &world.product.base, &address, Some(&again.cookie)).await, "expired");
        assert_eq!(
            (status(&ann, drive).await.as_str(), status(&mallory, drive).await.as_str()),
            ("not_linked", "not_linked")
        );
        assert_eq!(
            (grants(&world, drive, "ann"), grants(&world, drive, "mallory")),
            (0, 0),
            "no code was exchanged"
        );
        // Two cookies of one name could be an attacker's and the browser's own.
        let third = begin(&ann, drive).await;
        let address = decide(&third.consent_url, &[("person", "ann")]).await;
        let both = format!("{}; {}", of_ann.cookie, third.cookie);
        assert_eq!(come_back(&world, &world.product.base, &address, Some(&both)).await, "other_browser");
    }
}

#[tokio::test]
async fn a_state_is_good_for_ten_minutes_at_its_own_drive() {
    let world = World::start().await;
    let ann = world.person("ann");
    let begun = begin(&ann, GOOGLE).await;
    let address = decide(&begun.consent_url, &[("person", "ann")]).await;
    world.advance(Duration::from_secs(600));
    assert_eq!(come_back(&world, &world.product.base, &address, Some(&begun.cookie)).await, "expired");

    let begun = begin(&ann, GOOGLE).await;
    let address = decide(&begun.consent_url, &[("person", "ann")]).await;
    let elsewhere = address.replace("google_drive", "dropbox");
    let cookie = begun.cookie.replace("google_drive", "dropbox");
    assert_eq!(come_back(&world, &world.product.base, &elsewhere, Some(&cookie)).await, "expired");
    for state in ["", "x", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"] {
        let invented = format!("{}/v1/oauth/dropbox/callback?code=x&state={state}", world.outside());
        assert_eq!(come_back(&world, &world.product.base, &invented, Some(&cookie)).await, "expired");
    }
    assert_eq!(status(&ann, GOOGLE).await, "not_linked");
}

#[tokio::test]
async fn a_person_who_says_no_or_grants_too_little_has_linked_nothing() {
    let world = World::start().await;
    let ann = world.person("ann");
    for drive in BOTH {
        for (form, result) in [
            (&[("decision", "deny")][..], "declined"),
            (&[("decision", "allow"), ("scope", "none")], "grant_too_small"),
        ] {
            let begun = begin(&ann, drive).await;
            let address = decide(&begun.consent_url, form).await;
            assert_eq!(come_back(&world, &world.product.base, &address, Some(&begun.cookie)).await, result);
            assert_eq!((status(&ann, drive).await.as_str(), grants(&world, drive, "ann")), ("not_linked", 0));
        }
    }
}

#[tokio::test]
async fn a_return_leads_to_our_own_page_whatever_it_says() {
    let world = World::start().await;
    for query in [
        "",
        "error=access_denied",
        "error=server_error&error_description=%0d%0aLocation:%20https://evil.example",
        "state=x&code=y&redirect_uri=https://evil.example&next=//evil.example",
        "state=%ff%fe&code=%00",
        "state=a&state=b",
    ] {
        let address = format!("{}/v1/oauth/google_drive/callback?{query}", world.outside());
        assert_eq!(come_back(&world, &world.product.base, &address, None).await, "expired", "{query}");
    }
    let nowhere = browser().get(format!("{}/v1/oauth/floppy/callback?state=x", world.product.base));
    assert_eq!(Answer::of(nowhere.send().await.unwrap()).await.problem(), "not_found");
}

#[tokio::test]
async fn a_linked_drive_is_not_linked_again_before_it_is_disconnected() {
    let world = World::start().await;
    let ann = world.person("ann");
    for drive in BOTH {
        // Three links are begun before one of them ends.
        let (one, same, other) =
            (begin(&ann, drive).await, begin(&ann, drive).await, begin(&ann, drive).await);
        let address = decide(&one.consent_url, &[("person", "ann")]).await;
        assert_eq!(come_back(&world, &world.product.base, &address, Some(&one.cookie)).await, "linked");
        for (begun, owner) in [(&same, "ann"), (&other, "ann_at_work")] {
            let address = decide(&begun.consent_url, &[("person", owner)]).await;
            let result = come_back(&world, &world.product.base, &address, Some(&begun.cookie)).await;
            assert_eq!(result, "already_linked");
        }
        assert_eq!((grants(&world, drive, "ann"), grants(&world, drive, "ann_at_work")), (1, 0));
        let again = ann.send("POST", &format!("/v1/drives/{drive}/link"), &Value::Null).await;
        assert_eq!((again.status, again.problem()), (409, "drive_linked"));
    }
}

#[tokio::test]
async fn a_disconnected_drive_is_forgotten_here_and_its_grant_ended_there() {
    let world = World::start().await;
    let ann = world.person("ann");
    for drive in BOTH {
        link(&world, &ann, drive).await;
        prefer(&ann, drive, "always").await;
        let path = format!("/v1/drives/{drive}");
        let gone = ann.send("DELETE", &path, &Value::Null).await;
        assert_eq!((gone.status, &gone.body["access"]), (200, &json!("revoked")), "{}", gone.text);
        assert_eq!((status(&ann, drive).await.as_str(), grants(&world, drive, "ann")), ("not_linked", 0));
        let shown = ann.get("/v1/drives").await;
        assert_eq!(
            (&shown.body["storage_provider"], &shown.body["saving"]),
            (&Value::Null, &json!("by_hand"))
        );
        assert!(books::scan(&world, "linked_drives").await.is_empty(), "nothing of it is left");
        let again = ann.send("DELETE", &path, &Value::Null).await;
        assert_eq!((again.status, &again.body["access"]), (200, &json!("none")));
    }
}

#[tokio::test]
async fn a_drive_that_does_not_answer_keeps_no_token_with_us() {
    let world = World::start().await;
    let ann = world.person("ann");
    for drive in BOTH {
        for fault in [
            sandbox::Fault::Refuse,
            sandbox::Fault::DropBefore,
            sandbox::Fault::Status { status: 400, retry_after: None },
        ] {
            link(&world, &ann, drive).await;
            world.sandbox.faults().set(service(drive), sandbox::FaultRule::always(fault));
            let gone = ann.send("DELETE", &format!("/v1/drives/{drive}"), &Value::Null).await;
            world.sandbox.faults().clear();
            assert_eq!((gone.status, &gone.body["access"]), (200, &json!("not_revoked")), "{}", gone.text);
            assert!(books::scan(&world, "linked_drives").await.is_empty());
            revoke(&world, drive, "ann");
        }
        // A grant that the drive has ended by itself is ended.
        link(&world, &ann, drive).await;
        revoke(&world, drive, "ann");
        let gone = ann.send("DELETE", &format!("/v1/drives/{drive}"), &Value::Null).await;
        assert_eq!(gone.body["access"], "revoked", "{}", gone.text);
    }
}

#[tokio::test]
async fn a_drive_that_fails_while_it_is_linked_links_nothing_and_the_next_attempt_does() {
    let world = World::start().await;
    let ann = world.person("ann");
    for drive in BOTH {
        for fault in [
            sandbox::Fault::Refuse,
            sandbox::Fault::DropConnection,
            sandbox::Fault::Garbage,
            sandbox::Fault::WrongShape,
            sandbox::Fault::Empty,
            sandbox::Fault::Status { status: 429, retry_after: Some(3) },
        ] {
            let begun = begin(&ann, drive).await;
            let address = decide(&begun.consent_url, &[("person", "ann")]).await;
            world.sandbox.faults().set(service(drive), sandbox::FaultRule::once(fault.clone()));
            let result = come_back(&world, &world.product.base, &address, Some(&begun.cookie)).await;
            assert_eq!(result, "failed", "{drive} {fault:?}");
            world.sandbox.faults().clear();
            assert_eq!(status(&ann, drive).await, "not_linked", "{drive} {fault:?}");
        }
        link(&world, &ann, drive).await;
    }
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_keep_the_cookie() {
    let world = World::start().await;
    let ann = world.person("ann");
    let begun = ann.send("POST", "/v1/drives/dropbox/link", &Value::Null).await;
    assert_eq!(begun.headers["access-control-allow-origin"], ORIGIN);
    assert_eq!(begun.headers["access-control-allow-credentials"], "true");
}

#[tokio::test]
async fn only_a_linked_drive_can_be_preferred() {
    let world = World::start().await;
    let ann = world.person("ann");
    let prefer = async |drive: &str, saving: &str| {
        ann.send("PATCH", "/v1/drives", &json!({ "storage_provider": drive, "saving": saving })).await
    };
    assert_eq!(prefer("dropbox", "always").await.problem(), "drive_not_linked");
    assert_eq!(prefer("floppy", "always").await.problem(), "invalid_input");
    assert_eq!(prefer("dropbox", "sometimes").await.problem(), "invalid_input");
    let nothing = ann.send("PATCH", "/v1/drives", &json!({ "saving": "always" })).await;
    assert_eq!(nothing.problem(), "invalid_input");
    link(&world, &ann, DROPBOX).await;
    assert_eq!(prefer("dropbox", "by_hand").await.body["storage_provider"], "dropbox");
    let unset = ann.send("PATCH", "/v1/drives", &json!({ "saving": "by_hand" })).await;
    assert_eq!((unset.status, &unset.body["storage_provider"]), (200, &Value::Null));
}

#[tokio::test]
async fn a_service_that_offers_no_drives_has_none() {
    let world = World::start().await;
    let text = include_str!("../../../infra/profiles/citipen.toml");
    let text = text.replace("offered = [\"google_drive\", \"dropbox\"]", "offered = []");
    let service = world.service(platform::Profile::parse("citipen", &text).unwrap()).await;
    let ann = world.person("ann").at(&service.base);
    assert_eq!(ann.get("/v1/drives").await.body["drives"], json!([]));
    let begun = ann.send("POST", "/v1/drives/dropbox/link", &Value::Null).await;
    assert_eq!((begun.status, begun.problem()), (422, "drive_unavailable"));
}
