"""The environment templates run in: sandboxed, strict about undefined names, values cleaned before they are put in.

Values are never templates: `{{ name }}` writes a name of `{{7*7}}` as it stands. The templates themselves come from the
operator's folder, so the sandbox bounds mistakes there too: no attributes with underscores, no huge ranges or powers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping
from typing import Any

from jinja2 import BaseLoader, StrictUndefined, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from templates.reader import Reader

VALUE_MAX = 2_000
"""Characters of one value at most; the rest becomes an ellipsis."""
_RANGE_MAX = 1_000
_PRODUCT_MAX = 10_000
# Controls that break a line or end a string, the Unicode line separators, and the marks that turn text around.
_UNWANTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
_FILTERS = ("money", "day", "time", "when", "relative", "plural")


def clean(value: Any) -> Any:
    """Make a value fit for one line of text: control characters become a space. Markup made by a template passes."""
    if value.__class__ is not str:
        return value if isinstance(value, Markup | int) else clean(str(value))
    if len(value) > VALUE_MAX:
        value = value[: VALUE_MAX - 1] + "…"
    return _UNWANTED.sub(" ", value) if _UNWANTED.search(value) else value


@pass_context
def _isolated(context: Context, value: Any) -> Any:
    """Keep a value's direction to itself in a right-to-left text: `A-1001` must not pull the words around it along.

    A left-to-right text stays as it is. The value cannot end the isolation: its own marks are cleaned away.
    """
    if not context.resolve_or_missing("reader").right_to_left:
        return value
    text = str(clean(value))
    safe = escape(text) if context.eval_ctx.autoescape else text
    return Markup(f"{_FIRST_STRONG_ISOLATE}{safe}{_POP_ISOLATE}")  # noqa: S704 - escaped where the text is HTML.


def _bounded_range(*arguments: int) -> range:
    numbers = range(*arguments)
    if len(numbers) > _RANGE_MAX:
        raise OverflowError(f"a range in a template has at most {_RANGE_MAX} numbers")
    return numbers


def _filter_of_reader(name: str) -> Callable[..., str]:
    method = getattr(Reader, name)

    @pass_context
    def write(context: Context, value: Any, *arguments: Any, **named: Any) -> str:
        result: str = method(context.resolve_or_missing("reader"), value, *arguments, **named)
        return result

    return write


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2 with our rules. Autoescaping is on for `.html` only: plain text must not show `&amp;`."""

    intercepted_binops = frozenset({"*", "**"})

    def __init__(self, loader: BaseLoader) -> None:
        super().__init__(
            loader=loader,
            autoescape=lambda name: name is None or name.endswith(".html"),
            undefined=StrictUndefined,
            finalize=clean,
            auto_reload=False,
            cache_size=-1,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.globals["range"] = _bounded_range
        self.filters.update({name: _filter_of_reader(name) for name in _FILTERS})
        self.filters["isolated"] = _isolated

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Return a template's globals as one dict: Jinja's chain of two takes 10 µs to copy for each file of a text."""
        return {**self.globals, **(d or {})}

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Multiply numbers only: a text or list times a number is how a template eats the memory."""
        if operator == "*" and isinstance(left, int | float) and isinstance(right, int | float):
            return left * right
        raise SecurityError(f"{operator} is for numbers, and ** is not available")
