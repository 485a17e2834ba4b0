//! Tokens, keys and encrypted tokens of another library (`tests/data/jose/vectors.json`), hostile headers, and
//! the rules as a text file.

use super::rules::authenticate;
use super::{
    ClaimMatch, Claims, DecryptionKey, Discovery, DiscoveryError, KeyRefusal, KeySet, KeySetError,
    RequiredClaim, Rules, TokenFailure, TokenKey, verify,
};
use crate::private_key::PrivateKey;
use crate::{hex, pem};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use handfast_core::UnixTime;
use serde_json::{Value, json};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../tests/data/jose/vectors.json")).expect("the vectors")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("a text {name:?}"))
}

fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn key_set(vectors: &Value) -> KeySet {
    KeySet::parse(vectors["jwks"].to_string().as_bytes()).expect("a key set")
}

const SECRET: &[u8] = b"a secret that is long enough for all of them";

/// A token with that header and content, signed as HS256 whatever the header says.
fn hs256(header: &str, payload: &str, secret: &[u8]) -> String {
    let input = format!("{}.{}", encode(header), encode(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
    format!("{input}.{}", encode(tag))
}

const PLAIN: &str = r#"{"alg":"HS256"}"#;

fn rules() -> Rules<'static> {
    Rules {
        require_expiration: true,
        require_signed: true,
        clock_skew_s: 0,
        issuers: &[],
        audiences: &[],
        required_claims: &[],
    }
}

#[test]
fn every_signature_of_another_library_is_good_and_none_with_a_changed_bit() {
    let vectors = vectors();
    let set = key_set(&vectors);
    let shared = TokenKey::shared(bytes(text(&vectors, "shared"))).expect("a secret");
    let keys: Vec<&TokenKey> = set.keys.iter().chain([&shared]).collect();
    let signed = vectors["signed"].as_array().expect("tokens");
    assert_eq!(signed.len(), 13);
    for one in signed {
        let (algorithm, token) = (text(one, "alg"), text(one, "token"));
        let jwt = verify(token, &keys, &[], &rules(), UnixTime(1_800_000_000));
        let jwt = jwt.unwrap_or_else(|failure| panic!("{algorithm}: {failure}"));
        assert_eq!((jwt.algorithm.as_str(), jwt.claims.text("sub")), (algorithm, Some("u1")));
        assert_eq!(jwt.compact, token);
        let (input, signature) = token.rsplit_once('.').expect("three segments");
        let mut signature = bytes(signature);
        for at in [0, signature.len() / 2, signature.len() - 1] {
            signature[at] ^= 1;
            let changed = format!("{input}.{}", encode(&signature));
            let failure = authenticate(&changed, &keys, &[], true).expect_err("a changed signature");
            assert_eq!(failure.reason(), "TokenSignatureInvalid", "{algorithm}");
            signature[at] ^= 1;
        }
        let (header, _) = input.split_once('.').expect("two segments");
        let other = encode(br#"{"sub":"root","exp":2000000000}"#);
        let changed = format!("{header}.{other}.{}", encode(&signature));
        assert!(authenticate(&changed, &keys, &[], true).is_err(), "{algorithm}: another content");
        let cut = format!("{input}.{}", encode(&signature[..signature.len() - 1]));
        assert!(authenticate(&cut, &keys, &[], true).is_err(), "{algorithm}: a shorter signature");
    }
}

#[test]
fn every_encrypted_token_of_another_library_opens_and_none_with_a_changed_bit() {
    let vectors = vectors();
    let set = key_set(&vectors);
    let keys: Vec<&TokenKey> = set.keys.iter().collect();
    let block = pem::private_key(text(&vectors, "rsa_private").as_bytes(), None).expect("a key");
    let rsa = DecryptionKey::rsa(block).expect("an RSA key");
    let encrypted = vectors["encrypted"].as_array().expect("tokens");
    assert_eq!(encrypted.len(), 20);
    for one in encrypted {
        let name = format!("{} {}", text(one, "alg"), text(one, "enc"));
        let key = match one["key"].as_str() {
            Some(key) => DecryptionKey::shared(bytes(key)).expect("a secret"),
            None => rsa.clone(),
        };
        let token = text(one, "token");
        let jwt = authenticate(token, &keys, std::slice::from_ref(&key), true);
        let jwt = jwt.unwrap_or_else(|failure| panic!("{name}: {failure}"));
        assert_eq!((jwt.algorithm.as_str(), jwt.claims.text("sub")), ("RS256", Some("u1")), "{name}");
        assert_ne!(jwt.compact, token, "{name}: the token inside");
        for segment in 0..5 {
            let mut segments: Vec<Vec<u8>> = token.split('.').map(bytes).collect();
            let Some(last) = segments[segment].last_mut() else { continue };
            *last ^= 1;
            let changed: Vec<String> = segments.iter().map(encode).collect();
            let outcome = authenticate(&changed.join("."), &keys, std::slice::from_ref(&key), true);
            assert!(outcome.is_err(), "{name}: segment {segment}");
        }
        let other = DecryptionKey::shared(vec![7; 32]).expect("a secret");
        let failure = authenticate(token, &keys, &[other], true).expect_err("another key");
        assert_eq!(failure, TokenFailure::NotDecrypted, "{name}");
    }
}

#[test]
fn what_is_encrypted_and_not_signed_counts_only_where_signatures_are_not_demanded() {
    let vectors = vectors();
    let bare = &vectors["bare"];
    let key = DecryptionKey::shared(bytes(text(bare, "key"))).expect("a secret");
    let keys = std::slice::from_ref(&key);
    assert_eq!(authenticate(text(bare, "token"), &[], keys, true).err(), Some(TokenFailure::NotSigned));
    let jwt = authenticate(text(bare, "token"), &[], keys, false).expect("claims");
    assert_eq!(jwt.claims.text("sub"), Some("u1"));
    assert!(jwt.compact.ends_with('.'), "a token without a signature");
}

#[test]
fn keys_that_cannot_be_used_are_left_out_with_their_reason() {
    let set = key_set(&vectors());
    assert_eq!(set.keys.len(), 5);
    let left: Vec<(Option<&str>, KeyRefusal)> =
        set.left_out.iter().map(|key| (key.id.as_deref(), key.reason)).collect();
    let expected = [
        (Some("no-secret"), KeyRefusal::Public),
        (Some("ed"), KeyRefusal::Kind),
        (Some("for-encryption"), KeyRefusal::OtherUse),
        (Some("short"), KeyRefusal::Size),
        (Some("curve"), KeyRefusal::Curve),
        (Some("odd-alg"), KeyRefusal::Algorithm),
        (None, KeyRefusal::Malformed),
        (Some("ops"), KeyRefusal::OtherUse),
    ];
    assert_eq!(left, expected);
    for (text, error) in [
        ("", KeySetError::Malformed),
        ("[]", KeySetError::Malformed),
        ("{}", KeySetError::Malformed),
        (r#"{"keys":{}}"#, KeySetError::Malformed),
        (r#"{"keys":[],"keys":[]}"#, KeySetError::Malformed),
    ] {
        assert_eq!(KeySet::parse(text.as_bytes()).err(), Some(error), "{text}");
    }
    let many = json!({ "keys": vec![json!({}); 257] }).to_string();
    assert_eq!(KeySet::parse(many.as_bytes()).err(), Some(KeySetError::TooMany));
    assert_eq!(KeySet::parse(&vec![b' '; (1 << 20) + 1]).err(), Some(KeySetError::TooLong));
}

#[test]
fn numbers_that_are_no_key_are_refused() {
    let modulus = vec![0xff; 256];
    for exponent in [&[][..], &[0], &[1], &[2], &[0, 0], &[1, 0, 0, 0, 1]] {
        assert_eq!(TokenKey::rsa(&modulus, exponent).err(), Some(KeyRefusal::Numbers), "{exponent:?}");
    }
    assert_eq!(TokenKey::rsa(&[0xfe; 256], &[3]).err(), Some(KeyRefusal::Numbers), "an even modulus");
    assert_eq!(TokenKey::rsa(&[0xff; 255], &[3]).err(), Some(KeyRefusal::Size));
    assert_eq!(TokenKey::rsa(&[0xff; 1025], &[3]).err(), Some(KeyRefusal::Size));
    assert!(TokenKey::rsa(&[&[0, 0][..], &modulus].concat(), &[1, 0, 1]).is_ok());
    assert_eq!(TokenKey::shared(vec![1; 15]).err(), Some(KeyRefusal::Size));
    assert!(TokenKey::shared(vec![1; 16]).is_ok());
}

#[test]
fn a_public_key_is_never_a_shared_secret() {
    let vectors = vectors();
    let set = key_set(&vectors);
    let keys: Vec<&TokenKey> = set.keys.iter().collect();
    let private = pem::private_key(text(&vectors, "rsa_private").as_bytes(), None).expect("a key");
    let spki = private.public_key().spki_der();
    let as_pem = pem_of(&spki);
    for secret in [spki.as_slice(), &private.public_key().bits, as_pem.as_bytes()] {
        let token = hs256(r#"{"alg":"HS256","kid":"rsa-1"}"#, r#"{"exp":2000000000}"#, secret);
        let failure = authenticate(&token, &keys, &[], true).expect_err("no key of that kind");
        assert_eq!(failure, TokenFailure::KeyNotFound("rsa-1".to_owned()));
    }
}

fn pem_of(spki: &[u8]) -> String {
    let body = base64::engine::general_purpose::STANDARD.encode(spki);
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
}

#[test]
fn unsigned_tokens_count_only_where_signatures_are_not_demanded() {
    let key = TokenKey::shared(SECRET.to_vec()).expect("a secret");
    for name in ["none", "None", "NONE", "nOnE"] {
        let token = format!("{}.{}.", encode(format!(r#"{{"alg":"{name}"}}"#)), encode(r#"{"exp":2000}"#));
        let outcome = verify(&token, &[&key], &[], &rules(), UnixTime(1000));
        assert_eq!(outcome.err(), Some(TokenFailure::NotSigned), "{name}");
        let lax = Rules { require_signed: false, ..rules() };
        assert!(verify(&token, &[&key], &[], &lax, UnixTime(1000)).is_ok(), "{name}");
        let odd = format!("{token}c2ln");
        assert_eq!(verify(&odd, &[&key], &[], &lax, UnixTime(1000)).err(), Some(TokenFailure::Malformed));
    }
    // Where signatures are not demanded, one that is there is checked all the same.
    let forged = hs256(PLAIN, r#"{"exp":2000}"#, b"another secret that is long enough");
    let lax = Rules { require_signed: false, ..rules() };
    assert_eq!(verify(&forged, &[&key], &[], &lax, UnixTime(1000)).err(), Some(TokenFailure::Signature));
}

#[test]
fn headers_that_are_not_understood_are_refused() {
    let key = TokenKey::shared(SECRET.to_vec()).expect("a secret");
    let reason = |header: &str| {
        let token = hs256(header, r#"{"exp":2000}"#, SECRET);
        verify(&token, &[&key], &[], &rules(), UnixTime(1000)).err().map(|failure| failure.reason())
    };
    assert_eq!(reason(PLAIN), None);
    assert_eq!(reason(r#"{"alg":"HS256","jku":"https://evil.test","jwk":{},"x5u":"x","x5c":[]}"#), None);
    assert_eq!(reason(r#"{"alg":"HS256","kid":"unknown"}"#), None, "a key without id fits any");
    for header in [
        r#"{"alg":"HS256","crit":["exp"]}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","zip":"DEF"}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS257"}"#,
        r#"{"alg":7}"#,
        r#"{"alg":"HS256","kid":7}"#,
        r#"{"typ":"JWT"}"#,
        r#"["HS256"]"#,
        "",
    ] {
        assert_eq!(reason(header), Some("JwtInvalid"), "{header}");
    }
}

#[test]
fn texts_that_are_no_token_are_refused() {
    let good = hs256(PLAIN, r#"{"exp":2000}"#, SECRET);
    let key = TokenKey::shared(SECRET.to_vec()).expect("a secret");
    let longer = good.replace('.', "=.");
    let (input, signature) = good.rsplit_once('.').expect("three segments");
    let spaced = format!("{input} .{signature}");
    let long = format!("{input}.{}", "A".repeat(super::TOKEN_BYTES_MAX));
    let dots = ".".repeat(60_000);
    for bad in ["", "a", "a.b", "a.b.c", "..", "....", &longer, &spaced, &long, &dots, &format!("{good}.")] {
        let outcome = verify(bad, &[&key], &[], &rules(), UnixTime(1000));
        assert_eq!(outcome.err(), Some(TokenFailure::Malformed), "{:.40}", bad);
    }
    for payload in ["", "7", "[]", r#"{"exp":2000,"exp":3000}"#, "{\"exp\":2000,\"a\":\"\u{0}\"}"] {
        let token = hs256(PLAIN, payload, SECRET);
        assert_eq!(
            verify(&token, &[&key], &[], &rules(), UnixTime(1000)).err(),
            Some(TokenFailure::Malformed),
            "{payload:?}"
        );
    }
    let deep = format!(r#"{{"exp":2000,"a":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let token = hs256(PLAIN, &deep, SECRET);
    assert_eq!(verify(&token, &[&key], &[], &rules(), UnixTime(1000)).err(), Some(TokenFailure::Malformed));
}

#[test]
fn a_named_key_is_the_only_one_that_is_tried() {
    let named = TokenKey::shared(SECRET.to_vec()).expect("a secret").with_id(Some("one".to_owned()));
    let other = TokenKey::shared(vec![3; 32]).expect("a secret").with_id(Some("two".to_owned()));
    let keys = [&named, &other];
    let ask = |header: &str| authenticate(&hs256(header, "{}", SECRET), &keys, &[], true).err();
    assert_eq!(ask(r#"{"alg":"HS256","kid":"one"}"#), None);
    assert_eq!(ask(r#"{"alg":"HS256","kid":"two"}"#), Some(TokenFailure::Signature));
    assert_eq!(ask(r#"{"alg":"HS256","kid":"six"}"#), Some(TokenFailure::KeyNotFound("six".to_owned())));
    assert_eq!(ask(PLAIN), None, "without a name all are tried");
    let mut only = named.clone();
    only.algorithm = super::SignatureAlgorithm::parse("HS512");
    assert!(authenticate(&hs256(PLAIN, "{}", SECRET), &[&only], &[], true).is_err(), "another algorithm");
}

#[test]
fn certificates_give_keys() {
    let vectors = vectors();
    let private = pem::private_key(text(&vectors, "rsa_private").as_bytes(), None).expect("a key");
    let key = TokenKey::public(private.public_key().clone()).expect("a key");
    let token = text(&vectors["signed"][0], "token");
    assert!(authenticate(token, &[&key], &[], true).is_ok());
    let ed25519 = PrivateKey::generate(crate::NewKey::Ed25519).expect("a key");
    assert_eq!(TokenKey::public(ed25519.public_key().clone()).err(), Some(KeyRefusal::Kind));
    assert_eq!(DecryptionKey::rsa(ed25519).err(), Some(KeyRefusal::Kind));
}

#[test]
fn metadata_names_issuer_and_keys() {
    let parse = |text: &str| Discovery::parse(text.as_bytes());
    let good = parse(r#"{"issuer":"https://a.test/","jwks_uri":"https://a.test/keys","x":1}"#).expect("good");
    assert_eq!((good.issuer.as_str(), good.jwks_uri.as_str()), ("https://a.test/", "https://a.test/keys"));
    for (text, error) in [
        ("", DiscoveryError::Malformed),
        ("[]", DiscoveryError::Malformed),
        (r#"{"jwks_uri":"https://a.test/keys"}"#, DiscoveryError::NoIssuer),
        (r#"{"issuer":"a"}"#, DiscoveryError::NoKeys),
        (r#"{"issuer":"a","jwks_uri":"http://a.test/keys"}"#, DiscoveryError::NoKeys),
    ] {
        assert_eq!(parse(text), Err(error), "{text}");
    }
}

#[test]
fn rules_hold_as_the_file_says() {
    let file = include_str!("../../tests/data/jose/rules.txt");
    let blocks: Vec<&str> = file.split("\n\n").filter(|block| !block.starts_with('#')).collect();
    assert!(blocks.len() >= 38, "the file is read");
    for block in blocks {
        let lines: Vec<&str> = block.lines().collect();
        let [title, claims, rules @ .., expected] = lines.as_slice() else { panic!("{block}") };
        let claims = Claims::parse(claims.as_bytes()).expect("claims");
        let got = match outcome(&claims, rules) {
            Ok(()) => "accepted".to_owned(),
            Err(failure) => format!("{} {failure}", failure.reason()),
        };
        assert_eq!(got, *expected, "{title}");
    }
}

fn outcome(claims: &Claims, lines: &[&str]) -> Result<(), TokenFailure> {
    let (mut issuers, mut audiences, mut required) = (Vec::new(), Vec::new(), Vec::new());
    let mut rules = rules();
    for line in lines {
        match line.split_once(' ').expect("a word and more") {
            ("issuer", issuer) => issuers.push(issuer.to_owned()),
            ("audience", audience) => audiences.push(audience.to_owned()),
            ("skew", skew) => rules.clock_skew_s = skew.parse().expect("a number"),
            ("expiration", "optional") => rules.require_expiration = false,
            ("claim", claim) => required.push(required_claim(claim)),
            other => panic!("{other:?}"),
        }
    }
    let rules = Rules { issuers: &issuers, audiences: &audiences, required_claims: &required, ..rules };
    rules.check(claims, UnixTime(1000))
}

fn required_claim(line: &str) -> RequiredClaim {
    let (head, values) = line.split_once(" = ").map_or((line, None), |(head, values)| (head, Some(values)));
    let (head, separator) = match head.split_once(" separator ") {
        Some((head, quoted)) => (head, Some(quoted.trim_matches('"').to_owned())),
        None => (head, None),
    };
    let (name, matching) = head.split_once(' ').expect("name and match");
    RequiredClaim {
        name: name.to_owned(),
        matching: if matching == "any" { ClaimMatch::Any } else { ClaimMatch::All },
        separator,
        values: values.map(|values| values.split('|').map(str::to_owned).collect()).unwrap_or_default(),
    }
}

#[test]
fn keys_and_failures_print_no_secret() {
    let shown = format!(
        "{:?} {:?}",
        TokenKey::shared(SECRET.to_vec()).expect("a secret"),
        DecryptionKey::shared(SECRET.to_vec()).expect("a secret")
    );
    assert!(!shown.contains("secret that") && !shown.contains(&hex::lower(SECRET)), "{shown}");
}
