#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    host::tick(payment_reconciliation::check, async |platform, event| {
        payment_reconciliation::handle(&platform, event).await
    })
    .await
}
