//! What matches no order: kept, shown to administrators alone, and given to somebody once.

use super::administrator::{change, to};
use super::desk::{Desk, dong};
use crate::books;
use crate::world::{Answer, credit};
use credits::Ledger;
use payments::TopUpRules;
use sandbox::TransferWish;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;

const LIST: &str = "/v1/admin/payments";

fn entries_of(entries: &[Value], kind: &str) -> usize {
    entries.iter().filter(|entry| entry["kind"] == kind).count()
}

#[tokio::test]
async fn what_waits_is_shown_to_administrators_alone() {
    let desk = Desk::open().await;
    let (ann, id) = (desk.world.person("ann"), desk.unmatched(131_350).await);
    let one = format!("{LIST}/{id}");
    let changes = [
        ("assign", to(&ann)),
        ("dismiss", json!({ "note": "not ours" })),
        ("reverse", json!({ "cause": "return", "case": "1", "note": "sent back" })),
        ("reinstate", json!({ "reversal_entry_id": "01JDBXW1R4ZQ9X7M3K5T2V8N6P", "note": "won" })),
    ];
    for path in [LIST, &one, "/v1/admin/payments/viet_qr.1.0", "/v1/admin/payments/rubbish"] {
        let refused = ann.get(path).await;
        assert_eq!((refused.problem(), refused.status), ("not_administrator", 403), "{path}");
        let acting = desk.ask_as("person=admin&act=staff", "GET", path, &Value::Null).await;
        assert_eq!((acting.problem(), acting.status), ("impersonation_refused", 403), "{path}");
        let expired = desk.ask_as("person=admin&ttl=-120", "GET", path, &Value::Null).await;
        assert_eq!((expired.problem(), expired.status), ("unauthenticated", 401), "{path}");
    }
    for (what, wish) in &changes {
        let path = format!("{one}/{what}");
        assert_eq!(change(&ann, &id, what, wish).await.problem(), "not_administrator", "{what}");
        for (token, code) in [
            ("person=admin&act=staff", "impersonation_refused"),
            ("person=admin&fva=11", "step_up_required"),
            // Minus one says that there is no such factor.
            ("person=admin&fva=-1", "step_up_required"),
            ("person=admin&ttl=-120", "unauthenticated"),
            ("person=ann&fva=11", "not_administrator"),
        ] {
            let refused = desk.ask_as(token, "POST", &path, wish).await;
            assert_eq!(refused.problem(), code, "{what} with {token}");
        }
    }
    let looked = desk.ask_as("person=admin&fva=600", "GET", LIST, &Value::Null).await;
    assert_eq!(
        (looked.status, looked.body["payments"].as_array().unwrap().len()),
        (200, 1),
        "looking is enough"
    );
    let kept = desk.payment(&id).await;
    assert_eq!((&kept["state"], kept.get("audit")), (&"unmatched".into(), None), "nobody changed it: {kept}");
    assert_eq!(ann.balance().await, (100, 0, 0));

    let just_in_time = desk.ask_as("person=admin&fva=10", "POST", &format!("{one}/assign"), &to(&ann)).await;
    assert_eq!(just_in_time.status, 200, "{}", just_in_time.text);
    assert_eq!(ann.balance().await, (600, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_raw_body_is_sealed_in_the_table_and_open_to_the_administrator() {
    let desk = Desk::open().await;
    let id = desk.world.sandbox.bank_transfer(TransferWish::new(50_000, "canary 7f3a91 NGUYEN THI B"));
    let sent = desk.world.sandbox.bank_webhook(id).unwrap();
    assert_eq!(desk.deliver(&sent).await.status, 200);

    let shown = desk.payment(&format!("viet_qr.{id}.0")).await;

    assert_eq!(shown["deliveries"].as_array().unwrap().len(), 1, "{shown}");
    assert_eq!(shown["deliveries"][0]["body"].as_str().unwrap().as_bytes(), sent.body, "byte for byte");
    assert_eq!(shown["deliveries"][0]["via"], "webhook");
    for row in books::scan(&desk.world, "payment_inbox").await {
        let text = format!("{row:?}");
        assert!(!text.contains("7f3a91") && !text.contains("NGUYEN"), "{text}");
        if let Some(body) = row.get("body") {
            assert!(body.as_s().unwrap().len() > sent.body.len(), "there is one, and it is sealed");
            let lifetime = desk.world.product.platform.rules(TopUpRules::read).unwrap().body_lifetime();
            assert!(lifetime >= Duration::from_secs(150 * 86_400), "disputes come within four months");
            let gone_at = desk.world.now().after(lifetime).seconds().to_string();
            assert_eq!(row["gone_at"].as_n().unwrap(), &gone_at, "and it has an end");
        }
    }
    let listed = desk.waiting().await;
    assert!(listed[0].get("deliveries").is_none(), "the list is no place for bodies: {listed:?}");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn an_assignment_credits_what_arrived_at_todays_rate_once() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    ann.balance().await;
    let id = desk.unmatched(131_349).await;

    let first = desk.assign(&id, &to(&ann)).await;
    let again = desk.assign(&id, &to(&ann)).await;

    assert_eq!((first.status, again.status), (200, 200), "{} {}", first.text, again.text);
    assert_eq!(ann.balance().await, (599, 0, 0), "26 270 dong a dollar, and no part of a cent");
    assert_eq!(first.body["credits"], credit(499), "{}", first.text);
    assert_eq!(first.body, again.body, "the second changes nothing");
    let audit = first.body["audit"].as_array().unwrap();
    assert_eq!(audit.len(), 1, "{}", first.text);
    assert_eq!(
        (&audit[0]["who"], &audit[0]["what"], &audit[0]["note"]),
        (&"user_sandbox_admin".into(), &"assigned".into(), &"they sent the receipt".into())
    );
    let entries = ann.transactions().await;
    assert_eq!(entries.iter().filter(|entry| entry["origin"] == "top_up").count(), 1);
    assert!(desk.waiting().await.is_empty());

    let bob = desk.world.person("bob");
    bob.balance().await;
    let stolen = desk.assign(&id, &to(&bob)).await;
    assert_eq!((stolen.problem(), stolen.status), ("payment_settled", 409));
    assert_eq!(bob.balance().await, (100, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn an_assignment_to_an_order_counts_at_the_orders_rate_and_shows_there() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    bob.balance().await;
    let order = desk.order(&ann, "viet_qr", 500).await;
    let id = desk.unmatched(dong(&order)).await;
    let wish = |account: String| json!({ "account_id": account, "top_up_id": order["id"], "note": "the memo was lost at the bank" });

    let stranger = desk.assign(&id, &wish(bob.id())).await;
    assert_eq!((stranger.problem(), stranger.status), ("invalid_input", 422), "the order is not theirs");
    assert_eq!(stranger.body["errors"][0]["pointer"], "/top_up_id");
    assert_eq!(bob.balance().await, (100, 0, 0));
    // The rate moves; the order's stays.
    let rate = json!({ "usd_sell": "30,000.00" });
    let url = format!("{}/sandbox/vietcombank/rate", desk.world.outside());
    let set =
        crate::world::http().post(url).header("content-type", "application/json").body(rate.to_string());
    assert!(set.send().await.unwrap().status().is_success());
    desk.world.advance(Duration::from_secs(2 * 86_400));
    exchange_rates::handle(&desk.world.product.role("ExchangeRates")).await.unwrap();
    let given = desk.assign(&id, &wish(ann.id())).await;

    assert_eq!((given.status, &given.body["credits"]), (200, &credit(500)), "{}", given.text);
    assert_eq!(ann.balance().await, (600, 0, 0));
    let shown = desk.show(&ann, &order).await;
    assert_eq!((&shown["credited"], &shown["payments"][0]["id"]), (&credit(500), &json!(id)), "{shown}");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn an_administrator_may_name_the_credit_and_must_where_nobody_can_reckon_it() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    ann.balance().await;
    let own = |credits: Value| json!({ "account_id": ann.id(), "credits": credits, "note": "as agreed" });
    let id = desk.unmatched(131_350).await;
    for wrong in
        [credit(0), credit(-5), credit(1.5), credit("12"), credit(u64::MAX), credit(100_000_000), json!(450)]
    {
        let refused = desk.assign(&id, &own(wrong.clone())).await;
        assert!(matches!(refused.problem(), "invalid_input" | "invalid_json"), "{wrong}: {}", refused.text);
    }
    assert_eq!(ann.balance().await, (100, 0, 0));
    assert_eq!(desk.assign(&id, &own(credit(450))).await.body["credits"], credit(450));
    assert_eq!(ann.balance().await, (550, 0, 0));

    // A dong is worth nothing, and half a cent is no credit.
    let worthless = desk.unmatched(1).await;
    let refused = desk.assign(&worthless, &to(&ann)).await;
    assert_eq!(refused.problem(), "invalid_input", "{}", refused.text);
    assert_eq!(desk.payment(&worthless).await["state"], "unmatched");
    assert_eq!(ann.balance().await, (550, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn two_administrators_at_once_give_a_payment_to_one_person_once() {
    let desk = Desk::with(&[("ADMIN_USER_IDS", "user_sandbox_admin,user_sandbox_chief")]).await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    ann.balance().await;
    bob.balance().await;
    let other = desk.world.instance(&[]).await;
    for to_both in [false, true] {
        let id = desk.unmatched(131_350).await;
        let before = ann.balance().await.0 + bob.balance().await.0;
        let at_once: Vec<_> = (0..10)
            .map(|turn| {
                let owner = if to_both && turn % 2 == 0 { &bob } else { &ann };
                let base = if turn % 2 == 0 { &desk.world.product.base } else { &other.base };
                let who = desk.world.person(if turn % 3 == 0 { "chief" } else { "admin" }).at(base);
                let (id, wish) = (id.clone(), to(owner));
                tokio::spawn(async move { change(&who, &id, "assign", &wish).await })
            })
            .collect();
        let mut answers: Vec<Answer> = Vec::new();
        for answer in at_once {
            answers.push(answer.await.unwrap());
        }
        let done: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
        let owners: HashSet<&str> =
            done.iter().map(|answer| answer.body["account_id"].as_str().unwrap()).collect();
        assert_eq!(owners.len(), 1, "{owners:?}");
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            assert_eq!(answer.problem(), "payment_settled", "{}", answer.text);
        }
        assert!(!done.is_empty() && (to_both || done.len() == 10));
        assert_eq!(ann.balance().await.0 + bob.balance().await.0, before + 500, "one grant");
        assert_eq!(desk.payment(&id).await["audit"].as_array().unwrap().len(), 1, "one audit row");
    }
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn nothing_is_given_to_an_account_that_is_closed_or_unknown() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    ann.balance().await;
    let id = desk.unmatched(131_350).await;
    let nobody = json!({ "account_id": "user_sandbox_nobody", "note": "a typo" });
    let refused = desk.assign(&id, &nobody).await;
    assert_eq!(
        (refused.problem(), &refused.body["errors"][0]["pointer"]),
        ("invalid_input", &"/account_id".into())
    );
    let bob = desk.world.person("bob");
    bob.balance().await;
    let ledger = Ledger::new(&desk.world.product.platform).unwrap();
    ledger.close(&bob.id().parse().unwrap()).await.unwrap();

    let refused = desk.assign(&id, &to(&bob)).await;

    assert_eq!((refused.problem(), refused.status), ("account_closed", 409), "{}", refused.text);
    let kept = desk.payment(&id).await;
    assert_eq!((&kept["state"], kept.get("audit")), (&"unmatched".into(), None), "{kept}");
    assert_eq!(desk.waiting().await.len(), 1, "the money still waits");
    ledger.set_suspended(&ann.id().parse().unwrap(), true).await.unwrap();
    assert_eq!(desk.assign(&id, &to(&ann)).await.status, 200, "who is suspended still owns what they paid");
    assert_eq!(ann.balance().await, (600, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_dismissed_payment_leaves_the_list_and_can_still_be_assigned() {
    let desk = Desk::open().await;
    let (ann, admin) = (desk.world.person("ann"), desk.administrator());
    ann.balance().await;
    let id = desk.unmatched(131_350).await;
    let wish = json!({ "note": "interest from the bank" });
    for _ in 0..2 {
        let dismissed = change(&admin, &id, "dismiss", &wish).await;
        assert_eq!(
            (dismissed.status, &dismissed.body["state"]),
            (200, &"dismissed".into()),
            "{}",
            dismissed.text
        );
        assert_eq!(dismissed.body["audit"].as_array().unwrap().len(), 1, "dismissed once");
    }
    assert!(desk.waiting().await.is_empty());
    assert_eq!(ann.balance().await, (100, 0, 0));
    // The bank tells it again: it stays dismissed.
    let bank_id: u64 = id.split('.').nth(1).unwrap().parse().unwrap();
    let repeated = desk.world.sandbox.bank_webhook(bank_id).unwrap();
    assert_eq!(desk.deliver(&repeated).await.status, 200);
    assert!(desk.waiting().await.is_empty());
    desk.world.advance(Duration::from_secs(1));

    assert_eq!(desk.assign(&id, &to(&ann)).await.status, 200);

    assert_eq!(ann.balance().await, (600, 0, 0));
    let what: Vec<Value> = desk.payment(&id).await["audit"].as_array().unwrap().clone();
    assert_eq!((&what[0]["what"], &what[1]["what"]), (&"dismissed".into(), &"assigned".into()));
    let late = change(&admin, &id, "dismiss", &wish).await;
    assert_eq!((late.problem(), late.status), ("payment_settled", 409), "credit is not dismissed away");
    assert_eq!(ann.balance().await, (600, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn what_left_the_account_or_came_into_another_is_credited_to_nobody() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let memo = order["reference"].as_str().unwrap();
    let ours = TransferWish::new(dong(&order), memo);
    for (wish, state, why) in [
        (TransferWish { outgoing: true, ..ours.clone() }, "ignored", "outgoing"),
        (TransferWish { account: "99999999".to_owned(), ..ours }, "unmatched", "other_account"),
    ] {
        let bank_id = desk.world.sandbox.bank_transfer(wish);
        assert_eq!(desk.deliver(&desk.world.sandbox.bank_webhook(bank_id).unwrap()).await.status, 200);
        let id = format!("viet_qr.{bank_id}.0");
        let kept = desk.payment(&id).await;
        assert_eq!((&kept["state"], &kept["why"]), (&state.into(), &why.into()), "{kept}");
        if state == "ignored" {
            assert_eq!(desk.assign(&id, &to(&ann)).await.problem(), "wrong_payment_state");
        }
    }
    assert_eq!(desk.waiting().await.len(), 1, "it may be an account of ours that no setting names");
    assert_eq!(ann.balance().await, (100, 0, 0));
    assert_eq!(desk.show(&ann, &order).await["status"], "created");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn nobody_moves_credit_without_saying_why() {
    let desk = Desk::open().await;
    let (ann, admin) = (desk.world.person("ann"), desk.administrator());
    ann.balance().await;
    let id = desk.unmatched(131_350).await;
    let wishes = [
        ("assign", json!({ "account_id": ann.id() })),
        ("dismiss", json!({})),
        ("reverse", json!({ "cause": "return", "case": "1" })),
        ("reinstate", json!({ "reversal_entry_id": "01JDBXW1R4ZQ9X7M3K5T2V8N6P" })),
    ];
    for (what, wish) in &wishes {
        let missing = change(&admin, &id, what, wish).await;
        assert_eq!(missing.status, 422, "{what}: {}", missing.text);
        for note in ["", " \n\t ", &"x".repeat(1001)] {
            let mut wish = wish.clone();
            wish["note"] = json!(note);
            let refused = change(&admin, &id, what, &wish).await;
            assert_eq!(
                (refused.problem(), &refused.body["errors"][0]["pointer"]),
                ("invalid_input", &"/note".into())
            );
        }
    }
    let kept = desk.payment(&id).await;
    assert_eq!((&kept["state"], kept.get("audit")), (&"unmatched".into(), None), "{kept}");
    assert_eq!(ann.balance().await, (100, 0, 0));
    for path in ["rubbish", "viet_qr.1.0", "viet_qr..0", "cash.1.0", "viet_qr.1%2F2.0"] {
        let refused = admin.get(&format!("{LIST}/{path}")).await;
        assert_eq!((refused.problem(), refused.status), ("not_found", 404), "{path}");
    }
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn two_hundred_and_fifty_waiting_payments_are_paged_oldest_first_without_gaps() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    ann.balance().await;
    let mut ids = Vec::new();
    for nth in 0..250 {
        ids.push(desk.unmatched(10_000 + nth).await);
        // Some arrive at the same millisecond.
        if nth % 3 == 0 {
            desk.world.advance(Duration::from_millis(1000));
        }
    }
    let (mut seen, mut cursor, mut pages): (Vec<Value>, Option<String>, usize) = (Vec::new(), None, 0);
    loop {
        let at = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = desk.administrator().get(&format!("{LIST}?limit=100{at}")).await;
        assert_eq!(page.status, 200, "{}", page.text);
        seen.extend(page.body["payments"].as_array().unwrap().clone());
        pages += 1;
        let Some(next) = page.body["next_cursor"].as_str() else { break };
        // Somebody decides about the very payment at the end of the page meanwhile.
        assert_eq!(desk.assign(next, &to(&ann)).await.status, 200);
        cursor = Some(next.to_owned());
    }
    let shown: Vec<String> = seen.iter().map(|payment| payment["id"].as_str().unwrap().to_owned()).collect();
    let (all, once): (HashSet<&String>, HashSet<&String>) = (ids.iter().collect(), shown.iter().collect());
    assert_eq!((pages, shown.len(), all == once), (3, 250, true), "each once");
    let times: Vec<&str> = seen.iter().map(|payment| payment["heard_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "oldest first");
    for wrong in ["limit=0", "limit=101", "limit=x", "cursor=rubbish"] {
        let refused = desk.administrator().get(&format!("{LIST}?{wrong}")).await;
        assert_eq!(refused.problem(), "invalid_input", "{wrong}: {}", refused.text);
    }
    assert_eq!(entries_of(&ann.transactions().await, "grant"), 3, "the welcome and two assignments");
    books::check_payments(&desk.world).await;
}
