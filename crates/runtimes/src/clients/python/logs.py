"""Log records: how they look, and where they go. Loaded when a function imports `logging`, or when it fails.

Records go to the descriptor that the service names, framed, so that one of many lines stays together; without one, to
standard output.
"""

import os
import sys
import time

# The first word of a frame: text or JSON, with a time; the level is added in bits 2 to 4.
_FRAME_TEXT = 0xA55A0003
_FRAME_JSON = 0xA55A0002
# From tens of Python's levels to the levels of frames: NOTSET, DEBUG, INFO, WARNING, ERROR, CRITICAL.
_FRAME_LEVELS = (0, 2, 3, 4, 5, 6)
_ERROR = 40


class Sink:
    """Where records are written."""

    def __init__(self, state):
        self.state = state

    def log(self, text, level=0, is_json=False):
        if self.state.log_fd is None:
            sys.stdout.write(text)
            return
        message = text.encode()
        frame_type = (_FRAME_JSON if is_json else _FRAME_TEXT) | _FRAME_LEVELS[level // 10] << 2
        frame = (
            frame_type.to_bytes(4, "big")
            + len(message).to_bytes(4, "big")
            + (time.time_ns() // 1000).to_bytes(8, "big")
            + message
        )
        # One write, so that nothing of another thread gets in between.
        while frame:
            frame = frame[os.write(self.state.log_fd, frame) :]

    def log_error(self, lines, is_json=False):
        if self.state.log_fd is None:
            # A record is one line: the service splits standard output at line ends.
            sys.stdout.write("\r".join(lines) + "\n")
        else:
            self.log("\n".join(lines), _ERROR, is_json)


def set_up(logging, state):
    """Gives the root logger the handler that functions find on Lambda."""
    is_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    if level == "TRACE":
        level = "DEBUG"
    with_levels = is_json or bool(level)

    class LambdaLoggerHandler(logging.Handler):
        def __init__(self):
            super().__init__()
            self.log_sink = Sink(state)

        def emit(self, record):
            text = self.format(record)
            tens = _tens(record) if with_levels else 0
            # A function may have put another formatter in place of ours.
            self.log_sink.log(text, tens, hasattr(record, "_frame_type"))

    class LambdaLoggerFilter(logging.Filter):
        def filter(self, record):
            record.aws_request_id = state.request_id or ""
            record.tenant_id = state.tenant_id
            return True

    logging.Formatter.converter = time.gmtime
    handler = LambdaLoggerHandler()
    handler.addFilter(LambdaLoggerFilter())
    if is_json:
        handler.setFormatter(_json_formatter(logging))
    else:
        handler.setFormatter(
            logging.Formatter(
                "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
                "%Y-%m-%dT%H:%M:%S",
            )
        )
    root = logging.getLogger()
    if level in logging._nameToLevel:
        root.setLevel(level)
    root.addHandler(handler)


def _tens(record):
    return min(50, max(0, record.levelno)) // 10 * 10


def _json_formatter(logging):
    import json

    # What a record has by itself; all else was given by the function as `extra`, and is shown. AWS's client shows the
    # name of a task (from Python 3.12 on) too.
    usual = set(vars(logging.makeLogRecord({}))) | {"aws_request_id", "tenant_id", "_frame_type"}
    usual.discard("taskName")
    encode = json.JSONEncoder(ensure_ascii=False, default=str).encode

    class JsonFormatter(logging.Formatter):
        def format(self, record):
            # Handlers of the function that come later see the level of JSON too, as with AWS's client.
            record.levelno = _tens(record)
            record.levelname = logging.getLevelName(record.levelno)
            record._frame_type = _FRAME_JSON
            error = record.exc_info if record.exc_info and record.exc_info[0] else None
            as_object = isinstance(record.msg, dict) and not record.args
            result = {
                "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
                "level": record.levelname,
                "message": record.msg if as_object else record.getMessage(),
                "logger": record.name,
                "stackTrace": _formatted(error[2]) if error else None,
                "errorType": error[0].__name__ if error else None,
                "errorMessage": str(error[1]) if error else None,
                "requestId": getattr(record, "aws_request_id", None),
                "location": "%s:%s:%s" % (record.pathname, record.funcName, record.lineno) if error else None,
            }
            tenant_id = getattr(record, "tenant_id", None)
            if tenant_id is not None:
                result["tenantId"] = tenant_id
            for name, value in vars(record).items():
                if name not in usual and name not in result:
                    result[name] = value
            shown = {name: value for name, value in result.items() if value is not None}
            return encode(shown) + "\n"

    return JsonFormatter()


def _formatted(tb):
    import traceback

    return traceback.format_tb(tb)
