use crate::world::{Answer, Person, http, script};
use emulator::{Emulator, Reply};
use sandbox::{Service, TransferWish};
use serde_json::{Value, json};

const CLAIMS: &str = "/v1/top-ups/claims";

/// What a function is typically asked.
#[derive(Clone)]
pub(super) enum Call {
    /// A request of a signed-in person.
    Request { method: &'static str, path: &'static str, body: Option<Value>, person: Person },
    /// A signed message of SePay's; each time another one, since a repeat does less.
    Transfer,
    /// A signed message of Clerk's, carried by the sandbox.
    Person,
    /// A browser that comes back from a drive with a state that is over: it goes to our page.
    Return,
    /// The schedule's.
    Tick,
    /// An event that is not looked at.
    Direct,
}

/// The calls of all functions.
pub(super) struct Calls {
    ann: Person,
    admin: Person,
}

impl Call {
    /// People are known and rates are there, so that no call does what only the very first one would.
    pub(super) async fn prepare(cloud: &Emulator) -> Calls {
        let person = |name: &str| Person::new(cloud.sandbox.clone(), cloud.api(), name);
        let (ann, admin) = (person("ann"), person("admin"));
        for person in [&ann, &admin] {
            assert_eq!(person.balance().await, (100, 0, 0));
        }
        cloud.tick("ExchangeRates").await.unwrap();
        cloud.lambda.kill("ExchangeRates");
        cloud.lambda.kill("Account");
        cloud.lambda.rest_all().await;
        Calls { ann, admin }
    }

    pub(super) async fn make(&self, cloud: &Emulator, function: &str) {
        match self {
            Call::Request { method, path, body, person } => {
                let answer = match body {
                    Some(body) => person.send(method, path, body).await,
                    None => person.get(path).await,
                };
                // Nobody has a transfer to claim: the whole chain is looked at for it, and it is not there.
                let is_fine = answer.status < 300 || (*path == CLAIMS && answer.status == 404);
                assert!(is_fine, "{}", answer.text);
            }
            Call::Transfer => {
                let transfer = cloud.sandbox.bank_transfer(TransferWish::new(131_350, "no code"));
                let message = cloud.sandbox.bank_webhook(transfer).unwrap();
                let mut request = http().post(format!("{}{}", cloud.api(), message.path)).body(message.body);
                for (name, value) in message.headers {
                    request = request.header(name, value);
                }
                let answer = Answer::of(request.send().await.unwrap()).await;
                assert_eq!(answer.status, 200, "{}", answer.text);
            }
            Call::Person => {
                let page = format!("{}/people/ann/webhook?type=user.updated", cloud.service(Service::Clerk));
                let told = cloud.browser().unwrap().post(page).send().await.unwrap().text().await.unwrap();
                let told: Value = serde_json::from_str(&told).unwrap();
                assert!(told["deliveries"].to_string().contains("204"), "{told}");
            }
            Call::Return => {
                let state = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
                let address = format!("{}/v1/oauth/dropbox/callback?code=x&state={state}", cloud.api());
                let answer = crate::world::browser().get(address).send().await.unwrap();
                assert_eq!(answer.status(), 303);
            }
            Call::Tick => drop(cloud.tick(function).await.unwrap()),
            Call::Direct => match cloud.lambda.invoke(function, &json!({})).await.unwrap() {
                Reply::Whole(answer) => {
                    let answer: Value = serde_json::from_slice(&answer).unwrap();
                    assert!(answer["tools"].as_array().is_some_and(|tools| tools.len() > 1), "{answer}");
                }
                other => panic!("{function}: {other:?}\n{}", cloud.logs.of(function).join("\n")),
            },
        }
    }
}

impl Calls {
    pub(super) fn of(&self, function: &str) -> Call {
        let get = |path: &'static str| self.request("GET", path, None);
        match function {
            "Account" => get("/v1/account"),
            "Admin" => Call::Request {
                method: "GET",
                path: "/v1/admin/payments",
                body: None,
                person: self.admin.clone(),
            },
            "ClaimTransfer" => {
                self.request("POST", CLAIMS, Some(json!({ "transaction_id": "ab".repeat(32) })))
            }
            "Drives" => get("/v1/drives"),
            "IdentityWebhook" => Call::Person,
            "OauthCallback" => Call::Return,
            "Pricing" => get("/v1/pricing"),
            "RunTool" => self.request("POST", "/v1/runs", Some(script("a red kite"))),
            "Runs" => get("/v1/runs"),
            "SepayWebhook" => Call::Transfer,
            "TopUps" => get("/v1/top-ups"),
            "Uploads" => {
                let file = json!({
                    "kind": "image", "content_type": "image/png", "bytes": 1, "sha256": "ab".repeat(32),
                });
                self.request("POST", "/v1/uploads", Some(file))
            }
            _ => Call::Tick,
        }
    }

    fn request(&self, method: &'static str, path: &'static str, body: Option<Value>) -> Call {
        Call::Request { method, path, body, person: self.ann.clone() }
    }
}
