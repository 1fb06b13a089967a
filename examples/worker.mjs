// A sending worker: takes what the gate hands out, sends it, and says what came of it.
//
// DATABASE_URL (or PGHOST, PGPORT, …) is a role granted sendgate_sender, PROVIDER_URL the provider.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

const MESSAGES_URL = new URL(`${process.env.PROVIDER_URL}/api/v1/messages`); // a wrong one ends here
const BALANCE_URL = `${process.env.PROVIDER_URL}/api/v1/linkedin/inmail_balance?account_id=`;
const PROVIDER_TIMEOUT_MS = 4000;
const BATCH = 4; // sent at the same time; a worker that dies leaves so many unknown at most
const IDLE_MS = 1000;
const BALANCE_MS = 60 * 60 * 1000; // between two looks at an account's InMail credits
const TRIES_MAX = 12; // about half a minute of restart or failover
const [AWAY_MS, UNANSWERED_MAX] = [5000, 100]; // behind a proxy: when a request is repeated whose partition was away
const CHAT_ID_CHARACTERS_MAX = 2000; // this and the next are what the gate accepts
const RETRY_AFTER_SECONDS_MAX = 366 * 24 * 60 * 60;
const BALANCE = "SELECT sendgate.record_credit_balance($1, $2, $3)";
const DISPATCH = "SELECT * FROM sendgate.dispatch($1, request_id => $2)";
const CONFIRM = "SELECT sendgate.confirm_many($1::text[], $2::uuid[], $3::text[])";
const ROLLBACK = `SELECT sendgate.rollback_many($1::text[], $2::uuid[], $3::text[], $4::text[], $5::int[],
                                                $6::interval[])`;

let client = null;
let stopping = false;
const unanswered = []; // requests of dispatch that a proxy's partition did not answer
let askAgainAt = 0; // when the first of them is
const lookedAt = new Map(); // when this worker met an account with InMails, or last told its balance
process.on("SIGTERM", () => {
  stopping = true; // what is in hand is finished first: a cut call is an unknown outcome
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
const isLost = (error) => !error.severity || /^(57P|08|53|40|XX000)/.test(error.code);
// That is how a proxy says that a partition is away; others are asked for work meanwhile.
const isAway = (error) => error.severity && error.code === "XX000";

// One autocommitted call. Repeating it after a lost connection is safe: the same request id gets the
// same rows from dispatch, and confirm and rollback take effect at most once.
async function gate(sql, ...values) {
  for (let attempt = 1; ; attempt++) {
    try {
      client ??= await connect();
      return (await client.query(sql, values)).rows;
    } catch (error) {
      // SG3…: another session held an account for too long, or the lost call is still at work.
      if (attempt === TRIES_MAX || !(isLost(error) || /^SG3/.test(error.code))) throw error;
      if (isAway(error) && sql === DISPATCH) throw error;
      client?.end().catch(() => {});
      client = null;
      await sleep(Math.min(100 * 2 ** attempt, 4000));
    }
  }
}

// What the gate hands out for a new request, or for one that had no answer: its slots must not be lost.
async function handOut() {
  const request = unanswered.length > 0 && Date.now() >= askAgainAt ? unanswered.shift() : randomUUID();
  try {
    return await gate(DISPATCH, BATCH, request);
  } catch (error) {
    if (!isAway(error)) throw error;
    console.error(`request ${request} is repeated later: ${error}`);
    if (unanswered.length < UNANSWERED_MAX) unanswered.push(request); // the first ones may have been answered on the way
    askAgainAt = Date.now() + AWAY_MS;
    return [];
  }
}

// Makes the one attempt that a slot allows. Returns the call that reports it, and its values.
async function send({ account_id, prospect_id, action, operation_id, expires_at }) {
  const failed = (message, type, status = null, wait = null) =>
    [ROLLBACK, [account_id, operation_id, text(message), text(type), status, wait]];
  if (Date.now() + PROVIDER_TIMEOUT_MS > expires_at) return failed(); // too late to be sure: never sent
  try {
    const [status, said] = await callProvider({ account_id, prospect_id, action, operation_id });
    // A login page, with 200 too, or a redirect: sent or not?
    if (said === null || (status >= 300 && status < 400)) return failed("unreadable answer", null, status);
    if (status >= 200 && status < 300) {
      // Half an id, a rounded one or none is no proof: the gate decides what a delivery without one is.
      const [id, chat_id] = [said.chat_id, text(said.chat_id)];
      const isId = typeof id === "string" || Number.isSafeInteger(id);
      if (isId && chat_id.length <= CHAT_ID_CHARACTERS_MAX) return [CONFIRM, [account_id, operation_id, chat_id]];
      if (chat_id) console.error(`operation ${operation_id}: unusable chat_id ${chat_id.slice(0, 60)}…`);
      return [CONFIRM, [account_id, operation_id, null]];
    }
    const wait = said.retry_after;
    const sane = typeof wait === "number" && wait >= 0 && wait <= RETRY_AFTER_SECONDS_MAX;
    // The provider said no; what its words mean is the gate's to know.
    return failed(said.detail, said.type, status, sane ? `${wait.toFixed(3)} seconds` : null);
  } catch (error) {
    if (error.cause?.code === "ECONNREFUSED") return failed(); // nothing left this machine: never sent
    // The outcome is unknown: the type says so, and the gate never hands it out again by itself.
    return failed(`no answer: ${error.cause ?? error}`, "errors/request_timeout");
  }
}

// One request. Returns the status and the JSON object that came with it, or null if unreadable.
async function callProvider(message) {
  const answer = await fetch(MESSAGES_URL, {
    method: "POST",
    body: JSON.stringify(message),
    redirect: "manual", // following one might send a second time
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

// Tells the InMail credits that the provider shows, once an hour for each account that this worker has met. The
// application tells the first balance, when it sets the account up. Nothing depends on this one: it may fail.
async function tellBalances(rows) {
  const now = Date.now();
  for (const { account_id, action } of rows)
    if (action === "inmail" && !lookedAt.has(account_id)) lookedAt.set(account_id, now);
  for (const [account, at] of lookedAt) {
    if (now - at < BALANCE_MS) continue;
    lookedAt.set(account, now);
    try {
      // Before the question: an InMail that is sent meanwhile must not be missed, and may be counted twice.
      const observedAt = new Date();
      const answer = await fetch(BALANCE_URL + encodeURIComponent(account), {
        redirect: "manual",
        signal: AbortSignal.timeout(PROVIDER_TIMEOUT_MS),
      });
      const said = answer.status === 200 ? await answer.json() : {};
      // A number or null for each product. With two of them, say here which one your InMails use.
      const credits = Object.values(said ?? {}).filter(Number.isInteger);
      if (credits.length === 1) await gate(BALANCE, account, credits[0], observedAt);
    } catch (error) {
      console.error(`the balance of ${account}: ${error.cause ?? error}`);
    }
  }
}

// A value from JSON as text that PostgreSQL can hold: no NUL.
function text(value) {
  if (value === undefined || value === null) return null;
  return (typeof value === "string" ? value : JSON.stringify(value)).replaceAll("\0", "");
}

// Tells the gate in one call; refused, each by itself, so that a bad answer holds up no other. Returns
// how many it took.
async function report(sql, answers) {
  try {
    if (answers.length > 0) await gate(sql, ...answers[0].map((_, i) => answers.map((answer) => answer[i])));
    return answers.length;
  } catch (error) {
    if (isLost(error)) throw error; // the database stays away: what is in hand expires, and is listed
    let taken = 0;
    if (answers.length > 1) for (const answer of answers) taken += await report(sql, [answer]);
    else console.error(`${JSON.stringify(answers[0])} was refused: ${error}`);
    return taken;
  }
}

while (!stopping) {
  const rows = await handOut();
  const answers = await Promise.all(rows.map(send));
  const of = (sql) => answers.filter(([call]) => call === sql).map(([, values]) => values);
  const taken = (await report(CONFIRM, of(CONFIRM))) + (await report(ROLLBACK, of(ROLLBACK)));
  await tellBalances(rows);
  if (rows.length > 0 && taken === 0) throw new Error("the gate took none of the answers");
  if (of(CONFIRM).length === 0) await sleep(IDLE_MS); // nothing is due, or nothing goes through
}
await client?.end();
