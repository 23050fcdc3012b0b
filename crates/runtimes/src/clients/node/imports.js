'use strict';
// Tells Hearth which modules are loaded while the function's code is, and how long each takes. Loaded only where a profile
// of an Init was asked for.
//
// CommonJS: `Module._load` and `Module.prototype.load` are wrapped; the latter is called for what is not loaded yet.
// ES modules: Node.js resolves, reads and compiles many at once before the first one runs, so that this is known as a whole
// only. How long each one's own code runs is marked by a call at its beginning and its end, put there by hooks
// (`imports-modules.js`): in this thread from Node.js 22.15 on, in one of their own before, before 18.19 not at all.
//
// Each record goes out as soon as it is made: an Init that hangs is killed, and what it hung in is the most interesting of
// all. Sockets of Node.js write at once when they are connected.

const Module = require('module');
const net = require('net');
const url = require('url');
const { receiveMessageOnPort, MessageChannel } = require('worker_threads');
const { Marking, marker } = require('./imports-modules.js');

const TEXT_MAX = 400;
// A built-in module that takes less was loaded by Node.js itself before.
const BUILTIN_US_MIN = 100;
const now = process.hrtime.bigint;
const { stackTraceLimit } = Error;

class Profile {
  // Connects, then calls `ready`, also when nobody listens. `parents` are modules next to the folders of NODE_PATH.
  constructor(address, taskRoot, parents, ready) {
    const [host, port] = address.split(':');
    this.began = now();
    this.isOpen = false;
    this.count = 0;
    this.spent = 0n;
    // What is being loaded, innermost last: { number, kind }.
    this.stack = [];
    // When the loading began that the next `Module.prototype.load` is part of.
    this.pending = null;
    this.builtins = new Set();
    this.port = null;
    this.undo = [];
    let isReady = false;
    const once = () => {
      if (isReady) return;
      isReady = true;
      ready();
    };
    this.socket = net.connect({ host, port: Number(port), noDelay: true });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isOpen = false;
      once();
    });
    this.socket.once('connect', () => {
      this.socket.unref();
      this.isOpen = true;
      this.socket.write('POST /_hearth/imports HTTP/1.1\r\nHost: hearth\r\nTransfer-Encoding: chunked\r\n\r\n');
      this.hookModules(parents);
      this.wrap();
      this.send(['h', taskRoot, Object.keys(require.cache).length, null, this.us()]);
      once();
    });
  }

  us(at = now()) {
    return Number((at - this.began) / 1000n);
  }

  send(record) {
    if (!this.isOpen) return;
    const line = `${JSON.stringify(record)}\n`;
    this.socket.write(`${Buffer.byteLength(line).toString(16)}\r\n${line}\r\n`);
  }

  // ---- CommonJS ---------------------------------------------------------------------------------------------------

  wrap() {
    const profile = this;
    const { _load } = Module;
    const { load } = Module.prototype;
    Module._load = function (...args) {
      const [request, parent] = args;
      const outer = profile.pending;
      const pending = { start: now(), parent, isLoaded: false };
      profile.pending = pending;
      try {
        const exported = Reflect.apply(_load, this, args);
        if (!pending.isLoaded) profile.builtin(request, pending.start);
        return exported;
      } catch (error) {
        if (!pending.isLoaded) profile.whole('commonjs', request, parent?.filename, pending.start, error);
        throw error;
      } finally {
        profile.pending = outer;
      }
    };
    Module.prototype.load = function (...args) {
      const pending = profile.pending;
      profile.pending = null;
      if (pending) pending.isLoaded = true;
      // Nobody requires it: an `import` further up does.
      if (!pending?.parent) profile.suspend();
      const number = profile.enter('commonjs', args[0], pending?.parent?.filename, pending?.start);
      try {
        const result = Reflect.apply(load, this, args);
        profile.leave(number, null);
        return result;
      } catch (error) {
        profile.leave(number, error);
        throw error;
      }
    };
    this.undo.push(() => {
      Module._load = _load;
      Module.prototype.load = load;
    });
  }

  enter(kind, name, importer, start) {
    const entered = now();
    this.count += 1;
    const number = this.count;
    const parent = this.stack.at(-1)?.number ?? 0;
    const line = importer === undefined ? null : lineIn(importer);
    this.stack.push({ number, kind });
    const began = start ?? entered;
    this.send(['b', number, parent, kind, text(name), importer ? text(importer) : null, line, 0, this.us(began), null]);
    this.spent += now() - entered;
    return number;
  }

  leave(number, error, ended = now()) {
    const left = now();
    const at = this.stack.findIndex((one) => one.number === number);
    if (at >= 0) this.stack.length = at;
    this.send(['e', number, this.us(ended), null, null, error === null ? null : told(error)]);
    this.spent += now() - left;
  }

  builtin(request, start) {
    // Without anything around it, it is this client's.
    if (this.stack.length === 0) return;
    if (typeof request !== 'string' || !Module.builtinModules.includes(request.replace(/^node:/, ''))) return;
    const name = request.replace(/^node:/, '');
    if (this.builtins.has(name)) return;
    this.builtins.add(name);
    if (this.us() - this.us(start) >= BUILTIN_US_MIN) this.whole('builtin', name, undefined, start, null);
  }

  // What is over already when it is told, without anything inside.
  whole(kind, name, importer, start, error) {
    const ended = now();
    this.leave(this.enter(kind, name, importer, start), error, ended);
  }

  // ---- ES modules -------------------------------------------------------------------------------------------------

  // Puts the hooks before all that have been registered: they are to see what those found. Again when there is another.
  hookModules(parents) {
    if (Module.registerHooks) return this.hookHere();
    if (!Module.register || this.port) return;
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    const file = (name) => url.pathToFileURL(require('path').join(__dirname, name)).href;
    if (parents.length > 0) Module.register(file('import-hook.mjs'), { data: { parents, mark: '' } });
    Module.register(file('imports-hook.mjs'), { data: { port: port2, key: this.mark() }, transferList: [port2] });
  }

  hookHere() {
    this.hooks?.deregister();
    this.marking ??= new Marking(this.mark(), (record) => this.send(record));
    const { marking } = this;
    this.hooks = Module.registerHooks({
      resolve(specifier, context, next) {
        let found;
        try {
          found = next(specifier, context);
        } catch (error) {
          marking.unresolved(specifier, context, error);
          throw error;
        }
        return marking.resolved(specifier, context, found);
      },
      load: (at, context, next) => marking.loaded(at, next(at, context)),
    });
  }

  // Gives modules something to call: a property whose name nobody knows, as long as the profile lasts.
  mark() {
    if (this.key) return this.key;
    this.key = marker();
    const open = new Map();
    const begin = (name) => {
      this.drain();
      this.suspend();
      const number = this.enter('module', name, undefined, undefined);
      open.set(name, number);
      // When this runs, the module is done, unless it waits at an `await`.
      queueMicrotask(() => {
        if (this.stack.at(-1)?.number === number) this.suspend();
      });
    };
    const end = (name) => {
      if (open.has(name)) this.leave(open.get(name), null);
      open.delete(name);
    };
    Object.defineProperty(globalThis, this.key, { value: { begin, end }, configurable: true, enumerable: false });
    this.undo.push(() => delete globalThis[this.key]);
    return this.key;
  }

  // The code of a module never runs inside that of another: one that has not ended waits at an `await`. What begins
  // meanwhile is no part of it.
  suspend() {
    while (this.stack.at(-1)?.kind === 'module') this.send(['w', this.stack.pop().number, this.us()]);
  }

  // Takes what the hooks have told in their own thread.
  drain() {
    for (let told; this.port && (told = receiveMessageOnPort(this.port)); ) this.send(told.message);
  }

  // The handler is going to be imported.
  importing() {
    this.send(['l', this.us(), Boolean(Module.registerHooks || this.port), Boolean(this.port)]);
  }

  // ---- The end ----------------------------------------------------------------------------------------------------

  // Ends the recording, and calls `then` when all of it has arrived.
  end(then) {
    for (const undo of this.undo.splice(0)) undo();
    this.drain();
    this.port?.close();
    this.hooks?.deregister();
    this.send(['d', this.us(), Number(this.spent / 1000n)]);
    if (!this.isOpen) return then();
    let isOver = false;
    const over = () => {
      if (isOver) return;
      isOver = true;
      this.socket.destroy();
      then();
    };
    this.isOpen = false;
    this.socket.on('data', over);
    this.socket.on('close', over);
    this.socket.ref();
    this.socket.write('0\r\n\r\n');
  }
}

// Returns the line of `file` that the current `require` stands in. What the function says about stacks is left alone.
function lineIn(file) {
  const { prepareStackTrace } = Error;
  const limit = Error.stackTraceLimit;
  try {
    Error.stackTraceLimit = Math.max(stackTraceLimit, 30);
    Error.prepareStackTrace = (_, sites) => sites;
    const sites = new Error().stack;
    return sites.find((site) => site.getFileName() === file)?.getLineNumber() ?? null;
  } catch {
    return null;
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
    Error.stackTraceLimit = limit;
  }
}

// A text that has its limit, and is well-formed.
function text(value) {
  return String(value).slice(0, TEXT_MAX).replace(/[\ud800-\udfff]/gu, '\ufffd');
}

function told(error) {
  try {
    if (!(error instanceof Error)) return text(`threw ${typeof error}`);
    return text(`${error.name}: ${String(error.message).split('\n')[0]}`);
  } catch {
    return 'threw what cannot be told';
  }
}

module.exports = { Profile };
