'use strict';
// A streamed response: what the handler writes goes out in chunks as it comes. Loaded for streaming handlers only.

const { Writable } = require('stream');
const { InvalidStreamingOperation } = require('./errors.js');

class ResponseStream extends Writable {
  #connection;
  #path;
  #contentType = 'application/octet-stream';
  #begun = false;
  #trailers = '';
  #written = false;

  constructor(connection, path, highWaterMark) {
    super({ highWaterMark, decodeStrings: true, autoDestroy: false });
    this.#connection = connection;
    this.#path = path;
    // Settles with the server's reply, which follows the end of the response.
    let settle;
    const replied = new Promise((resolve) => {
      settle = resolve;
    });
    Object.defineProperty(this, 'replied', { value: replied });
    Object.defineProperty(this, '_settle', { value: settle });
    // Who writes after the end is told by its own write; an unheard `error` event would end the process.
    this.on('error', () => {});
  }

  setContentType(contentType) {
    if (this.#written) throw new InvalidStreamingOperation('Cannot set content-type, too late.');
    this.#contentType = contentType;
  }

  write(chunk, encoding, callback) {
    this.#beforeFirstWrite();
    return super.write(plain(chunk), encoding, callback);
  }

  end(chunk, encoding, callback) {
    if (!this.#trailers) this.#beforeFirstWrite();
    return super.end(typeof chunk === 'function' ? chunk : plain(chunk), encoding, callback);
  }

  // Ends the response with the report of an error, if it has not ended yet, and waits for the reply.
  fail(report) {
    if (!this.writableEnded) {
      const body = Buffer.from(JSON.stringify(report)).toString('base64');
      const type = String(report.errorType).replace(/[^\x20-\x7e]/g, '_');
      this.#trailers = `Lambda-Runtime-Function-Error-Type: ${type}\r\nLambda-Runtime-Function-Error-Body: ${body}\r\n`;
      super.end();
    }
    return this.replied;
  }

  _write(chunk, _encoding, callback) {
    if (chunk.length === 0) return callback();
    const head = `${this.#head()}${chunk.length.toString(16)}\r\n`;
    this.#send(Buffer.concat([Buffer.from(head), chunk, Buffer.from('\r\n')]), callback);
  }

  _final(callback) {
    this.#send(`${this.#head()}0\r\n${this.#trailers}\r\n`, callback);
  }

  #beforeFirstWrite() {
    if (this.#written) return;
    this.#written = true;
    if (typeof this._onBeforeFirstWrite === 'function') this._onBeforeFirstWrite((bytes) => super.write(bytes));
  }

  #head() {
    if (this.#begun) return '';
    this.#begun = true;
    const settle = this._settle;
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

// Whatever is neither text nor bytes is written as JSON.
function plain(chunk) {
  if (chunk === undefined || chunk === null || typeof chunk === 'string' || chunk instanceof Uint8Array) return chunk;
  return JSON.stringify(chunk);
}

module.exports = { ResponseStream };
