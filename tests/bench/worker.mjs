// Asks for a slot as fast as it can from one Node.js process: by a statement of an account and a prospect, or, where
// the statement is empty, of rate-limiter-flexible.
// worker.mjs CONNECTION CLIENTS ACCOUNTS STATEMENT SECONDS prints calls a second, and all calls, those before it too.
import pg from "pg";
import limiters from "rate-limiter-flexible";

const [connectionString, clients, accounts, text, seconds] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString, max: Number(clients) });
const account = () => `account-${1 + Math.floor(Math.random() * Number(accounts))}`;
let ask;
if (text) {
  // A name makes it a prepared statement of each connection.
  ask = () => pool.query({ name: "ask", text, values: [account(), `prospect-${Math.floor(Math.random() * 1e9)}`] });
} else {
  const limiter = await new Promise((resolve, reject) => {
    const options = { storeClient: pool, points: 50, duration: 86400, tableName: "limits", clearExpiredByTimeout: false };
    const made = new limiters.RateLimiterPostgres(options, (error) => (error ? reject(error) : resolve(made)));
  });
  // A key that is out of points rejects with its answer; anything else is an error.
  ask = () => limiter.consume(account()).catch((answer) => { if (answer instanceof Error) throw answer; });
}
let calls = 0;
const loop = async (until) => {
  while (performance.now() < until) {
    await ask();
    calls += 1;
  }
};
const run = async (length) => {
  const started = performance.now();
  await Promise.all(Array.from({ length: Number(clients) }, () => loop(started + length * 1000)));
  return (performance.now() - started) / 1000;
};
await run(0.5);
const before = calls;
const took = await run(Number(seconds));
console.log(Math.round((calls - before) / took), calls);
await pool.end();
