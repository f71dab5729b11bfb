mod api;
mod form;
mod ipn;
mod mutations;
mod order;

use serde_json::{Value, json};

const VIETNAM: i16 = 420;

/// A paid order as the order API shows it.
fn paid_order() -> Value {
    json!({
        "id": "e2c195be-c721-47eb-b323-99ab24e52d85",
        "customer_id": null,
        "order_id": "NQD-68DA43D73C1A5",
        "order_invoice_number": "CIT-7",
        "order_status": "CAPTURED",
        "order_amount": "100000.00",
        "order_currency": "VND",
        "order_description": "Top-up",
        "authentication_status": "AUTHENTICATION_SUCCESSFUL",
        "created_at": "2025-09-29 15:30:00",
        "updated_at": "2025-09-29 15:31:23",
        "transactions": [payment()],
    })
}

fn payment() -> Value {
    json!({
        "id": "384c66dd-41e6-4316-a544-b4141682595c",
        "payment_method": "CARD",
        "transaction_type": "PAYMENT",
        "transaction_amount": "100000",
        "transaction_currency": "VND",
        "transaction_status": "APPROVED",
        "authentication_status": "AUTHENTICATION_SUCCESSFUL",
        "card_number": "411111XXXXXX1234",
        "card_holder_name": "NGUYEN VAN A",
        "card_expiry": "1230",
        "card_funding_method": "CREDIT",
        "card_brand": "VISA",
        "transaction_date": "2025-09-29 15:31:22",
        "transaction_last_updated_date": "2025-09-29 15:31:22",
    })
}

/// The documents' IPN sample, in our names.
fn paid_ipn() -> Value {
    json!({
        "timestamp": 1_759_134_682,
        "notification_type": "ORDER_PAID",
        "order": {
            "id": "e2c195be-c721-47eb-b323-99ab24e52d85",
            "order_id": "NQD-68DA43D73C1A5",
            "order_status": "CAPTURED",
            "order_currency": "VND",
            "order_amount": "100000.00",
            "order_invoice_number": "CIT-7",
            "custom_data": [],
            "user_agent": "Mozilla/5.0",
            "ip_address": "203.0.113.7",
            "order_description": "Top-up",
        },
        "transaction": {
            "id": "384c66dd-41e6-4316-a544-b4141682595c",
            "payment_method": "CARD",
            "transaction_id": "68da43da2d9de",
            "transaction_type": "PAYMENT",
            "transaction_date": "2025-09-29 15:31:22",
            "transaction_status": "APPROVED",
            "transaction_amount": "100000",
            "transaction_currency": "VND",
            "authentication_status": "AUTHENTICATION_SUCCESSFUL",
            "card_number": "411111XXXXXX1234",
            "card_holder_name": "NGUYEN VAN A",
            "card_expiry": "12/26",
            "card_funding_method": "CREDIT",
            "card_brand": "VISA",
        },
        "customer": null,
        "agreement": null,
    })
}

/// The same with the value at `pointer` replaced.
fn with(mut value: Value, pointer: &str, replacement: Value) -> Value {
    *value.pointer_mut(pointer).unwrap() = replacement;
    value
}
