#!/bin/sh
# The example worker, beside a mock provider on the container's loopback interface unless PROVIDER_URL names a real one.
set -eu
cd /opt/sendgate
if [ -z "${PROVIDER_URL:-}" ]; then
    python3 provider.py --accounts accounts.csv --ledger /tmp/ledger.jsonl > /tmp/provider &
    until PROVIDER_URL=$(sed -n 's/^listening on //p' /tmp/provider) && [ -n "$PROVIDER_URL" ]; do
        sleep 0.1
    done
fi
export PROVIDER_URL
exec python3 worker.py
