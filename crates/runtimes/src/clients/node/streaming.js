'use strict';
// Streamed responses: what the handler writes goes out in chunks as it comes. Loaded for streaming handlers only.

const { Writable, getDefaultHighWaterMark } = require('stream');
const errors = require('./errors.js');

// Returns what calls a streaming handler. `client` is what it needs of the bootstrap.
function processor(handler, callbacks, highWaterMark, client) {
  const Processor = callbacks ? Runtime : StreamingInvokeProcessor;
  const made = new Processor(handler, highWaterMark, client);
  return (callbacks ? made.handleOnceStreaming : made.processInvoke).bind(made);
}

// As AWS's client up to Node.js 22 does it.
class Runtime {
  constructor(handler, highWaterMark, client) {
    this.handler = handler;
    this.highWaterMark = highWaterMark;
    this.client = client;
  }

  async handleOnceStreaming(reply) {
    const { client } = this;
    const invocation = client.begun(reply);
    const response = new ResponseStream(client, invocation, this.highWaterMark);
    const stream = facade(response);
    const context = client.waiting(invocation);
    const goOn = () => {
      if (invocation.waits) client.whenDrained(() => setImmediate(client.goOn, invocation));
      else client.goOn(invocation);
    };
    const fail = (error) => {
      client.logError('Invoke Error', error);
      response.fail(errors.report(error), goOn);
    };
    try {
      client.whenDrained(() => client.goOn(invocation));
      client.contextOf(reply, context);
      const event = JSON.parse(reply.body);
      const result = this.handler(event, stream, context);
      if (!result || typeof result.then !== 'function') return fail('Streaming does not support non-async handlers.');
      if ((await result) !== undefined) console.warn('Streaming handlers ignore return values.');
      await response.replied;
      if (!response.writableFinished) return fail('Response stream is not finished.');
      goOn();
    } catch (error) {
      fail(error);
    }
  }
}

// As AWS's client from Node.js 24 on does it.
class StreamingInvokeProcessor {
  constructor(handler, highWaterMark, client) {
    this.handler = handler;
    this.highWaterMark = highWaterMark;
    this.client = client;
  }

  async processInvoke(reply) {
    const { client } = this;
    const invocation = client.begun(reply);
    const context = client.contextOf(reply, {});
    const event = JSON.parse(reply.body);
    const response = new ResponseStream(client, invocation, this.highWaterMark);
    try {
      const result = this.handler(event, facade(response), context);
      if (typeof result?.then !== 'function') throw new Error('Streaming does not support non-async handlers.');
      if ((await result) !== undefined) console.warn('Streaming handlers ignore return values.');
      await response.replied;
      if (!response.writableFinished) throw new Error('Response stream is not finished.');
    } catch (error) {
      await new Promise((resolve) => setImmediate(resolve));
      client.logError('Invoke Error', error);
      response.fail(errors.report(error), () => {});
    }
    client.goOn(invocation);
  }
}

// What a handler sees of the response: not the whole of a stream.
function facade(response) {
  const stream = {};
  const methods =
    'cork destroy end uncork write addListener emit eventNames getMaxListeners listenerCount listeners off on once ' +
    'prependListener prependOnceListener rawListeners removeAllListeners removeListener setMaxListeners setContentType';
  for (const name of methods.split(' ')) stream[name] = response[name].bind(response);
  const members =
    'destroyed writable _onBeforeFirstWrite writableFinished writableObjectMode writableEnded writableNeedDrain ' +
    'writableCorked writableLength';
  for (const name of members.split(' ')) {
    Object.defineProperty(stream, name, {
      get: () => response[name],
      set: (value) => {
        response[name] = value;
      },
    });
  }
  // The one that is asked for is that of the connection.
  Object.defineProperty(stream, 'writableHighWaterMark', { get: () => getDefaultHighWaterMark(false) });
  return stream;
}

class ResponseStream extends Writable {
  #connection;
  #path;
  #invocation;
  #contentType = 'application/octet-stream';
  #begun = false;
  #trailers = '';
  #written = false;
  #over = false;

  constructor(client, invocation, highWaterMark) {
    super({ highWaterMark, decodeStrings: true, autoDestroy: false });
    this.#connection = client.connection;
    this.#path = client.responsePath(invocation);
    this.#invocation = invocation;
    // Settles with the server's reply, which follows the end of the response.
    let settle;
    const replied = new Promise((resolve) => {
      settle = resolve;
    });
    Object.defineProperty(this, 'replied', { value: replied });
    Object.defineProperty(this, '_settle', { value: settle });
    // Whoever writes after the end ends the process, unless the response is over.
    this.on('error', (error) => {
      if (!this.#over) Promise.reject(error);
    });
  }

  setContentType(contentType) {
    if (this.#written) throw new errors.InvalidStreamingOperation('Cannot set content-type, too late.');
    this.#contentType = contentType;
  }

  write(chunk, encoding, callback) {
    const data = typeof chunk === 'string' || chunk instanceof Uint8Array ? chunk : JSON.stringify(chunk);
    if (!this.#written && typeof this._onBeforeFirstWrite === 'function') {
      this._onBeforeFirstWrite((bytes) => super.write(bytes));
    }
    this.#written = true;
    return super.write(data, encoding, callback);
  }

  // Ends the response with the report of an error; calls `then` once it is written.
  fail(report, then) {
    if (this.writableEnded) return then();
    const body = Buffer.from(JSON.stringify(report)).toString('base64');
    const type = errors.headerValue(report.errorType);
    this.#trailers = `Lambda-Runtime-Function-Error-Type: ${type}\r\nLambda-Runtime-Function-Error-Body: ${body}\r\n`;
    super.end(then);
  }

  _write(chunk, _encoding, callback) {
    if (chunk.length === 0) return callback();
    const head = `${this.#head()}${chunk.length.toString(16)}\r\n`;
    this.#send(Buffer.concat([Buffer.from(head), chunk, Buffer.from('\r\n')]), callback);
  }

  _final(callback) {
    this.#send(`${this.#head()}0\r\n${this.#trailers}\r\n`, callback);
  }

  #head() {
    if (this.#begun) return '';
    this.#begun = true;
    const settle = () => {
      this.#over = true;
      // Unless it is waiting for the next event by now.
      if (!this.#invocation.answered) this.#connection.unref();
      this._settle();
    };
    this.#connection.expected.push({ request: null, onReply: settle, onLost: settle });
    return (
      `POST ${this.#path} HTTP/1.1\r\n${this.#connection.common}` +
      'Lambda-Runtime-Function-Response-Mode: streaming\r\n' +
      'Trailer: Lambda-Runtime-Function-Error-Type\r\nTrailer: Lambda-Runtime-Function-Error-Body\r\n' +
      `Content-Type: ${this.#contentType}\r\nTransfer-Encoding: chunked\r\n\r\n`
    );
  }

  #send(bytes, callback) {
    const { socket } = this.#connection;
    // A server that has gone away takes nothing any more; what counts is then its missing reply.
    if (socket.destroyed) return callback();
    socket.ref();
    socket.write(bytes, () => callback());
  }
}

module.exports = { processor };
