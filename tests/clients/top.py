"""Runs `hearth top` under a terminal of its own. Arguments: the program, the server, and what to try."""

import fcntl
import http.server
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import threading
import time

import boto3

program, url, what = sys.argv[1:4]
LIMIT = 60


class Terminal:
    """A terminal with the program in it, and all that the program has written."""

    def __init__(self, endpoint, rows=30, columns=120):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.written = b''
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.master)
            self.take()
            os.execve(program, [program, 'top', '--endpoint-url', endpoint], {**os.environ, 'TERM': 'xterm'})

    def take(self):
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
        for descriptor in range(3):
            os.dup2(self.slave, descriptor)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

    def read(self, seconds):
        """Reads what there is, at most for so long; returns whether there was something."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            self.written += os.read(self.master, 1 << 16)
        except OSError:
            return False
        return True

    def screen(self):
        """The last whole screen: what lies between its first and its last control sequence."""
        frames = self.written.split(b'\x1b[H')
        whole = [frame for frame in frames if b'\x1b[J' in frame]
        last = whole[-1].split(b'\x1b[J')[0] if whole else b''
        return last.replace(b'\x1b[K', b'').decode()

    def until(self, condition, name):
        deadline = time.monotonic() + LIMIT
        while not condition(self.screen()):
            assert time.monotonic() < deadline, f'{name}, but:\n{self.screen()}\n{self.written[-2000:]!r}'
            self.read(0.2)

    def press(self, keys):
        os.write(self.master, keys)

    def end(self):
        """Waits for the end; the terminal has to be as it was."""
        deadline = time.monotonic() + LIMIT
        while True:
            self.read(0.1)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            assert time.monotonic() < deadline, 'it does not end'
        while self.read(0.1):
            pass
        assert os.waitstatus_to_exitcode(status) == 0, (status, self.written[-500:])
        assert termios.tcgetattr(self.slave) == self.before, 'the settings of the terminal are as they were'
        entered, left = self.written.count(b'\x1b[?1049h'), self.written.count(b'\x1b[?1049l')
        assert (entered, left) == (1, 1), 'it leaves the other screen'
        assert self.written.rstrip().endswith(b'\x1b[?1049l'), self.written[-200:]


def client():
    return boto3.client('lambda', endpoint_url=url, region_name='us-east-1',
                        aws_access_key_id='x', aws_secret_access_key='y')


def live():
    terminal = Terminal(url)
    terminal.until(lambda screen: 'busy-bee' in screen and 'idler' in screen, 'the functions are shown')
    assert 'q quit' in terminal.screen()
    client().invoke(FunctionName='busy-bee', Payload=b'{}')

    def calls(screen):
        rows = [line.split() for line in screen.splitlines() if line.startswith('busy-bee')]
        return rows and '4' in rows[0]
    terminal.until(calls, 'another call is counted')
    terminal.press(b'/idl\r')
    terminal.until(lambda screen: 'idler' in screen and 'busy-bee' not in screen, 'only what is asked for')
    terminal.press(b'\x1b')
    terminal.until(lambda screen: 'busy-bee' in screen, 'all again')
    terminal.press(b's')
    terminal.until(lambda screen: 'sort: calls' in screen and 'calls/s' not in screen.splitlines()[-1], 'sorted')
    for rows, columns in ((10, 40), (3, 12), (1, 1), (40, 200)):
        terminal.resize(rows, columns)

        def fits(screen):
            lines = screen.splitlines()
            return len(lines) <= rows and all(len(line) <= columns for line in lines) and (
                columns < 100 or 'busy-bee' in screen)
        terminal.until(fits, f'it fits {rows} rows of {columns}')
    terminal.press(b'q')
    terminal.end()
    # A signal ends it as well, in order.
    terminal = Terminal(url)
    terminal.until(lambda screen: 'busy-bee' in screen, 'the functions are shown')
    os.kill(terminal.pid, signal.SIGTERM)
    terminal.end()
    # Control-C is a key here.
    terminal = Terminal(url)
    terminal.until(lambda screen: 'busy-bee' in screen, 'the functions are shown')
    terminal.press(b'\x03')
    terminal.end()


class Scripted(http.server.BaseHTTPRequestHandler):
    """A server that says whatever it is to say."""

    document = {}

    def do_GET(self):
        body = json.dumps(self.document).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def scripted(port=0):
    http.server.ThreadingHTTPServer.allow_reuse_address = True
    server = http.server.ThreadingHTTPServer(('127.0.0.1', port), Scripted)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def gone():
    Scripted.document = {'functions': [{'function_name': 'steady'}], 'environments': []}
    server = scripted()
    port = server.server_address[1]
    terminal = Terminal(f'http://127.0.0.1:{port}')
    terminal.until(lambda screen: 'steady' in screen, 'the function is shown')
    server.shutdown()
    server.server_close()
    terminal.until(lambda screen: '! no server answers' in screen and 'steady' in screen, 'it says so')
    server = scripted(port)
    terminal.until(lambda screen: '! ' not in screen and 'steady' in screen, 'it goes on')
    server.shutdown()
    terminal.press(b'q')
    terminal.end()


def hostile():
    name = '\x1b]0;owned\x07\x1b[2J\u202e\r\n' + 'n' * 500
    Scripted.document = {
        'functions': [{'function_name': name, 'calls_today': 1e308, 'p99_ms': -1, 'cost_today_usd': 'NaN'}] * 50,
        'environments': [{'function_name': name, 'environment_id': name, 'state': name, 'why_cold': name}] * 50,
        'cost_today_usd': {'not': 'text'},
    }
    server = scripted()
    terminal = Terminal(f'http://127.0.0.1:{server.server_address[1]}', 12, 30)
    terminal.until(lambda screen: '?]0;owned?' in screen, 'the name is text')
    assert b'\x1b]0' not in terminal.written and b'\x07' not in terminal.written
    lines = terminal.screen().splitlines()
    assert len(lines) <= 12 and all(len(line) <= 30 for line in lines), lines
    terminal.press(b'q')
    terminal.end()


{'live': live, 'gone': gone, 'hostile': hostile}[what]()
print('ok')
