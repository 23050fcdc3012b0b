"""Hearth's runtime client for Python 3.8 and later: loads the function, then asks the Runtime API for events one after
another and posts what the handler answers. To a function it looks like AWS's own client.

Everything before the first `/next` is part of every cold start. So the interpreter is started without `site` (see
`_SiteLater`), HTTP is spoken on a bare socket, JSON goes through the C scanner and encoder without the `json` package,
and `logging` is set up when somebody imports it. What is seldom needed is in files of its own: `errors.py`, `logs.py`,
`values.py`.
"""

import os
import sys
import time

import marshal

import _frozen_importlib
import _socket

_INVOCATION = "/2018-06-01/runtime/invocation/"
# Larger responses are sent alone: the server may refuse one while it is still being written.
_PIPELINED_BYTES_MAX = 65536
_RECEIVE_BYTES = 65536
# The last argument where a profile of the function's imports is asked for.
_PROFILE_IMPORTS = "--profile-imports"
# The last argument where the process is booted ahead of its Init.
_WAIT_FOR_INIT = "--wait-for-init"
_SIGSTOP = 19
# The value of PYTHONPATH on AWS up to Python 3.11; it is a default and says nothing about what the user wants.
_DEFAULT_PYTHONPATH = "/var/runtime"


class Fault(Exception):
    """An error that the client reports under a type of its own."""

    def __init__(self, error_type, message, trace=None):
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.trace = trace


class State:
    """What the log needs to know of the running invocation, and where its records go."""

    request_id = None
    tenant_id = None
    log_fd = None


class Unbuffered:
    """Standard output and standard error as a function finds them: each write goes out at once, in order."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        self.stream.write(text)
        self.stream.flush()

    def writelines(self, texts):
        self.stream.writelines(texts)
        self.stream.flush()


# ---- Where modules are found ------------------------------------------------------------------------------------


def _arrange_path(task_root, layer_paths, site_paths):
    # In the place of this client's own folder, as on AWS.
    sys.path[:1] = [task_root, *layer_paths]
    # With those of the runtime package first. `site`, if it runs at all, finds its own folders there and passes on.
    sys.path.extend(path for path in site_paths if path not in sys.path)
    if not sys.flags.no_site:
        return
    if _wants_site():
        _run_site()
        return
    import builtins

    import _sitebuiltins

    builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
    builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")
    builtins.help = _sitebuiltins._Helper()
    builtins.copyright = _sitebuiltins._Printer("copyright", sys.copyright)
    builtins.credits = _sitebuiltins._Printer("credits", "See www.python.org for more information.")
    builtins.license = _sitebuiltins._Printer("license", "See https://www.python.org/psf/license/")
    sys.meta_path.append(_SiteLater)


def _wants_site():
    # Whoever sets a PYTHON variable may mean what only `site` does, such as a `sitecustomize` in PYTHONPATH.
    for name in os.environ:
        if name.startswith("PYTHON"):
            if name != "PYTHONPATH" or os.environ[name] != _DEFAULT_PYTHONPATH:
                return True
    return False


def _run_site():
    import site

    site.main()


class _SiteLater:
    """Runs `site` when a module is not found without it.

    The folders that `site` adds are known beforehand and are on the path. What is left are the import hooks of `.pth`
    files (editable installs, old namespace packages), which cost more than everything else at start.
    """

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if path is not None or cls not in sys.meta_path:
            return None
        sys.meta_path.remove(cls)
        _run_site()
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
        return None


class _Provided:
    """Finds the package for hooks of SnapStart, which is part of AWS's runtimes, if nobody else has it."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "snapshot_restore_py":
            return None
        import _frozen_importlib_external

        extension = ".pyc" if __file__.endswith(".pyc") else ".py"
        path = os.path.join(os.path.dirname(__file__), name + extension)
        return _frozen_importlib_external.spec_from_file_location(name, path)


class _LoggingSetup:
    """Sets up the root logger at the end of the first import of `logging`."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(cls)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                spec.loader = _LoggingLoader(spec.loader)
                return spec
        return None


class _LoggingLoader:
    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        _client_module("logs").set_up(module, State)


def _client_module(name):
    """Imports another file of this client, whose folder is not on the path."""
    full_name = "_hearth_" + name
    if full_name not in sys.modules:
        import _frozen_importlib_external

        extension = ".pyc" if __file__.endswith(".pyc") else ".py"
        path = os.path.join(os.path.dirname(__file__), name + extension)
        spec = _frozen_importlib_external.spec_from_file_location(full_name, path)
        module = _frozen_importlib.module_from_spec(spec)
        sys.modules[full_name] = module
        spec.loader.exec_module(module)
    return sys.modules[full_name]


# ---- Init ---------------------------------------------------------------------------------------------------------


def _load(name):
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise Fault(
            "Runtime.MalformedHandlerName",
            "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % name,
        )
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault(
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module %s as a handler module" % module_name,
        )
    try:
        path = module_name.replace("/", ".")
        if path.startswith("."):
            import importlib

            module = importlib.import_module(path)
        else:
            # All that `import_module` would do, without the package that it is in.
            module = _frozen_importlib._gcd_import(path)
    except ImportError as error:
        raise Fault(
            "Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module_name, error)
        ) from error
    except SyntaxError as error:
        raise Fault(
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module '%s': %s" % (module_name, error),
            ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)],
        ) from error
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise Fault(
            "Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (function_name, module_name)
        ) from None


def _profile_imports(address):
    """Has every import reported from here on; returns what ends that."""
    end = _client_module("imports").begin(address, os.environ["LAMBDA_TASK_ROOT"], _dumps)
    # The function is not to find it among its modules.
    del sys.modules["_hearth_imports"]
    return end


def _wait_for_init():
    """Stands still until somebody wants this process. Nothing of the function has been read before."""
    for arguments in (sys.argv, getattr(sys, "orig_argv", [None])):
        arguments.pop()
    os.kill(os.getpid(), _SIGSTOP)


def _main():
    if sys.argv[-1] == _WAIT_FOR_INIT:
        _wait_for_init()
    profiles_imports = sys.argv[-1] == _PROFILE_IMPORTS
    if profiles_imports:
        for arguments in (sys.argv, getattr(sys, "orig_argv", [None])):
            arguments.pop()
    site_paths = sys.argv[1].split(os.pathsep) if len(sys.argv) > 1 and sys.argv[1] else ()
    layer_paths = sys.argv[2].split(os.pathsep) if len(sys.argv) > 2 else ()
    del sys.argv[1:]
    log_fd = os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD", None)
    if log_fd is not None:
        State.log_fd = int(log_fd)
    sys.stdout = Unbuffered(sys.stdout)
    sys.stderr = Unbuffered(sys.stderr)
    connection = Connection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    sys.meta_path.insert(0, _LoggingSetup)
    sys.meta_path.append(_Provided)
    _arrange_path(os.environ["LAMBDA_TASK_ROOT"], layer_paths, site_paths)

    end_of_profile = _profile_imports(connection.address) if profiles_imports else None
    start = "Hearth-Function-Init-Start: %d\r\n" % time.monotonic_ns()
    failure = None
    try:
        handler = _load(os.environ["_HANDLER"])
    except Exception as error:
        failure = error
    if end_of_profile is not None:
        end_of_profile(failure)
    if failure is not None:
        report = _client_module("errors").report_init(failure, State)
        connection.post(
            "/2018-06-01/runtime/init/error",
            "Lambda-Runtime-Function-Error-Type: %s\r\n%s" % (report.error_type, start),
            report.body,
        )
        sys.exit(1)
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        start = _client_module("snapshot").take(connection, start, State, _client_module, _Lost)
    _serve(connection, handler, start)


# ---- Invoke -------------------------------------------------------------------------------------------------------


def _serve(connection, handler, start):
    headers, body = connection.next(start)
    while True:
        request_id = headers["lambda-runtime-aws-request-id"]
        State.request_id = request_id
        State.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        trace_id = headers.get("lambda-runtime-trace-id")
        if trace_id is not None:
            os.environ["_X_AMZN_TRACE_ID"] = trace_id
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)

        # The ids of an answer, if the event has more than one.
        ids = headers.get("lambda-runtime-invocation-id")
        ids = "" if ids is None else "Lambda-Runtime-Invocation-Id: %s\r\n" % ids
        extra = "Content-Type: application/json\r\n"
        failure = None
        try:
            context = LambdaContext(headers)
            event = _read_event(body, headers.get("content-type"))
            # A large event is the function's from here on: let it free the bytes.
            body = None
            result = handler(event, context)
            event = context = None
            if isinstance(result, bytes):
                answer = result
                extra = "Content-Type: application/unknown\r\n"
            else:
                answer = _write_result(result)
            result = None
            path = _INVOCATION + request_id + "/response"
        except Exception as error:
            failure = error
        if failure is not None:
            # Nor must an unfinished answer live on.
            event = context = result = None
            report = _client_module("errors").report_invoke(failure, request_id, State)
            answer = report.body
            extra += report.headers
            path = _INVOCATION + request_id + "/error"
            # The frames of the function must not live on with their variables.
            failure = report = None
        headers, body = connection.answer_and_next(path, ids + extra, answer)
        answer = None


class LambdaContext:
    """What a handler is told besides the event."""

    def __init__(self, headers):
        environ = os.environ
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.log_group_name = environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        given = _parsed(headers.get("lambda-runtime-client-context"), "Client Context")
        self._w3c_fields = {}
        if isinstance(given, dict) and "w3c" in given:
            self._w3c_fields = _w3c_fields(given.pop("w3c"))
        self.client_context = None if given is None else ClientContext(given)
        self.identity = CognitoIdentity(
            _parsed(headers.get("lambda-runtime-cognito-identity"), "Cognito Identity") or {}
        )
        self._deadline_ms = int(headers["lambda-runtime-deadline-ms"])

    def get_remaining_time_in_millis(self):
        return max(self._deadline_ms - int(time.time() * 1000), 0)

    def w3c(self):
        return dict(self._w3c_fields)

    def log(self, message):
        if "logging" in sys.modules:
            for handler in sys.modules["logging"].getLogger().handlers:
                if hasattr(handler, "log_sink"):
                    handler.log_sink.log(str(message))
                    return
        sys.stdout.write(str(message))

    def __repr__(self):
        return _described(
            self,
            (
                "aws_request_id",
                "log_group_name",
                "log_stream_name",
                "function_name",
                "memory_limit_in_mb",
                "function_version",
                "invoked_function_arn",
                "client_context",
                "identity",
                "tenant_id",
            ),
        )


def _w3c_fields(given):
    if not isinstance(given, dict):
        return {}
    names = ("traceparent", "tracestate", "baggage")
    return {name: given[name] for name in names if isinstance(given.get(name), str)}


def _described(value, names):
    members = ",".join("%s=%s" % (name, getattr(value, name)) for name in names)
    return "%s([%s])" % (type(value).__name__, members)


class _Members:
    """An object with the members that a JSON object of a header has, `None` where there is none."""

    __slots__ = ()

    def __init__(self, given):
        for name in self.__slots__:
            setattr(self, name, given.get(name))

    def __repr__(self):
        return _described(self, self.__slots__)


class CognitoIdentity(_Members):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, given):
        self.cognito_identity_id = given.get("cognitoIdentityId")
        self.cognito_identity_pool_id = given.get("cognitoIdentityPoolId")


class Client(_Members):
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(_Members):
    __slots__ = ("custom", "env", "client")

    def __init__(self, given):
        super().__init__(given)
        if self.client is not None:
            self.client = Client(self.client)


def _parsed(text, name):
    if not text:
        return None
    try:
        return _loads(text)
    except Exception as error:
        raise Fault(
            "Runtime.LambdaContextUnmarshalError", "Unable to parse %s JSON: %s" % (name, error)
        ) from error


# ---- JSON -----------------------------------------------------------------------------------------------------------


class _ScannerSettings:
    """What the C scanner wants to know; the defaults of `json.loads`."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__
    memo = {}


def _loads(text):
    """Parses JSON; whatever is unusual is left to the `json` package, and with it the texts of errors."""
    if _scan is not None:
        try:
            value, end = _scan(text, 0)
            if end == len(text):
                return value
        except (StopIteration, ValueError, SystemError):
            # Up to Python 3.12 the scanner cannot even raise its error without the package.
            pass
    import json

    return json.loads(text)


def _read_event(body, content_type):
    if content_type != "application/json":
        return body
    try:
        return _loads(body.decode())
    except Exception as error:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error) from error


def _unusual(*_):
    raise TypeError


def _dumps(value):
    """Writes JSON. What is made of plain values only, the C encoder writes.

    It would take a named tuple for a list. `marshal`, which refuses whatever is not plain, finds out for half of what
    writing costs (measured with 20,000 texts); looking at each value in Python would cost five times as much.
    """
    try:
        marshal.dumps(value, 2)
        return "".join(_make_encoder({}, _unusual, _encode_text, None, ": ", ", ", False, False, True)(value, 0))
    except Exception:
        return _client_module("values").dumps(value)


def _write_result(result):
    try:
        return _dumps(result).encode()
    except Exception as error:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % error) from error


# Up to Python 3.11 AWS's client writes everything beyond ASCII as escapes.
_ASCII_ONLY = sys.version_info < (3, 12)

try:
    from _json import make_encoder as _make_encoder
    from _json import make_scanner as _make_scanner

    if _ASCII_ONLY:
        from _json import encode_basestring_ascii as _encode_text
    else:
        from _json import encode_basestring as _encode_text
    _scan = _make_scanner(_ScannerSettings)
except ImportError:
    # Some builds of Python do without the C parts.
    from json.encoder import py_encode_basestring, py_encode_basestring_ascii

    _encode_text = py_encode_basestring_ascii if _ASCII_ONLY else py_encode_basestring
    _scan = None
    _make_encoder = _unusual


# ---- HTTP -----------------------------------------------------------------------------------------------------------


class _Lost(Exception):
    """The connection ended before a reply was complete."""


class Connection:
    """HTTP/1.1 to the Runtime API over one connection that is kept alive.

    A response and the following `/next` go out in one write: the server answers them one after the other.
    """

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.address = (host, int(port))
        self.common = "Host: %s\r\nUser-Agent: hearth-python/%d.%d.%d\r\n" % ((address,) + sys.version_info[:3])
        self.next_request = self._next_request("")
        self.open()

    def open(self):
        self.buffer = b""
        self.replies = 0
        self.socket = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        try:
            self.socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            self.socket.connect(self.address)
        except OSError:
            self.leave()

    def next(self, headers=""):
        """Waits for an event; returns its headers and its body."""
        return self._next(self._next_request(headers))

    def _next_request(self, headers):
        return ("GET %snext HTTP/1.1\r\n%s%s\r\n" % (_INVOCATION, self.common, headers)).encode("latin-1")

    def _next(self, request):
        while True:
            try:
                self.socket.sendall(request)
                return self._event()
            except (_Lost, OSError):
                self._open_again()

    def answer_and_next(self, path, headers, body):
        """Posts an answer and waits for the next event. If the answer was refused, the server has told the caller."""
        if len(body) > _PIPELINED_BYTES_MAX:
            self.post(path, headers, body)
            return self._next(self.next_request)
        try:
            self.socket.sendall(self._post_head(path, headers, body) + body + self.next_request)
            if self._posted():
                self.open()
                return self._next(self.next_request)
            return self._event()
        except (_Lost, OSError):
            self._open_again()
            return self._next(self.next_request)

    def post(self, path, headers, body):
        """Posts and waits for the reply, whatever it is."""
        try:
            try:
                self.socket.sendall(self._post_head(path, headers, body))
                self.socket.sendall(body)
            except OSError:
                # The server may have answered, and closed, before it had read everything.
                pass
            if self._posted():
                self.open()
        except (_Lost, OSError):
            self.open()

    def _posted(self):
        """Reads the reply to an answer; returns whether the server closes the connection."""
        status, _, body, closes = self._reply()
        if not 200 <= status <= 299:
            # Such as 413, an answer that is too large. In the words that people look for.
            sys.stdout.write(
                "[ERROR] [%d] LAMBDA_RUNTIME Failed to post handler success response. Http response code: %d. %s\n"
                % (time.time() * 1000, status, body.decode("utf-8", "replace"))
            )
        return closes

    def _post_head(self, path, headers, body):
        text = "POST %s HTTP/1.1\r\n%s%sContent-Length: %d\r\n\r\n" % (path, self.common, headers, len(body))
        return text.encode()

    def _event(self):
        status, headers, body, closes = self._reply()
        if not 200 <= status <= 299:
            message = body.decode("utf-8", "replace")
            sys.stderr.write("The Runtime API refused /next with status %d: %s\n" % (status, message))
            sys.exit(1)
        if closes:
            self.open()
        return headers, body

    def _open_again(self):
        # A server closes a connection that it had used before, and may be asked again on a new one. One that closes
        # without ever having replied is going away.
        if self.replies == 0:
            self.leave()
        self.open()

    def leave(self):
        """Ends the process: nobody is there any more, the environment is going away."""
        os._exit(0)

    def _receive(self):
        data = self.socket.recv(_RECEIVE_BYTES)
        if not data:
            raise _Lost
        return data

    def _reply(self):
        """Returns status, headers by lower-case name, body, and whether the server closes the connection."""
        buffer = self.buffer
        end = buffer.find(b"\r\n\r\n")
        while end < 0:
            buffer += self._receive()
            end = buffer.find(b"\r\n\r\n")
        lines = buffer[:end].decode("utf-8", "surrogateescape").split("\r\n")
        status = int(lines[0][9:12])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        start = end + 4
        if status < 200:
            # Status 1xx announces the real reply.
            self.buffer = buffer[start:]
            return self._reply()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body, self.buffer = self._chunks(buffer[start:])
        else:
            length = int(headers.get("content-length", 0))
            if len(buffer) < start + length:
                parts = [buffer[start:]]
                missing = start + length - len(buffer)
                while missing > 0:
                    parts.append(self._receive())
                    missing -= len(parts[-1])
                buffer = b"".join(parts)
                start = 0
            body = buffer[start : start + length]
            self.buffer = buffer[start + length :]
        self.replies += 1
        return status, headers, body, headers.get("connection", "").lower() == "close"

    def _chunks(self, buffer):
        parts = []
        while True:
            line, buffer = self._line(buffer)
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            while len(buffer) < size + 2:
                buffer += self._receive()
            parts.append(buffer[:size])
            buffer = buffer[size + 2 :]
        while line:
            line, buffer = self._line(buffer)
        return b"".join(parts), buffer

    def _line(self, buffer):
        while b"\r\n" not in buffer:
            buffer += self._receive()
        line, _, rest = buffer.partition(b"\r\n")
        return line, rest


_main()
