//! What stands in the certificates that the authority signs.

use super::{CaError, Request, Usage};
use crate::certificate::Certificate;
use crate::civil;
use crate::der::{self, context, context_primitive, tag};
use crate::name::Name;
use crate::path::{CLIENT_AUTH, SERVER_AUTH};
use crate::private_key::{KeyError, PrivateKey};
use crate::public_key::PublicKey;
use aws_lc_rs::rand;
use handfast_core::UnixTime;
use std::net::IpAddr;

/// Which extensions a certificate gets.
pub(super) enum Kind<'a> {
    Root,
    Intermediate { domains: &'a [&'a str] },
    Leaf(&'a Request),
}

/// A certificate before it is signed.
pub(super) struct Template<'a> {
    pub(super) subject: &'a str,
    pub(super) not_before: UnixTime,
    pub(super) not_after: UnixTime,
    pub(super) public_key: &'a PublicKey,
    pub(super) kind: Kind<'a>,
}

impl Template<'_> {
    /// Signs with the issuer's key; without an issuer the certificate is its own.
    pub(super) fn sign(
        &self,
        issuer: Option<&Certificate>,
        key: &PrivateKey,
    ) -> Result<Certificate, CaError> {
        // The algorithm's identifier comes with a signature; it is needed inside the signed part as well.
        let (algorithm, _) = key.sign(&[])?;
        let subject = Name::common_name_only(self.subject);
        let issuer_name = issuer.map_or_else(|| subject.clone(), |issuer| issuer.subject().der().to_vec());
        let validity = der::sequence(&[civil::write(self.not_before), civil::write(self.not_after)]);
        let issuer_key_id = issuer.map_or_else(
            || self.public_key.identifier().to_vec(),
            |issuer| {
                issuer
                    .subject_key_id()
                    .map_or_else(|| issuer.public_key().identifier().to_vec(), <[u8]>::to_vec)
            },
        );
        let tbs = der::sequence(&[
            der::tlv(context(0), &der::small(2)),
            der::integer(&serial()?),
            algorithm.clone(),
            issuer_name,
            validity,
            subject,
            self.public_key.spki_der(),
            der::tlv(context(3), &der::sequence(&self.extensions(&issuer_key_id))),
        ]);
        let (_, signature) = key.sign(&tbs)?;
        Ok(Certificate::parse(&der::sequence(&[tbs, algorithm, der::bits(&signature)]))?)
    }

    fn extensions(&self, issuer_key_id: &[u8]) -> Vec<Vec<u8>> {
        let mut list = vec![
            extension("2.5.29.14", false, &der::octets(&self.public_key.identifier())),
            extension("2.5.29.35", false, &der::sequence(&[der::tlv(context_primitive(0), issuer_key_id)])),
        ];
        let authority = |path_length: Option<u32>| {
            let mut fields = vec![der::tlv(tag::BOOLEAN, &[0xff])];
            fields.extend(path_length.map(der::small));
            extension("2.5.29.19", true, &der::sequence(&fields))
        };
        match &self.kind {
            Kind::Root => {
                list.push(authority(None));
                list.push(key_usage(&[5, 6]));
            }
            Kind::Intermediate { domains } => {
                list.push(authority(Some(0)));
                list.push(key_usage(&[5, 6]));
                if !domains.is_empty() {
                    list.push(name_constraints(domains));
                }
            }
            Kind::Leaf(request) => {
                list.push(extension("2.5.29.19", true, &der::sequence::<Vec<u8>>(&[])));
                list.push(key_usage(&[0]));
                list.push(extended_key_usage(request.usage));
                list.extend(subject_alt_names(request));
            }
        }
        list
    }
}

/// 16 random bytes, positive and without a leading zero.
fn serial() -> Result<[u8; 16], CaError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| KeyError::Refused("random bytes".to_owned()))?;
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    Ok(bytes)
}

fn extension(oid: &str, critical: bool, content: &[u8]) -> Vec<u8> {
    let mut parts = vec![der::oid(oid)];
    if critical {
        parts.push(der::tlv(tag::BOOLEAN, &[0xff]));
    }
    parts.push(der::octets(content));
    der::sequence(&parts)
}

/// KeyUsage with the given bits, of the first eight.
fn key_usage(bits: &[u8]) -> Vec<u8> {
    let byte = bits.iter().fold(0u8, |byte, bit| byte | (0x80 >> bit));
    extension("2.5.29.15", true, &der::tlv(tag::BIT_STRING, &[byte.trailing_zeros() as u8, byte]))
}

fn extended_key_usage(usage: Usage) -> Vec<u8> {
    let purposes: &[&str] = match usage {
        Usage::Server => &[SERVER_AUTH],
        Usage::Client => &[CLIENT_AUTH],
        Usage::Workload => &[SERVER_AUTH, CLIENT_AUTH],
    };
    let list: Vec<Vec<u8>> = purposes.iter().map(|oid| der::oid(oid)).collect();
    extension("2.5.29.37", false, &der::sequence(&list))
}

fn subject_alt_names(request: &Request) -> Option<Vec<u8>> {
    let dns = request.dns_names.iter().map(|name| der::tlv(context_primitive(2), name.as_bytes()));
    let ip = request.ip_addresses.iter().map(|address| match address {
        IpAddr::V4(four) => der::tlv(context_primitive(7), &four.octets()),
        IpAddr::V6(six) => der::tlv(context_primitive(7), &six.octets()),
    });
    let uri = request.uris.iter().map(|uri| der::tlv(context_primitive(6), uri.as_bytes()));
    let names: Vec<Vec<u8>> = dns.chain(ip).chain(uri).collect();
    (!names.is_empty()).then(|| extension("2.5.29.17", false, &der::sequence(&names)))
}

/// Only these domains and what lies below them.
fn name_constraints(domains: &[&str]) -> Vec<u8> {
    let subtrees: Vec<Vec<u8>> = domains
        .iter()
        .map(|domain| der::sequence(&[der::tlv(context_primitive(2), domain.as_bytes())]))
        .collect();
    extension("2.5.29.30", true, &der::sequence(&[der::constructed(context(0), &subtrees)]))
}
