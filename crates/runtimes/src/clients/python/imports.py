"""Tells Hearth which modules are imported while the function's code is loaded, how long each takes, and how far resident
memory grows meanwhile. Loaded only where a profile of an Init was asked for.

What is wrapped is the function of the interpreter that every import of a module that is not loaded yet goes through, from
an `import` statement, `__import__` and `importlib` alike. Each record goes out as soon as it is made: an Init that hangs is
killed, and what it hung in is the most interesting of all.
"""

import os
import sys
import time

import _frozen_importlib
import _socket
import _thread

# Frames of the import system do not show in tracebacks; nor shall ours.
_FILE_OF_IMPORT_SYSTEM = "<frozen importlib._bootstrap>"
_TEXT_MAX = 400


def begin(address, task_root, dumps):
    """Starts to record, and returns what ends it. Without a server that wants it, nothing is recorded."""
    pid = os.getpid()
    modules = sys.modules
    lock = _thread.RLock()
    # Of each thread, the imports that it is in, innermost last.
    stacks = {}
    threads = {}
    state = {"count": 0, "open": True, "spent_ns": 0}
    began = time.monotonic_ns()
    monotonic_ns, getpid, get_ident, getframe = time.monotonic_ns, os.getpid, _thread.get_ident, sys._getframe
    pread = os.pread
    find_and_load, execute = _frozen_importlib._find_and_load, _frozen_importlib._exec
    frames_removed = _frozen_importlib._call_with_frames_removed

    try:
        statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        statm = None
    page_kb = os.sysconf("SC_PAGE_SIZE") // 1024

    def memory_kb():
        try:
            return None if statm is None else int(pread(statm, 64, 0).split()[1]) * page_kb
        except (OSError, ValueError, IndexError):
            return None

    def now_us():
        return (monotonic_ns() - began) // 1000

    def send(record):
        if not state["open"]:
            return
        line = (dumps(record) + "\n").encode("utf-8", "replace")
        try:
            with lock:
                connection.sendall(b"%x\r\n%s\r\n" % (len(line), line))
        except OSError:
            state["open"] = False

    def enter(kind, name):
        """Notes that an import begins. Nothing in a process that the function has forked."""
        if not state["open"] or getpid() != pid:
            return None
        entered = monotonic_ns()
        frame = getframe(2)
        while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
            frame = frame.f_back
        importer, line = (None, None) if frame is None else (frame.f_code.co_filename, frame.f_lineno)
        # Not kept alive by a traceback that ends in the wrapper.
        frame = None
        thread = get_ident()
        with lock:
            state["count"] += 1
            number = state["count"]
            stack = stacks.setdefault(thread, [])
            thread_number = threads.setdefault(thread, len(threads))
        parent = stack[-1] if stack else 0
        stack.append(number)
        began_kb = memory_kb()
        send(["b", number, parent, kind, name[:_TEXT_MAX], importer, line, thread_number, now_us(), began_kb])
        state["spent_ns"] += monotonic_ns() - entered
        return number

    def leave(number, name, error):
        if number is None or getpid() != pid:
            return
        left = monotonic_ns()
        at_us, ended_kb = now_us(), memory_kb()
        stack = stacks.get(get_ident(), [])
        while stack and stack.pop() != number:
            pass
        text = None
        if error is not None:
            try:
                text = ("%s: %s" % (type(error).__name__, error))[:_TEXT_MAX]
            except Exception:
                text = type(error).__name__
        send(["e", number, at_us, ended_kb, file_of(name), text])
        state["spent_ns"] += monotonic_ns() - left

    def file_of(name):
        try:
            # By way of `object`: to ask a module that loads itself when it is looked at would load it.
            spec = object.__getattribute__(modules.get(name), "__dict__").get("__spec__")
            origin = object.__getattribute__(spec, "__dict__").get("origin")
            return origin[:_TEXT_MAX] if type(origin) is str else None
        except Exception:
            return None

    def _find_and_load(name, import_):
        if name in modules or type(name) is not str:
            return find_and_load(name, import_)
        # A package comes before its modules, as a sibling: what it takes is not theirs.
        package = name.rpartition(".")[0]
        if package and package not in modules:
            frames_removed(import_, package)
            if name in modules:
                return find_and_load(name, import_)
        number = enter("python", name)
        try:
            module = find_and_load(name, import_)
        except BaseException as error:
            leave(number, name, error)
            raise
        leave(number, name, None)
        return module

    def _exec(spec, module):
        number = enter("reload", spec.name)
        try:
            module = execute(spec, module)
        except BaseException as error:
            leave(number, spec.name, error)
            raise
        leave(number, spec.name, None)
        return module

    def hide_wrappers(error):
        """Takes our frames out of a traceback that the interpreter has not cleaned up by itself."""
        codes = (_find_and_load.__code__, _exec.__code__)
        at = error.__traceback__
        while at is not None and at.tb_next is not None:
            if at.tb_next.tb_frame.f_code in codes:
                at.tb_next = at.tb_next.tb_next
            else:
                at = at.tb_next

    def end(failure):
        """Ends the recording, and waits until all of it has arrived. `failure` is why the function could not be loaded."""
        for error in (failure, getattr(failure, "__cause__", None)):
            if error is not None:
                hide_wrappers(error)
        _frozen_importlib._find_and_load, _frozen_importlib._exec = find_and_load, execute
        send(["d", now_us(), state["spent_ns"] // 1000])
        state["open"] = False
        try:
            connection.sendall(b"0\r\n\r\n")
            connection.recv(4096)
        except OSError:
            pass
        connection.close()
        if statm is not None:
            os.close(statm)

    connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    try:
        connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        connection.connect(address)
        connection.sendall(
            b"POST /_hearth/imports HTTP/1.1\r\nHost: hearth\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
    except OSError:
        state["open"] = False
    for function in (_find_and_load, _exec):
        function.__code__ = function.__code__.replace(co_filename=_FILE_OF_IMPORT_SYSTEM)
    _frozen_importlib._find_and_load, _frozen_importlib._exec = _find_and_load, _exec
    send(["h", task_root, len(modules), memory_kb(), now_us()])
    return end
