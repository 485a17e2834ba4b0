#!/usr/bin/env bash
# Builds Handfast, makes the example's certificates, starts its two microservices and runs
# `handfast up examples/mtls-chain`. Further arguments go to `handfast up`. Ctrl-C ends all of it.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build --release -p handfast -p contoso-service
bin=${CARGO_TARGET_DIR:-target}/release
example=examples/mtls-chain
"$example/make-certificates.sh"
certs=$example/.generated
services=()
trap 'kill "${services[@]}" 2>/dev/null || true' EXIT
port=9441
for name in orders customers; do
  "$bin/contoso-service" --name "$name" --listen "127.0.0.1:$port" --certificate "$certs/$name.localhost.pem" \
    --key "$certs/$name.localhost.key" --client-ca "$certs/internal-root.pem" &
  services+=($!)
  port=$((port + 1))
done
"$bin/handfast" up "$example" --parameters "$certs/main.parameters.json" "$@"
