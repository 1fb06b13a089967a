#!/bin/sh
# PostgreSQL's image runs this once, in the new cluster: the extension, the two logins, and TLS for every connection.
set -eu
psql -X -q -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'END'
\set daemon `cat /secrets/sendgated`
\set worker `cat /secrets/app_worker`
CREATE EXTENSION sendgate;
CREATE ROLE sendgated LOGIN PASSWORD :'daemon';
GRANT sendgate_daemon TO sendgated;
CREATE ROLE app_worker LOGIN PASSWORD :'worker';
GRANT sendgate_sender TO app_worker;
END
sed -i 's/^host all all all /hostssl all all all /' "$PGDATA/pg_hba.conf"
grep -q '^hostssl all all all ' "$PGDATA/pg_hba.conf"
