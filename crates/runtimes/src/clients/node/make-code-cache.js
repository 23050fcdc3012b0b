'use strict';
// Writes `client.cache`: what V8 has compiled of the client by the time it has carried out an invocation. Run with the
// client's folder as its argument, when Hearth first sees an interpreter; no function is there yet.

const fs = require('fs');
const net = require('net');
const { Script } = require('vm');

const folder = process.argv[1];
const source = fs.readFileSync(`${folder}/client.js`, 'utf8');
const client = new Script(source, { filename: 'file:///var/runtime/index.mjs' });

const EVENT = ['HTTP/1.1 200 OK', 'Lambda-Runtime-Aws-Request-Id: 1', 'Content-Length: 2', '', '{}'].join('\r\n');

// A Runtime API with one event.
const server = net.createServer((socket) => {
  let asked = '';
  let hasEvent = false;
  socket.on('data', (bytes) => {
    asked += bytes.toString('latin1');
    const count = asked.split('GET /2018-06-01/runtime/invocation/next ').length - 1;
    if (count > 0 && !hasEvent) {
      hasEvent = true;
      socket.write(EVENT);
    } else if (count > 1) {
      write(client.createCachedData());
      fs.unlinkSync(`${folder}/example.js`);
      process.exit(0);
    }
  });
});

// V8 looks for damage only at the beginning: what has the name is whole, also after a loss of power.
function write(cache) {
  const aside = `${folder}/.client.cache`;
  const fd = fs.openSync(aside, 'w', 0o644);
  fs.writeFileSync(fd, cache);
  // Behind walls functions are not the server's user.
  fs.fchmodSync(fd, 0o644);
  fs.fsyncSync(fd);
  fs.closeSync(fd);
  fs.renameSync(aside, `${folder}/client.cache`);
}

server.listen(0, '127.0.0.1', () => {
  fs.writeFileSync(`${folder}/example.js`, 'exports.handler = async (event) => event;\n');
  process.env.AWS_LAMBDA_RUNTIME_API = `127.0.0.1:${server.address().port}`;
  process.env.LAMBDA_TASK_ROOT = folder;
  process.env._HANDLER = 'example.handler';
  const [run, bundled] = client.runInThisContext()(require, folder, (href) => import(href));
  run(bundled);
});
