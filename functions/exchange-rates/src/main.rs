#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    host::tick(exchange_rates::check, async |platform, _| exchange_rates::handle(&platform).await).await
}
