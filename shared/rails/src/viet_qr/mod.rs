//! VietQR: what a banking app scans, and the code that leads the transfer back to its order.

mod decode;
mod draw;
mod find;
mod near;
mod payload;
mod reference_code;
mod tlv;
#[cfg(test)]
mod vectors;

pub use decode::{Decoded, Undecodable};
pub use draw::{Undrawable, png, svg};
pub use find::find_codes;
pub use near::near_codes;
pub use payload::{Beneficiary, InvalidPayload, Payload};
pub use reference_code::{CodePrefix, InvalidCode, InvalidPrefix, ReferenceCode};
