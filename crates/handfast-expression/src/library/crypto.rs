//! `System.Security.Cryptography`: hashes, keyed hashes, symmetric encryption, RSA, random bytes.
//!
//! What needs keys goes through `handfast-pki`; hashes are computed here, one call at a time.

use super::cell;
use crate::call::Call;
use crate::fault::{Fault, argument_null, throw};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::{EnumDef, Type};
use crate::value::{Object, Value, lock};
use handfast_pki::{PrivateKey, PublicKey, cipher, rsa};
use std::sync::{Arc, Mutex};

/// An RSA key as expressions hold it.
#[derive(Clone, Default)]
pub struct RsaKey {
    /// The public half, once there is one.
    pub public: Option<PublicKey>,
    /// The private half, if it is there.
    pub private: Option<PrivateKey>,
}

pub(super) static CIPHER_MODE: EnumDef = EnumDef {
    name: "CipherMode",
    namespace: "System.Security.Cryptography",
    flags: false,
    members: &[("CBC", 1), ("ECB", 2), ("OFB", 3), ("CFB", 4), ("CTS", 5)],
};

pub(super) static PADDING_MODE: EnumDef = EnumDef {
    name: "PaddingMode",
    namespace: "System.Security.Cryptography",
    flags: false,
    members: &[("None", 1), ("PKCS7", 2), ("Zeros", 3), ("ANSIX923", 4), ("ISO10126", 5)],
};

pub(super) fn failed(message: &str) -> Fault {
    throw("CryptographicException", message)
}

// === Hashes ===

pub(super) fn digest(name: &str, bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    match name {
        "MD5" => <md5::Md5 as md5::Digest>::digest(bytes).to_vec(),
        "SHA1" => sha1::Sha1::digest(bytes).to_vec(),
        "SHA384" => sha2::Sha384::digest(bytes).to_vec(),
        "SHA512" => sha2::Sha512::digest(bytes).to_vec(),
        _ => sha2::Sha256::digest(bytes).to_vec(),
    }
}

/// RFC 2104.
fn hmac(name: &str, key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let block = block_bytes(name);
    let mut key = if key.len() > block { digest(name, key) } else { key.to_vec() };
    key.resize(block, 0);
    let padded = |pad: u8, rest: &[u8]| {
        let mut all: Vec<u8> = key.iter().map(|byte| byte ^ pad).collect();
        all.extend_from_slice(rest);
        digest(name, &all)
    };
    padded(0x5c, &padded(0x36, bytes))
}

fn block_bytes(name: &str) -> usize {
    if matches!(name, "SHA384" | "SHA512") { 128 } else { 64 }
}

fn hasher(call: &mut Call<'_>) -> Result<Value, Fault> {
    let class = call.member.owner;
    let key = match class.strip_prefix("HMAC") {
        None => Value::Null,
        Some(_) if call.count() > 0 => Value::bytes(call.bytes(0)?),
        Some(inner) => {
            let mut bytes = vec![0; block_bytes(inner)];
            call.host.random(&mut bytes);
            Value::bytes(bytes)
        }
    };
    let fields = vec![("Key", key), ("Hash", Value::Null), ("Pending", Value::bytes(Vec::new()))];
    Ok(cell::make(Type::class(class), fields))
}

/// `HashAlgorithm.Create(name)` and its kin: a name is the algorithm, or null.
fn hasher_named(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = call.text(0)?.to_ascii_uppercase().replace('-', "");
    let name = name.rsplit('.').next().unwrap_or("").trim_end_matches("MANAGED").to_owned();
    let known = HASHES.iter().find(|known| **known == name || (name == "SHA" && **known == "SHA1"));
    let fields = vec![("Key", Value::Null), ("Hash", Value::Null), ("Pending", Value::bytes(Vec::new()))];
    Ok(known.map_or(Value::Null, |known| cell::make(Type::class(known), fields)))
}

const HASHES: &[&str] = &["MD5", "SHA1", "SHA256", "SHA384", "SHA512"];

fn hash_of(hasher: &Value, bytes: &[u8]) -> Vec<u8> {
    let class = hasher.type_of().to_string();
    let name = class.trim_end_matches("Managed");
    match name.strip_prefix("HMAC") {
        Some(inner) => hmac(inner, &cell::of(hasher, "Key").as_bytes().unwrap_or_default(), bytes),
        None => digest(name, bytes),
    }
}

/// The part of a byte array that offset and count name.
fn piece(call: &Call<'_>, at: usize) -> Result<Vec<u8>, Fault> {
    let bytes = call.bytes(at)?;
    if call.count() <= at + 1 {
        return Ok(bytes);
    }
    let (from, count) = (call.int(at + 1)?, call.int(at + 2)?);
    let range = usize::try_from(from).ok().zip(usize::try_from(count).ok());
    range
        .and_then(|(from, count)| bytes.get(from..from.checked_add(count)?))
        .map(<[u8]>::to_vec)
        .ok_or_else(|| throw("ArgumentException", "Value was invalid."))
}

fn compute_hash(call: &mut Call<'_>) -> Result<Value, Fault> {
    let hash = Value::bytes(hash_of(call.arg(0), &piece(call, 1)?));
    cell::put(call.arg(0), "Hash", hash.clone());
    Ok(hash)
}

fn hash_size(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::count(hash_of(call.arg(0), b"").len() * 8))
}

/// `TransformBlock` and `TransformFinalBlock`: the hash of all blocks stands in `Hash`.
fn transform_hash(call: &mut Call<'_>) -> Result<Value, Fault> {
    let bytes = call.bytes(1)?;
    let (from, count) = (call.int(2)?, call.int(3)?);
    let range = usize::try_from(from).ok().zip(usize::try_from(count).ok());
    let block = range
        .and_then(|(from, count)| bytes.get(from..from.checked_add(count)?))
        .ok_or_else(|| throw("ArgumentException", "Value was invalid."))?;
    let mut pending = cell::of(call.arg(0), "Pending").as_bytes().unwrap_or_default();
    call.allocate(block.len())?;
    pending.extend_from_slice(block);
    if call.member.name == "TransformBlock" {
        cell::put(call.arg(0), "Pending", Value::bytes(pending));
        return Ok(Value::count(block.len()));
    }
    let hash = hash_of(call.arg(0), &pending);
    cell::put(call.arg(0), "Hash", Value::bytes(hash));
    cell::put(call.arg(0), "Pending", Value::bytes(Vec::new()));
    Ok(Value::bytes(block.to_vec()))
}

// === Symmetric encryption ===

/// A symmetric algorithm with mode and padding.
pub(super) struct Cipher(cipher::Cipher);

impl Cipher {
    /// By a name that `SymmetricAlgorithm.Create` knows; CBC, PKCS#7.
    pub(super) fn named(name: &str) -> Result<Self, Fault> {
        let algorithm = match name.rsplit('.').next().unwrap_or("").to_ascii_lowercase().as_str() {
            "aes" | "rijndael" | "rijndaelmanaged" | "aesmanaged" | "aescryptoserviceprovider" => {
                cipher::Algorithm::Aes
            }
            "tripledes" | "3des" | "desede3" | "desede" | "triple des" => cipher::Algorithm::TripleDes,
            other => {
                return Err(failed(&format!(
                    "The algorithm '{other}' is not supported; AES and TripleDES are."
                )));
            }
        };
        Ok(Self(cipher::Cipher { algorithm, mode: cipher::Mode::Cbc, padding: cipher::Padding::Pkcs7 }))
    }

    /// As a `SymmetricAlgorithm` is set up.
    pub(super) fn of(value: &Value) -> Result<Self, Fault> {
        if value.is_null() {
            return Err(argument_null("alg"));
        }
        let Self(mut cipher) = Self::named(&cell::of(value, "Name").to_text())?;
        cipher.mode = match cell::of(value, "Mode").as_int() {
            Some(1) => cipher::Mode::Cbc,
            Some(2) => cipher::Mode::Ecb,
            _ => return Err(failed("Specified cipher mode is not valid for this algorithm.")),
        };
        cipher.padding = match cell::of(value, "Padding").as_int() {
            Some(1) => cipher::Padding::None,
            Some(2) => cipher::Padding::Pkcs7,
            Some(3) => cipher::Padding::Zeros,
            _ => return Err(failed("Specified padding mode is not valid for this algorithm.")),
        };
        Ok(Self(cipher))
    }

    pub(super) fn run(&self, decrypt: bool, key: &[u8], iv: &[u8], input: &[u8]) -> Result<Vec<u8>, Fault> {
        let made = if decrypt { self.0.decrypt(key, iv, input) } else { self.0.encrypt(key, iv, input) };
        made.map_err(|error| {
            failed(match error {
                cipher::CipherError::Key => "Specified key is not a valid size for this algorithm.",
                cipher::CipherError::Iv => {
                    "Specified initialization vector (IV) does not match the block size for this algorithm."
                }
                cipher::CipherError::Length => "The input data is not a complete block.",
                cipher::CipherError::Padding => "Padding is invalid and cannot be removed.",
            })
        })
    }
}

fn symmetric(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = if call.count() > 0 { call.text(0)?.to_string() } else { call.member.owner.to_owned() };
    let Ok(Cipher(cipher)) = Cipher::named(&name) else { return Ok(Value::Null) };
    let (class, key_bytes) = match cipher.algorithm {
        cipher::Algorithm::Aes => ("Aes", 32),
        cipher::Algorithm::TripleDes => ("TripleDES", 24),
    };
    let (mut key, mut iv) = (vec![0; key_bytes], vec![0; cipher.algorithm.block_bytes()]);
    call.host.random(&mut key);
    call.host.random(&mut iv);
    Ok(cell::make(
        Type::class(class),
        vec![
            ("Name", Value::str(class)),
            ("Key", Value::bytes(key)),
            ("IV", Value::bytes(iv)),
            ("Mode", Value::Enum(&CIPHER_MODE, 1)),
            ("Padding", Value::Enum(&PADDING_MODE, 2)),
        ],
    ))
}

fn sizes(call: &mut Call<'_>) -> Result<Value, Fault> {
    let field = if call.member.name == "KeySize" { "Key" } else { "IV" };
    Ok(Value::count(cell::of(call.arg(0), field).as_bytes().unwrap_or_default().len() * 8))
}

fn generate(call: &mut Call<'_>) -> Result<Value, Fault> {
    let field = if call.member.name == "GenerateIV" { "IV" } else { "Key" };
    let mut bytes = cell::of(call.arg(0), field).as_bytes().unwrap_or_default();
    if let (true, Some(bits)) = (call.member.name == "KeySize", call.arg(1).as_int()) {
        if !matches!(bits, 128 | 192 | 256) {
            return Err(failed("Specified key is not a valid size for this algorithm."));
        }
        bytes = vec![0; bits as usize / 8];
    }
    call.host.random(&mut bytes);
    cell::put(call.arg(0), field, Value::bytes(bytes));
    Ok(call.arg(1).clone())
}

fn transform(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (key, iv) = match call.count() {
        1 => (cell::of(call.arg(0), "Key"), cell::of(call.arg(0), "IV")),
        _ => (call.arg(1).clone(), call.arg(2).clone()),
    };
    let decrypt = Value::Bool(call.member.name == "CreateDecryptor");
    let field = |name| cell::of(call.arg(0), name);
    Ok(cell::make(
        Type::class("ICryptoTransform"),
        vec![
            ("Name", field("Name")),
            ("Mode", field("Mode")),
            ("Padding", field("Padding")),
            ("Key", key),
            ("IV", iv),
            ("Decrypt", decrypt),
        ],
    ))
}

fn transform_final(call: &mut Call<'_>) -> Result<Value, Fault> {
    let input = piece(call, 1)?;
    call.allocate(input.len().saturating_mul(2))?;
    let me = call.arg(0);
    let bytes = |name| cell::of(me, name).as_bytes().unwrap_or_default();
    let decrypt = cell::of(me, "Decrypt").as_bool() == Some(true);
    Cipher::of(me)?.run(decrypt, &bytes("Key"), &bytes("IV"), &input).map(Value::bytes)
}

// === RSA ===

pub(super) fn rsa_value(public: Option<PublicKey>, private: Option<PrivateKey>) -> Value {
    Value::object(Object::Rsa(Mutex::new(RsaKey { public, private })))
}

fn rsa_key(call: &Call<'_>) -> Result<RsaKey, Fault> {
    match &*call.object(0)? {
        Object::Rsa(key) => Ok(lock(key).clone()),
        _ => Err(call.missing(0)),
    }
}

fn new_rsa(_: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(rsa_value(None, None))
}

fn named_option(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::record(call.member.owner, vec![("Name", Value::str(&call.member.name))]))
}

fn hash_name(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::record("HashAlgorithmName", vec![("Name", Value::Str(call.text(0)?))]))
}

fn option(call: &Call<'_>, class: &str) -> String {
    let found = call.args.iter().find(|arg| arg.type_of().is(class));
    found.map(|arg| super::context::named(arg, "Name").to_text()).unwrap_or_default()
}

fn scheme(call: &Call<'_>) -> Result<(rsa::Scheme, rsa::Hash, String), Fault> {
    let name = option(call, "HashAlgorithmName");
    let hash = match name.as_str() {
        "SHA1" => rsa::Hash::Sha1,
        "SHA256" => rsa::Hash::Sha256,
        "SHA384" => rsa::Hash::Sha384,
        "SHA512" => rsa::Hash::Sha512,
        other => return Err(failed(&format!("'{other}' is not a known hash algorithm."))),
    };
    let scheme =
        if option(call, "RSASignaturePadding") == "Pss" { rsa::Scheme::Pss } else { rsa::Scheme::Pkcs1 };
    Ok((scheme, hash, name))
}

fn rsa_failed(error: rsa::RsaError) -> Fault {
    failed(match error {
        rsa::RsaError::Key => "The key does not fit the operation.",
        rsa::RsaError::Hash => "Signatures with SHA1 are not made; use SHA256, SHA384 or SHA512.",
        rsa::RsaError::Data => "The parameter is incorrect.",
    })
}

fn no_key() -> Fault {
    failed("Key does not exist.")
}

fn sign(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (key, input) = (rsa_key(call)?.private.ok_or_else(no_key)?, call.bytes(1)?);
    let (scheme, hash, _) = scheme(call)?;
    let made = match call.member.name.as_str() {
        "SignHash" => rsa::sign_digest(&key, &input, scheme, hash),
        _ => rsa::sign(&key, &input, scheme, hash),
    };
    made.map(Value::bytes).map_err(rsa_failed)
}

fn verify(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (key, input, signature) = (rsa_key(call)?.public.ok_or_else(no_key)?, call.bytes(1)?, call.bytes(2)?);
    let (scheme, hash, _) = scheme(call)?;
    Ok(Value::Bool(match call.member.name.as_str() {
        "VerifyHash" => rsa::verify_digest(&key, &input, &signature, scheme, hash),
        _ => rsa::verify(&key, &input, &signature, scheme, hash),
    }))
}

fn padding(call: &Call<'_>) -> rsa::Padding {
    match option(call, "RSAEncryptionPadding").as_str() {
        "OaepSHA1" => rsa::Padding::Oaep(rsa::Hash::Sha1),
        "OaepSHA256" => rsa::Padding::Oaep(rsa::Hash::Sha256),
        "OaepSHA384" => rsa::Padding::Oaep(rsa::Hash::Sha384),
        "OaepSHA512" => rsa::Padding::Oaep(rsa::Hash::Sha512),
        _ => rsa::Padding::Pkcs1,
    }
}

fn rsa_crypt(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (key, input, padding) = (rsa_key(call)?, call.bytes(1)?, padding(call));
    let made = if call.member.name == "Encrypt" {
        rsa::encrypt(&key.public.ok_or_else(no_key)?, &input, padding)
    } else {
        rsa::decrypt(&key.private.ok_or_else(no_key)?, &input, padding)
    };
    made.map(Value::bytes).map_err(rsa_failed)
}

fn rsa_size(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (modulus, _) = rsa::public_numbers(&rsa_key(call)?.public.ok_or_else(no_key)?).map_err(rsa_failed)?;
    Ok(Value::count(modulus.len() * 8))
}

fn export(call: &mut Call<'_>) -> Result<Value, Fault> {
    if call.truth(1) {
        return Err(failed("Private keys are not exported."));
    }
    let (modulus, exponent) =
        rsa::public_numbers(&rsa_key(call)?.public.ok_or_else(no_key)?).map_err(rsa_failed)?;
    Ok(cell::make(
        Type::class("RSAParameters"),
        vec![("Modulus", Value::bytes(modulus)), ("Exponent", Value::bytes(exponent))],
    ))
}

fn new_parameters(_: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(cell::make(Type::class("RSAParameters"), vec![("Modulus", Value::Null), ("Exponent", Value::Null)]))
}

fn import(call: &mut Call<'_>) -> Result<Value, Fault> {
    let field = |name| cell::of(call.arg(1), name).as_bytes().unwrap_or_default();
    let key = PublicKey::rsa(&field("Modulus"), &field("Exponent"));
    match &*call.object(0)? {
        Object::Rsa(place) => *lock(place) = RsaKey { public: Some(key), private: None },
        _ => return Err(call.missing(0)),
    }
    Ok(Value::Null)
}

// === Random ===

fn new_random(_: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(cell::make(Type::class("RNGCryptoServiceProvider"), Vec::new()))
}

fn fill(call: &mut Call<'_>) -> Result<Value, Fault> {
    let object = call.object(1)?;
    let Object::Bytes(bytes) = &*object else { return Err(call.missing(1)) };
    call.host.random(&mut lock(bytes));
    if call.member.name == "GetNonZeroBytes" {
        lock(bytes).iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = 1);
    }
    Ok(Value::Null)
}

/// An identifier with its Windows name.
pub(super) fn oid(value: &str, name: &str) -> Value {
    Value::record("Oid", vec![("Value", Value::str(value)), ("FriendlyName", Value::str(name))])
}

fn new_oid(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(oid(&call.text(0)?, if call.count() > 1 { call.arg(1).as_str().unwrap_or("") } else { "" }))
}

const SPACE: TypeDef = TypeDef { namespace: "System.Security.Cryptography", ..PLAIN };
const HASHER: TypeDef = TypeDef { bases: &["HashAlgorithm"], ..SPACE };
const KEYED: TypeDef = TypeDef { bases: &["HMAC"], ..SPACE };

macro_rules! hashes {
    ($($plain:literal $managed:literal $keyed:literal),*) => {
        &[
            $(
                TypeDef { name: $plain, rows: &[Row(concat!("static ", $plain, " Create()"), hasher)], ..HASHER },
                TypeDef { name: $managed, rows: &[Row("new()", hasher)], ..HASHER },
                TypeDef { name: $keyed, rows: &[Row("new(); new(byte[] key)", hasher)], ..KEYED },
            )*
            TypeDef {
                name: "HashAlgorithm",
                rows: &[
                    Row("byte[] ComputeHash(byte[] buffer); byte[] ComputeHash(byte[] buffer, int offset, int count)", compute_hash),
                    Row("static HashAlgorithm Create(string hashName)", hasher_named),
                    Row("int HashSize", hash_size),
                    Row("byte[] Hash", cell::get),
                    Row("int TransformBlock(byte[] inputBuffer, int inputOffset, int inputCount, byte[] outputBuffer, int outputOffset); byte[] TransformFinalBlock(byte[] inputBuffer, int inputOffset, int inputCount)", transform_hash),
                    Row("void Dispose(); void Clear(); void Initialize()", cell::nothing),
                ],
                ..SPACE
            },
            TypeDef {
                name: "KeyedHashAlgorithm",
                bases: &["HashAlgorithm"],
                rows: &[Row("byte[] Key", cell::get), Row("set byte[] Key", cell::set)],
                ..SPACE
            },
            TypeDef { name: "HMAC", bases: &["KeyedHashAlgorithm"], ..SPACE },
            TypeDef {
                name: "SymmetricAlgorithm",
                rows: &[
                    Row("static SymmetricAlgorithm Create(string algName)", symmetric),
                    Row("byte[] Key; byte[] IV; CipherMode Mode; PaddingMode Padding", cell::get),
                    Row("set byte[] Key; set byte[] IV; set CipherMode Mode; set PaddingMode Padding", cell::set),
                    Row("int KeySize; int BlockSize", sizes),
                    Row("set int KeySize; void GenerateKey(); void GenerateIV()", generate),
                    Row("ICryptoTransform CreateEncryptor(); ICryptoTransform CreateDecryptor(); ICryptoTransform CreateEncryptor(byte[] rgbKey, byte[] rgbIV); ICryptoTransform CreateDecryptor(byte[] rgbKey, byte[] rgbIV)", transform),
                    Row("void Dispose(); void Clear()", cell::nothing),
                ],
                ..SPACE
            },
            TypeDef { name: "Aes", lenient: true, bases: &["SymmetricAlgorithm"], rows: &[Row("static Aes Create()", symmetric)], ..SPACE },
            TypeDef { name: "TripleDES", lenient: true, bases: &["SymmetricAlgorithm"], rows: &[Row("static TripleDES Create()", symmetric)], ..SPACE },
            TypeDef {
                name: "ICryptoTransform",
                rows: &[
                    Row("byte[] TransformFinalBlock(byte[] inputBuffer, int inputOffset, int inputCount)", transform_final),
                    Row("void Dispose()", cell::nothing),
                ],
                ..SPACE
            },
            TypeDef {
                name: "AsymmetricAlgorithm",
                rows: &[Row("int KeySize", rsa_size), Row("void Dispose(); void Clear()", cell::nothing)],
                ..SPACE
            },
            TypeDef {
                name: "RSA",
                bases: &["AsymmetricAlgorithm"],
                rows: &[
                    Row("static RSA Create()", new_rsa),
                    Row("byte[] SignData(byte[] data, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding); byte[] SignHash(byte[] hash, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding)", sign),
                    Row("bool VerifyData(byte[] data, byte[] signature, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding); bool VerifyHash(byte[] hash, byte[] signature, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding)", verify),
                    Row("byte[] Encrypt(byte[] data, RSAEncryptionPadding padding); byte[] Decrypt(byte[] data, RSAEncryptionPadding padding)", rsa_crypt),
                    Row("RSAParameters ExportParameters(bool includePrivateParameters)", export),
                    Row("void ImportParameters(RSAParameters parameters)", import),
                ],
                ..SPACE
            },
            TypeDef {
                name: "RSAParameters",
                lenient: true,
                rows: &[
                    Row("new()", new_parameters),
                    Row("byte[] Modulus; byte[] Exponent", cell::get),
                    Row("set byte[] Modulus; set byte[] Exponent", cell::set),
                ],
                ..SPACE
            },
            TypeDef {
                name: "HashAlgorithmName",
                rows: &[
                    Row("new(string name)", hash_name),
                    Row("static HashAlgorithmName MD5; static HashAlgorithmName SHA1; static HashAlgorithmName SHA256; static HashAlgorithmName SHA384; static HashAlgorithmName SHA512", named_option),
                    Row("string Name", super::context::field),
                    Row("string ToString()", hash_text),
                ],
                ..SPACE
            },
            TypeDef { name: "RSASignaturePadding", rows: &[Row("static RSASignaturePadding Pkcs1; static RSASignaturePadding Pss", named_option)], ..SPACE },
            TypeDef {
                name: "RSAEncryptionPadding",
                rows: &[Row("static RSAEncryptionPadding Pkcs1; static RSAEncryptionPadding OaepSHA1; static RSAEncryptionPadding OaepSHA256; static RSAEncryptionPadding OaepSHA384; static RSAEncryptionPadding OaepSHA512", named_option)],
                ..SPACE
            },
            TypeDef {
                name: "RNGCryptoServiceProvider",
                rows: &[
                    Row("new()", new_random),
                    Row("void GetBytes(byte[] data); void GetNonZeroBytes(byte[] data)", fill),
                    Row("void Dispose()", cell::nothing),
                ],
                ..SPACE
            },
            TypeDef {
                name: "Oid",
                rows: &[
                    Row("new(string oid); new(string value, string friendlyName)", new_oid),
                    Row("string Value; string FriendlyName", super::context::field),
                ],
                ..SPACE
            },
        ]
    };
}

fn hash_text(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(super::context::named(call.arg(0), "Name"))
}

pub(super) const TYPES: &[TypeDef] = hashes!(
    "MD5" "MD5Managed" "HMACMD5",
    "SHA1" "SHA1Managed" "HMACSHA1",
    "SHA256" "SHA256Managed" "HMACSHA256",
    "SHA384" "SHA384Managed" "HMACSHA384",
    "SHA512" "SHA512Managed" "HMACSHA512"
);

/// The key of a certificate, or null when it is not RSA.
pub(super) fn certificate_key(call: &mut Call<'_>) -> Result<Value, Fault> {
    let object: Arc<Object> = call.object(0)?;
    let Object::Certificate(held) = &*object else { return Err(call.missing(0)) };
    let public = held.certificate.public_key().clone();
    if !matches!(public.algorithm, handfast_pki::KeyAlgorithm::Rsa(_)) {
        return Ok(Value::Null);
    }
    Ok(match (call.member.name.as_str(), &held.key) {
        ("GetRSAPublicKey", _) => rsa_value(Some(public), None),
        (_, Some(key)) => rsa_value(Some(public), Some(key.clone())),
        _ => Value::Null,
    })
}
