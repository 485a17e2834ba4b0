//! Tokens, key sets and metadata of issuers.

use handfast_pki::jose::rules::authenticate;
use handfast_pki::jose::token::{Parts, parts};
use handfast_pki::jose::{Claims, DecryptionKey, Discovery, KeySet, TokenKey};

/// The secret of the signed tokens in the corpus.
const SECRET: &[u8] = b"fuzz fuzz fuzz fuzz fuzz fuzz fu";
/// The header and content that were signed with it; nobody else can sign another one.
const CONTENT: &str = "{\"sub\":\"u1\",\"exp\":2000000000}";

/// A token is believed only when the holder of the secret made it, whatever it says about itself.
pub(crate) fn jwt(data: &[u8]) {
    if let Ok(set) = KeySet::parse(data) {
        assert!(set.keys.len() + set.left_out.len() <= handfast_pki::jose::key_set::KEYS_MAX);
    }
    if let Ok(found) = Discovery::parse(data) {
        assert!(!found.issuer.is_empty() && found.jwks_uri.len() > "https://".len() - 1);
    }
    if let Some(claims) = Claims::parse(data) {
        let _ = (claims.audiences(), claims.date("exp"), claims.date("nbf"));
        assert!(claims.iter().all(|(name, value)| claims.values(name).is_some() != value.is_null()));
    }
    let Ok(token) = std::str::from_utf8(data) else { return };
    let key = TokenKey::shared(SECRET.to_vec()).expect("a secret");
    let opener = DecryptionKey::shared(SECRET.to_vec()).expect("a secret");
    let believed = authenticate(token, &[&key], &[opener], true);
    match (believed, parts(token)) {
        (Ok(jwt), Some(Parts::Signed(signed))) => {
            assert_eq!(signed.payload, CONTENT.as_bytes(), "only what was signed is believed");
            assert_eq!(jwt.compact, token);
        }
        (Ok(jwt), Some(Parts::Encrypted(_))) => assert_eq!(jwt.claims.text("sub"), Some("u1")),
        (Ok(_), None) => panic!("what is no token was believed"),
        (Err(_), _) => {}
    }
    if authenticate(token, &[], &[], true).is_ok() {
        panic!("a token was believed without a key");
    }
}
