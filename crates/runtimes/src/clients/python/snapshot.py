"""SnapStart: what is done before the snapshot of an initialised function, and after each restore.

The snapshot is the memory of this process while it waits for the answer to `/restore/next`. Whoever is restored finds that
its connection ended, and its environment variables in a file. All that is not memory is put down before and put back
afterwards: descriptors, what is in /tmp, the working directory.
"""

import os
import stat
import sys

import _socket

_VARIABLES_FD = 63
# What is of each environment; everything else stays as it was when the snapshot was taken.
_OF_ENVIRONMENT = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API")
_TEMPORARY = "/tmp"
_TEMPORARY_BYTES_MAX = 64 << 20


class _Cannot(Exception):
    """There cannot be a snapshot."""


def take(connection, start, state, client_module, lost):
    """Waits until this is the process of an environment that takes events; returns the headers of its first `/next`."""
    try:
        hooks = _hooks("get_before_snapshot")
        while hooks:
            function, arguments, named = hooks.pop()
            function(*arguments, **named)
    except BaseException as error:
        _report(connection, "/2018-06-01/runtime/init/error", "Runtime.BeforeSnapshotError", error, state, client_module)
        sys.exit(64)
    try:
        kept = _Kept(connection, state)
    except _Cannot as reason:
        sys.stderr.write("[WARN] Hearth: no snapshot: %s\n" % reason)
        return start
    if not _is_restored(connection, start, lost):
        return start
    kept.put_back()
    kept = None
    _be_unique()
    connection.socket.detach()
    connection.open()
    try:
        for function, arguments, named in _hooks("get_after_restore"):
            function(*arguments, **named)
    except BaseException as error:
        _report(connection, "/2018-06-01/runtime/restore/error", "Runtime.AfterRestoreError", error, state, client_module)
        sys.exit(65)
    return ""


def _hooks(which):
    module = sys.modules.get("snapshot_restore_py")
    return [] if module is None else list(getattr(module, which)())


def _report(connection, path, error_type, error, state, client_module):
    if not isinstance(error, Exception):
        error = RuntimeError("%s: %s" % (type(error).__name__, error))
    report = client_module("errors").report_init(error, state)
    connection.post(path, "Lambda-Runtime-Function-Error-Type: %s\r\n" % error_type, report.body)


def _is_restored(connection, start, lost):
    head = "GET /2018-06-01/runtime/restore/next HTTP/1.1\r\n%s%s\r\n" % (connection.common, start)
    try:
        connection.socket.sendall(head.encode("latin-1"))
        # Here it is that the snapshot is taken. An answer, which only a server gives that takes none, is a refusal.
        connection._reply()
        return False
    except (lost, OSError):
        pass
    try:
        os.fstat(_VARIABLES_FD)
    except OSError:
        connection.leave()
    return True


def _be_unique():
    """Sees to it that random numbers differ from those of others that began from the same snapshot.

    Libraries in C see another process id, and know as after a fork.
    """
    modules = sys.modules
    if "random" in modules:
        modules["random"].seed()
    if "numpy.random" in modules:
        modules["numpy.random"].seed()
    if "tempfile" in modules:
        modules["tempfile"]._name_sequence = None
    if "_ssl" in modules:
        modules["_ssl"].RAND_add(os.urandom(48), 48.0)
    if "threading" in modules:
        modules["threading"].main_thread()._set_native_id()


class _Kept:
    """What is not memory."""

    def __init__(self, connection, state):
        task = os.listdir("/proc/self/task")
        if len(task) > 1:
            raise _Cannot("the function has started threads")
        try:
            with open("/proc/self/task/%s/children" % task[0]) as children:
                if children.read().strip():
                    raise _Cannot("the function has started processes")
        except OSError:
            pass
        self.folder = os.getcwd()
        self.umask = os.umask(0o022)
        os.umask(self.umask)
        ours = {0, 1, 2, state.log_fd, connection.socket.fileno()}
        self.descriptors = []
        for name in os.listdir("/proc/self/fd"):
            number = int(name)
            if number not in ours:
                self._keep_descriptor(number)
        self.files = []
        self.bytes = 0
        self.device = os.stat(_TEMPORARY).st_dev
        self._keep_files(_TEMPORARY)

    def _keep_descriptor(self, number):
        import fcntl

        try:
            about = os.fstat(number)
        except OSError:
            # That of the list itself.
            return
        target = os.readlink("/proc/self/fd/%d" % number)
        inheritable = os.get_inheritable(number)
        if stat.S_ISSOCK(about.st_mode):
            socket = _socket.socket(fileno=number)
            kind = (socket.family, socket.type, socket.proto)
            listens = socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN)
            timeout = socket.gettimeout()
            socket.detach()
            if listens or kind[0] not in (_socket.AF_INET, _socket.AF_INET6):
                raise _Cannot("the function has opened %s" % target)
            # As after a restore on AWS, its connection is dead.
            self.descriptors.append((number, inheritable, None, (kind, timeout)))
            return
        is_device = stat.S_ISCHR(about.st_mode) and target.startswith("/dev/")
        if not (is_device or stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)) or not os.path.exists(target):
            raise _Cannot("the function has opened %s" % target)
        flags = fcntl.fcntl(number, fcntl.F_GETFL) & ~(os.O_CREAT | os.O_TRUNC | os.O_EXCL)
        offset = os.lseek(number, 0, os.SEEK_CUR) if stat.S_ISREG(about.st_mode) else None
        self.descriptors.append((number, inheritable, (target, flags, offset), None))

    def _keep_files(self, folder):
        for entry in os.scandir(folder):
            about = entry.stat(follow_symlinks=False)
            if about.st_dev != self.device:
                # Something that is mounted there, as it will be in every environment.
                continue
            times = (about.st_atime_ns, about.st_mtime_ns)
            mode = stat.S_IMODE(about.st_mode)
            if entry.is_symlink():
                self.files.append((entry.path, "link", os.readlink(entry.path), mode, times))
            elif entry.is_dir():
                self._keep_files(entry.path)
                # Behind what is in it: its times and its mode come last. Not a place for a mount.
                if about.st_uid == os.getuid():
                    self.files.append((entry.path, "folder", None, mode, times))
            elif entry.is_file():
                self.bytes += about.st_size
                if self.bytes > _TEMPORARY_BYTES_MAX:
                    raise _Cannot("there is more than %d MB in /tmp" % (_TEMPORARY_BYTES_MAX >> 20))
                with open(entry.path, "rb") as file:
                    self.files.append((entry.path, "file", file.read(), mode, times))
            else:
                raise _Cannot("%s is no file" % entry.path)

    def put_back(self):
        parts = []
        while True:
            part = os.read(_VARIABLES_FD, 65536)
            if not part:
                break
            parts.append(part)
        os.close(_VARIABLES_FD)
        for line in b"".join(parts).split(b"\0"):
            name, _, value = line.partition(b"=")
            if os.fsdecode(name) in _OF_ENVIRONMENT:
                os.environ[os.fsdecode(name)] = os.fsdecode(value)
        for path, kind, content, mode, times in self.files:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if kind == "link":
                os.symlink(content, path)
                continue
            if kind == "folder":
                os.makedirs(path, exist_ok=True)
            else:
                with open(path, "wb") as file:
                    file.write(content)
            os.chmod(path, mode)
            os.utime(path, ns=times)
        for number, inheritable, file, socket in self.descriptors:
            if file is not None:
                target, flags, offset = file
                opened = os.open(target, flags)
                if offset is not None:
                    os.lseek(opened, offset, os.SEEK_SET)
            else:
                (family, kind, protocol), timeout = socket
                fresh = _socket.socket(family, kind, protocol)
                fresh.settimeout(timeout)
                opened = fresh.detach()
            if opened != number:
                os.dup2(opened, number, inheritable)
                os.close(opened)
        os.chdir(self.folder)
        os.umask(self.umask)
