"""What the Runtime API and the log are told about errors. Loaded when the first one happens."""

import json
import os
import sys
import time
import traceback

# More would only endanger the request: the server crops the cause at this size.
_XRAY_CAUSE_BYTES_MAX = 65536
_NO_BREAK_SPACE = "\u00a0"

_WARNING = "LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code."

_bootstrap = sys.modules["__main__"]
_CLIENT_FILE = _bootstrap._main.__code__.co_filename
_ASCII_ONLY = _bootstrap._ASCII_ONLY


class Report:
    """A posted error: its type, the body and the headers."""

    def __init__(self, error_type, body, headers=""):
        self.error_type = error_type
        self.body = body
        self.headers = headers


def report_init(error, state):
    """Logs an error of loading the function; returns what is posted to `/init/error`."""
    result, _ = _described(error, "", has_import=True)
    import logging

    logging.warning(_WARNING)
    _log(result, state)
    return Report(_header_value(result["errorType"]), _json(result).encode())


def report_invoke(error, request_id, state):
    """Logs an error of an invocation; returns what is posted as its answer."""
    result, exception = _described(error, request_id)
    _log(result, state)
    cause = {
        "working_directory": os.getcwd(),
        "exceptions": [exception],
        "paths": list({entry["path"]: None for entry in exception["stack"]}),
    }
    text = json.dumps(cause)
    fits = len(text) <= _XRAY_CAUSE_BYTES_MAX
    headers = "Lambda-Runtime-Function-XRay-Error-Cause: %s\r\n" % text if fits else ""
    return Report(result["errorType"], _json(result).encode("utf-8", "backslashreplace"), headers)


def _described(error, request_id, has_import=False):
    if isinstance(error, _bootstrap.Fault):
        message, error_type, trace = error.message, error.error_type, error.trace or []
        exception = {"message": message, "type": "LambdaValidationError", "stack": []}
    else:
        # Frames of this client come first and say nothing about the function; they are told if there is nothing else.
        # The traceback is given as plain entries, because AWS's has no marks below the source lines.
        entries = [tuple(entry) for entry in traceback.extract_tb(error.__traceback__)]
        own = 0
        while own < len(entries) and entries[own][0] == _CLIENT_FILE:
            own += 1
        entries = entries[own:] or entries[1:] or entries
        if has_import and entries[0][0].startswith("<frozen importlib"):
            entries.insert(0, _import_module_entry())
        message, error_type, trace = _message(error), type(error).__name__, traceback.format_list(entries)
        stack = [{"label": name, "path": path, "line": line} for path, line, name, _ in entries]
        exception = {"message": message, "type": error_type, "stack": stack}
    result = {
        "errorMessage": message,
        "errorType": error_type,
        "requestId": request_id,
        "stackTrace": trace,
    }
    return result, exception


def _message(error):
    try:
        return str(error)
    except Exception as other:
        # The end of the process: then Python tells of both.
        other.__context__ = error
        raise


def _import_module_entry():
    """Returns the frame between AWS's client and the import system; this client calls the latter directly."""
    import importlib
    import linecache

    code = importlib.import_module.__code__
    for line in range(code.co_firstlineno, code.co_firstlineno + 50):
        text = linecache.getline(code.co_filename, line).strip()
        if "_gcd_import" in text:
            break
    return code.co_filename, line, code.co_name, text


def _json(value):
    return json.dumps(value, ensure_ascii=_ASCII_ONLY)


def _header_value(text):
    return "".join(character if " " <= character <= "~" else "_" for character in text)


def _log(result, state):
    sink = _bootstrap._client_module("logs").Sink(state)
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON":
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        sink.log_error([_json({"timestamp": now, "level": "ERROR", **result})], is_json=True)
        return
    lines = ["[ERROR]"]
    if result["errorType"]:
        lines[0] += " " + result["errorType"]
    if result["errorMessage"]:
        lines[0] += (": " if result["errorType"] else " ") + result["errorMessage"]
    lines.append("Traceback (most recent call last):")
    for entry in result["stackTrace"]:
        lines += [_indented(line) for line in entry.splitlines()] or [""]
    sink.log_error(lines)


def _indented(line):
    # Ordinary blanks at the beginning of a line get lost where logs are shown.
    text = line.lstrip(" ")
    return _NO_BREAK_SPACE * (len(line) - len(text)) + text
