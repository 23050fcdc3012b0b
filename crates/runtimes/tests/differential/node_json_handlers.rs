//! What the handlers in JavaScript log in the format JSON.

use hearth_types::LogLevel;

use crate::Handler;
use crate::support::{Case, case};

/// A handler of these lines.
fn logs(lines: &[&str]) -> Case {
    let source = format!(
        "class ShopError extends Error {{ constructor(m, o) {{ super(m, o); this.name = 'Shop'; this.code = 'E1'; }} }}
exports.handler = async (event, context) => {{
  {}
}};
",
        lines.join("\n  ")
    );
    case("index.handler", &[("index.js", &source)]).json(None)
}

const EVERY_METHOD: &[&str] = &[
    "for (const level of ['trace', 'debug', 'info', 'log', 'warn', 'error', 'fatal']) {",
    "  console[level](level);",
    "  console[level]('%s of %s', level, 'two', { behind: 1 });",
    "  console[level]({ object: level });",
    "}",
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
        levels.map(|(row, level)| (row, logs(EVERY_METHOD).json(Some(level)).framed())).into_iter();
    of_levels.chain(messages()).chain(errors()).collect()
}

fn messages() -> Vec<Handler> {
    vec![
        ("JSON of no level", logs(EVERY_METHOD)),
        (
            "JSON by the function's own variables",
            case("index.handler", &[("index.js", "exports.handler = async () => { console.info('i'); console.warn('w'); };")])
                .variable("AWS_LAMBDA_LOG_FORMAT", "json")
                .variable("AWS_LAMBDA_LOG_LEVEL", "Warn")
                .framed(),
        ),
        (
            "JSON of the other methods of console",
            logs(&[
                "console.table([{ a: 1 }, { a: 2 }]);",
                "console.dir({ dir: { deep: { deeper: { deepest: 1 } } } }, { depth: 0 });",
                "console.dirxml({ xml: 1 });",
                "console.assert(false, 'asserted %s', 'x'); console.assert(true, 'never');",
                "console.count(); console.count('named'); console.countReset('named'); console.count('named');",
                "console.group('grouped'); console.log('inside\\nlines'); console.groupEnd(); console.groupCollapsed(); console.groupEnd();",
                "console.timeEnd('never begun'); await new Promise((resolve) => setTimeout(resolve, 20));",
            ]),
        ),
        (
            "JSON of values as the message",
            logs(&[
                "for (const value of [0, -0, 1.5, NaN, Infinity, true, null, undefined, '', 'text', [1, [2]], [], {}]) console.log(value);",
                "console.log(10n); console.log([10n]); console.log({ big: 10n });",
                "console.log(Symbol('s')); console.log(() => 1); console.log(class A {}); console.log({ f() {}, s: Symbol('s'), u: undefined });",
                "console.log(new Date(0)); console.log(new Date(NaN)); console.log(/r/g); console.log(new Map([[1, 2]])); console.log(new Set([1]));",
                "console.log(Buffer.from('hi')); console.log(new Uint8Array([1, 2])); console.log(Promise.resolve(1)); console.log(new Proxy({ a: 1 }, {}));",
                "console.log(Object.create(null)); console.log(new Number(5)); console.log(new String('boxed'));",
                "console.log({ toJSON() { return 'told'; } }); console.log({ toJSON() { throw new TypeError('no'); } });",
                "console.log({ get bad() { throw new RangeError('no'); } });",
                "console.log();",
            ]),
        ),
        (
            "JSON of circular objects",
            logs(&[
                "const circle = { name: 'c' }; circle.circle = circle;",
                "console.log(circle); console.log('with words', circle); console.log([circle]);",
                "const error = new Error('x'); error.self = error; console.error(error);",
                "let deep = {}; const top = deep; for (let n = 0; n < 8; n += 1) { deep.next = {}; deep = deep.next; } console.log(top); console.log('', top);",
            ]),
        ),
        (
            "JSON of formats",
            logs(&[
                "console.log('%s|%d|%i|%f|%j|%o|%O|%c|%%', 'é', '1.5', '1.5', '1.5', { j: 1 }, [1], { O: 1 }, 'css', 'behind');",
                "console.log('100%'); console.log('%s'); console.log('%s', undefined); console.log('%d', 10n); console.log('%j', { circle: 1n });",
                "console.log({ first: 1 }, '%s', 'second'); console.log(1, 2, 'three'); console.log(null, undefined); console.log('a', ''); console.log('', '');",
            ]),
        ),
        ("JSON of text with controls and lines", logs(&["console.log('one\\ntwo\\r\\nthree\\t\\u0000\\u001b[31m\\u007f é 😀 \\u2028 \\ud83d \"quoted\" \\\\');"])),
        ("JSON of text with controls and lines, framed", logs(&["console.log('one\\ntwo\\r\\nthree\\t\\u0000\\u001b[31m\\u007f é 😀 \\u2028 \\ud83d \"quoted\" \\\\');"]).framed()),
        (
            "JSON and plain writes",
            logs(&["process.stdout.write('{\"level\":\"ERROR\",\"message\":\"by hand\"}\\n'); process.stderr.write('to stderr\\n'); console.log('record'); process.emitWarning('warned'); await new Promise((resolve) => setTimeout(resolve, 20));"]),
        ),
        (
            "JSON while loading and of every invocation",
            case("index.handler", &[("index.js", "console.log('loading');
exports.handler = async (event) => { console.log({ event }); await new Promise((resolve) => setTimeout(resolve, 20)); console.log('end'); };")])
            .json(None)
            .events(&["1", "2"]),
        ),
        (
            "JSON by a console of its own",
            logs(&["const { Console } = require('console'); new Console(process.stdout).log('own %s', 'console'); const { log } = console; log('detached'); require('console').warn('required');"]),
        ),
    ]
}

fn errors() -> Vec<Handler> {
    const ALL: &[&str] = &[
        "const error = new ShopError('é\\nsecond', { cause: new TypeError('first') });",
        "console.error(error); console.error('words', error); console.error('words %s', error); console.error(error, 'behind'); console.error(error, new Error('other'));",
        "console.error('two', new RangeError('a'), new TypeError('b')); console.error({ order: 7 }, error); console.error('in', { error });",
        "console.error({ nested: { error } }); console.error([error, 1]); console.error(new Map([['error', error]]));",
        "console.error(Object.assign(new Error('with'), { order: { n: 1 }, errorType: 'mine', message: 'changed', list: [new Error('inner')] }));",
    ];
    vec![
        ("JSON of logged errors", logs(ALL)),
        ("JSON of logged errors, framed", logs(ALL).framed()),
        (
            "JSON of errors of many classes",
            logs(&[
                "class Deep extends ShopError {} ; class Bare extends Error {} ; const anonymous = (() => class extends Error {})();",
                "for (const error of [new Deep('d'), new Bare(), new anonymous('a'), new AggregateError([new Error('a'), 'b'], 'many'), new DOMException('dom', 'AbortError')]) { console.error(error); console.error('words', error); }",
                "try { null.x; } catch (error) { console.error(error); }",
                "try { JSON.parse('{'); } catch (error) { console.error('parse', error); }",
                "try { require('fs').readFileSync('/nope'); } catch (error) { console.error(error); console.error('fs', error); }",
                "const other = require('vm').runInNewContext('new RangeError(\"other\")'); console.error(other instanceof Error, other.name); console.error(other);",
            ]),
        ),
        (
            "JSON of errors that are odd",
            logs(&[
                "const nothing = new Error('nothing'); delete nothing.stack; console.error(nothing); console.error('x', nothing);",
                "const listed = new Error('listed'); listed.stack = ['a', 'b']; console.error(listed); console.error('x', listed);",
                "const named = new Error('named'); named.name = 5; named.message = { m: 1 }; console.error(named); console.error('x', named);",
                "const big = Object.assign(new Error('big'), { n: 10n }); console.error(big); console.error('x', big);",
                "const orphan = new Error('orphan'); Object.setPrototypeOf(orphan, Object.create(Error.prototype, { constructor: { value: undefined } })); console.error(orphan); console.error('x', orphan);",
                "const told = Object.assign(new Error('told'), { toJSON() { return { told: true }; } }); console.error(told); console.error('x', told);",
                "console.error({ errorType: 'E', errorMessage: 'M', stackTrace: [] }); console.error(null); console.error('null', null);",
            ]),
        ),
        (
            "JSON of exceptions that end an invocation",
            logs(&[
                "if (event === 1) throw new ShopError('é\\nsecond', { cause: new Error('first') });",
                "if (event === 2) throw Object.assign(new Error('with'), { order: { n: 1 } });",
                "if (event === 3) throw { code: 1 };",
                "if (event === 4) throw null;",
                "if (event === 5) throw undefined;",
                "if (event === 6) throw 10n;",
                "if (event === 7) { const circle = new Error('circle'); circle.self = circle; throw circle; }",
                "return 10n;",
            ])
            .events(&["1", "2", "3", "4", "5", "6", "7", "8"])
            .framed(),
        ),
        ("JSON of an exception of the level FATAL", logs(&["throw new Error('x');"]).json(Some(LogLevel::Fatal)).framed()),
        (
            "JSON of an exception that nobody caught",
            logs(&["setTimeout(() => { throw new ShopError('late'); }, 1); return new Promise(() => {});"]).framed(),
        ),
        (
            "JSON of text that was rejected and nobody handled",
            logs(&["Promise.reject('lost'); await new Promise((resolve) => setTimeout(resolve, 1000));"]),
        ),
        ("JSON of the end of the process", logs(&["console.log('bye'); process.exit(3);"]).framed()),
    ]
}

/// Returns the handlers that fail while they are loaded.
pub(crate) fn loading() -> Vec<Handler> {
    let index = |source: &str| case("index.handler", &[("index.js", source)]).json(None);
    vec![
        ("JSON of no such module", case("nope.handler", &[]).json(None).framed()),
        ("JSON of no such export", index("exports.other = 1;")),
        ("JSON of a handler without a dot", case("index", &[("index.js", "")]).json(None)),
        ("JSON of wrong syntax", index("exports.handler = (").framed()),
        (
            "JSON of an exception while loading",
            index("console.error('loading'); throw Object.assign(new RangeError('early'), { code: 'E' });"),
        ),
        (
            "JSON of an exception while loading, framed",
            index("console.error('loading'); throw Object.assign(new RangeError('early'), { code: 'E' });")
                .framed(),
        ),
        ("JSON of text thrown while loading", index("throw 'words';").framed()),
        (
            "JSON of an exception while loading an ES module",
            case("index.handler", &[("index.mjs", "console.log('loading'); throw new TypeError('early');")])
                .json(None),
        ),
    ]
}
