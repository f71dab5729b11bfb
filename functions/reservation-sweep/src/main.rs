#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    host::tick(reservation_sweep::check, async |platform, _| reservation_sweep::handle(&platform).await).await
}
