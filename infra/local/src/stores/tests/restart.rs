use super::support::{ACCOUNTS, BUCKET, ENTRIES, Folder, open, platform};
use crate::stores::{StoreStartError, Stores};
use aws_sdk_dynamodb::types::AttributeValue::S;
use aws_sdk_s3::primitives::ByteStream;
use platform::TableSpec;

#[tokio::test]
async fn what_was_stored_on_disk_is_there_after_a_restart() {
    let folder = Folder::new();
    let stores = open(&folder.place(), &[ACCOUNTS, ENTRIES]).await.unwrap();
    let before = platform(&stores);
    let put = before.dynamo().put_item().table_name(before.table(&ACCOUNTS)).item("id", S("ann".into()));
    put.send().await.unwrap();
    let put = before.s3().put_object().bucket(BUCKET).key("tmp30/ann/kite.png").content_type("image/png");
    put.metadata("run", "r1").body(ByteStream::from_static(b"kite")).send().await.unwrap();
    drop((before, stores));

    let stores = open(&folder.place(), &[ACCOUNTS, ENTRIES]).await.unwrap();
    let after = platform(&stores);

    let get = after.dynamo().get_item().table_name(after.table(&ACCOUNTS)).key("id", S("ann".into()));
    assert!(get.send().await.unwrap().item.is_some());
    let get = after.s3().get_object().bucket(BUCKET).key("tmp30/ann/kite.png").send().await.unwrap();
    assert_eq!(get.content_type(), Some("image/png"));
    assert_eq!(get.metadata().unwrap()["run"], "r1");
    assert_eq!(get.body.collect().await.unwrap().to_vec(), b"kite");
}

#[tokio::test]
async fn a_second_opener_of_the_folder_is_refused() {
    let folder = Folder::new();
    let first = open(&folder.place(), &[ACCOUNTS]).await.unwrap();

    let second = open(&folder.place(), &[ACCOUNTS]).await;
    assert!(matches!(second, Err(StoreStartError::FolderInUse { .. })));
    assert!(matches!(Stores::erase(&folder.place()), Err(StoreStartError::FolderInUse { .. })));

    drop(first);
    open(&folder.place(), &[ACCOUNTS]).await.unwrap();
}

#[tokio::test]
async fn a_table_of_another_shape_is_named_and_erasing_helps() {
    let folder = Folder::new();
    drop(open(&folder.place(), &[ACCOUNTS, ENTRIES]).await.unwrap());
    let changed = TableSpec { sort_key: None, ..ENTRIES };

    let message = refusal(&folder, &[ACCOUNTS, changed]).await;
    for part in ["test-entries", "RANGE key `entry`", "--fresh", "dynamo.db"] {
        assert!(message.contains(part), "{message}");
    }

    Stores::erase(&folder.place()).unwrap();
    open(&folder.place(), &[ACCOUNTS, changed]).await.unwrap();
}

#[tokio::test]
async fn a_broken_database_or_folder_is_named_with_what_to_do() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path()).unwrap();
    std::fs::write(folder.path().join("dynamo.db"), "this is no database, whatever its name").unwrap();
    let message = refusal(&folder, &[ACCOUNTS]).await;
    assert!(message.contains("dynamo.db") && message.contains("--fresh"), "{message}");

    let inside_a_file = Folder::new();
    std::fs::write(inside_a_file.path(), "").unwrap();
    let message = refusal(&inside_a_file, &[ACCOUNTS]).await;
    std::fs::remove_file(inside_a_file.path()).unwrap();
    assert!(message.contains("can't be used") && message.contains("another folder"), "{message}");
}

async fn refusal(folder: &Folder, tables: &[TableSpec]) -> String {
    match open(&folder.place(), tables).await {
        Ok(_) => panic!("the stores opened"),
        Err(error) => error.to_string(),
    }
}
