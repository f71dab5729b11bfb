use crate::items::{
    IdempotencyRow, MADE, MadeRow, ReferenceRow, SLOT, key_name, read_top_up, slot_item, slot_name,
    top_up_item,
};
use crate::methods::Methods;
use crate::order::{LOOK_BACK, TopUp};
use crate::pay_by::Priced;
use crate::rail::Recognition;
use crate::store::{Store, When};
use crate::{PaymentsError, Rail, TopUpError, TopUpRules};
use aws_sdk_dynamodb::types::TransactWriteItem;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::{
    Attributes, InvalidSettings, Item, Page, Platform, StoreError, Written, key, number, query_page, text,
};
use primitives::{AccountId, Credits, Fingerprint, Secret, Timestamp, TopUpId, Unit, random_bytes};
use rates::Rates;
use std::collections::HashMap;

/// How often an order's reference, or a free place, is drawn anew.
const TRIES: usize = 40;
/// Of these, so many with amounts that are short to type.
const SHORT_TRIES: usize = 12;

/// Orders: made, shown, cancelled. Moves no credit.
#[derive(Clone)]
pub struct TopUps {
    store: Store,
    rules: TopUpRules,
    unit: Unit,
    methods: Methods,
    rates: Rates,
}

/// What somebody wants to pay in.
#[derive(Debug, Clone)]
pub struct TopUpWish {
    pub account: AccountId,
    pub rail: Rail,
    pub credits: Credits,
    /// The caller's own name of this intention.
    pub key: Option<String>,
}

/// A page of orders, newest first.
pub type TopUpPage = Page<TopUp, TopUpId>;

/// One of the places that a person's open orders take up.
struct Place {
    nth: u32,
    /// The order that had it; it may be overwritten while that still stands there.
    had: Option<TopUpId>,
}

/// What a person has of orders: their places, and how many were made lately.
struct PlacesAndCount {
    places: HashMap<String, (TopUpId, Timestamp)>,
    made: Option<MadeRow>,
}

/// Indexes of the creating transaction's items.
const ORDER: usize = 0;
const REFERENCE: usize = 1;
const PLACE: usize = 2;
const MADE_TODAY: usize = 3;
const KEY: usize = 4;

impl TopUps {
    pub fn new(platform: &Platform) -> Result<TopUps, InvalidSettings> {
        TopUps::with_rules(platform, platform.rules(TopUpRules::read)?)
    }

    pub(crate) fn with_rules(platform: &Platform, rules: TopUpRules) -> Result<TopUps, InvalidSettings> {
        Ok(TopUps {
            store: Store::new(platform),
            unit: platform.profile().unit,
            methods: Methods::new(platform, &rules)?,
            rules,
            rates: Rates::new(platform)?,
        })
    }

    pub fn methods(&self) -> &Methods {
        &self.methods
    }

    pub fn unit(&self) -> Unit {
        self.unit
    }

    pub fn rules(&self) -> &TopUpRules {
        &self.rules
    }

    /// Makes an order, or shows the one that the same key made before.
    pub async fn create(&self, wish: &TopUpWish, now: Timestamp) -> Result<TopUp, PaymentsError> {
        self.check(wish)?;
        if let Some(before) = self.made_before(wish, now).await? {
            return Ok(before);
        }
        match self.create_new(wish, now).await {
            // The same key's own order may be what took the last place, a moment ago.
            Err(
                refused @ PaymentsError::TopUp(
                    TopUpError::TooManyOpen { .. } | TopUpError::TooManyMade { .. },
                ),
            ) => self.made_before(wish, now).await?.ok_or(refused),
            made => made,
        }
    }

    async fn create_new(&self, wish: &TopUpWish, now: Timestamp) -> Result<TopUp, PaymentsError> {
        let priced = self.methods.price(wish.rail, wish.credits, &self.rates, now).await?;
        let free_before = self.free_before(wish.rail).await?;
        let (mut room, mut is_amount_taken) = (self.find_room(wish, now).await?, false);
        for tries in 0..TRIES {
            let (order, reference) = self.draft(wish, &priced, tries < SHORT_TRIES, now)?;
            let items = self.creation(wish, &order, &reference, &room, free_before, now)?;
            match platform::retry_conflicts(|| self.store.write(items.clone(), now)).await {
                Ok(Written::Done) => return Ok(order),
                // An earlier attempt got through and its answer was lost: nobody else knows this id.
                Ok(Written::ConditionFailed(ORDER)) => return self.show(&wish.account, order.id).await,
                Ok(Written::ConditionFailed(REFERENCE)) => is_amount_taken = true,
                Ok(Written::ConditionFailed(PLACE | MADE_TODAY)) => {
                    // Perhaps our own repeat took it, and there is nothing left to order.
                    if let Some(before) = self.made_before(wish, now).await? {
                        return Ok(before);
                    }
                    room = self.find_room(wish, now).await?;
                }
                // Somebody was as fast as we are with the same key, or our own earlier attempt got through.
                Ok(Written::ConditionFailed(_)) => {
                    let before = self.made_before(wish, now).await?;
                    return before.ok_or_else(|| StoreError::Conflict.into());
                }
                // The order may stand all the same, and without a key the caller could never ask for it again.
                Err(error) => return self.show(&wish.account, order.id).await.map_err(|_| error.into()),
            }
        }
        // Otherwise other orders of the same person were faster each time, and the caller may try again.
        Err(if is_amount_taken { TopUpError::NoFreeAmount.into() } else { StoreError::Conflict.into() })
    }

    fn check(&self, wish: &TopUpWish) -> Result<(), PaymentsError> {
        let rules = &self.rules;
        let is_offered = rules.tiers.contains(&wish.credits)
            || (rules.amount_min..=rules.amount_max).contains(&wish.credits)
                && wish.credits.get().checked_rem(rules.amount_step.get()) == Some(0);
        if !is_offered {
            return Err(TopUpError::AmountNotOffered.into());
        }
        match wish.rail.is_offered_by(rules) {
            true => Ok(()),
            false => Err(TopUpError::RailNotOffered.into()),
        }
    }

    async fn made_before(&self, wish: &TopUpWish, now: Timestamp) -> Result<Option<TopUp>, PaymentsError> {
        let Some(own) = &wish.key else { return Ok(None) };
        let name = key_name(&wish.account, own);
        let row = self.store.get(&self.store.references, key([("reference", &name)])).await?;
        let Some(row) = row.as_ref().map(IdempotencyRow::read).transpose()? else { return Ok(None) };
        if row.is_gone(now) {
            return Ok(None);
        }
        if row.fingerprint != wish.fingerprint() {
            return Err(TopUpError::KeyConflict.into());
        }
        Ok(self.store.top_up(&wish.account, row.order).await?)
    }

    /// An amount is only used again when everything paid until the end of its quarantine is known, and no claim can name
    /// it any more: its row says whose it was.
    async fn free_before(&self, rail: Rail) -> Result<Timestamp, PaymentsError> {
        if !rail.is_recognised_by(Recognition::Amount) {
            return Ok(Timestamp::from_millis(0));
        }
        let marks = self.store.marks(rail).await?;
        let polled_to = marks.get(crate::POLLED_TO).copied().unwrap_or(Timestamp::from_millis(0));
        Ok(polled_to.before(LOOK_BACK))
    }

    fn draft(
        &self,
        wish: &TopUpWish,
        priced: &Priced,
        is_short: bool,
        now: Timestamp,
    ) -> Result<(TopUp, ReferenceRow), PaymentsError> {
        let id = TopUpId::mint(now);
        let drawn = self.methods.draw(wish.rail, id, priced, is_short)?;
        let is_exact_amount = wish.rail.is_recognised_by(Recognition::Amount);
        let expires_at = now.after(self.rules.order_lifetime());
        let order = TopUp {
            id,
            account: wish.account.clone(),
            rail: wish.rail,
            credits: drawn.credits,
            ordered: is_exact_amount.then_some(wish.credits),
            price: drawn.price,
            rate: priced.rate.clone(),
            reference: drawn.reference,
            page_key: Secret::new(URL_SAFE_NO_PAD.encode(random_bytes::<16>())),
            created_at: now,
            expires_at,
            cancelled_at: None,
            look_at: (!is_exact_amount).then_some(now),
            payments: Vec::new(),
            version: 0,
        };
        let held = is_exact_amount.then(|| (now, order.grace_ends(self.rules.grace())));
        let reference = ReferenceRow { name: drawn.name, account: wish.account.clone(), order: id, held };
        Ok((order, reference))
    }

    fn creation(
        &self,
        wish: &TopUpWish,
        order: &TopUp,
        reference: &ReferenceRow,
        room: &(Place, MadeRow),
        free_before: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let store = &self.store;
        let free_again = "attribute_not_exists(#reference) OR #until < :free";
        let when = match reference.held {
            None => When::New,
            Some(_) => When::If(free_again, vec![(":free", number(free_before.millis()))]),
        };
        // An exact amount is taken up until its quarantine is over, so its place is too.
        let until = reference.held.map_or(order.expires_at, |(_, until)| until);
        let (place, made) = room;
        let slot = slot_item(order, place.nth, until);
        let mut items = vec![
            store.put(&store.top_ups, top_up_item(order), When::New)?,
            store.put(&store.references, reference.item(), when)?,
            store.put(&store.top_ups, slot, place.condition())?,
            store.put(&store.top_ups, made.item(&wish.account), unless_counted_again(made))?,
        ];
        if let Some(own) = &wish.key {
            let row = IdempotencyRow {
                name: key_name(&wish.account, own),
                order: order.id,
                fingerprint: wish.fingerprint(),
                made_at: now,
            };
            let gone = vec![(":now", number(now.seconds()))];
            let when = When::If("attribute_not_exists(#reference) OR #gone_at <= :now", gone);
            items.push(store.put(&store.references, row.item(), when)?);
        }
        debug_assert!(items.len() <= KEY + 1);
        Ok(items)
    }

    /// A place among the open orders and one more among those of the day. What was ordered stays counted, whatever becomes
    /// of it: each order leaves rows, and a form that anybody may still post to SePay.
    async fn find_room(&self, wish: &TopUpWish, now: Timestamp) -> Result<(Place, MadeRow), PaymentsError> {
        let taken = self.places_and_count(&wish.account).await?;
        let made = MadeRow::one_more(taken.made.as_ref(), now);
        if made.count > self.rules.orders_per_day_max {
            let until = made.ends_at();
            return Err(TopUpError::TooManyMade { until, wait: until.since(now) }.into());
        }
        Ok((self.free_place(wish, taken.places, now).await?, made))
    }

    /// A place that nobody has, whose time is over, or whose order was paid or given up. An exact amount stays taken
    /// for a day, so giving it up frees no place: otherwise one person could take up all of them.
    async fn free_place(
        &self,
        wish: &TopUpWish,
        taken: HashMap<String, (TopUpId, Timestamp)>,
        now: Timestamp,
    ) -> Result<Place, PaymentsError> {
        let stays_taken = wish.rail.is_recognised_by(Recognition::Amount);
        for nth in 0..self.rules.open_max {
            let name = slot_name(wish.rail, nth);
            let Some((order, until)) = taken.get(&name) else { return Ok(Place { nth, had: None }) };
            let had = Some(*order);
            if *until <= now {
                return Ok(Place { nth, had });
            }
            let order = self.store.top_up(&wish.account, *order).await?;
            let is_given_up = |order: &TopUp| order.cancelled_at.is_some() && !stays_taken;
            if order.is_none_or(|order| !order.payments.is_empty() || is_given_up(&order)) {
                return Ok(Place { nth, had });
            }
        }
        Err(TopUpError::TooManyOpen { open: self.rules.open_max as usize }.into())
    }

    async fn places_and_count(&self, account: &AccountId) -> Result<PlacesAndCount, StoreError> {
        let query = self
            .store
            .dynamo
            .query()
            .table_name(&self.store.top_ups)
            .key_condition_expression("#account = :account AND begins_with(#id, :slot)")
            .expression_attribute_names("#account", "account")
            .expression_attribute_names("#id", "id")
            .expression_attribute_values(":account", text(account))
            .expression_attribute_values(":slot", text(SLOT))
            .consistent_read(true);
        let answer = query.send().await.map_err(StoreError::of_sdk)?;
        let mut taken = PlacesAndCount { places: HashMap::new(), made: None };
        for row in answer.items() {
            let item = Item::new(crate::TOP_UPS.name, row);
            match item.text("id")? {
                MADE => taken.made = Some(MadeRow::read(row)?),
                name => {
                    taken.places.insert(name.to_owned(), (item.parsed("order")?, item.time("until")?));
                }
            }
        }
        Ok(taken)
    }

    /// The person's own order.
    pub async fn show(&self, account: &AccountId, id: TopUpId) -> Result<TopUp, PaymentsError> {
        Ok(self.store.top_up(account, id).await?.ok_or(TopUpError::NoTopUp)?)
    }

    /// `before` continues an earlier page.
    pub async fn list(
        &self,
        account: &AccountId,
        limit: u32,
        before: Option<TopUpId>,
    ) -> Result<TopUpPage, PaymentsError> {
        let end = before.map_or_else(|| SLOT.to_owned(), |before| before.to_string());
        let query = self
            .store
            .dynamo
            .query()
            .table_name(&self.store.top_ups)
            .key_condition_expression("#account = :account AND #id < :end")
            .expression_attribute_names("#account", "account")
            .expression_attribute_names("#id", "id")
            .expression_attribute_values(":account", text(account))
            .expression_attribute_values(":end", text(end))
            .scan_index_forward(false)
            .consistent_read(true);
        let read_id = |key: &Attributes| Item::new(crate::TOP_UPS.name, key).parsed("id");
        Ok(query_page(query, limit, read_top_up, read_id).await?)
    }

    /// Cancels the order: its owner does not mean to pay it. A payment that still arrives is credited all the same.
    pub async fn cancel(
        &self,
        account: &AccountId,
        id: TopUpId,
        now: Timestamp,
    ) -> Result<TopUp, PaymentsError> {
        platform::retry_conflicts(|| self.cancel_once(account, id, now)).await
    }

    async fn cancel_once(
        &self,
        account: &AccountId,
        id: TopUpId,
        now: Timestamp,
    ) -> Result<TopUp, PaymentsError> {
        let mut order = self.show(account, id).await?;
        if order.cancelled_at.is_some() && order.payments.is_empty() {
            return Ok(order);
        }
        if !order.is_open(now) {
            return Err(TopUpError::NotOpen.into());
        }
        order.cancelled_at = Some(now);
        order.version += 1;
        match self.store.write(vec![self.store.put_top_up(&order)?], now).await? {
            Written::Done => Ok(order),
            // Paid, or cancelled, at the same moment: look again.
            Written::ConditionFailed(_) => Err(StoreError::Conflict.into()),
        }
    }
}

impl TopUpWish {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&[self.rail.as_str().as_bytes(), &self.credits.get().to_be_bytes()])
    }
}

impl Place {
    fn condition(&self) -> When<'static> {
        match self.had {
            None => When::If("attribute_not_exists(#id)", Vec::new()),
            Some(order) => When::If("#order = :had", vec![(":had", text(order))]),
        }
    }
}

/// What the count was made from must still stand: of two orders at once the second counts again.
fn unless_counted_again(made: &MadeRow) -> When<'static> {
    match made.before {
        None => When::If("attribute_not_exists(#id)", Vec::new()),
        Some((since, count)) => When::If(
            "#since = :since AND #count = :count",
            vec![(":since", number(since.millis())), (":count", number(count))],
        ),
    }
}
