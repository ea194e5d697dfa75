"""The templates, and how numbers, times and texts stand in them.

Everything that a template prints passes `visible` and is escaped; rendered Markdown, which is clean, is the one exception.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from runspan.viewer import endings, pictures, units
from runspan.viewer.messages import parse
from runspan.viewer.web import markdown
from runspan.viewer.web.asking import SORTED_BY
from runspan.viewer.web.plain import visible

HERE = Path(__file__).parent
STATIC = HERE / "static"
DASH = "–"
MAX_SEARCHED = 200
LONG_CHARS, LONG_LINES = 1_400, 22  # more than either is folded


@cache
def environment() -> Environment:
    """Made once; templates do not change while the program runs."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_final,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "took": took, "spread": spread, "count": count, "money": money, "when": when, "day": day, "q": query_part,
        "form": form, "markdown": markdown.rendered, "pretty": pretty, "long": is_long, "dotted": dotted,
        "unmarked": markdown.unmarked, "hits": hits, "shown": shown, "host": pictures.host,
    }  # fmt: skip
    made.globals |= {
        "asset": asset,
        "reason": endings.reason,
        "is_bad": endings.is_bad,
        "sorted_by": SORTED_BY,
    }
    return made


def page(template: str, **values: Any) -> str:
    """One page or part of one."""
    return environment().get_template(template).render(**values)


def _final(value: Any) -> Any:
    if isinstance(value, Markup | int | float):
        return value
    return "" if value is None else visible(str(value))


def took(seconds: float | None) -> str:
    """A duration, a dash for an unknown one."""
    return DASH if seconds is None else units.seconds(seconds)


def spread(seconds: float | None, width: float | None) -> str:
    """A duration with the ± that its uncertainty (the width of its interval) asks for."""
    return DASH if seconds is None else units.spread(seconds, width)


def count(number: float | None) -> str:
    """A whole number with its thousands apart."""
    return DASH if number is None else f"{number:,.0f}"


def money(dollars: float | None) -> str:
    """US dollars, to the digits that tell something."""
    return DASH if dollars is None else units.money(dollars)


def when(time_ns: int) -> Markup:
    """A moment; the page's script says it in the reader's own zone."""
    return _time(time_ns, "moment", slice(11, 19))


def day(time_ns: int) -> Markup:
    """A moment with its day and zone."""
    return _time(time_ns, "full", slice(0, 19))


def _time(time_ns: int, form: str, part: slice) -> Markup:
    if time_ns <= 0:
        return Markup("–")
    at = units.EPOCH + timedelta(microseconds=time_ns // 1_000)
    iso = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    shown = iso.replace("T", " ")[part]
    return Markup('<time datetime="{}" data-form="{}">{}</time>').format(iso, form, shown)


def query_part(text: str) -> str:
    """Text as a value in an address. Lone surrogates can not stand in one."""
    return quote(str(text).encode("utf-8", "replace"), safe="")


def form(text: str) -> str:
    """How a text is to be shown: `json`, `markdown` or `plain`."""
    if text[:64].lstrip()[:1] in ("{", "[") and isinstance(parse(text), dict | list):
        return "json"
    return "markdown" if markdown.is_marked(text) else "plain"


def shown(source: str) -> Markup:
    """A picture's address where a page may load it, whole however long it is; empty for others."""
    return Markup(source if pictures.is_shown(source) else "")  # noqa: S704 - letters of base64 alone


def is_long(text: str) -> bool:
    """Whether the text is folded at first."""
    return len(text) > LONG_CHARS or text.count("\n", 0, LONG_CHARS) > LONG_LINES


def hits(text: str, words: str) -> Markup:
    """A list's text with the words that were searched for marked in it, without Markdown's signs."""
    shown = visible(markdown.unmarked(text)) if text else ""
    wanted = [word.lower() for word in re.findall(r"\w+", words[:MAX_SEARCHED])]
    pieces, done = [], 0
    for word in re.finditer(r"\w+", shown):
        begins = max((len(w) for w in wanted if word.group().lower().startswith(w)), default=0)
        if begins:
            marked = shown[word.start() : word.start() + begins]
            pieces += [escape(shown[done : word.start()]), Markup("<mark>{}</mark>").format(marked)]
            done = word.start() + begins
    return Markup("").join([*pieces, escape(shown[done:])])


def pretty(value: Any) -> str:
    """JSON with line ends where the value is JSON, else the text as it is."""
    data = parse(value)
    if isinstance(data, dict | list):
        try:
            return json.dumps(data, ensure_ascii=False, indent=2, default=repr)
        except (TypeError, ValueError, RecursionError):
            return str(value)
    return value if isinstance(value, str) else json.dumps(data, ensure_ascii=False, default=repr)


def dotted(name: str) -> Markup:
    """An attribute's name that may break after its dots and nowhere else."""
    return Markup(str(escape(visible(name))).replace(".", ".<wbr>"))  # noqa: S704 - escaped above


@cache
def asset(name: str) -> Markup:
    """The address of a file of ours; its content's hash makes it a new one after an update."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return Markup("/static/{}?v={}").format(escape(name), digest)
