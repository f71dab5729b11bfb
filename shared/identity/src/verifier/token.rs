use super::Reason;
use super::claims::{TokenClaims, is_present};
use super::keys::Jwk;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;

/// Clerk's tokens stay below 4 KB (they travel in a cookie).
const LENGTH_MAX: usize = 8 * 1024;

/// A token taken apart; nothing in it is believed before [`Token::verify`].
pub(super) struct Token<'a> {
    pub(super) kid: String,
    signed: &'a str,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

/// Keys that a token brings along (`jwk`, `jku`, `x5u`, `x5c`) have no field here and so no effect.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    typ: Option<String>,
    #[serde(default, deserialize_with = "is_present")]
    crit: bool,
}

impl Token<'_> {
    pub(super) fn of_header(authorization: Option<&str>) -> Result<Token<'_>, Reason> {
        let value = authorization.ok_or(Reason::Missing)?;
        if value.len() > LENGTH_MAX {
            return Err(Reason::TooLong);
        }
        let (scheme, token) = value.split_once(' ').ok_or(Reason::NotBearer)?;
        if !scheme.eq_ignore_ascii_case("bearer") || token.contains(' ') {
            return Err(Reason::NotBearer);
        }
        Token::take_apart(token)
    }

    fn take_apart(token: &str) -> Result<Token<'_>, Reason> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Reason::NotThreeParts)?;
        let (header, claims) = signed.split_once('.').ok_or(Reason::NotThreeParts)?;
        let header = Header::parse(&bytes(header)?)?;
        Ok(Token { kid: header.kid, signed, claims: bytes(claims)?, signature: bytes(signature)? })
    }

    pub(super) fn verify(&self, key: &Jwk) -> Result<(), Reason> {
        let key = RsaPublicKeyComponents { n: &key.n, e: &key.e };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, self.signed.as_bytes(), &self.signature)
            .map_err(|_| Reason::Signature)
    }

    pub(super) fn claims(&self) -> Result<TokenClaims, Reason> {
        serde_json::from_slice(&self.claims).map_err(|_| Reason::Claims)
    }
}

impl Header {
    fn parse(json: &[u8]) -> Result<Header, Reason> {
        let header: Header = serde_json::from_slice(json).map_err(|_| Reason::Header)?;
        match () {
            () if header.alg != "RS256" => Err(Reason::Algorithm),
            () if header.typ.as_deref().is_some_and(|typ| typ != "JWT") => Err(Reason::Type),
            () if header.crit => Err(Reason::Critical),
            () => Ok(header),
        }
    }
}

/// Strict: no padding, no other alphabet, no stray bits; a further dot is in no alphabet.
fn bytes(part: &str) -> Result<Vec<u8>, Reason> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Reason::NotThreeParts)
}
