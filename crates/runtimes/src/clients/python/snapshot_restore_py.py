"""Hooks of SnapStart, with the interface of AWS's package of this name, which its managed runtimes carry."""

_before_snapshot = []
_after_restore = []


def _register(registry, func, args, kwargs):
    if not callable(func):
        raise TypeError("%r is not callable" % (func,))
    registry.append((func, args, kwargs))
    return func


def register_before_snapshot(func, *args, **kwargs):
    """Has `func` called before the snapshot; the one that was registered last comes first. Also a decorator."""
    return _register(_before_snapshot, func, args, kwargs)


def register_after_restore(func, *args, **kwargs):
    """Has `func` called after each restore; the one that was registered first comes first. Also a decorator."""
    return _register(_after_restore, func, args, kwargs)


def get_before_snapshot():
    """Returns what is to be called before the snapshot: functions with their arguments."""
    return list(_before_snapshot)


def get_after_restore():
    """Returns what is to be called after a restore: functions with their arguments."""
    return list(_after_restore)
