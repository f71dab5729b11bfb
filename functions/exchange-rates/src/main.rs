#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    host::tick(async |platform, _| exchange_rates::handle(&platform).await).await
}
