#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    host::tick(tron_poll::check, async |platform, _| tron_poll::handle(&platform).await).await
}
