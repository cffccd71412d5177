"""Reads the configuration: `doorbell.toml`, then the environment. The only place that knows where settings come from.

`DOORBELL_KAFKA__BOOTSTRAP=…` sets `kafka.bootstrap`; lists are comma-separated, or JSON where an element has parts.
Every mistake is collected, with its file, key, value and what to write, before anything is refused.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from hub.config_checks import check
from hub.config_secrets import shown_unread
from hub.domain.errors import ConfigurationError, Mistake
from hub.settings import Settings

DEFAULT_FILE = "doorbell.toml"
PREFIX = "DOORBELL_"
CONFIG_VARIABLE = "DOORBELL_CONFIG"
ENVIRONMENT = "environment"
# Kubernetes announces a Service called `doorbell` with variables of these names; they are no settings.
_NOT_OURS = re.compile(r"DOORBELL_(CONFIG$|SERVICE_|PORT$|PORT_)")

_S = TypeVar("_S", bound=msgspec.Struct)


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Return the settings as `read` finds them. Raises ConfigurationError with every mistake in them."""
    settings, mistakes = read(path, environ)
    if mistakes:
        raise ConfigurationError(mistakes)
    return settings


def read(path: Path | None, environ: Mapping[str, str]) -> tuple[Settings, list[Mistake]]:
    """Return the settings from a file and the environment, which goes before the file, and every mistake in them.

    `path` None: the file named by DOORBELL_CONFIG, else `doorbell.toml` if the current folder has one.
    What cannot be read has its default. Raises ConfigurationError where the file itself cannot be read.
    """
    named = path or (Path(environ[CONFIG_VARIABLE]) if CONFIG_VARIABLE in environ else None)
    file = named or Path(DEFAULT_FILE)
    reader = _Reader()
    if named is not None or file.exists():
        reader.values(Settings, _read_toml(file), file=str(file), key="")
    from_file = reader.merged
    reader = _Reader(mistakes=reader.mistakes, merged=from_file)
    reader.environment(environ)
    settings = _build(Settings, reader.merged)
    reader.mistakes.extend(check(settings, file=lambda key: reader.origin(key, str(file))))
    return settings, reader.mistakes


def environment() -> Mapping[str, str]:
    """Return the environment of this process. Nobody else reads it."""
    return os.environ


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([Mistake(str(file), "file", "", f"cannot be read: {error.strerror}")]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError([Mistake(str(file), "file", "", f"is not valid TOML: {error}")]) from error


def _build(struct: type[_S], values: Mapping[str, Any]) -> _S:
    hints = get_type_hints(struct)
    return struct(
        **{
            name: _build(hints[name], value) if _is_section(hints[name]) and isinstance(value, dict) else value
            for name, value in values.items()
        }
    )


def _is_section(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


class _Reader:
    """Converts values one by one, so that one mistake does not hide the next."""

    def __init__(self, *, mistakes: list[Mistake] | None = None, merged: dict[str, Any] | None = None) -> None:
        self.mistakes = mistakes if mistakes is not None else []
        self.merged: dict[str, Any] = merged if merged is not None else {}
        self._variables: dict[str, str] = {}

    def origin(self, key: str, file: str) -> str:
        """Return where a key's value came from, for a message: a part of a table comes from where that does."""
        names = re.split(r"[.[]", key)
        wholes = (".".join(names[:length]) for length in range(len(names), 0, -1))
        return next((self._variables[whole] for whole in wholes if whole in self._variables), file)

    def values(self, struct: type[msgspec.Struct], table: Mapping[str, Any], *, file: str, key: str) -> None:
        """Take a TOML table."""
        for name, value in table.items():
            self._take(struct, (*key.split("."), name) if key else (name,), value, file=file, strict=True)

    def environment(self, environ: Mapping[str, str]) -> None:
        """Take every variable with our prefix."""
        for variable, text in sorted(environ.items()):
            if not variable.startswith(PREFIX) or _NOT_OURS.match(variable):
                continue
            path = tuple(variable.removeprefix(PREFIX).lower().split("__"))
            self._variables[".".join(path)] = f"{ENVIRONMENT} {variable}"
            self._take(Settings, path, text, file=f"{ENVIRONMENT} {variable}", strict=False)

    def _take(self, root: type[msgspec.Struct], path: tuple[str, ...], value: Any, *, file: str, strict: bool) -> None:
        hint, problem = _hint_of(Settings, path)
        key = ".".join(path)
        if problem:
            self._mistake(file, key, value, problem, hint=None)
        elif _is_section(hint) and not isinstance(value, Mapping):
            self._mistake(file, key, value, f"is a table: write [{key}] and its keys below it", hint=hint)
        elif _is_section(hint):
            for name, part in value.items():
                self._take(root, (*path, name), part, file=file, strict=strict)
        else:
            self._convert(hint, path, value, file=file, strict=strict)

    def _convert(self, hint: Any, path: tuple[str, ...], value: Any, *, file: str, strict: bool) -> None:
        key = ".".join(path)
        try:
            raw = value if strict else _from_text(hint, value)
            converted = msgspec.convert(raw, hint, strict=strict)
        except (msgspec.ValidationError, ValueError) as error:
            self._mistake(file, key, value, f"{error}; write {_expected(hint)}", hint=hint)
            return
        table = self.merged
        for name in path[:-1]:
            table = table.setdefault(name, {})
        table[path[-1]] = converted

    def _mistake(self, file: str, key: str, value: Any, advice: str, *, hint: Any) -> None:
        self.mistakes.append(Mistake(file, key, shown_unread(key, value, hint), advice))


def _hint_of(struct: type[msgspec.Struct], path: tuple[str, ...]) -> tuple[Any, str]:
    """Return the type of a key, or what is wrong with its name."""
    hint: Any = struct
    for depth, name in enumerate(path):
        hints = get_type_hints(hint) if _is_section(hint) else {}
        known = [field.name for field in msgspec.structs.fields(hint)] if hints else []
        if name not in known:
            where = ".".join(path[:depth])
            near = difflib.get_close_matches(name, known, n=1)
            guess = (
                f"did you mean {near[0]}?"
                if near
                else f"the keys here are {', '.join(known)}"
                if known
                else f"{where} has no keys"
            )
            return None, f"is no setting; {guess}"
        hint = hints[name]
    return hint, ""


def _from_text(hint: Any, text: str) -> Any:
    if get_origin(hint) is dict:
        return json.loads(text)
    if get_origin(hint) in (tuple, frozenset, list):
        if text.lstrip().startswith("["):
            return json.loads(text)
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _names(hint: Any) -> Iterator[str]:
    if get_origin(hint) in (Union, UnionType):
        for part in get_args(hint):
            yield from _names(part)
    elif get_origin(hint) in (tuple, frozenset, list):
        element = next(_names(get_args(hint)[0]))
        yield f"a list, each a {element}" if element.startswith("table") else f"a list of {element}s"
    else:
        words = {str: "text", int: "whole number", float: "number", bool: "true or false"}
        yield words.get(hint, f"table of {', '.join(hint.__struct_fields__)}" if _is_section(hint) else str(hint))


def _expected(hint: Any) -> str:
    return " or ".join(_names(hint))
