"""A hostile function in Python. See native/hostile.c for what an event is; what Python cannot do, that program does."""
import ctypes
import errno
import http.client
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
kept = []


def attempt(do):
    try:
        do()
        return "works"
    except OSError as error:
        return errno.errorcode.get(error.errno, "ETIMEDOUT" if isinstance(error, TimeoutError) else "unknown")


def argument(word):
    if word[0] == "'":
        return word[1:].encode()
    if word[0] == "@":
        page = ctypes.create_string_buffer(int(word[1:] or "0", 0).to_bytes(8, "little"), 4096)
        kept.append(page)
        return page
    return ctypes.c_long(int(word, 0))


def system_call(*words):
    own = os.getpid()
    ctypes.set_errno(0)
    result = libc.syscall(*[argument(word) for word in words])
    if os.getpid() != own:
        os._exit(0)
    return "works" if result >= 0 else errno.errorcode[ctypes.get_errno()]


FLAGS = {"r": os.O_RDONLY, "w": os.O_WRONLY, "c": os.O_WRONLY | os.O_CREAT}


def open_file(path, mode):
    return attempt(lambda: os.close(os.open(path, FLAGS[mode] | os.O_NONBLOCK, 0o600)))


def write(path, text):
    def do():
        with open(path, "wb", buffering=0) as file:
            file.write(text.encode())
    return attempt(do)


def grep(path, prefix):
    prefix = prefix.replace("~", " ")
    try:
        with open(path) as file:
            for line in file:
                if line.startswith(prefix):
                    return line[len(prefix):].strip()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "absent"


def names(path):
    try:
        return ",".join(os.listdir(path))
    except OSError as error:
        return errno.errorcode[error.errno]


def descriptors():
    found = []
    for fd in range(1024):
        try:
            found.append(f"{fd}={os.readlink(f'/proc/self/fd/{fd}')}")
        except OSError:
            pass
    return ",".join(found)


def connect(host, port):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as connection:
        connection.settimeout(1)
        return attempt(lambda: connection.connect((host, int(port))))


def http_status(host, port, path):
    connection = http.client.HTTPConnection(host, int(port), timeout=1)
    status = []

    def ask():
        connection.request("GET", path)
        status.append(connection.getresponse().status)
    answer = attempt(ask)
    return str(status[0]) if status else answer


def connect_unix(name):
    with socket.socket(socket.AF_UNIX) as connection:
        return attempt(lambda: connection.connect("\0" + name[1:] if name[0] == "@" else name))


def setns(path):
    def do():
        fd = os.open(path, os.O_RDONLY)
        try:
            if libc.setns(fd, 0) < 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(fd)
    return attempt(do)


def raise_limit(number):
    _, hard = resource.getrlimit(int(number))
    try:
        resource.setrlimit(int(number), (hard + 1, hard + 1))
    except ValueError:  # Python's word for EPERM here
        return "EPERM"
    return "works"


def int80():
    child = os.fork()
    if child == 0:
        memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        memory.write(bytes.fromhex("b814000000cd80c3"))
        code = ctypes.c_char.from_buffer(memory)
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(code))()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return signal.Signals(os.WTERMSIG(status)).name[3:] if os.WIFSIGNALED(status) else "works"


def run(*arguments):
    try:
        done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.stdout.split("\n")[0]
    except OSError as error:
        return errno.errorcode[error.errno]


def hunt(limit):
    hit = 0
    for pid in range(1, int(limit)):
        if pid != os.getpid():
            hit += attempt(lambda: os.kill(pid, signal.SIGKILL)) == "works"
    return str(hit)


def spin(threads, milliseconds):
    # Threads of Python take turns, so processes; they end with the time, too.
    until = time.monotonic() + int(milliseconds) / 1000

    def turn():
        while time.monotonic() < until:
            pass
    for _ in range(int(threads) - 1):
        if os.fork() == 0:
            turn()
            os._exit(0)
    turn()
    for _ in range(int(threads) - 1):
        os.wait()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return str(int((time.process_time() + children.ru_utime + children.ru_stime) * 1000))


def linger():
    def turn():
        while True:
            pass
    threading.Thread(target=turn, daemon=True).start()
    return "works"


def bomb(kind):
    made = 0
    if kind == "threads":
        import _thread
        try:
            while True:
                _thread.start_new_thread(signal.pause, ())
                made += 1
        except RuntimeError:
            return f"{made} EAGAIN"
    while True:
        try:
            if os.fork() == 0:
                while True:
                    signal.pause()
            made += 1
        except OSError as error:
            return f"{made} {errno.errorcode[error.errno]}"


def open_many(kind, number):
    held = []
    try:
        while len(held) < int(number):
            if kind == "files":
                held.append(os.open("/dev/null", os.O_RDONLY))
            else:
                held.append(socket.socket().detach())
        return f"{len(held)} works"
    except OSError as error:
        return f"{len(held)} {errno.errorcode[error.errno]}"
    finally:
        for fd in held:
            os.close(fd)


def heap(megabytes):
    pieces = [b"\1" * (1 << 20) for _ in range(int(megabytes))]
    return "works" if pieces else ""


def fill(path, megabytes):
    written = 0
    try:
        with open(path, "wb", buffering=0) as file:
            while written < int(megabytes) << 20:
                written += file.write(bytes(1 << 20))
        return f"{written >> 20} works"
    except OSError as error:
        return f"{written >> 20} {errno.errorcode[error.errno]}"


def many_files(path, folders, files):
    os.mkdir(path)
    os.chdir(path)
    for _ in range(int(folders)):  # one in another
        os.mkdir("d")
        os.chdir("d")
    made = 0
    try:
        for folder in range(int(files) // 1000):
            os.mkdir(f"{path}/{folder}")
            for file in range(1000):
                os.close(os.open(f"{path}/{folder}/{file}", os.O_CREAT | os.O_WRONLY))
                made += 1
        return f"{made} works"
    except OSError as error:
        return f"{made} {errno.errorcode[error.errno]}"
    finally:
        os.chdir("/var/task")


def flood(stream, lines, bytes_each):
    line = b"x" * (int(bytes_each) - 1) + b"\n"
    out = sys.stdout.buffer if stream == "stdout" else sys.stderr.buffer
    for _ in range(int(lines)):
        out.write(line)
    out.flush()
    return "works"


def one_line(megabytes):
    out = sys.stdout.buffer
    for _ in range(int(megabytes)):
        out.write(b"y" * (1 << 20))
    out.flush()
    return "works"


def count_to(lines):
    out = sys.stderr.buffer
    for start in range(0, int(lines), 1000):
        out.write(b"".join(b"line %07d\n" % number for number in range(start, start + 1000)))
    out.flush()
    os._exit(1)


def crash():
    for wanted in (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_CORE)[1]):
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (wanted, wanted))
            break
        except ValueError:
            pass
    os.chdir("/tmp")
    os.kill(os.getpid(), signal.SIGSEGV)


def daemon(seconds):
    """Leaves a tree behind that nobody waits for, in sessions of its own."""
    for _ in range(3):
        subprocess.Popen(["/bin/sh", "-c", f"setsid sleep {seconds} & sleep {seconds}"], start_new_session=True)
    while sum("sleep" in name for name in processes()) < 6:
        time.sleep(0.01)
    return "works"


def processes():
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                with open(f"/proc/{pid}/comm") as comm:
                    yield comm.read()
            except OSError:
                pass


OPERATIONS = {
    "syscall": system_call,
    "open": open_file,
    "write": write,
    "grep": grep,
    "list": names,
    "pids": lambda: ",".join(name for name in os.listdir("/proc") if name.isdigit()),
    "fds": descriptors,
    "connect": connect,
    "http": http_status,
    "unix": connect_unix,
    "socket": lambda *words: attempt(lambda: socket.socket(*map(int, words)).close()),
    "kill": lambda pid, number: attempt(lambda: os.kill(int(pid), int(number))),
    "hunt": hunt,
    "setns": setns,
    "raise": raise_limit,
    "link": lambda target, path: attempt(lambda: os.symlink(target, path)),
    "int80": int80,
    "run": run,
    "spin": spin,
    "linger": linger,
    "bomb": bomb,
    "descriptors": open_many,
    "heap": heap,
    "fill": fill,
    "tree": many_files,
    "flood": flood,
    "line": one_line,
    "count": count_to,
    "crash": crash,
    "daemon": daemon,
    "pid": lambda: str(os.getpid()),
    "sleep": lambda milliseconds: time.sleep(int(milliseconds) / 1000) or "works",
}


def carry_out(operation):
    what, *words = operation.split(" ")
    if what in OPERATIONS:
        return OPERATIONS[what](*words)
    return json.loads(run("/var/task/native", operation))[0]


def handler(event, context):
    return [carry_out(operation) for operation in event.get("do", "").split(";") if operation]
