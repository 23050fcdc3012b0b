// A hostile function in Node.js. See native/hostile.c for what an event is; what Node.js cannot do, that program does.
import fs from 'node:fs';
import net from 'node:net';
import { spawn, spawnSync } from 'node:child_process';

const code = (error) => error.code ?? 'unknown';

const attempt = (act) => {
  try {
    act();
    return 'works';
  } catch (error) {
    return code(error);
  }
};

const { O_RDONLY, O_WRONLY, O_CREAT, O_NONBLOCK } = fs.constants;
const FLAGS = { r: O_RDONLY, w: O_WRONLY, c: O_WRONLY | O_CREAT };

const connect = (options) =>
  new Promise((resolve) => {
    const socket = net.connect({ ...options, timeout: 1000 });
    const end = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('connect', () => end('works'));
    socket.on('timeout', () => end('ETIMEDOUT'));
    socket.on('error', (error) => end(code(error)));
  });

const list = (path, wanted = () => true) => {
  try {
    return fs.readdirSync(path).filter(wanted).join(',');
  } catch (error) {
    return code(error);
  }
};

const first = (done) => (done.error ? code(done.error) : done.stdout.toString().split('\n')[0]);

const native = (operation) => JSON.parse(first(spawnSync('/var/task/native', [operation])))[0];

const pieces = [];

const OPERATIONS = {
  open: (path, mode) => attempt(() => fs.closeSync(fs.openSync(path, FLAGS[mode] | O_NONBLOCK, 0o600))),
  write: (path, text) => attempt(() => fs.writeFileSync(path, text, { flag: O_WRONLY | O_CREAT })),
  grep: (path, wanted) => {
    const prefix = wanted.replaceAll('~', ' ');
    try {
      const line = fs.readFileSync(path, 'utf8').split('\n').find((line) => line.startsWith(prefix));
      return line === undefined ? 'absent' : line.slice(prefix.length).trim();
    } catch (error) {
      return code(error);
    }
  },
  list: (path) => list(path),
  pids: () => list('/proc', (name) => /^\d+$/.test(name)),
  fds: () => {
    const found = [];
    for (let fd = 0; fd < 1024; fd++) {
      attempt(() => found.push(`${fd}=${fs.readlinkSync(`/proc/self/fd/${fd}`)}`));
    }
    return found.join(',');
  },
  connect: (host, port) => connect({ host, port: Number(port) }),
  kill: (pid, signal) => attempt(() => process.kill(Number(pid), Number(signal))),
  hunt: (limit) => {
    // A signal to one of its threads would be one to itself.
    const own = new Set(fs.readdirSync('/proc/self/task').map(Number));
    let hit = 0;
    for (let pid = 1; pid < Number(limit); pid++) {
      if (!own.has(pid) && attempt(() => process.kill(pid, 9)) === 'works') hit += 1;
    }
    return String(hit);
  },
  link: (target, path) => attempt(() => fs.symlinkSync(target, path)),
  run: (program, ...words) => first(spawnSync(program, words)),
  crash: () => {
    process.chdir('/tmp');
    process.kill(process.pid, 'SIGSEGV');
  },
  heap: (megabytes) => {
    for (let piece = 0; piece < Number(megabytes); piece++) pieces.push(Buffer.alloc(1 << 20, 1));
    pieces.length = 0;
    return 'works';
  },
  flood: async (stream, lines, bytesEach) => {
    const line = 'x'.repeat(Number(bytesEach) - 1) + '\n';
    const fd = stream === 'stdout' ? 1 : 2;
    for (let sent = 0; sent < Number(lines); sent += 100) fs.writeSync(fd, line.repeat(100));
    return 'works';
  },
  linger: () => {
    spawn('/var/task/native', ['spin 1 600000'], { detached: true, stdio: 'ignore' }).unref();
    return 'works';
  },
  pid: () => String(process.pid),
};

const carryOut = (operation) => {
  const [what, ...words] = operation.split(' ');
  return what in OPERATIONS ? OPERATIONS[what](...words) : native(operation);
};

export const handler = async (event) => {
  const answers = [];
  for (const operation of (event.do ?? '').split(';').filter(Boolean)) answers.push(await carryOut(operation));
  return answers;
};
