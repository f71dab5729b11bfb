//! What an administrator does with payments, through the same routes as the page.

use super::desk::{Desk, deliver};
use crate::world::{Answer, Person, http};
use sandbox::TransferWish;
use serde_json::{Value, json};

impl Desk {
    /// A transfer that no order explains; its payment's id.
    pub(crate) async fn unmatched(&self, amount: u64) -> String {
        let id = self.world.sandbox.bank_transfer(TransferWish::new(amount, "cam on nhieu"));
        let told = deliver(&self.world.product, &self.world.sandbox.bank_webhook(id).unwrap()).await;
        assert_eq!(told.status, 200, "{}", told.text);
        format!("viet_qr.{id}.0")
    }

    pub(crate) async fn assign(&self, id: &str, wish: &Value) -> Answer {
        change(&self.administrator(), id, "assign", wish).await
    }

    pub(crate) async fn reverse(&self, id: &str, wish: &Value) -> Answer {
        change(&self.administrator(), id, "reverse", wish).await
    }

    /// Gives back what the reversal behind this answer took.
    pub(crate) async fn reinstate(&self, id: &str, reversal: &Answer) -> Answer {
        let wish = json!({ "reversal_entry_id": reversal.body["entry_id"], "note": "the dispute was won" });
        change(&self.administrator(), id, "reinstate", &wish).await
    }

    /// Asks with a token that the sandbox makes to order.
    pub(crate) async fn ask_as(&self, token: &str, method: &str, path: &str, body: &Value) -> Answer {
        let outside = self.world.outside();
        let token = http().get(format!("{outside}/sandbox/clerk/token?{token}")).send().await.unwrap();
        let token = token.text().await.unwrap();
        let url = format!("{}{path}", self.world.product.base);
        let request = http().request(method.parse().unwrap(), url).bearer_auth(token);
        let request = request.header("content-type", "application/json").body(body.to_string());
        Answer::of(request.send().await.unwrap()).await
    }
}

/// `assign`, `dismiss`, `reverse` or `reinstate`, by anybody.
pub(crate) async fn change(who: &Person, id: &str, what: &str, wish: &Value) -> Answer {
    who.send("POST", &format!("/v1/admin/payments/{id}/{what}"), wish).await
}

/// To this person, at what it is worth.
pub(crate) fn to(person: &Person) -> Value {
    json!({ "account_id": person.id(), "note": "they sent the receipt" })
}

/// A chargeback of all that is left.
pub(crate) fn chargeback(case: &str) -> Value {
    json!({ "cause": "chargeback", "case": case, "note": "the payer's bank took it" })
}
