// Does with node-postgres what its standard input says, a JSON line each, and answers with a line each.
// {"sql", "values", "name"} asks: {"rows"} or {"error"}, a SQLSTATE. {"cancel": true} cuts that short.
import { createInterface } from "node:readline";
import pg from "pg";

const config = process.env.DATABASE_URL;
const client = new pg.Client(config);
// Lost while nothing is asked; the next question says so.
client.on("error", () => {});
await client.connect();
const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
say({ rows: [] });

for await (const line of createInterface({ input: process.stdin })) {
  const { sql, values, name, cancel } = JSON.parse(line);
  if (cancel) {
    const canceller = new pg.Client(config);
    canceller.connection.on("error", () => {});
    canceller.cancel(client, client.activeQuery);
    continue;
  }
  client
    .query({ text: sql, values, name, rowMode: "array" })
    .then(({ rows }) => say({ rows }), (error) => say({ error: error.code ?? String(error) }));
}
await client.end();
