#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    host::tick(run_poll::check, async |platform, _| run_poll::handle(&platform).await).await
}
