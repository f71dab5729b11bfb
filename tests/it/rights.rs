//! Rights that a function needs beside its answer.

use crate::books;
use crate::world::{Person, World};
use serde_json::json;

/// Whatever a request says, it is counted; now and then a function tells the table how many there were.
#[tokio::test]
async fn every_function_that_people_call_shares_how_often_it_was_called() {
    let limits = [("USER_REQUESTS_PER_MINUTE_MAX", "40"), ("NETWORK_REQUESTS_PER_MINUTE_MAX", "40")];
    for (person, method, path) in [
        ("ann", "POST", "/v1/runs"),
        ("ann", "GET", "/v1/pricing"),
        ("ann", "GET", "/v1/runs"),
        ("ann", "GET", "/v1/account"),
        ("ann", "GET", "/v1/top-ups"),
        ("ann", "POST", "/v1/top-ups/claims"),
        ("ann", "POST", "/v1/uploads"),
        ("ann", "GET", "/v1/drives"),
        ("ann", "GET", "/v1/oauth/google_drive/callback"),
        ("admin", "GET", "/v1/admin/payments"),
    ] {
        let world = World::with(&limits).await;
        let person: Person = world.person(person);

        let mut refused = 0;
        for _ in 0..45 {
            let answer = person.send(method, path, &json!({})).await;
            refused += u32::from(answer.status == 429);
        }

        world.product.platform.idle().await;
        assert!(refused > 0, "{method} {path} has a limit");
        assert!(!books::scan(&world, "request_limits").await.is_empty(), "{method} {path} shares its count");
    }
}
