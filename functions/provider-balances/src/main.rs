#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    host::tick(provider_balances::check, async |platform, _| provider_balances::handle(&platform).await).await
}
