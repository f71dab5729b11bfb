#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    host::tick(|_| Ok(()), async |platform, _| reservation_sweep::handle(&platform).await).await
}
