//! Bodies that are almost right: nothing panics, and no damage turns into another payment.

use super::{VIETNAM, paid_ipn, paid_order};
use crate::sepay_card::{CardExpiry, CardFace, CardOrder, CardOutcome, Ipn};
use proptest::prelude::*;
use serde_json::{Value, json};

proptest! {
    #[test]
    fn a_damaged_message_never_panics(at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
        let mut body = paid_ipn().to_string().into_bytes();
        let place = at.index(body.len());
        body[place] = byte;
        if let Ok(ipn) = Ipn::parse(&body) {
            prop_assert_eq!(ipn.event_key().matches('#').count(), 1);
        }
        prop_assert!(Ipn::parse(&body[..cut.index(body.len())]).is_err());
    }

    #[test]
    fn a_replaced_value_never_panics_and_never_makes_a_bigger_payment(
        at in any::<prop::sample::Index>(),
        replacement in any_json(),
    ) {
        let mut order = paid_order();
        let mut places = Vec::new();
        collect(&order, &mut String::new(), &mut places);
        let place = &places[at.index(places.len())];
        *order.pointer_mut(place).unwrap() = replacement;
        if let Ok(order) = CardOrder::read(&order, VIETNAM)
            && let CardOutcome::Captured { amount, .. } = order.outcome()
        {
            prop_assert_eq!(amount.get(), 100_000);
        }
    }

    #[test]
    fn any_text_can_stand_for_a_card(number: String, brand: String, expiry: String) {
        if let Some(face) = CardFace::read(&number, Some(&brand), Some(&expiry)) {
            prop_assert_eq!(face.last4().len(), 4);
        }
        let _ = CardExpiry::read(&expiry);
    }

    #[test]
    fn any_date_and_offset_can_be_asked_for(date in "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", offset: i16) {
        let _ = crate::sepay_card::reading::moment(&json!(date), offset);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9]{1,20}(\\.[0-9]{0,3})?".prop_map(Value::from),
        Just(json!([])),
        Just(json!([{}, []])),
        Just(json!({"id": {}})),
    ]
}

fn collect(value: &Value, path: &mut String, places: &mut Vec<String>) {
    places.push(path.clone());
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, child)| (name.clone(), child)).collect(),
        Value::Array(rows) => rows.iter().enumerate().map(|(i, child)| (i.to_string(), child)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        let length = path.len();
        path.push('/');
        path.push_str(&name);
        collect(child, path, places);
        path.truncate(length);
    }
}
