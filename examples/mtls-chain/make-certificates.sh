#!/usr/bin/env bash
# Makes the certificates of the example with the openssl command, into .generated/, and the parameter file
# that carries them into the template, and a token of the partner's. Does nothing when they exist and are younger than 30 days.
#
#   partner root ── development intermediate ── valid, expired, future      clients of the shop
#                └─ test intermediate ───────── sibling                     a client that must be refused
#   other root ──────────────────────────────── unknown                     a client that must be refused
#   internal root ── shop.localhost, gateway.contoso.internal, orders.localhost, customers.localhost (servers)
#                 └─ edge, gateway                                          (clients: the hops between them)
set -euo pipefail
cd "$(dirname "$0")"
out=.generated
if [ -f "$out/partner.jwt" ] && [ -f "$out/main.parameters.json" ] && [ -n "$(find "$out/main.parameters.json" -mtime -30)" ]; then
  exit 0
fi
rm -rf "$out"
mkdir -p "$out"
chmod 700 "$out"
cd "$out"

# A small authority that can set any dates, which `openssl x509 -req` of OpenSSL 3.0 cannot.
cat >openssl.cnf <<'CNF'
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
serial = serial
default_md = sha256
policy = any
copy_extensions = none
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = dn
prompt = no
[dn]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[intermediate]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:$ENV::SAN
[client]
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth
CNF
: >index.txt
echo 1000 >serial
export SAN=unused

root() { # name, common name
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.pem" -days 3650 -subj "/CN=$2" \
    -config openssl.cnf -extensions root 2>/dev/null
}

issue() { # name, common name, issuer, profile, start, end
  openssl req -new -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$2" -config openssl.cnf 2>/dev/null
  SAN=$2 openssl ca -batch -notext -config openssl.cnf -in "$1.csr" -out "$1.pem" -cert "$3.pem" -keyfile "$3.key" \
    -extensions "$4" -startdate "$5" -enddate "$6" 2>/dev/null
}

pfx() { # name, chain files
  local name=$1
  shift
  cat "$@" >"$name.chain.pem"
  openssl pkcs12 -export -inkey "$name.key" -in "$name.pem" -certfile "$name.chain.pem" -out "$name.pfx" -passout pass:P@ssw0rd
}

now=$(date -u -d '-1 hour' +%Y%m%d%H%M%SZ)
year=$(date -u -d '+365 days' +%Y%m%d%H%M%SZ)
later=$(date -u -d '+730 days' +%Y%m%d%H%M%SZ)
past=$(date -u -d '-30 days' +%Y%m%d%H%M%SZ)

root partner-root "Partner Root"
issue development "Partner Development" partner-root intermediate "$past" "$later"
issue test "Partner Test" partner-root intermediate "$past" "$later"
issue valid "Valid Client" development client "$now" "$year"
issue expired "Expired Client" development client "$past" "$now"
issue future "Future Client" development client "$year" "$later"
issue sibling "Sibling Client" test client "$now" "$year"
root other-root "Other Root"
issue unknown "Unknown Client" other-root client "$now" "$year"
for client in valid expired future; do cat "$client.pem" development.pem >"$client.chain.pem"; done
cat sibling.pem test.pem >sibling.chain.pem
cp unknown.pem unknown.chain.pem

root internal-root "Contoso Internal Root"
for server in shop.localhost gateway.contoso.internal orders.localhost customers.localhost; do
  issue "$server" "$server" internal-root server "$now" "$year"
done
issue edge "edge.contoso.internal" internal-root client "$now" "$year"
issue gateway "gateway.contoso.internal" internal-root client "$now" "$year"
for name in shop.localhost gateway.contoso.internal edge gateway; do pfx "$name" internal-root.pem; done

# The partner's token: it may write orders, for as long as the certificates are kept and a little longer.
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
openssl genrsa -out partner-token.key 2048 2>/dev/null
modulus=$(openssl rsa -in partner-token.key -noout -modulus | cut -d= -f2)
modulus=$(printf '%b' "$(sed 's/../\\x&/g' <<<"$modulus")" | base64url)
claims="{\"iss\":\"https://partner.localhost/\",\"sub\":\"partner-7\",\"aud\":\"https://shop.localhost/orders\",\"scope\":\"orders.read orders.write\",\"exp\":$(date -d '+40 days' +%s)}"
token=$(printf '{"alg":"RS256","typ":"JWT"}' | base64url).$(printf '%s' "$claims" | base64url)
printf '%s.%s' "$token" "$(printf '%s' "$token" | openssl dgst -sha256 -sign partner-token.key | base64url)" >partner.jwt

base64_of() { openssl base64 -A -in "$1"; }
cat development.pem partner-root.pem >partner-bundle.pem
cat >main.parameters.json <<JSON
{
  "\$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {
    "pfxPassword": { "value": "P@ssw0rd" },
    "shopPfx": { "value": "$(base64_of shop.localhost.pfx)" },
    "edgeClientPfx": { "value": "$(base64_of edge.pfx)" },
    "gatewayPfx": { "value": "$(base64_of gateway.contoso.internal.pfx)" },
    "gatewayClientPfx": { "value": "$(base64_of gateway.pfx)" },
    "internalRoot": { "value": "$(openssl x509 -in internal-root.pem -outform der | openssl base64 -A)" },
    "partnerBundle": { "value": "$(base64_of partner-bundle.pem)" },
    "subscriptionKey": { "value": "$(openssl rand -hex 16)" },
    "partnerTokenModulus": { "value": "$modulus" }
  }
}
JSON
chmod 600 -- *.key *.pfx partner.jwt main.parameters.json
