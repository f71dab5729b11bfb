use super::indexer::{Coin, Indexer, Quirks, coin};
use super::{NOON, STRANGER, watch};
use crate::tron::{Batch, Reason, Transfer, Walk};
use crate::{ApiError, Unreadable};
use primitives::Timestamp;
use std::collections::BTreeSet;

const BLOCK: u64 = 3000;

/// One transfer a block.
fn blocks(count: u64) -> Vec<Coin> {
    (0..count).map(|n| coin(n, NOON + BLOCK * n, 1 + n % 7)).collect()
}

fn keys(batches: &[Batch]) -> Vec<String> {
    batches.iter().flat_map(|batch| batch.transfers.iter().chain(&batch.alike)).map(Transfer::key).collect()
}

/// Every coin once, oldest first, and the coverage reaches the end.
fn assert_all_once(batches: &[Batch], coins: &[Coin], to: u64) {
    let all = |batch: &'_ Batch| batch.transfers.iter().chain(&batch.alike).cloned().collect::<Vec<_>>();
    let told: Vec<Transfer> = batches.iter().flat_map(all).collect();
    assert_eq!(told.len(), coins.len());
    assert!(batches.iter().flat_map(|batch| &batch.transfers).is_sorted_by_key(|transfer| transfer.at));
    assert_eq!(keys(batches).into_iter().collect::<BTreeSet<_>>().len(), coins.len());
    let micros = |told: u64, amount: u64| told + amount;
    assert_eq!(
        told.iter().map(|transfer| transfer.amount.get()).fold(0, micros),
        coins.iter().map(|coin| coin.micros).fold(0, micros)
    );
    assert_eq!(batches.last().unwrap().covered_to, Timestamp::from_millis(to));
    assert!(batches.is_sorted_by_key(|batch| batch.covered_to));
}

#[tokio::test]
async fn twenty_five_thousand_transfers_are_each_told_once() {
    let coins = blocks(25_000);
    let to = NOON + BLOCK * 25_000;
    for newest_first in [false, true] {
        let quirks = Quirks { newest_first, ..Quirks::default() };
        let indexer = Indexer::start(coins.clone(), quirks).await;
        let batches = indexer.walk(&indexer.tronscan, NOON, to).await.unwrap();
        assert_all_once(&batches, &coins, to);
        assert!(batches.iter().all(|batch| batch.transfers.len() < 50));
        assert!(indexer.requests() < 1200, "{} requests", indexer.requests());
    }
    let indexer = Indexer::start(coins.clone(), Quirks::default()).await;
    let batches = indexer.walk(&indexer.trongrid, NOON, to).await.unwrap();
    assert_all_once(&batches, &coins, to);
}

#[tokio::test]
async fn both_indexers_give_the_same_keys() {
    let mut coins = blocks(300);
    coins.extend((0..60).map(|_| coin(70, NOON + BLOCK * 70, 5)));
    coins.push(Coin { from: STRANGER, ..coin(70, NOON + BLOCK * 70, 5) });
    let quirks = Quirks { newest_first: true, ..Quirks::default() };
    let indexer = Indexer::start(coins.clone(), quirks).await;
    let to = NOON + BLOCK * 300;
    let tronscan = indexer.walk(&indexer.tronscan, NOON, to).await.unwrap();
    indexer.chain.lock().unwrap().quirks = Quirks::default();
    let trongrid = indexer.walk(&indexer.trongrid, NOON, to).await.unwrap();
    assert_all_once(&tronscan, &coins, to);
    let transfers =
        |batches: &[Batch]| batches.iter().flat_map(|batch| batch.transfers.clone()).collect::<Vec<_>>();
    assert_eq!(transfers(&tronscan), transfers(&trongrid));
}

#[tokio::test]
async fn equal_amounts_of_one_transaction_are_each_counted_across_pages() {
    let coins: Vec<Coin> = (0..130).map(|_| coin(1, NOON, 5)).collect();
    let indexer = Indexer::start(coins.clone(), Quirks::default()).await;
    let batches = indexer.walk(&indexer.tronscan, NOON - 50, NOON + 50).await.unwrap();
    let tx = format!("{:064x}", 1);
    assert_eq!(keys(&batches), (0..130).map(|nth| format!("{tx}#5#{nth}")).collect::<Vec<_>>());
    let coins: Vec<Coin> = (0..450).map(|_| coin(1, NOON, 5)).collect();
    indexer.chain.lock().unwrap().coins = coins;
    assert_eq!(keys(&indexer.walk(&indexer.trongrid, NOON, NOON).await.unwrap()).len(), 450);
}

#[tokio::test]
async fn overlapping_walks_give_the_same_keys() {
    let twice = |coin: Coin| [coin.clone(), Coin { from: STRANGER, ..coin }];
    let coins: Vec<Coin> = blocks(400).into_iter().flat_map(twice).collect();
    let indexer = Indexer::start(coins, Quirks::default()).await;
    let all = keys(&indexer.walk(&indexer.tronscan, NOON, NOON + BLOCK * 400).await.unwrap());
    for from in [NOON + 1, NOON + 17 * BLOCK, NOON + 301 * BLOCK] {
        let some = keys(&indexer.walk(&indexer.tronscan, from, NOON + BLOCK * 400).await.unwrap());
        assert!(some.len() < all.len() && all.ends_with(&some));
    }
}

#[tokio::test]
async fn a_row_that_slips_to_the_next_page_is_not_counted_twice() {
    let mut coins: Vec<Coin> = (10..70).map(|n| coin(n, NOON, 5)).collect();
    coins.push(coin(0, NOON - 9, 3));
    let quirks = Quirks { newest_first: true, late: Some(coin(2, NOON, 4)), ..Quirks::default() };
    let indexer = Indexer::start(coins, quirks).await;
    let mut walk = Walk::new(watch(), Timestamp::from_millis(NOON), Timestamp::from_millis(NOON));
    let moved = walk.next(&indexer.tronscan, &indexer.http).await;
    assert!(matches!(moved, Err(ApiError::Incomplete)));
    let again = walk.next(&indexer.tronscan, &indexer.http).await.unwrap().unwrap();
    assert_eq!(again.transfers.len(), 61);
    assert_eq!(again.transfers.iter().filter(|transfer| transfer.amount.get() == 5).count(), 60);
}

#[tokio::test]
async fn a_list_that_never_rests_is_an_error() {
    let coins: Vec<Coin> = (0..60).map(|n| coin(n, NOON, 5)).collect();
    let indexer =
        Indexer::start(coins, Quirks { restless: true, newest_first: true, ..Quirks::default() }).await;
    let error = indexer.walk(&indexer.tronscan, NOON, NOON).await.unwrap_err();
    assert!(matches!(error, ApiError::Incomplete), "{error}");
}

#[tokio::test]
async fn more_than_a_moment_can_list_is_an_error_and_never_a_part() {
    let mut coins = vec![coin(0, NOON - BLOCK, 9)];
    coins.extend((0..10_050).map(|n| coin(n, NOON, 5)));
    let indexer = Indexer::start(coins, Quirks::default()).await;
    for source in [&indexer.tronscan, &indexer.trongrid] {
        let from = Timestamp::from_millis(NOON - BLOCK);
        let mut walk = Walk::new(watch(), from, Timestamp::from_millis(NOON + BLOCK));
        let mut told = 0;
        let error = loop {
            match walk.next(source, &indexer.http).await {
                Ok(batch) => told += batch.expect("it can't reach the end").transfers.len(),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, ApiError::Incomplete), "{error}");
        assert_eq!(told, 1);
    }
}

#[tokio::test]
async fn a_smaller_page_than_promised_does_not_end_the_list() {
    let coins = blocks(200);
    let to = NOON + BLOCK * 200;
    for tells_no_total in [false, true] {
        let quirks = Quirks { cut: Some(20), tells_no_total, ..Quirks::default() };
        let indexer = Indexer::start(coins.clone(), quirks).await;
        assert_all_once(&indexer.walk(&indexer.tronscan, NOON, to).await.unwrap(), &coins, to);
    }
}

#[tokio::test]
async fn totals_and_fingerprints_that_say_nothing_lose_nothing() {
    let coins = blocks(200);
    let to = NOON + BLOCK * 200;
    let odd = [
        Quirks { total: Some(1_000_000), ..Quirks::default() },
        Quirks { total: Some(0), ..Quirks::default() },
        Quirks { always_fingerprint: true, ..Quirks::default() },
        Quirks { exclusive: true, ..Quirks::default() },
    ];
    for quirks in odd {
        let indexer = Indexer::start(coins.clone(), quirks.clone()).await;
        for source in [&indexer.tronscan, &indexer.trongrid] {
            let batches = indexer.walk(source, NOON, to).await.unwrap();
            assert_all_once(&batches, &coins, to);
        }
        assert!(indexer.requests() < 60, "{quirks:?}: {} requests", indexer.requests());
    }
}

#[tokio::test]
async fn an_indexer_that_does_not_answer_the_question_is_not_believed() {
    let cases = [
        (Quirks { ignores_window: true, ..Quirks::default() }, "block_ts", "block_timestamp"),
        (Quirks { loses: Some("block_ts"), ..Quirks::default() }, "block_ts", ""),
        (Quirks { loses: Some("to"), ..Quirks::default() }, "", "to"),
        (Quirks { ignores_wallet: true, ..Quirks::default() }, "to", ""),
    ];
    for (quirks, tronscan, trongrid) in cases {
        let asked = if quirks.ignores_window { NOON - 90 * BLOCK } else { NOON };
        let indexer = Indexer::start(blocks(3), quirks.clone()).await;
        for (source, field) in [(&indexer.tronscan, tronscan), (&indexer.trongrid, trongrid)] {
            match (indexer.walk(source, asked, asked + 9 * BLOCK).await, field) {
                (Ok(batches), "") => assert_eq!(keys(&batches).len(), 3),
                (Err(ApiError::Unreadable(Unreadable(found))), _) => assert_eq!(found, field, "{quirks:?}"),
                (other, _) => panic!("{quirks:?}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn coverage_stops_before_what_may_still_change() {
    let mut coins = blocks(3);
    coins[1].confirmed = false;
    let quirks = Quirks { ignores_confirm: true, ..Quirks::default() };
    let indexer = Indexer::start(coins, quirks).await;
    let batches = indexer.walk(&indexer.tronscan, NOON, NOON + 9 * BLOCK).await.unwrap();
    assert_eq!(keys(&batches).len(), 2);
    assert_eq!(batches[0].not_yet, 1);
    assert_eq!(batches[0].covered_to, Timestamp::from_millis(NOON + BLOCK - 1));
}

#[tokio::test]
async fn refused_rows_are_counted_beside_the_good_ones() {
    let mut coins = blocks(5);
    coins[2].micros = 0;
    coins[4].micros = 0;
    let indexer = Indexer::start(coins, Quirks::default()).await;
    for source in [&indexer.tronscan, &indexer.trongrid] {
        let batches = indexer.walk(source, NOON, NOON + 9 * BLOCK).await.unwrap();
        assert_eq!(keys(&batches).len(), 3);
        assert_eq!(batches[0].refused.get(&Reason::Nothing), Some(&2));
    }
}

#[tokio::test]
async fn a_quiet_stretch_takes_one_request_and_is_covered() {
    let indexer = Indexer::start(vec![], Quirks::default()).await;
    let batches = indexer.walk(&indexer.tronscan, NOON, NOON + 3_600_000).await.unwrap();
    assert_eq!((batches.len(), indexer.requests()), (1, 1));
    assert_eq!(batches[0].covered_to, Timestamp::from_millis(NOON + 3_600_000));
    assert!(indexer.walk(&indexer.tronscan, NOON, NOON - 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn windows_grow_again_behind_a_flood() {
    let coins = blocks(200);
    let to = NOON + 86_400_000;
    let indexer = Indexer::start(coins.clone(), Quirks::default()).await;
    assert_all_once(&indexer.walk(&indexer.tronscan, NOON, to).await.unwrap(), &coins, to);
    assert!(indexer.requests() < 60, "{} requests", indexer.requests());
}

#[tokio::test]
async fn a_full_page_without_a_mark_is_not_the_end() {
    let to = NOON + BLOCK * 450;
    for count in [200, 201, 450] {
        for newest_first in [false, true] {
            let coins = blocks(count);
            let quirks = Quirks { unmarked: true, newest_first, ..Quirks::default() };
            let indexer = Indexer::start(coins.clone(), quirks).await;
            let batches = indexer.walk(&indexer.trongrid, NOON, to).await.unwrap();
            assert_all_once(&batches, &coins, to);
            assert!(indexer.requests() < 40, "{count}: {} requests", indexer.requests());
        }
    }
}

#[tokio::test]
async fn a_page_cut_short_without_a_mark_is_found_out_by_asking_from_its_last_row_on() {
    let (coins, to) = (blocks(100), NOON + BLOCK * 100);
    for newest_first in [false, true] {
        let quirks = Quirks { unmarked: true, cut: Some(20), newest_first, ..Quirks::default() };
        let indexer = Indexer::start(coins.clone(), quirks).await;
        let batches = indexer.walk(&indexer.trongrid, NOON, to).await.unwrap();
        assert_all_once(&batches, &coins, to);
        assert!(indexer.requests() < 60, "{} requests", indexer.requests());
    }
}

#[tokio::test]
async fn a_moments_full_page_without_a_mark_is_an_error_after_few_questions() {
    let mut coins = blocks(3);
    coins.extend((10..210).map(|n| coin(n, NOON + BLOCK, 5)));
    let indexer = Indexer::start(coins, Quirks { unmarked: true, ..Quirks::default() }).await;
    let mut walk = Walk::new(watch(), Timestamp::from_millis(NOON), Timestamp::from_millis(NOON + 9 * BLOCK));
    let mut told = 0;
    let error = loop {
        match walk.next(&indexer.trongrid, &indexer.http).await {
            Ok(batch) => told += batch.expect("it can't reach the end").transfers.len(),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ApiError::Incomplete), "{error}");
    assert_eq!(told, 1, "what lies before the moment");
    assert!(indexer.requests() < 60, "{} requests", indexer.requests());
    // The other indexer can leave rows out at the front, and takes over from there.
    while let Some(batch) = walk.next(&indexer.tronscan, &indexer.http).await.unwrap() {
        told += batch.transfers.len();
    }
    assert_eq!(told, 203);
}

#[tokio::test]
async fn a_row_listed_twice_is_one_transfer_and_one_doubt() {
    for (count, moment) in [(9, false), (120, true)] {
        let at = |n: u64| if moment { NOON } else { NOON + BLOCK * n };
        let coins: Vec<Coin> = (0..count).map(|n| coin(n, at(n), 5)).collect();
        let indexer = Indexer::start(coins, Quirks { told_twice: true, ..Quirks::default() }).await;
        for source in [&indexer.tronscan, &indexer.trongrid] {
            let batches = indexer.walk(source, NOON, NOON + BLOCK * 9).await.unwrap();
            let of = |part: fn(&Batch) -> &Vec<Transfer>| {
                batches
                    .iter()
                    .flat_map(part)
                    .map(|transfer| (transfer.tx, transfer.nth))
                    .collect::<BTreeSet<_>>()
            };
            let (sure, alike) = (of(|batch| &batch.transfers), of(|batch| &batch.alike));
            assert!(sure.iter().all(|(_, nth)| *nth == 0) && alike.iter().all(|(_, nth)| *nth == 1));
            let count = usize::try_from(count).unwrap();
            assert_eq!((sure.len(), alike.len()), (count, count));
        }
    }
}
