// A sending worker: asks the gate before every call to the provider, and tells it what came back.
//
//     node worker.mjs PROSPECTS.CSV SHARE OF     # e.g. prospects.csv 0 4: the first of four workers
//
// DATABASE_URL (or PGHOST, PGPORT, …) is a role granted sendgate_sender, PROVIDER_URL the provider.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

const PROVIDER_TIMEOUT_MS = 4000;
const PAUSE_MS = 5000; // before asking again after a failed attempt; the gate may say longer
const DATABASE_TRIES_MAX = 12; // about half a minute of restart or failover
const GIVEN_BACK = new Set(["released", "transient", "rate_limited", "credits_exhausted"]);

let stopping = false;
let client = null;
process.on("SIGTERM", () => {
  stopping = true; // the attempt in hand is finished first: a cut call is an unknown outcome
});

async function connect() {
  const fresh = new pg.Client(process.env.DATABASE_URL || {});
  fresh.on("error", () => {
    if (client === fresh) client = null; // lost while idle: the next call connects again
  });
  await fresh.connect();
  return fresh;
}

// Worth repeating: the connection broke (no severity: it was not the server who spoke), the server
// is going down or coming up (57P…, 08…, 53…), or the account's row was held for too long (SG3…).
const passes = (error) => !error.severity || /^(57P|08|53|40|SG3)/.test(error.code);

// One autocommitted call. Repeating it after a lost connection is safe: the same operation id gets
// the same grant from reserve, and confirm and rollback take effect at most once.
async function gate(sql, ...values) {
  for (let attempt = 1; ; attempt++) {
    try {
      client ??= await connect();
      return (await client.query(sql, values)).rows[0];
    } catch (error) {
      // Given up, the operation stays reserved, expires, and is listed for the operators.
      if (!passes(error) || attempt === DATABASE_TRIES_MAX) throw error;
      client?.end().catch(() => {});
      client = null;
      await sleep(Math.min(100 * 2 ** attempt, 4000));
    }
  }
}

// Tries one prospect. Returns when to ask the gate for it again, or null for never.
async function send({ account_id, prospect_id, campaign_id, action }) {
  const operation_id = randomUUID(); // before the call, so that a lost reply can be asked for again
  const slot = await gate("SELECT * FROM sendgate.reserve($1, $2, $3, $4, $5)",
    account_id, action, prospect_id, campaign_id, operation_id);
  if (!slot.proceed) return slot.retry_at; // null: only an event can change it, not ours to wait for
  const giveBack = async (message, type, status, wait) => {
    const { outcome } = await gate("SELECT sendgate.rollback($1, $2, $3, $4, $5, $6) AS outcome",
      account_id, operation_id, message, type, status, wait && `${wait} seconds`);
    // Only what the gate has given back may be tried again.
    return GIVEN_BACK.has(outcome) ? new Date(Date.now() + PAUSE_MS) : null;
  };
  if (Date.now() + PROVIDER_TIMEOUT_MS > slot.expires_at) return giveBack(); // never sent: no error
  let answer, said;
  try {
    answer = await fetch(`${process.env.PROVIDER_URL}/api/v1/messages`, {
      method: "POST",
      body: JSON.stringify({ account_id, prospect_id, action, operation_id }),
      signal: AbortSignal.timeout(PROVIDER_TIMEOUT_MS),
    });
    said = await answer.json().catch(() => ({})); // not JSON: the status has to say it all
  } catch (error) {
    if (error.cause?.code === "ECONNREFUSED") return giveBack(); // nothing left this machine: never sent
    // Sent or not, nobody can tell. Say so, and never send it again: the slot stays held.
    return giveBack(`no answer: ${error.cause ?? error}`, "errors/request_timeout");
  }
  // The provider said no; what its words mean is the gate's to know.
  if (!answer.ok) return giveBack(said.detail, said.type, answer.status, said.retry_after);
  // A null chat_id is passed on as it is: the gate decides whether that is a proof.
  await gate("SELECT sendgate.confirm($1, $2, $3)", account_id, operation_id, said.chat_id);
  return null;
}

const [path, share, of] = process.argv.slice(2);
const [header, ...lines] = readFileSync(path, "utf8").trim().split("\n").map((line) => line.split(","));
const due = lines
  .filter((_, number) => number % Number(of) === Number(share))
  .map((line) => ({ at: new Date(), ...Object.fromEntries(header.map((name, i) => [name, line[i]])) }));

while (due.length > 0 && !stopping) {
  if (due[0].at > Date.now()) {
    await sleep(100);
    continue;
  }
  const prospect = due.shift();
  const again = await send(prospect);
  if (again) {
    due.push({ ...prospect, at: again });
    due.sort((a, b) => a.at - b.at); // a stable sort: of those that are due, the first comes first
  }
}
await client?.end();
