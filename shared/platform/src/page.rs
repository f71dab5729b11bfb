use crate::{Attributes, StoreError};
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// In the order of the list.
    pub items: Vec<T>,
    /// The id behind which the next page begins; `None` on the last page.
    pub next: Option<C>,
}

/// One page of a query that looks at `limit` items at most. `read_id` is given the key of the last one it looked at.
///
/// A page may be empty and have a next one: a filter of the query passes over items after they were counted.
pub async fn query_page<T, C>(
    query: QueryFluentBuilder,
    limit: u32,
    read_item: impl Fn(&Attributes) -> Result<T, StoreError>,
    read_id: impl Fn(&Attributes) -> Result<C, StoreError>,
) -> Result<Page<T, C>, StoreError> {
    let query = query.limit(i32::try_from(limit).unwrap_or(i32::MAX));
    page_of(&query.send().await.map_err(StoreError::of_sdk)?, read_item, read_id)
}

fn page_of<T, C>(
    answer: &QueryOutput,
    read_item: impl Fn(&Attributes) -> Result<T, StoreError>,
    read_id: impl Fn(&Attributes) -> Result<C, StoreError>,
) -> Result<Page<T, C>, StoreError> {
    Ok(Page {
        items: answer.items().iter().map(read_item).collect::<Result<_, _>>()?,
        next: answer.last_evaluated_key().map(read_id).transpose()?,
    })
}

/// All items that a query finds, page by page to its end.
pub async fn query_all(query: QueryFluentBuilder) -> Result<Vec<Attributes>, StoreError> {
    query.into_paginator().items().send().try_collect().await.map_err(StoreError::of_sdk)
}

/// The first `max` items that a query finds, over as many pages as that takes.
pub async fn query_at_most(query: QueryFluentBuilder, max: usize) -> Result<Vec<Attributes>, StoreError> {
    let mut found = query.into_paginator().items().send();
    let mut items = Vec::new();
    while items.len() < max {
        let Some(item) = found.try_next().await.map_err(StoreError::of_sdk)? else { break };
        items.push(item);
    }
    Ok(items)
}

/// All items of a table, page by page to its end.
pub async fn scan_all(scan: ScanFluentBuilder) -> Result<Vec<Attributes>, StoreError> {
    scan.into_paginator().items().send().try_collect().await.map_err(StoreError::of_sdk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Item, ItemBuilder, key};

    fn page(ids: &[&str], last_looked_at: Option<&str>) -> Page<String, String> {
        let items = ids.iter().map(|id| ItemBuilder::default().text("id", id).build()).collect();
        let answer = QueryOutput::builder()
            .set_items(Some(items))
            .set_last_evaluated_key(last_looked_at.map(|id| key([("id", id)])))
            .build();
        let read = |item: &Attributes| Item::new("things", item).text("id").map(str::to_owned);
        page_of(&answer, read, read).unwrap()
    }

    #[test]
    fn a_page_goes_on_behind_the_last_item_that_was_looked_at() {
        let last = page(&["a", "b"], None);
        assert_eq!((last.items, last.next), (vec!["a".to_owned(), "b".to_owned()], None));
        let more = page(&["a", "b"], Some("b"));
        assert_eq!(more.next.as_deref(), Some("b"));
    }

    #[test]
    fn a_page_whose_items_were_all_filtered_out_still_goes_on() {
        let filtered = page(&[], Some("f"));
        assert_eq!((filtered.items.len(), filtered.next.as_deref()), (0, Some("f")));
    }

    #[test]
    fn an_item_or_a_key_that_can_not_be_read_is_an_error_and_no_shorter_page() {
        let answer = QueryOutput::builder().items(key([("id", "a")])).build();
        let nothing = |item: &Attributes| Item::new("things", item).text("name").map(str::to_owned);
        assert!(page_of(&answer, nothing, nothing).is_err());
        let answer = QueryOutput::builder().set_last_evaluated_key(Some(key([("id", "a")]))).build();
        assert!(page_of(&answer, nothing, nothing).is_err());
    }
}
