// Runs the examples in the README of the SDK of OPA, as they stand there, against a server: `readme.mjs URL`. Prints
// what each example prints or throws: {"under": HEADING, "says": [LINE, ...]}, one a line.
import {readFileSync, writeFileSync} from 'node:fs';
import {format} from 'node:util';
import typescript from 'typescript';

const server = process.argv[2];
const readme = readFileSync('node_modules/@open-policy-agent/opa/README.md', 'utf8');

// The examples ask http://localhost:8181: their calls are led to the server.
const fetched = globalThis.fetch;
globalThis.fetch = (request) => fetched(new Request(request.url.replace('http://localhost:8181', server), request));

const print = console.log;
let said = [];
let wake = () => {};
const say = (line) => { said.push(line); wake(); };
console.log = (...all) => say(format(...all));
console.group = console.log;
console.dir = (value) => console.log(JSON.stringify(value));
process.on('unhandledRejection', (e) => say(`throws ${e.constructor.name}: ${e.message ?? e}`));

let under = '', n = 0;
for (const part of readme.matchAll(/^#{2,4} (.*)$|^```(?:ts|typescript)\n([^]*?)^```$/gm)) {
  const [, heading, example] = part;
  under = heading ?? under;
  if (!example?.includes('from "@open-policy-agent/opa"') || !example.includes('await')) continue; // a fragment
  const file = `example-${n++}.mjs`;
  writeFileSync(file, typescript.transpileModule(example,
    {compilerOptions: {target: 'ES2022', module: 'ES2022'}}).outputText);
  said = [];
  const first = new Promise((resolve) => { wake = resolve; });
  await import(`${process.cwd()}/${file}`).catch((e) => say(`throws ${e.constructor.name}: ${e.message ?? e}`));
  await first;
  print(JSON.stringify({under, says: said}));
}
