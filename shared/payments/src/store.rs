//! Reading and building writes of the payments' own tables; what to write is decided elsewhere.

use crate::items::{
    AMOUNTS_INDEX, AWAITED_INDEX, DAY_INDEX, OPEN_INDEX, PAYMENT_INBOX, PAYMENT_RAILS, PAYMENT_REFERENCES,
    ReferenceRow, TOP_UPS, fact_item, open_mark, read_fact, read_top_up, top_up_item,
};
use crate::likeness::{Alike, AlikeRow};
use crate::{Fact, FactKey, TopUp};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use platform::{
    Attributes, Item, Key, Page, Platform, StoreError, Written, key, number, query_all, query_page,
    read_batch, text, unless_condition_failed, with_causes, write_all,
};
use primitives::{AccountId, EntryId, Timestamp, TopUpId};
use std::collections::{HashMap, HashSet};

#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) dynamo: Client,
    pub(crate) top_ups: String,
    pub(crate) references: String,
    pub(crate) inbox: String,
    pub(crate) rails: String,
}

/// When an item may be put.
pub(crate) enum When<'a> {
    Always,
    /// Nothing may be at that key.
    New,
    /// What is there must be the version that was read.
    Version(u64),
    /// A condition that writes attributes as `#name`, and its values.
    If(&'a str, Vec<(&'a str, AttributeValue)>),
}

impl Store {
    pub(crate) fn new(platform: &Platform) -> Store {
        Store {
            dynamo: platform.dynamo().clone(),
            top_ups: platform.table(&TOP_UPS),
            references: platform.table(&PAYMENT_REFERENCES),
            inbox: platform.table(&PAYMENT_INBOX),
            rails: platform.table(&PAYMENT_RAILS),
        }
    }

    pub(crate) async fn top_up(&self, account: &AccountId, id: TopUpId) -> Result<Option<TopUp>, StoreError> {
        let key = key([("account", account.as_str()), ("id", &id.to_string())]);
        self.get(&self.top_ups, key).await?.as_ref().map(read_top_up).transpose()
    }

    pub(crate) async fn fact(&self, fact: &FactKey) -> Result<Option<Fact>, StoreError> {
        self.get(&self.inbox, fact_key(fact)).await?.as_ref().map(read_fact).transpose()
    }

    /// Every item below one outside id: its facts, deliveries, reversals, audit rows.
    pub(crate) async fn items_below(
        &self,
        source: &str,
        prefix: &str,
    ) -> Result<Vec<Attributes>, StoreError> {
        let query = self
            .dynamo
            .query()
            .table_name(&self.inbox)
            .expression_attribute_names("#source", "source")
            .expression_attribute_values(":source", text(source))
            .consistent_read(true);
        // DynamoDB refuses an empty text in a condition on a key; the embedded store lets it pass.
        let query = if prefix.is_empty() {
            query.key_condition_expression("#source = :source")
        } else {
            query
                .key_condition_expression("#source = :source AND begins_with(#part, :prefix)")
                .expression_attribute_names("#part", "part")
                .expression_attribute_values(":prefix", text(prefix))
        };
        query_all(query).await
    }

    /// Facts that wait for an administrator, oldest first. `after` continues an earlier page.
    pub(crate) async fn open_facts(
        &self,
        limit: u32,
        after: Option<&Fact>,
    ) -> Result<Page<FactKey, FactKey>, StoreError> {
        let start = after.map(|fact| {
            let mut start = fact_key(&fact.key);
            start.insert("open".to_owned(), text(open_mark()));
            start.insert("heard_at".to_owned(), number(fact.heard_at.millis()));
            start
        });
        let query = self
            .dynamo
            .query()
            .table_name(&self.inbox)
            .index_name(OPEN_INDEX)
            .key_condition_expression("#open = :open")
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":open", text(open_mark()))
            .set_exclusive_start_key(start);
        query_page(query, limit, indexed_fact, indexed_fact).await
    }

    /// How many facts wait for an administrator, up to a thousand or so.
    pub(crate) async fn count_open(&self) -> Result<i32, StoreError> {
        let query = self
            .dynamo
            .query()
            .table_name(&self.inbox)
            .index_name(OPEN_INDEX)
            .select(aws_sdk_dynamodb::types::Select::Count)
            .key_condition_expression("#open = :open")
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":open", text(open_mark()));
        Ok(query.send().await.map_err(StoreError::of_sdk)?.count())
    }

    /// Keys of a rail's facts that were paid within one UTC day's window.
    pub(crate) async fn facts_of_day(
        &self,
        day: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<FactKey>, StoreError> {
        let query = self
            .dynamo
            .query()
            .table_name(&self.inbox)
            .index_name(DAY_INDEX)
            .key_condition_expression("#day = :day AND paid_at BETWEEN :from AND :to")
            .expression_attribute_names("#day", "day")
            .expression_attribute_values(":day", text(day))
            .expression_attribute_values(":from", number(from.millis()))
            .expression_attribute_values(":to", number(to.millis()));
        query_all(query).await?.iter().map(indexed_fact).collect()
    }

    /// The facts among these that we have heard of, in any order.
    pub(crate) async fn facts(&self, keys: &[FactKey]) -> Result<HashMap<FactKey, Fact>, StoreError> {
        // A list may name one twice.
        let distinct: HashSet<&FactKey> = keys.iter().collect();
        let rows =
            read_batch(&self.dynamo, &self.inbox, distinct.into_iter().map(fact_key).collect(), true).await?;
        // A row that can't be read must not hide the others; whoever needs it reads it alone and fails.
        let read = rows.iter().filter_map(|row| match read_fact(row) {
            Ok(fact) => Some((fact.key.clone(), fact)),
            Err(error) => {
                tracing::error!(error = %error, "a payment's row can't be read");
                None
            }
        });
        Ok(read.collect())
    }

    pub(crate) async fn references(&self, names: &[String]) -> Result<Vec<ReferenceRow>, StoreError> {
        let distinct: HashSet<&String> = names.iter().collect();
        let keys = distinct.into_iter().map(|name| key([("reference", name)])).collect();
        read_batch(&self.dynamo, &self.references, keys, true).await?.iter().map(ReferenceRow::read).collect()
    }

    /// Whose orders these names lead to, and what was told before under each of the others, in one read. A row that was
    /// never written comes without a version.
    pub(crate) async fn references_and_alike(
        &self,
        names: &[String],
        alike: Vec<String>,
    ) -> Result<(Vec<ReferenceRow>, Alike), StoreError> {
        let distinct: HashSet<&String> = names.iter().chain(&alike).collect();
        let keys = distinct.into_iter().map(|name| key([("reference", name)])).collect();
        let (mut references, mut alike_rows) = (Vec::new(), Vec::new());
        for row in &read_batch(&self.dynamo, &self.references, keys, true).await? {
            match row.contains_key("told") {
                true => alike_rows.push(AlikeRow::read(row)?),
                false => references.push(ReferenceRow::read(row)?),
            }
        }
        for name in alike {
            if alike_rows.iter().all(|row| row.name != name) {
                alike_rows.push(AlikeRow { name, transfers: Vec::new(), version: None });
            }
        }
        Ok((references, Alike(alike_rows)))
    }

    /// A row after a change; refused when another delivery changed it meanwhile.
    pub(crate) fn put_alike(&self, changed: &AlikeRow) -> Result<TransactWriteItem, StoreError> {
        let when = changed.version.map_or(When::New, When::Version);
        self.put(&self.references, changed.item(), when)
    }

    /// Unpaid orders of a partition whose next look lies between the two, the latest first.
    pub(crate) async fn awaited(
        &self,
        awaited: &str,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<(AccountId, TopUpId)>, StoreError> {
        self.awaited_of(awaited, from, to, limit, false).await
    }

    /// The same, the earliest first.
    pub(crate) async fn longest_awaited(
        &self,
        awaited: &str,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<(AccountId, TopUpId)>, StoreError> {
        self.awaited_of(awaited, Timestamp::from_millis(0), to, limit, true).await
    }

    async fn awaited_of(
        &self,
        awaited: &str,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
        is_earliest_first: bool,
    ) -> Result<Vec<(AccountId, TopUpId)>, StoreError> {
        let answer = self
            .dynamo
            .query()
            .table_name(&self.top_ups)
            .index_name(AWAITED_INDEX)
            .key_condition_expression("awaited = :awaited AND look_at BETWEEN :from AND :to")
            .expression_attribute_values(":awaited", text(awaited))
            .expression_attribute_values(":from", number(from.millis()))
            .expression_attribute_values(":to", number(to.millis()))
            .scan_index_forward(is_earliest_first)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(StoreError::of_sdk)?;
        let read = |row: &Attributes| {
            let item = Item::new(TOP_UPS.name, row);
            Ok((item.parsed("account")?, item.parsed("id")?))
        };
        answer.items().iter().map(read).collect()
    }

    /// Remembers when the processor is asked for an unpaid order next; `None`: never again. An order that was paid meanwhile
    /// stays as it is.
    pub(crate) async fn look_again(
        &self,
        account: &AccountId,
        id: TopUpId,
        at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        platform::retry_conflicts(|| async {
            let update = self
                .dynamo
                .update_item()
                .table_name(&self.top_ups)
                .set_key(Some(key([("account", account.as_str()), ("id", &id.to_string())])))
                .condition_expression("attribute_exists(awaited)");
            let update = match at {
                Some(at) => update
                    .update_expression("SET look_at = :at")
                    .expression_attribute_values(":at", number(at.millis())),
                None => update.update_expression("REMOVE awaited, look_at"),
            };
            unless_condition_failed(update.send().await).map(|_| ())
        })
        .await
    }

    /// Names of a rail's exact amounts whose quarantine ends between the two.
    pub(crate) async fn amounts_held(
        &self,
        rail: crate::Rail,
        moment: Timestamp,
        last: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let query = self
            .dynamo
            .query()
            .table_name(&self.references)
            .index_name(AMOUNTS_INDEX)
            .key_condition_expression("amounts = :rail AND #until BETWEEN :moment AND :last")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":rail", text(rail))
            .expression_attribute_values(":moment", number(moment.millis()))
            .expression_attribute_values(":last", number(last.millis()));
        let name =
            |row: &Attributes| Item::new(PAYMENT_REFERENCES.name, row).text("reference").map(str::to_owned);
        query_all(query).await?.iter().map(name).collect()
    }

    pub(crate) async fn get(&self, table: &str, key: Key) -> Result<Option<Attributes>, StoreError> {
        let get = self.dynamo.get_item().table_name(table).set_key(Some(key)).consistent_read(true);
        Ok(get.send().await.map_err(StoreError::of_sdk)?.item)
    }

    pub(crate) fn put(
        &self,
        table: &str,
        item: Attributes,
        when: When<'_>,
    ) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(table).set_item(Some(item));
        let put = match when {
            When::Always => put,
            When::New => put
                .condition_expression("attribute_not_exists(#key)")
                .expression_attribute_names("#key", self.partition_key(table)),
            When::Version(seen) => put
                .condition_expression("#version = :seen")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":seen", number(seen)),
            When::If(condition, values) => {
                let put = names_in(condition).fold(put.condition_expression(condition), |put, name| {
                    put.expression_attribute_names(format!("#{name}"), name)
                });
                values
                    .into_iter()
                    .fold(put, |put, (name, value)| put.expression_attribute_values(name, value))
            }
        };
        let put = put.build().map_err(StoreError::not_built)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn partition_key(&self, table: &str) -> &'static str {
        if table == self.top_ups {
            TOP_UPS.partition_key
        } else if table == self.references {
            PAYMENT_REFERENCES.partition_key
        } else if table == self.inbox {
            PAYMENT_INBOX.partition_key
        } else {
            PAYMENT_RAILS.partition_key
        }
    }

    pub(crate) fn put_fact(&self, fact: &Fact, when: When<'_>) -> Result<TransactWriteItem, StoreError> {
        self.put(&self.inbox, fact_item(fact), when)
    }

    /// The order after a change; refused when somebody changed it meanwhile.
    pub(crate) fn put_top_up(&self, changed: &TopUp) -> Result<TransactWriteItem, StoreError> {
        let seen = When::Version(changed.version.saturating_sub(1));
        self.put(&self.top_ups, top_up_item(changed), seen)
    }

    /// All of the items or none of them.
    pub(crate) async fn write(
        &self,
        items: Vec<TransactWriteItem>,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        write_all(&self.dynamo, items, EntryId::mint(now)).await
    }

    /// Puts an item into the inbox whatever is there. A transaction of another delivery may be in the way.
    pub(crate) async fn put_alone(&self, item: Attributes) -> Result<(), StoreError> {
        platform::retry_conflicts(|| async {
            let put = self.dynamo.put_item().table_name(&self.inbox).set_item(Some(item.clone()));
            put.send().await.map(|_| ()).map_err(StoreError::of_sdk)
        })
        .await
    }

    /// Remembers a moment of a rail under a name; the later one stays.
    pub(crate) async fn mark(&self, rail: crate::Rail, name: &str, at: Timestamp) -> Result<(), StoreError> {
        self.mark_unless_after(rail, name, at, at).await.map(|_| ())
    }

    /// As [`Store::mark`], for a moment that is only watched: nothing depends on its being written.
    pub(crate) async fn note_moment(&self, rail: crate::Rail, name: &str, at: Timestamp) {
        if let Err(error) = self.mark(rail, name, at).await {
            tracing::warn!(%rail, name, error = %with_causes(&error), "a rail's sign of life could not be noted");
        }
    }

    /// Remembers `at` if what is remembered lies before `limit`. False: it does not.
    pub(crate) async fn mark_unless_after(
        &self,
        rail: crate::Rail,
        name: &str,
        at: Timestamp,
        limit: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = self
            .dynamo
            .update_item()
            .table_name(&self.rails)
            .set_key(Some(key([("rail", rail.as_str())])))
            .update_expression("SET #name = :at")
            .condition_expression("attribute_not_exists(#name) OR #name < :limit")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":limit", number(limit.millis()))
            .expression_attribute_values(":at", number(at.millis()));
        Ok(unless_condition_failed(update.send().await)?.is_some())
    }

    /// Remembers beside a fact that the processor's record of that moment was looked at.
    pub(crate) async fn mark_checked(&self, fact: &FactKey, at: Timestamp) -> Result<(), StoreError> {
        // The fact's own transactions may be under way.
        platform::retry_conflicts(|| async {
            let update = self
                .dynamo
                .update_item()
                .table_name(&self.inbox)
                .set_key(Some(fact_key(fact)))
                .update_expression("SET checked_at = :at")
                .condition_expression("attribute_exists(#source)")
                .expression_attribute_names("#source", "source")
                .expression_attribute_values(":at", number(at.millis()));
            unless_condition_failed(update.send().await).map(|_| ())
        })
        .await
    }

    /// The remembered moments of a rail, by name.
    pub(crate) async fn marks(&self, rail: crate::Rail) -> Result<HashMap<String, Timestamp>, StoreError> {
        let row = self.get(&self.rails, key([("rail", rail.as_str())])).await?.unwrap_or_default();
        let item = Item::new(PAYMENT_RAILS.name, &row);
        let names: Vec<&String> = row.keys().filter(|name| *name != "rail").collect();
        names.into_iter().map(|name| Ok((name.clone(), item.time(name)?))).collect()
    }
}

/// The attributes that a condition writes as `#name`: many plain words are reserved in DynamoDB.
fn names_in(condition: &str) -> impl Iterator<Item = &str> {
    let names = condition.split('#').skip(1);
    names.map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default())
}

fn fact_key(fact: &FactKey) -> Key {
    key([("source", &fact.source()), ("part", fact.part())])
}

fn indexed_fact(attributes: &Attributes) -> Result<FactKey, StoreError> {
    let item = Item::new(PAYMENT_INBOX.name, attributes);
    let key = format!("{}.{}", item.text("source")?, item.text("part")?);
    key.parse().map_err(|_| item.corrupt("part"))
}
