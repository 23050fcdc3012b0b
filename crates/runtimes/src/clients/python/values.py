"""Answers that are not made of plain values only: named tuples, decimals, bytes, subclasses. Loaded when the first one
comes. What cannot be written is an error with the words of AWS's client.
"""

import sys

_bootstrap = sys.modules["__main__"]


def dumps(value):
    """Writes any value as JSON."""
    # A decimal can only be met where its module has been imported.
    decimal = getattr(sys.modules.get("decimal"), "Decimal", ())
    out = []
    try:
        _write(value, out.append, set(), decimal)
    except RecursionError:
        raise RecursionError("maximum recursion depth exceeded while encoding a JSON object") from None
    return "".join(out)


def _write(value, out, inside, decimal):
    if value is None or value is True or value is False:
        out(_CONSTANTS[value])
    elif isinstance(value, (str, bytes)):
        out(_text(value))
    elif isinstance(value, float):
        out(_float(value))
    elif isinstance(value, int):
        out(int.__repr__(value))
    elif callable(getattr(value, "_asdict", None)):
        _write(value._asdict(), out, inside, decimal)
    elif isinstance(value, (list, tuple)):
        _write_all(value, value, out, inside, decimal)
    elif isinstance(value, dict):
        _write_all(value, value.items(), out, inside, decimal)
    elif isinstance(value, decimal):
        out("NaN" if value.is_nan() else str(value))
    else:
        raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


def _write_all(value, members, out, inside, decimal):
    if id(value) in inside:
        raise ValueError("Circular reference detected")
    inside.add(id(value))
    is_object = isinstance(value, dict)
    separator = "{" if is_object else "["
    for member in members:
        out(separator)
        if is_object:
            key, member = member
            out(_key(key) + ": ")
        _write(member, out, inside, decimal)
        separator = ", "
    out(("{}" if is_object else "[]") if separator != ", " else "}" if is_object else "]")
    inside.remove(id(value))


def _key(key):
    if isinstance(key, (str, bytes)):
        return _text(key)
    if key is None or key is True or key is False:
        return '"%s"' % _CONSTANTS[key]
    if isinstance(key, float):
        return '"%s"' % _float(key)
    if isinstance(key, int):
        return '"%s"' % int.__repr__(key)
    raise TypeError("keys must be str, int, float, bool or None, not %s" % type(key).__name__)


def _text(text):
    return _bootstrap._encode_text(text.decode() if isinstance(text, bytes) else text)


def _float(number):
    text = float.__repr__(number)
    return _NOT_FINITE.get(text, text)


_CONSTANTS = {None: "null", True: "true", False: "false"}
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
