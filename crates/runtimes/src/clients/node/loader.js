'use strict';
// Loads the client, with the code that V8 has compiled of it before (`make-code-cache.js`). V8 refuses what was compiled
// by another version or with other options, such as a limit of the heap in NODE_OPTIONS, and compiles the client then.

const fs = require('fs');
const { Script } = require('vm');

const source = fs.readFileSync(`${__dirname}/client.js`, 'utf8');
let cachedData;
try {
  cachedData = fs.readFileSync(`${__dirname}/client.cache`);
} catch {
  // It is only faster with it.
}
const client = new Script(source, { filename: 'file:///var/runtime/index.mjs', cachedData });
const [run, bundled] = client.runInThisContext()(require, __dirname, (href) => import(href));
run(bundled);
