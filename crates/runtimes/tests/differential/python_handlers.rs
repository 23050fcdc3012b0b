//! The handlers in Python.

use hearth_types::LogLevel;

use crate::support::{Case, case};
use crate::{Chapter, Handler};

fn app(source: &str) -> Case {
    case("app.handler", &[("app.py", source)])
}

/// A handler whose body is one expression.
fn returns(expression: &str) -> Case {
    app(&format!("def handler(event, context):\n    return {expression}\n"))
}

/// Many handlers in one process, called one after the other: each is one statement.
fn each(prelude: &str, statements: &[&str]) -> Case {
    let mut source = prelude.to_owned();
    for (number, statement) in statements.iter().enumerate() {
        source.push_str(&format!("def handler_{number}(event, context):\n    {statement}\n"));
    }
    source.push_str(
        "def handler(event, context):\n    return globals()['handler_%d' % event](event, context)\n",
    );
    let numbers: Vec<_> = (0..statements.len()).map(|number| number.to_string()).collect();
    app(&source).events(&numbers.iter().map(String::as_str).collect::<Vec<_>>())
}

const VALUES: &str = "import collections, datetime, enum
from decimal import Decimal
Point = collections.namedtuple('Point', 'x y')
class Level(enum.IntEnum):
    LOW = 1
class Name(str):
    pass
class Many(dict):
    pass
class Thing:
    def for_json(self):
        return 1
circle = []
circle.append(circle)
deep = []
for _ in range(100000):
    deep = [deep]
";

const ERRORS: &str = "import json
class Outer:
    class Inner(Exception):
        def __str__(self):
            return 'told by str'
class ShopError(Exception):
    pass
def chained():
    try:
        {}['missing']
    except KeyError as error:
        raise ShopError('no such thing', 42) from error
def second():
    try:
        1 / 0
    except ZeroDivisionError:
        raise LookupError('second')
def more_lines(event):
    return [
        1,
        event['a']['b'],
    ]
";

const CONTEXT: &str = "def handler(event, context):
    left = context.get_remaining_time_in_millis()
    names = [name for name in dir(context) if not name.startswith('_')]
    c = context.client_context
    return [names, type(left).__name__, left > 0, repr(context), type(context).__name__, context.w3c(),
        context.identity.cognito_identity_id, c and [c.custom, c.env, repr(c), c.client and c.client.app_title]]
";

const LOGS: &str = "import logging, sys
logger = logging.getLogger('shop')
logger.warning('loading')
def handler(event, context):
    sys.stdout.write('begun ')
    logger.warning('two\\nlines of %s', 'é')
    logger.info('an info')
    logger.debug('a debug')
    logger.critical('a critical')
    logger.log(25, 'between')
    logger.error({'as': 'object'})
    logger.error('more', extra={'order': 7, 'when': object, 'tags': ('a',)})
    print('printed', end='')
    print('two', 'words')
    print('to stderr', file=sys.stderr)
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception('failed')
    logging.warning('stack', stack_info=False)
    context.log('by the context\\n')
    return logging.getLogger().level
";

/// Returns the chapters of handlers.
pub(crate) fn chapters() -> Vec<Chapter> {
    vec![
        ("values", values()),
        ("loading", loading()),
        ("surroundings", surroundings()),
        ("errors", errors()),
        ("logs", logs()),
        ("json", crate::python_json_handlers::handlers()),
        ("json while loading", crate::python_json_handlers::loading()),
    ]
}

fn values() -> Vec<Handler> {
    vec![
        (
            "several events, one after the other",
            app("seen = []
def handler(event, context):
    seen.append(event)
    return [len(seen), event]
")
            .events(&[
                "{\"a\": 1}",
                " [1.5, null, true] ",
                "\"é\\ud83d\\ude00\"",
                "1e400",
                "-0",
                "12345678901234567890",
            ]),
        ),
        (
            "values",
            each(
                VALUES,
                &[
                    "return None",
                    "return [1, 1.0, -0.0, 1e16, 1e-7, 2**70, float('nan'), float('inf'), -float('inf'), True]",
                    "return ['é', '\\u2028', '😀', '\\x00\\x1f\\x7f', '\\\\ \" / <&>']",
                    "return '\\ud83d'",
                    "return b'raw \\xff'",
                    "return [b'inside', {'k': b'v'}]",
                    "return [b'\\xff']",
                    "return {1: 'i', 1.5: 'f', None: 'n', True: 't', 'é': 's'}",
                    "return {b'k': 1, 2: Point(1, 2), None: 3, 1.5: 4, True: 5}",
                    "return {(1, 2): 1}",
                    "return {'when': datetime.datetime(2026, 1, 31)}",
                    "return {'a': {1, 2}}",
                    "return [Decimal('1.10'), Decimal('NaN'), Decimal('1E+3'), Decimal('-0'), {'d': Decimal('3.14159265358979323846')}]",
                    "return {Decimal('1.1'): 1}",
                    "return [Decimal('Infinity')]",
                    "return circle",
                    "return {'in': [Decimal(1), circle]}",
                    "return deep",
                    "return [Point(1, 2), deep]",
                    "return [Level.LOW, Name('n'), Many(a=1), collections.OrderedDict(b=2), (1, (2,)), [Point(1, 2)], {'p': Point(3, Point(4, 5))}]",
                    "return Point(1, 2)",
                    "return [(), [], {}, Many(), [[]], Point([], {})]",
                    "return {'thing': Thing()}",
                    "return (n for n in (1, 2))",
                    "return 10 ** 5000",
                    "return 'x' * 200000",
                ],
            ),
        ),
        (
            "an object that can be called",
            app("import functools
class Handler:
    def __init__(self, word):
        self.word = word
    def __call__(self, event, context):
        return [self.word, event]
handler = functools.partial(Handler('called'))
"),
        ),
        (
            "an id of the invocation",
            returns("1").headers(&[("Lambda-Runtime-Invocation-Id", "id-of-invocation")]),
        ),
        (
            "a warning",
            app("import warnings, atexit
atexit.register(print, 'at exit')
def handler(event, context):
    warnings.warn('mind the gap')
    raise SystemExit
"),
        ),
        (
            "an async handler",
            app("async def handler(event, context):
    return 1
"),
        ),
        (
            "an event of other bytes",
            returns("[type(event).__name__, str(event)]")
                .events(&["a,b é"])
                .headers(&[("Content-Type", "text/csv")]),
        ),
        (
            "an event of JSON with a charset",
            returns("[type(event).__name__, str(event)]")
                .events(&["{}"])
                .headers(&[("Content-Type", "application/json; charset=utf-8")]),
        ),
        ("events that are not JSON", returns("event").events(&["", "nope", "'a'"])),
        (
            "an event that is broken JSON",
            returns("event").events(&["[", "{", "[1,]", "1 2", "\"\\x\"", "\"a\nb\""]),
        ),
        ("an event that is NaN", returns("event").events(&["NaN"])),
    ]
}

fn loading() -> Vec<Handler> {
    let name = "def func(event, context):\n    return [__name__, __file__]\n";
    vec![
        ("a module in a folder", case("pkg/sub/mod.func", &[("pkg/sub/mod.py", name)])),
        ("a module in a package", case("pkg.mod.func", &[("pkg/__init__.py", ""), ("pkg/mod.py", name)])),
        (
            "a relative import",
            case(
                "pkg.mod.func",
                &[
                    ("pkg/__init__.py", ""),
                    ("pkg/other.py", "VALUE = 7"),
                    ("pkg/mod.py", "from .other import VALUE\ndef func(event, context):\n    return VALUE\n"),
                ],
            ),
        ),
        ("a relative import without a package", app("from .other import VALUE\n")),
        ("no such module", case("nope.handler", &[])),
        ("no such module in a package", case("pkg.nope.handler", &[("pkg/__init__.py", "")])),
        ("no such function", app("other = 1\n")),
        ("not a function", app("handler = 5\n")),
        ("a handler without a dot", case("app", &[])),
        ("an answer that is refused", returns("event").events(&["1", "2"]).response_status(413)),
        ("no module", case(".handler", &[])),
        ("an empty part", case("app.", &[("app.py", "")])),
        ("a leading dot", case(".app.handler", &[("app.py", "")])),
        ("a built-in module", case("sys.exit", &[])),
        ("a module of the library", case("json.dumps", &[])),
        ("wrong syntax", app("def handler(:\n    pass\n")),
        (
            "wrong syntax of an imported module",
            case("app.handler", &[("app.py", "import other\n"), ("other.py", "x = = 1\n")]),
        ),
        ("wrong indentation", app("def handler(event, context):\nreturn 1\n")),
        ("an import of what is missing", app("import missing_thing\n")),
        ("an import of a name that is missing", app("from json import missing_name\n")),
        (
            "an exception while loading",
            app("def fail():\n    raise ValueError('too early')\nfail()\n").framed(),
        ),
        (
            "an exception while loading an imported module",
            case("app.handler", &[("app.py", "import other\n"), ("other.py", "1 / 0\n")]),
        ),
        ("an exception without words while loading", app("raise Exception()\n")),
        (
            "a class error while loading, in JSON",
            app("class Boom(Exception):\n    pass\nraise Boom('é')\n").json(None).framed(),
        ),
        ("the end of the process while loading", app("import sys\nprint('bye')\nsys.exit(7)\n")),
        ("an interrupt while loading", app("raise KeyboardInterrupt()\n")),
        (
            "a circle of imports",
            case(
                "app.handler",
                &[("app.py", "from other import b\na = 1\n"), ("other.py", "from app import a\nb = 1\n")],
            ),
        ),
    ]
}

fn surroundings() -> Vec<Handler> {
    vec![
        ("the context", app(CONTEXT)),
        ("the context with everything", app(CONTEXT).headers(&[
            ("Lambda-Runtime-Client-Context", r#"{"client":{"app_title":"é","installation_id":"i"},"custom":{"k":"v"},"env":{"e":1},"w3c":{"traceparent":"00-1","tracestate":7,"other":"x","baggage":"b"}}"#),
            ("Lambda-Runtime-Cognito-Identity", r#"{"cognitoIdentityId":"me","cognitoIdentityPoolId":"pool"}"#),
            ("Lambda-Runtime-Aws-Tenant-Id", "blue"),
        ])),
        ("a client context with nothing in it", app(CONTEXT).headers(&[("Lambda-Runtime-Client-Context", "{}")])),
        ("a client context that is not JSON", app(CONTEXT).headers(&[("Lambda-Runtime-Client-Context", "{")])),
        ("a client context that is no object", app(CONTEXT).headers(&[("Lambda-Runtime-Client-Context", "[1]")])),
        ("an identity that is not JSON", app(CONTEXT).headers(&[("Lambda-Runtime-Cognito-Identity", "x")])),
        ("the environment", app("import os
def handler(event, context):
    return sorted((k, v) for k, v in os.environ.items() if k != 'AWS_LAMBDA_RUNTIME_API')
").framed()),
        ("the trace id", returns("__import__('os').environ.get('_X_AMZN_TRACE_ID')").events(&["1", "2"])),
        ("no trace id", returns("__import__('os').environ.get('_X_AMZN_TRACE_ID')").headers(&[("Lambda-Runtime-Trace-Id", "")])),
        ("the interpreter", app("import sys, os, builtins
def handler(event, context):
    return [sys.path[0], os.getcwd(), sys.stdout.encoding, sys.stdout.errors, sys.stdout.isatty(), type(sys.stdout).__name__,
        type(sys.stderr).__name__, callable(exit), __name__, sys.flags.optimize, sys.dont_write_bytecode, hasattr(builtins, 'copyright'),
        sys.stdout.fileno()]
")),
        ("logging is there at once", app("import sys
def handler(event, context):
    import logging
    root = logging.getLogger()
    return [root.level, len(root.handlers), type(root.handlers[0]).__name__, hasattr(root.handlers[0], 'log_sink'),
        logging.Formatter.converter.__name__, type(root.handlers[0].formatter).__name__]
")),
        ("PYTHONPATH and its sitecustomize", case("app.handler", &[
            ("app.py", "import extra\ndef handler(event, context):\n    return [extra.VALUE, extra.customised]\n"),
            ("lib/extra.py", "VALUE = 1"),
            ("lib/sitecustomize.py", "import extra\nextra.customised = True"),
        ]).variable("PYTHONPATH", "lib")),
    ]
}

fn errors() -> Vec<Handler> {
    vec![
        (
            "exceptions",
            each(
                ERRORS,
                &[
                    "raise TypeError('boom')",
                    "return 'fine'",
                    "chained()",
                    "second()",
                    "raise ValueError()",
                    "raise ValueError('é\\u2028😀\\n second line')",
                    "json.loads('{')",
                    "raise Outer.Inner('x')",
                    "raise ExceptionGroup('many', [ValueError('a'), TypeError('b')])",
                    "more_lines(event)",
                    "raise StopIteration(5)",
                    "assert event < 0, 'asserted'",
                    "raise",
                ],
            ),
        ),
        (
            "exceptions, framed",
            each(
                ERRORS,
                &[
                    "chained()",
                    "raise ValueError()",
                    "raise ValueError('é\\u2028😀\\n second line')",
                    "more_lines(event)",
                ],
            )
            .framed(),
        ),
        (
            "exceptions in JSON",
            each(
                ERRORS,
                &["chained()", "raise ValueError()", "raise ValueError('é\\u2028😀\\n second line')"],
            )
            .json(None),
        ),
        (
            "exceptions in JSON, framed",
            each(ERRORS, &["chained()", "raise ValueError('é\\n')"]).json(None).framed(),
        ),
        (
            "an exception with half a surrogate pair",
            app("def handler(event, context):\n    raise ValueError('\\ud83d')\n"),
        ),
        (
            "a long exception",
            app("def handler(event, context):\n    raise ValueError('x' * 100000)\n").framed(),
        ),
        (
            "a very long exception",
            app("def handler(event, context):\n    raise ValueError('x' * 2000000)\n").framed(),
        ),
        ("a deep exception", app("def handler(event, context):\n    return handler(event, context)\n")),
        (
            "an exception that cannot be told",
            app("class Bad(Exception):
    def __str__(self):
        raise RuntimeError('no words')
def handler(event, context):
    raise Bad()
"),
        ),
        ("a handler of too few arguments", app("def handler(event):\n    return 1\n")),
        (
            "sys.exit",
            app("import sys
def handler(event, context):
    print('bye', end='')
    sys.exit(3)
"),
        ),
        ("sys.exit with words", app("import sys\ndef handler(event, context):\n    sys.exit('words')\n")),
        (
            "os._exit",
            app("import os
def handler(event, context):
    print('half a line', end='')
    os._exit(5)
"),
        ),
        ("an interrupt", app("def handler(event, context):\n    raise KeyboardInterrupt()\n")),
        (
            "a signal",
            app("import os, signal
def handler(event, context):
    print('last')
    os.kill(os.getpid(), signal.SIGABRT)
"),
        ),
        (
            "an exception of a thread",
            app("import threading
def fail():
    raise ValueError('in a thread')
def handler(event, context):
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    return 'fine'
"),
        ),
    ]
}

fn logs() -> Vec<Handler> {
    vec![
        ("logs", app(LOGS)),
        ("logs, framed", app(LOGS).framed()),
        ("logs of a level", app(LOGS).framed().variable("AWS_LAMBDA_LOG_LEVEL", "ERROR")),
        ("logs of a level in small letters", app(LOGS).framed().variable("AWS_LAMBDA_LOG_LEVEL", "info")),
        (
            "logs of a level that Python does not have",
            app(LOGS).framed().variable("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
        ),
        ("logs of a level that nobody has", app(LOGS).framed().variable("AWS_LAMBDA_LOG_LEVEL", "LOUD")),
        ("logs in JSON", app(LOGS).json(None)),
        ("logs in JSON, framed", app(LOGS).json(Some(LogLevel::Debug)).framed()),
        (
            "logs in JSON of a tenant",
            app(LOGS)
                .json(Some(LogLevel::Info))
                .framed()
                .headers(&[("Lambda-Runtime-Aws-Tenant-Id", "blue")]),
        ),
        (
            "a huge line",
            app("import logging
def handler(event, context):
    print('x' * 300000)
    logging.error('y' * 300000)
")
            .framed(),
        ),
        (
            "a log of half a surrogate pair",
            app("import logging
def handler(event, context):
    logging.error('\\ud83d')
    print('after')
")
            .framed(),
        ),
        (
            "print of half a surrogate pair",
            app("def handler(event, context):\n    print('\\ud83d')\n").framed(),
        ),
        (
            "a record with stack_info",
            app("import logging
def handler(event, context):
    logging.getLogger('a.b').error('with stack', stack_info=True, extra={'x': None})
")
            .json(None),
        ),
        (
            "basicConfig does nothing",
            app("import logging
logging.basicConfig(level=logging.DEBUG, format='%(message)s')
def handler(event, context):
    logging.info('unseen')
    logging.getLogger().setLevel(logging.INFO)
    logging.info('seen')
"),
        ),
    ]
}
