//! What the handlers in Python log in the format JSON.

use hearth_types::LogLevel;

use crate::Handler;
use crate::support::{Case, case};

/// A handler that has `logger`, and a body of these lines.
fn logs(lines: &[&str]) -> Case {
    let mut source = String::from(
        "import asyncio, io, logging, sys, threading, warnings
logger = logging.getLogger('shop.orders')
class ShopError(Exception):
    pass
class Thing:
    def __str__(self):
        return 'a thing'
def chained():
    try:
        {}['missing']
    except KeyError as error:
        raise ShopError('no such thing', 42) from error
def handler(event, context):
",
    );
    for line in lines {
        source.push_str(&format!("    {line}\n"));
    }
    case("app.handler", &[("app.py", &source)]).json(None)
}

/// One record of every level, by the root logger, a logger of its own, and numbers between the levels.
const EVERY_LEVEL: &[&str] = &[
    "for level in (1, 5, 10, 15, 20, 25, 30, 39, 40, 49, 50, 99):",
    "    logger.log(level, 'at %d', level)",
    "for name in ('debug', 'info', 'warning', 'error', 'critical'):",
    "    getattr(logging, name)(name)",
    "    getattr(logging.getLogger('a.b'), name)('%s of %r', name, 'a.b')",
    "return [logging.getLogger().level, logger.getEffectiveLevel(), logger.isEnabledFor(logging.DEBUG)]",
];

/// Returns the handlers.
pub(crate) fn handlers() -> Vec<Handler> {
    let levels = [
        ("JSON of the level TRACE", LogLevel::Trace),
        ("JSON of the level DEBUG", LogLevel::Debug),
        ("JSON of the level INFO", LogLevel::Info),
        ("JSON of the level WARN", LogLevel::Warn),
        ("JSON of the level ERROR", LogLevel::Error),
        ("JSON of the level FATAL", LogLevel::Fatal),
    ];
    let of_levels =
        levels.map(|(row, level)| (row, logs(EVERY_LEVEL).json(Some(level)).framed())).into_iter();
    of_levels.chain(messages()).chain(exceptions()).collect()
}

fn messages() -> Vec<Handler> {
    vec![
        ("JSON of no level", logs(EVERY_LEVEL)),
        (
            "JSON by the function's own variables",
            case(
                "app.handler",
                &[(
                    "app.py",
                    "import logging\ndef handler(event, context):\n    logging.info('seen')\n    print('printed')\n",
                )],
            )
            .variable("AWS_LAMBDA_LOG_FORMAT", "json")
            .variable("AWS_LAMBDA_LOG_LEVEL", "Info")
            .framed(),
        ),
        (
            "JSON of objects as the message",
            logs(&[
                "logger.warning({'nested': {'list': [1, 2.5, None, True, {'é': '\\u2028'}]}, 'thing': Thing()})",
                "logger.warning({'with': 'arguments'}, 1)",
                "logger.warning(['a', 'list'])",
                "logger.warning(('a', 'pair'))",
                "logger.warning(42)",
                "logger.warning(None)",
                "logger.warning(Thing())",
                "logger.warning(b'bytes')",
                "logger.warning('%(key)s', {'key': 'by name'})",
                "logger.warning('100%')",
                "logger.warning('')",
            ]),
        ),
        (
            "JSON of circular and odd objects",
            logs(&[
                "circle = {}",
                "circle['circle'] = circle",
                "logger.warning(circle)",
                "logger.warning({(1, 2): 'pair as a key'})",
                "logger.warning({1: 'a', None: 'b', True: 'c', 1.5: 'd'})",
                "logger.warning({'nan': float('nan'), 'endless': float('inf'), 'big': 2 ** 80, 'set': {1}})",
                "logger.warning('after')",
            ]),
        ),
        (
            "JSON of messages that do not fit their arguments",
            logs(&["logger.error('%d', 'words')", "logger.error('%s %s', 1)", "logger.error('after')"]),
        ),
        (
            "JSON of text with controls and lines",
            logs(&["logger.error('one\\ntwo\\r\\nthree\\t\\x00\\x1b[31m\\x7f é 😀 \"quoted\" \\\\')"]).framed(),
        ),
        (
            "JSON of extra values",
            logs(&[
                "logger.error('extra', extra={'order': 7, 'tags': ['a', ('b',)], 'thing': Thing(), 'none': None, 'deep': {'a': {'b': 1}}})",
                "logger.error('known names', extra={'timestamp': 1, 'level': 2, 'logger': 3, 'requestId': 4, 'location': 5, 'errorType': 6})",
                "logger.error('tenant', extra={'tenantId': 'mine'})",
                "logger.error('tenant', extra={'aws_request_id': 'mine', 'tenant_id': 'other', '_frame_type': b'x'})",
                "logger.error('empty', extra={'': 0, 'empty': '', 'no': False, '1': []})",
            ]),
        ),
        (
            "JSON of extra values of a tenant",
            logs(&["logger.error('tenant', extra={'tenantId': 'mine', 'zone': 'z'})"])
                .headers(&[("Lambda-Runtime-Aws-Tenant-Id", "blue")]),
        ),
        (
            "JSON of loggers and their names",
            logs(&[
                "logging.warning('root')",
                "logging.getLogger('').warning('no name')",
                "logging.getLogger('a.b.c').warning('nested')",
                "logging.getLogger('é\"').warning('odd')",
                "logging.getLogger(__name__).warning('module')",
                "logging.LoggerAdapter(logger, {'added': 1}).warning('by an adapter')",
                "logging.captureWarnings(True)",
                "warnings.warn('captured')",
            ]),
        ),
        (
            "JSON of a level with a name of its own",
            logs(&[
                "logging.addLevelName(25, 'NOTICE')",
                "logging.addLevelName(30, 'MIND')",
                "logger.log(25, 'notice')",
                "logger.warning('mind')",
                "logger.setLevel(1)",
                "logger.log(3, 'less than all')",
            ])
            .framed(),
        ),
        (
            "JSON beside a handler of the function's",
            logs(&[
                "text = io.StringIO()",
                "own = logging.StreamHandler(text)",
                "own.setFormatter(logging.Formatter('%(levelname)s %(levelno)d %(asctime)s %(message)s', 'then'))",
                "logging.getLogger().addHandler(own)",
                "logger.log(35, 'after')",
                "logger.addHandler(own)",
                "logger.log(35, 'before and after')",
                "print([line.split(' ')[:2] for line in text.getvalue().splitlines()])",
            ]),
        ),
        (
            "JSON in place of the formatter",
            logs(&[
                "logging.getLogger().handlers[0].setFormatter(logging.Formatter('%(levelname)s %(aws_request_id)s %(message)s'))",
                "logger.error('own format')",
                "logger.warning('own format')",
            ])
            .framed(),
        ),
        (
            "JSON and print",
            logs(&[
                "print('{\"level\": \"ERROR\", \"message\": \"by hand\"}')",
                "print('text')",
                "logger.error('record')",
                "sys.stderr.write('to stderr\\n')",
                "context.log('by the context')",
            ]),
        ),
        (
            "JSON of threads and tasks",
            logs(&[
                "def work():",
                "    logger.error('in a thread')",
                "thread = threading.Thread(target=work, name='worker')",
                "thread.start()",
                "thread.join()",
                "async def task():",
                "    logger.error('in a task')",
                "asyncio.run(task())",
            ]),
        ),
    ]
}

fn exceptions() -> Vec<Handler> {
    const ALL: &[&str] = &[
        "try:",
        "    chained()",
        "except ShopError as error:",
        "    logger.exception('failed: %s', error)",
        "    logger.error('with exc_info', exc_info=True)",
        "    logger.error('with the error', exc_info=error)",
        "    logger.warning('with three', exc_info=sys.exc_info(), extra={'order': 7})",
        "    logger.info('too low', exc_info=True)",
        "    logger.error(error)",
        "    logger.error({'object': 1}, exc_info=True)",
        "logger.error('without a traceback', exc_info=ValueError('never raised'))",
        "logger.error('with the stack', stack_info=True)",
        "(lambda: logger.error('of another place', exc_info=ValueError('x'), stacklevel=2))()",
    ];
    vec![
        ("JSON of exc_info", logs(ALL)),
        ("JSON of exc_info, framed", logs(ALL).framed()),
        (
            "JSON of exc_info that is not there",
            logs(&["logger.exception('nothing')", "logger.error('after', exc_info=False)"]),
        ),
        (
            "JSON of exceptions that end an invocation",
            logs(&[
                "if event == 1: chained()",
                "if event == 2: raise ShopError()",
                "raise ExceptionGroup('many', [ValueError('a')])",
            ])
            .events(&["1", "2", "3"])
            .framed(),
        ),
        (
            "JSON of an exception that ends an invocation of a tenant",
            logs(&["raise ShopError('é\\n\"x\"')"]).headers(&[("Lambda-Runtime-Aws-Tenant-Id", "blue")]),
        ),
        (
            "JSON of an exception of the level FATAL",
            logs(&["raise ShopError('x')"]).json(Some(LogLevel::Fatal)).framed(),
        ),
        ("JSON of an answer that is not JSON", logs(&["return {1, 2}"])),
        (
            "JSON of an exception in a thread",
            logs(&[
                "def fail():",
                "    raise ValueError('in a thread')",
                "thread = threading.Thread(target=fail, name='worker')",
                "thread.start()",
                "thread.join()",
            ]),
        ),
        ("JSON of the end of the process", logs(&["logger.error('bye')", "sys.exit('words')"]).framed()),
    ]
}

/// Returns the handlers that fail while they are loaded.
pub(crate) fn loading() -> Vec<Handler> {
    let app = |source: &str| case("app.handler", &[("app.py", source)]).json(None);
    vec![
        ("JSON of no such module", case("nope.handler", &[]).json(None).framed()),
        ("JSON of no such function", app("other = 1\n")),
        ("JSON of a handler without a dot", case("app", &[]).json(None)),
        ("JSON of wrong syntax", app("def handler(:\n    pass\n").framed()),
        ("JSON of an exception while loading", app("import logging\nlogging.error('loading')\n1 / 0\n")),
        (
            "JSON of an exception while loading, of the level ERROR",
            app("def fail():\n    raise ValueError('é\\nx')\nfail()\n").json(Some(LogLevel::Error)).framed(),
        ),
    ]
}
