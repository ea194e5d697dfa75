"""The message of an exception, bounded. Runs on the app's thread, so neither a huge text nor a slow `__repr__` may hold it up."""

from __future__ import annotations

import builtins
from functools import partial
from itertools import islice
from typing import Any

from .redact import MAX_READ

_MAX_DEPTH = 4  # of exceptions and containers in each other
_MAX_ITEMS = 20  # of one container
_BRACKETS: dict[type, str] = {tuple: "({})", list: "[{}]", dict: "{{{}}}"}
_SCALARS = (int, float, complex, bool, type(None))
_MAX_BITS = 1_024

# `__str__` of a class that is not written in Python, such as the built-in ones.
_BUILT_IN = type(BaseException.__str__)
_OF_GROUPS = getattr(getattr(builtins, "BaseExceptionGroup", None), "__str__", None)  # Python 3.10 has none

_args_of = BaseException.__dict__["args"].__get__  # a subclass may have an `args` of its own


def text_of(error: BaseException, max_chars: int = MAX_READ) -> str | None:
    """What `str(error)` says, at most `max_chars` characters. None: nothing, or the class's own `__str__` raises.

    Only a class that defines `__str__` has it called. For all others the arguments are shown here, without code of theirs.
    """
    try:
        return _message(error, max_chars, _MAX_DEPTH) or None
    except Exception:  # code of the app
        return None


def _message(error: BaseException, max_chars: int, depth: int) -> str:
    args = _args_of(error)
    own = type(error).__str__
    if not isinstance(own, _BUILT_IN) or own is _OF_GROUPS:
        return str(error)[:max_chars]
    if own is KeyError.__str__ and len(args) == 1:
        return _quoted(args[0], max_chars, depth)
    if own is OSError.__str__ and len(args) > 1:
        return _of_system(error, max_chars, depth)
    if own not in (BaseException.__str__, KeyError.__str__, OSError.__str__):
        # Of its text, one character.
        said = (*args[:1], *args[2:]) if isinstance(error, UnicodeError) else args
        if all(map(_is_plain, said)):
            return str(error)[:max_chars]
    if len(args) == 1:
        return _shown(args[0], max_chars, depth)
    return _quoted(args, max_chars, depth) if args else ""


def _of_system(error: BaseException, max_chars: int, depth: int) -> str:
    """As OSError says it: a subclass may have attributes of its own by these names."""
    number, words, *names = (
        OSError.__dict__[name].__get__(error) for name in ("errno", "strerror", "filename", "filename2")
    )
    each = max_chars // 4
    said = f"[Errno {_shown(number, each, depth)}] {_shown(words, each, depth)}"
    named = " -> ".join(_quoted(name, each, depth) for name in names if name is not None)
    return f"{said}: {named}" if named else said


def _is_plain(value: Any) -> bool:
    """Whether showing it is quick, and no code of the app."""
    kind = type(value)
    if kind is tuple:
        return len(value) <= _MAX_ITEMS and all(not isinstance(v, tuple) and _is_plain(v) for v in value)
    if kind is int:
        return bool(value.bit_length() <= _MAX_BITS)
    return kind in _SCALARS or (kind in (str, bytes) and len(value) <= MAX_READ)


def _shown(value: Any, max_chars: int, depth: int) -> str:
    """As `str` shows it: a text as it is, everything else as inside a container."""
    if isinstance(value, str):
        return str.__getitem__(value, slice(max_chars))
    if isinstance(value, BaseException) and depth:
        return _message(value, max_chars, depth - 1)
    return _quoted(value, max_chars, depth)


def _quoted(value: Any, max_chars: int, depth: int) -> str:
    """As `repr` shows it, for the built-in types; any other value by the name of its type."""
    kind = type(value)
    if kind in (str, bytes):
        return repr(value[:max_chars])[:max_chars]
    if kind is int and value.bit_length() > _MAX_BITS:
        return f"<int of {value.bit_length()} bits>"
    if kind in _SCALARS:
        return repr(value)
    if kind.__module__.partition(".")[0] == "pathlib":
        return f"{kind.__name__}({str(value)[:max_chars]!r})"[:max_chars]
    if depth and kind in _BRACKETS:
        items = list(islice(value.items() if kind is dict else value, _MAX_ITEMS))
        each = max_chars // max(len(items), 1)
        inner = partial(_quoted, max_chars=each, depth=depth - 1)
        shown = [": ".join(map(inner, item)) if kind is dict else inner(item) for item in items]
        shown += ["…"] * (len(value) > len(items))
        inside = ", ".join(shown) + "," * (kind is tuple and len(value) == 1)
        return _BRACKETS[kind].format(inside)[:max_chars]
    if isinstance(value, BaseException) and depth:
        return f"{kind.__qualname__}({_message(value, max_chars, depth - 1)!r})"[:max_chars]
    return f"<{kind.__module__}.{kind.__qualname__}>"
