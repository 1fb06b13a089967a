// A sending worker: asks the gate before every call to the provider, and tells it what came back.
//
//     node worker.mjs PROSPECTS.CSV SHARE OF     # e.g. prospects.csv 0 4: the first of four workers
//
// DATABASE_URL (or PGHOST, PGPORT, …) is a role granted sendgate_sender, PROVIDER_URL the provider.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

const MESSAGES_URL = new URL(`${process.env.PROVIDER_URL}/api/v1/messages`); // a wrong one ends here
const PROVIDER_TIMEOUT_MS = 4000;
const PAUSE_MS = 5000; // before asking again after a failed attempt; the gate may say longer
const DATABASE_TRIES_MAX = 12; // about half a minute of restart or failover
const FAILURES_MAX = 5; // in a row: then it is not the prospects, and going on only takes more slots
const CHAT_ID_CHARACTERS_MAX = 2000; // this and the next are what the gate accepts
const RETRY_AFTER_SECONDS_MAX = 366 * 24 * 60 * 60;
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

// The connection broke (no severity: it was not the server who spoke), or the server is going down or
// coming up (57P…, 08…, 53…).
const lost = (error) => !error.severity || /^(57P|08|53|40)/.test(error.code);

function end(message) {
  console.error(message);
  process.exit(1);
}

// One autocommitted call. Repeating it after a lost connection is safe: the same operation id gets
// the same grant from reserve, and confirm and rollback take effect at most once.
async function gate(sql, ...values) {
  for (let attempt = 1; ; attempt++) {
    try {
      client ??= await connect();
      return (await client.query(sql, values)).rows[0];
    } catch (error) {
      // Given up, the operation stays reserved, expires, and is listed for the operators.
      const last = attempt === DATABASE_TRIES_MAX;
      if (last && lost(error)) end(`the database does not answer: ${error.code} ${error.message}`);
      // SG3…: somebody held the account's row for too long.
      if (last || !(lost(error) || /^SG3/.test(error.code))) throw error;
      client?.end().catch(() => {});
      client = null;
      await sleep(Math.min(100 * 2 ** attempt, 4000));
    }
  }
}

// A value from JSON as text that PostgreSQL can hold: no NUL.
function text(value) {
  if (value === undefined || value === null) return null;
  return (typeof value === "string" ? value : JSON.stringify(value)).replaceAll("\0", "");
}

// Tries one prospect. Returns when to ask the gate for it again, or null for never.
async function send({ account_id, prospect_id, campaign_id, action }) {
  const operation_id = randomUUID(); // before the call, so that a lost reply can be asked for again
  const slot = await gate("SELECT * FROM sendgate.reserve($1, $2, $3, $4, $5)",
    account_id, action, prospect_id, campaign_id, operation_id);
  if (!slot.proceed) return slot.retry_at; // null: only an event can change it, not ours to wait for
  try {
    return await use(slot, operation_id, { account_id, prospect_id, action });
  } catch (error) {
    // Whatever it was, the message may have left: hold the slot. The type says so, since the text of
    // the error might happen to read like a refusal.
    await giveBack(account_id, operation_id, `the worker failed: ${error}`, "errors/request_timeout");
    throw error;
  }
}

// Makes the one attempt that a slot allows, and reports what came of it.
async function use(slot, operation_id, message) {
  const failed = (...why) => giveBack(message.account_id, operation_id, ...why);
  if (Date.now() + PROVIDER_TIMEOUT_MS > slot.expires_at) return failed(); // never sent: no error
  let status, said;
  try {
    [status, said] = await callProvider({ ...message, operation_id });
  } catch (error) {
    if (error.cause?.code === "ECONNREFUSED") return failed(); // nothing left this machine: never sent
    // Sent or not, nobody can tell. Say so, and never send it again: the slot stays held.
    return failed(`no answer: ${error.cause ?? error}`, "errors/request_timeout");
  }
  // A login page, with 200 too, or a redirect: sent or not?
  if (said === null || (status >= 300 && status < 400)) return failed("unreadable answer", null, status);
  if (status < 200 || status > 299) { // the provider said no; what its words mean is the gate's to know
    const wait = said.retry_after;
    const sane = typeof wait === "number" && wait >= 0 && wait <= RETRY_AFTER_SECONDS_MAX;
    return failed(said.detail, said.type, status, sane ? wait : null); // null: the gate's own cooldown
  }
  let chat_id = text(said.chat_id);
  const isId = chat_id === null || typeof said.chat_id === "string" || Number.isSafeInteger(said.chat_id);
  if (!isId || [...(chat_id ?? "")].length > CHAT_ID_CHARACTERS_MAX) {
    // Delivered, but half or rounded it would be a wrong id: without it, an operator sees to an InMail.
    const start = JSON.stringify(chat_id.slice(0, 60));
    console.error(`operation ${operation_id}: unusable chat_id ${start}…`);
    chat_id = null;
  }
  // A null chat_id is passed on as it is: the gate decides whether that is a proof.
  await gate("SELECT sendgate.confirm($1, $2, $3)", message.account_id, operation_id, chat_id);
  return null;
}

// One request. Returns the status and the JSON object that came with it, or null if unreadable.
async function callProvider(message) {
  const answer = await fetch(MESSAGES_URL, {
    method: "POST",
    body: JSON.stringify(message),
    redirect: "manual", // nobody knows what following one would send
    signal: AbortSignal.timeout(PROVIDER_TIMEOUT_MS),
  });
  const body = await answer.text();
  try {
    const said = JSON.parse(body);
    return [answer.status, said instanceof Object && !Array.isArray(said) ? said : {}];
  } catch {
    return [answer.status, null]; // a proxy's page instead of JSON: the status has to say it all
  }
}

// Reports a failed attempt. Only what the gate has given back may be tried again.
async function giveBack(account_id, operation_id, message, type, status, wait) {
  const { outcome } = await gate(
    "SELECT sendgate.rollback($1, $2, $3, $4, $5, make_interval(secs => $6)) AS outcome",
    account_id, operation_id, text(message), text(type), status, wait);
  return GIVEN_BACK.has(outcome) ? new Date(Date.now() + PAUSE_MS) : null;
}

const [path, share, of] = process.argv.slice(2);
const [header, ...lines] = readFileSync(path, "utf8").trim().split("\n").map((line) => line.split(","));
const due = lines
  .filter((_, number) => number % Number(of) === Number(share))
  .map((line) => ({ at: new Date(), ...Object.fromEntries(header.map((name, i) => [name, line[i]])) }));

let failures = 0;
while (due.length > 0 && !stopping) {
  if (due[0].at > Date.now()) {
    await sleep(100);
    continue;
  }
  const prospect = due.shift();
  let again = null;
  try {
    again = await send(prospect);
    failures = 0;
  } catch (error) {
    // One poisoned prospect must not hold up the others.
    console.error(`${JSON.stringify(prospect)} failed: ${error}`);
    failures += 1;
    if (failures === FAILURES_MAX) end(`${failures} prospects in a row failed: the errors are above`);
  }
  if (again) {
    due.push({ ...prospect, at: again });
    due.sort((a, b) => a.at - b.at); // a stable sort: of those that are due, the first comes first
  }
}
await client?.end();
