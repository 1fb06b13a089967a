#!/bin/sh
# Makes what the containers of compose.yaml need and no image has: passwords, a certificate for the server, an
# operator's token. Each container sees its own directory of /secrets alone. Once: what is there is left as it is.
set -eu
umask 077
cd /secrets
if [ -e server/complete ]; then
    exit 0
fi
rm -f server/* daemon/* worker/*

secret() {
    openssl rand -hex 24
}

key() {
    openssl req "$@" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes 2>/dev/null
}

# An authority that signs this one certificate; its key is thrown away.
key -x509 -days 3650 -subj "/CN=sendgate's own authority" -keyout server/authority.key -out server/authority.crt
key -subj "/CN=sendgate" -keyout server/server.key -out server/server.csr
for name in ${GATE_NAMES:-server localhost}; do
    printf '%sDNS:%s' "${names:+,}" "$name"
    names=some
done | sed 's/^/subjectAltName=/' > server/names
openssl x509 -req -in server/server.csr -CA server/authority.crt -CAkey server/authority.key -set_serial 1 \
    -days 3650 -extfile server/names -out server/server.crt 2>/dev/null
rm server/authority.key server/server.csr server/names

secret > server/superuser
secret > server/sendgated
secret > server/app_worker
cp server/sendgated daemon/password
printf '*:*:*:app_worker:%s\n' "$(cat server/app_worker)" > worker/pgpass
printf '[tokens]\noperator = "%s"\n' "$(secret)" > daemon/tokens.toml
cp server/authority.crt daemon/
cp server/authority.crt worker/
chown -R postgres server
chown -R nobody daemon worker
touch server/complete
