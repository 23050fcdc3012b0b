'use strict';
// HTTP/1.1 to the Runtime API over one connection that is kept alive. Written on `net`, because `http` costs about
// as much again as the whole rest of a warm invocation.
//
// A response and the following `/next` go out in one write: the server answers them one after the other.

const net = require('net');

class Connection {
  constructor(address, userAgent) {
    const [host, port] = address.split(':');
    this.address = { host, port: Number(port) };
    this.common = `Host: ${address}\r\nUser-Agent: ${userAgent}\r\n`;
    // What is expected, oldest first: { request, onReply, onLost }.
    this.expected = [];
    this.open();
  }

  open() {
    const parser = new ReplyParser((reply) => this.replied(socket, reply));
    const socket = net.connect({
      ...this.address,
      noDelay: true,
      onread: { buffer: Buffer.allocUnsafeSlow(65536), callback: (length, bytes) => parser.push(bytes, length) },
    });
    // A connection that breaks is closed too; that is where we react.
    socket.on('error', () => {});
    socket.on('close', () => this.closed(socket));
    // Only waiting for a reply keeps the process alive: loading that gets stuck has to end it.
    socket.unref();
    this.socket = socket;
    this.replies = 0;
  }

  // Sends a GET and hands its reply to `onReply`. It is repeated once if the server had closed the connection.
  get(path, headers, onReply) {
    const request = `GET ${path} HTTP/1.1\r\n${this.common}${headers}\r\n`;
    this.expected.push({ request, onReply, onLost: null });
    this.send(request);
  }

  // Sends a POST. `onLost` is called when the connection ends without a reply.
  post(path, headers, body, onReply, onLost) {
    this.expected.push({ request: null, onReply, onLost });
    this.send(this.head(path, headers, body) + body);
  }

  // Sends a POST and a GET in one write; each has its reply.
  postAndGet(path, headers, body, onPosted, getPath, onReply) {
    const request = `GET ${getPath} HTTP/1.1\r\n${this.common}\r\n`;
    this.expected.push({ request: null, onReply: onPosted, onLost: nothing }, { request, onReply, onLost: null });
    this.send(this.head(path, headers, body) + body + request);
  }

  // Sends a POST on a connection of its own: the other one may be waiting for an event, or in a streamed response.
  postApart(path, headers, body, then) {
    let finish = () => {
      finish = nothing;
      socket.destroy();
      then();
    };
    const socket = net.connect({ ...this.address, noDelay: true });
    const parser = new ReplyParser(() => finish());
    socket.on('data', (bytes) => parser.push(bytes, bytes.length));
    socket.on('error', () => {});
    socket.on('close', () => finish());
    socket.write(this.head(path, headers, body) + body);
  }

  head(path, headers, body) {
    const length = Buffer.byteLength(body);
    return (
      `POST ${path} HTTP/1.1\r\n${this.common}Content-Type: application/json\r\n${headers}` +
      `Content-Length: ${length}\r\n\r\n`
    );
  }

  send(text) {
    if (this.socket.destroyed) this.open();
    this.socket.ref();
    this.socket.write(text);
  }

  unref() {
    this.socket.unref();
  }

  replied(socket, reply) {
    this.replies += 1;
    const expected = this.expected.shift();
    if (reply.closes) socket.destroy();
    if (expected) expected.onReply(reply);
  }

  closed(socket) {
    if (socket !== this.socket) return;
    const lost = this.expected;
    if (lost.length === 0) return;
    this.expected = [];
    const hadReplies = this.replies > 0;
    for (const { request, onReply, onLost } of lost) {
      if (request === null) {
        onLost();
      } else if (hadReplies || lost.length > 1) {
        // The server closed a connection that it had used before: ask again on a new one.
        this.expected.push({ request, onReply, onLost });
        this.open();
        this.send(request);
      } else {
        // Nobody is there any more: the environment is going away.
        process.exit(0);
      }
    }
  }
}

// Cuts replies out of the bytes of a connection.
class ReplyParser {
  constructor(onReply) {
    this.onReply = onReply;
    this.bytes = null;
  }

  push(chunk, length) {
    const fresh = chunk.subarray(0, length);
    // The buffer of `onread` is used again: what is kept has to be copied.
    let bytes = this.bytes ? Buffer.concat([this.bytes, fresh]) : fresh;
    this.bytes = null;
    for (;;) {
      const reply = parse(bytes);
      if (!reply) break;
      bytes = bytes.subarray(reply.end);
      // Status 1xx announces the real reply.
      if (reply.status >= 200) this.onReply(reply);
      if (bytes.length === 0) return true;
    }
    this.bytes = bytes === fresh || bytes.buffer === chunk.buffer ? Buffer.from(bytes) : bytes;
    return true;
  }
}

function parse(bytes) {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const lines = bytes.utf8Slice(0, headEnd).split('\r\n');
  const headers = {};
  for (let i = 1; i < lines.length; i++) {
    const colon = lines[i].indexOf(':');
    headers[lines[i].slice(0, colon).toLowerCase()] = lines[i].slice(colon + 1).trim();
  }
  const reply = {
    status: Number(lines[0].slice(9, 12)),
    headers,
    body: '',
    closes: headers.connection?.toLowerCase() === 'close',
    end: headEnd + 4,
  };
  if (headers['transfer-encoding']?.toLowerCase() === 'chunked') return parseChunks(bytes, reply);
  reply.end += Number(headers['content-length'] || 0);
  if (bytes.length < reply.end) return null;
  reply.body = bytes.utf8Slice(headEnd + 4, reply.end);
  return reply;
}

function parseChunks(bytes, reply) {
  const parts = [];
  let at = reply.end;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const size = parseInt(bytes.latin1Slice(at, lineEnd), 16);
    at = lineEnd + 2;
    if (size === 0) break;
    if (bytes.length < at + size + 2) return null;
    parts.push(bytes.subarray(at, at + size));
    at += size + 2;
  }
  // Trailers, if any, end with an empty line.
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const empty = lineEnd === at;
    at = lineEnd + 2;
    if (empty) break;
  }
  reply.body = Buffer.concat(parts).utf8Slice();
  reply.end = at;
  return reply;
}

function nothing() {}

module.exports = { Connection };
