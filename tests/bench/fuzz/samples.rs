//! Valid inputs to start from: the vendors' own samples, and what people type.

/// SePay, "Integrate webhook", and what banks make of it.
pub(crate) fn transfers() -> Vec<Vec<u8>> {
    [
        r#"{"id":92704,"gateway":"ACB","transactionDate":"2026-01-01 07:00:00","accountNumber":"12345678","code":"CITAB2CDE","content":"CITAB2CDE","transferType":"in","transferAmount":250000,"accumulated":1250000,"subAccount":null,"referenceCode":"FT26001000001","description":"ACB CITAB2CDE"}"#,
        r#"{"gateway":"MBBank","transactionDate":"2026-01-31 23:59:59","accountNumber":"0012345678","subAccount":"VQR0001","code":null,"content":"MBVCB.123.cit ab2 cde.CT tu 0123456789 NGUYEN VAN A","transferType":"out","description":"","transferAmount":"100000.00","referenceCode":"MBVCB.3278907687","accumulated":0,"id":"18446744073709551615"}"#,
        r#"{"id":1,"transferType":"in","transferAmount":1,"content":"Nạp tiền CITAB2CDE đơn hàng"}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// SePay, "Payment gateway", IPN.
pub(crate) fn notifications() -> Vec<Vec<u8>> {
    [
        r#"{"timestamp":1759134682,"notification_type":"ORDER_PAID","order":{"id":"e2c195be-c721-47eb-b323-99ab24e52d85","order_id":"NQD-68DA43D73C1A5","order_status":"CAPTURED","order_currency":"VND","order_amount":"100000.00","order_invoice_number":"INV-1759134677","custom_data":[],"user_agent":"Mozilla/5.0","ip_address":"14.186.39.212","order_description":"Test payment"},"transaction":{"id":"384c66dd-41e6-4316-a544-b4141682595c","payment_method":"CARD","transaction_id":"68da43da2d9de","transaction_type":"PAYMENT","transaction_date":"2025-09-29 15:31:22","transaction_status":"APPROVED","transaction_amount":"100000","transaction_currency":"VND","authentication_status":"AUTHENTICATION_SUCCESSFUL","card_number":"4111XXXXXXXX1111","card_holder_name":"NGUYEN VAN A","card_expiry":"12/26","card_funding_method":"CREDIT","card_brand":"VISA"},"customer":null,"agreement":null}"#,
        r#"{"notification_type":"TRANSACTION_VOID","timestamp":"1759134690","order":{"order_status":"CANCELLED","order_currency":"VND","order_amount":100000,"order_invoice_number":"CIT_7"},"transaction":{"id":7,"transaction_type":"VOID","transaction_status":"APPROVED","transaction_amount":"100000.00","transaction_currency":"VND"}}"#,
        r#"{"notification_type":"RENEWAL_ORDER_PAID","timestamp":1,"order":{"order_invoice_number":"A"},"transaction":{"id":"1"}}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

pub(crate) fn memos() -> Vec<Vec<u8>> {
    [
        "CITAB2CDE",
        "citab2cde chuyen tien",
        "QR-CITAB2CDE-250000",
        "MBVCB.123.C I T.A-B/2\r\nC\tD\u{a0}E.CT tu 0123456789 NGUYEN VAN A toi 12345678",
        "CITAB2CDECITFGH234",
        "Nạp tiền CITAB2CDE đơn hàng cho na\u{323}p",
        "ＣＩＴＡＢ２ＣＤＥ",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
