use serde_json::json;

use super::{ask, instant};
use crate::bank::{crc, scan};
use crate::{BANK_ACCOUNT, BANK_BIN, UnreadableQr};

const SAMPLE: &str = "00020101021238520010A0000007270122000697041601081234567802\
     08QRIBFTTA530370454062500005802VN62130809CITAB12CD63047720";

#[test]
fn codes_of_others_are_read() {
    assert_eq!(crc(b"123456789"), 0x29B1);
    let table = [
        (SAMPLE, BANK_BIN, BANK_ACCOUNT, Some(250_000), "CITAB12CD"),
        (
            "00020101021238560010A0000007270126000697041501121133666688880208QRIBFTTA\
             53037045405790005802VN62220818Ung Ho Quy Vac Xin63043ACF",
            "970415",
            "113366668888",
            Some(79_000),
            "Ung Ho Quy Vac Xin",
        ),
        (
            "00020101021238580010A0000007270128000697041601141122334455667702\
             08QRIBFTTA53037045405500005802VN62130809CITAB12CD6304B5A8",
            BANK_BIN,
            "11223344556677",
            Some(50_000),
            "CITAB12CD",
        ),
    ];
    for (payload, bin, account, amount, memo) in table {
        let code = scan(payload).expect("readable");
        assert_eq!((&*code.bin, &*code.account, code.amount, &*code.memo), (bin, account, amount, memo));
    }
}

/// The payload with its checksum made to fit.
fn sealed(payload: &str) -> String {
    let covered = format!("{payload}6304");
    format!("{covered}{:04X}", crc(covered.as_bytes()))
}

#[test]
fn a_changed_code_is_refused() {
    assert_eq!(scan(&SAMPLE.replace("250000", "950000")), Err(UnreadableQr::Checksum));
    assert_eq!(scan(&SAMPLE[..SAMPLE.len() - 8]), Err(UnreadableQr::Checksum));
    assert_eq!(scan("Nạp tiền"), Err(UnreadableQr::Broken));
    assert_eq!(scan(""), Err(UnreadableQr::Broken));
    assert!(scan(&SAMPLE.to_lowercase()).is_err());
    let payload = SAMPLE.strip_suffix("63047720").expect("the sample");
    assert_eq!(scan(&sealed(payload)).map(|code| code.amount), Ok(Some(250_000)));
    let table = [
        ("5303704", "5303840", "53"),
        ("5802VN", "5802TH", "58"),
        ("5406250000", "540625e000", "54"),
        ("5406250000", "", "54"),
        ("010212", "010213", "01"),
        ("QRIBFTTA", "QRIBFTTC", "38"),
    ];
    for (from, to, field) in table {
        assert_eq!(scan(&sealed(&payload.replace(from, to))), Err(UnreadableQr::Field(field)), "{to}");
    }
    let standing = payload.replace("010212", "010211").replace("5406250000", "");
    assert_eq!(scan(&sealed(&standing)).map(|code| code.amount), Ok(None));
}

#[tokio::test]
async fn a_pasted_code_is_read_over_http() {
    let sandbox = instant();
    let read = ask(&sandbox, "POST /sandbox/bank/viet-qr", &[], format!(" {SAMPLE}\n")).await.json();
    let wanted = json!({ "bin": BANK_BIN, "account": BANK_ACCOUNT, "amount": 250_000, "memo": "CITAB12CD" });
    assert_eq!(read, wanted);
    assert_eq!(ask(&sandbox, "POST /sandbox/bank/viet-qr", &[], "x").await.status, 422);
}
