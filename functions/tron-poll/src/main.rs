#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    host::tick(async |platform, _| tron_poll::handle(&platform).await).await
}
