use crate::Settings;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use primitives::{Secret, random_bytes};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::fmt;
use std::sync::Arc;

/// Encrypts what a stolen table must not tell, with AES-256-GCM and a fresh nonce each time.
///
/// `SEALING_KEYS` is `name:key[,name:key…]`, each key 32 bytes in base64. The first seals, all of them open: put a
/// new key in front, and take the old one away when nothing sealed with it is left.
#[derive(Clone)]
pub struct Sealer(Arc<[Named]>);

struct Named {
    name: String,
    key: LessSafeKey,
}

/// Why a sealed text stays closed. None of them tells anything about the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key was taken out too early, or the text comes from another deployment.
    #[error("it was sealed with a key that SEALING_KEYS does not name")]
    UnknownKey,
    /// It was changed since, or is read from another place than it was sealed for.
    #[error("it is not what was sealed, or was moved to another place")]
    Broken,
}

impl Sealer {
    /// `SEALING_KEYS`: `name:key`, comma-separated, each key 32 bytes in base64. The first one seals, all of them open.
    pub fn read(settings: &mut Settings<'_>) -> Sealer {
        let text = settings.secret("SEALING_KEYS");
        let keys: Option<Vec<Named>> =
            text.expose().split(',').map(|part| Named::read(part.trim())).collect();
        let keys = keys.unwrap_or_else(|| {
            if !text.expose().is_empty() {
                settings.complain("SEALING_KEYS", "must be name:key, each key 32 bytes in base64");
            }
            Vec::new()
        });
        Sealer(keys.into())
    }

    /// `place` names where the text will lie, e.g. a table and a key; it opens nowhere else.
    pub fn seal(&self, place: &str, content: &[u8]) -> Result<String, SealError> {
        let named = self.0.first().ok_or(SealError::UnknownKey)?;
        let nonce: [u8; NONCE_LEN] = random_bytes();
        let mut bytes = content.to_vec();
        let sealed = named.key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(place.as_bytes()),
            &mut bytes,
        );
        sealed.map_err(|_| SealError::Broken)?;
        Ok(format!("1.{}.{}", named.name, URL_SAFE_NO_PAD.encode([nonce.as_slice(), &bytes].concat())))
    }

    /// What was sealed for that place. An error tells nothing about the content.
    pub fn open(&self, place: &str, sealed: &str) -> Result<Vec<u8>, SealError> {
        let mut parts = sealed.splitn(3, '.');
        let (Some("1"), Some(name), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(SealError::Broken);
        };
        let named = self.0.iter().find(|named| named.name == name).ok_or(SealError::UnknownKey)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| SealError::Broken)?;
        let (nonce, content) = bytes.split_at_checked(NONCE_LEN).ok_or(SealError::Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Broken)?;
        let mut content = content.to_vec();
        let opened = named.key.open_in_place(nonce, Aad::from(place.as_bytes()), &mut content);
        Ok(opened.map_err(|_| SealError::Broken)?.to_vec())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Named {
    fn read(text: &str) -> Option<Named> {
        let (name, key) = text.split_once(':')?;
        let is_plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
        let key = Secret::new(key);
        let key = UnboundKey::new(&AES_256_GCM, &STANDARD.decode(key.expose()).ok()?).ok()?;
        is_plain.then(|| Named { name: name.to_owned(), key: LessSafeKey::new(key) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Env;

    fn sealer(keys: &str) -> Sealer {
        let env: Env = [("SEALING_KEYS".to_owned(), keys.to_owned())].into_iter().collect();
        env.section(Sealer::read).unwrap()
    }

    fn key(name: &str, byte: u8) -> String {
        format!("{name}:{}", STANDARD.encode([byte; 32]))
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let sealer = sealer(&key("a", 1));
        let sealed = sealer.seal("inbox#1", "Nạp tiền".as_bytes()).unwrap();
        assert!(!sealed.contains("tien") && sealed.starts_with("1.a."));
        assert_eq!(sealer.open("inbox#1", &sealed).unwrap(), "Nạp tiền".as_bytes());
        assert_eq!(sealer.open("inbox#2", &sealed), Err(SealError::Broken));
        assert_ne!(sealed, sealer.seal("inbox#1", "Nạp tiền".as_bytes()).unwrap(), "a fresh nonce each time");
        for broken in ["", "1.a.", "1.a.AAAA", "2.a.x", &sealed[..sealed.len() - 1]] {
            assert_eq!(sealer.open("inbox#1", broken), Err(SealError::Broken), "{broken}");
        }
    }

    #[test]
    fn a_new_key_in_front_seals_and_the_old_one_still_opens() {
        let (old, both) = (sealer(&key("a", 1)), sealer(&format!("{}, {}", key("b", 2), key("a", 1))));
        let sealed = old.seal("x", b"1").unwrap();
        assert_eq!(both.open("x", &sealed).unwrap(), b"1");
        assert!(both.seal("x", b"1").unwrap().starts_with("1.b."));
        let sealed = both.seal("x", b"1").unwrap();
        assert_eq!(old.open("x", &sealed), Err(SealError::UnknownKey));
    }

    #[test]
    fn a_key_that_is_no_key_stops_the_start() {
        for keys in ["a", "a:AAAA", ":", "a b:AAAA"] {
            let env: Env = [("SEALING_KEYS".to_owned(), keys.to_owned())].into_iter().collect();
            assert!(env.section(Sealer::read).unwrap_err().to_string().contains("SEALING_KEYS"), "{keys}");
        }
    }
}
