use crate::books;
use crate::world::{Answer, Books, Instance, Person, World, credit, http};
use payments::RailReport;
use sandbox::{Delivery, IpnKind, TransferWish, UsdtWish};
use serde_json::{Value, json};

/// A world that can take money: the exchange rate is known.
pub(crate) struct Desk {
    pub(crate) world: World,
}

impl Desk {
    pub(crate) async fn open() -> Desk {
        Desk::with(&[]).await
    }

    pub(crate) async fn with(settings: &[(&str, &str)]) -> Desk {
        let world = World::with(settings).await;
        exchange_rates::handle(&world.product.role("ExchangeRates")).await.unwrap();
        world.keep(Books::Payments);
        Desk { world }
    }

    /// Orders a top-up that must be accepted.
    pub(crate) async fn order(&self, person: &Person, method: &str, cents: u64) -> Value {
        let answer = person.send("POST", "/v1/top-ups", &top_up(method, cents)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.body
    }

    /// The order as its owner sees it now.
    pub(crate) async fn show(&self, person: &Person, order: &Value) -> Value {
        let answer = person.get(&format!("/v1/top-ups/{}", order["id"].as_str().unwrap())).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body
    }

    /// Carries a signed request to the product.
    pub(crate) async fn deliver(&self, delivery: &Delivery) -> Answer {
        deliver(&self.world.product, delivery).await
    }

    /// A bank transfer whose webhook arrives.
    pub(crate) async fn transfer(&self, amount: u64, memo: &str) -> Answer {
        let id = self.world.sandbox.bank_transfer(TransferWish::new(amount, memo));
        self.deliver(&self.world.sandbox.bank_webhook(id).unwrap()).await
    }

    /// Posts the order's form to SePay as a browser does, and pays there. Nobody is told yet.
    pub(crate) async fn pay_by_card(&self, order: &Value) {
        self.open_checkout(order).await;
        self.world.sandbox.pay_card(order["reference"].as_str().unwrap()).unwrap();
    }

    pub(crate) async fn open_checkout(&self, order: &Value) {
        let fields = order["pay"]["fields"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let form: Vec<(String, String)> =
            fields.iter().map(|field| (text(&field["name"]), text(&field["value"]))).collect();
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = http().post(text(&order["pay"]["action"]));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let page = request.send().await.unwrap();
        assert!(page.status().is_success() || page.status().is_redirection(), "{:?}", page.text().await);
    }

    pub(crate) async fn ipn(&self, order: &Value, kind: IpnKind) -> Answer {
        let delivery = self.world.sandbox.card_ipn(order["reference"].as_str().unwrap(), kind).unwrap();
        self.deliver(&delivery).await
    }

    /// USDT that is final on the chain; nobody has looked yet.
    pub(crate) fn send_usdt(&self, micros: u64) -> String {
        self.world.sandbox.usdt_transfer(UsdtWish { confirmed: Some(true), ..UsdtWish::of(micros) })
    }

    pub(crate) async fn poll(&self) -> payments::PollReport {
        tron_poll::handle(&self.world.product.role("TronPoll")).await.unwrap()
    }

    /// Compares all rails with the processors' lists.
    pub(crate) async fn reconcile(&self) -> Vec<RailReport> {
        payment_reconciliation::handle(&self.world.product.role("PaymentReconciliation"), Value::Null)
            .await
            .unwrap()
    }

    pub(crate) fn administrator(&self) -> Person {
        self.world.person("admin")
    }

    /// What waits for an administrator.
    pub(crate) async fn waiting(&self) -> Vec<Value> {
        let answer = self.administrator().get("/v1/admin/payments?limit=100").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body["payments"].as_array().unwrap().clone()
    }
}

pub(crate) async fn deliver(instance: &Instance, delivery: &Delivery) -> Answer {
    let mut request = http().post(format!("{}{}", instance.base, delivery.path));
    for (name, value) in &delivery.headers {
        request = request.header(name, value);
    }
    Answer::of(request.body(delivery.body.clone()).send().await.unwrap()).await
}

pub(crate) fn top_up(method: &str, cents: u64) -> Value {
    json!({ "method": method, "credits": credit(cents) })
}

/// The exact amount of a USDT order in millionths.
pub(crate) fn micros(order: &Value) -> u64 {
    let text = order["amount_due"]["decimal"].as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap();
    whole.parse::<u64>().unwrap() * 1_000_000 + format!("{part:0<6}").parse::<u64>().unwrap()
}

pub(crate) fn dong(order: &Value) -> u64 {
    order["amount_due"]["decimal"].as_str().unwrap().parse().unwrap()
}

impl Desk {
    /// A transfer as wished whose webhook arrives: what the product calls it, and what it answered.
    pub(crate) async fn pay_in(&self, wish: TransferWish) -> (String, Answer) {
        let id = self.world.sandbox.bank_transfer(wish);
        let told = self.deliver(&self.world.sandbox.bank_webhook(id).unwrap()).await;
        (format!("viet_qr.{id}.0"), told)
    }

    /// As [`Desk::pay_in`], and the message was taken.
    pub(crate) async fn took(&self, wish: TransferWish) -> Value {
        let (id, told) = self.pay_in(wish).await;
        assert_taken(&told);
        self.payment(&id).await
    }

    /// A payment with all that is known about it, as an administrator sees it.
    pub(crate) async fn payment(&self, id: &str) -> Value {
        let answer = self.administrator().get(&format!("/v1/admin/payments/{id}")).await;
        assert_eq!(answer.status, 200, "{id}: {}", answer.text);
        answer.body
    }

    /// The payment of a TRON transaction that holds one transfer.
    pub(crate) async fn usdt_payment(&self, tx: &str, micros: u64) -> Value {
        self.payment(&format!("tron_usdt.{tx}.{micros}-0")).await
    }

    /// Rows in the inbox, of whatever kind.
    pub(crate) async fn inbox_rows(&self) -> usize {
        books::scan(&self.world, "payment_inbox").await.len()
    }

    /// Clerk says that the person is gone; their account is closed.
    pub(crate) async fn delete(&self, person: &Person) {
        let page = format!("{}/sandbox/clerk/people/{}", self.world.outside(), person.name);
        let made = http().get(format!("{page}/webhook-request?type=user.deleted")).send().await.unwrap();
        let made = Answer::of(made).await;
        let mut request = http().post(format!("{}/v1/webhooks/clerk", self.world.product.base));
        for (name, value) in made.body["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        let told = request.body(made.body["body"].as_str().unwrap().to_owned()).send().await.unwrap();
        assert_eq!(told.status(), 204);
    }
}

/// A bank message with any body, as SePay sends it when the webhook is set to API keys.
pub(crate) fn bank_message(body: impl Into<Vec<u8>>) -> Delivery {
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("authorization", format!("Apikey {}", sandbox::SEPAY_BANK_API_KEY)),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
    Delivery { path: "/v1/webhooks/sepay/bank".to_owned(), headers, body: body.into() }
}

/// Answered so that nobody sends it again.
pub(crate) fn assert_taken(told: &Answer) {
    assert_eq!((told.status, &told.body), (200, &json!({ "success": true })), "{}", told.text);
}

/// Starts all of them, then waits for each; the answers are in the order of the questions.
pub(crate) async fn at_once<F>(asked: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let started: Vec<_> = asked.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::new();
    for one in started {
        answers.push(one.await.unwrap());
    }
    answers
}

/// Carries a request to whoever listens at `base`; the answer's status.
pub(crate) async fn carry(base: String, message: Delivery) -> u16 {
    let mut request = http().post(format!("{base}{}", message.path)).body(message.body);
    for (name, value) in &message.headers {
        request = request.header(name, value);
    }
    request.send().await.unwrap().status().as_u16()
}
