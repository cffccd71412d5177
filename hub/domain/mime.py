"""Just enough of MIME to read reports that strangers send: one level of parts, header fields, and bodies decoded. Pure.

The standard library's parser recurses into parts within parts, and decodes everything: more than a stranger should
make us do. Here every step is one pass over a bounded text, and nothing is nested.
"""

from __future__ import annotations

import binascii
import re
from quopri import decodestring

import msgspec

PARTS_MAX = 16
"""Parts of a message that are looked at."""
FIELDS_MAX = 200
"""Header fields of one block that are looked at."""
_FIELD_MAX = 2_000
"""Characters of one field's value that are kept."""
_BLANK_LINE = re.compile(rb"\n[ \t]*\n")
_BOUNDARY = re.compile(r"""\bboundary\s*=\s*(?:"([^"\n]{1,200})"|([^\s;"]{1,200}))""", re.IGNORECASE)
_COMMENT = re.compile(r"\([^()]*\)")

Fields = dict[str, tuple[str, ...]]
"""Header fields by their names in lower case, each with its values in their order."""


class Part(msgspec.Struct, frozen=True):
    """A message or a part of one: its head, and its body as it was sent, lines ending in LF."""

    fields: Fields
    body: bytes

    @property
    def media_type(self) -> str:
        """The content type in lower case, without its parameters; empty where there is none."""
        return _COMMENT.sub("", first(self.fields, "content-type")).partition(";")[0].strip().lower()

    def content(self) -> bytes:
        """Return the body with its transfer encoding undone; as it is where that cannot be."""
        encoding = first(self.fields, "content-transfer-encoding").strip().lower()
        try:
            if encoding == "base64":
                return binascii.a2b_base64(self.body).replace(b"\r\n", b"\n")
            if encoding == "quoted-printable":
                return decodestring(self.body).replace(b"\r\n", b"\n")
        except (binascii.Error, ValueError):
            return self.body
        return self.body

    def parts(self) -> tuple[Part, ...]:
        """Return the parts of a multipart body; none where it has no boundary."""
        found = _BOUNDARY.search(first(self.fields, "content-type"))
        if found is None:
            return ()
        boundary = re.escape((found[1] or found[2]).encode())
        # The line ends after it: the boundary of a part within may begin with the same letters.
        delimiter = re.compile(rb"\n--" + boundary + rb"(?=(?:--)?[ \t]*(?:\n|\Z))")
        pieces = delimiter.split(b"\n" + self.body, PARTS_MAX + 1)[1 : PARTS_MAX + 1]
        parts = []
        for piece in pieces:
            if piece.startswith(b"--"):
                break
            parts.append(_part(piece.partition(b"\n")[2]))
        return tuple(parts)


def message(raw: bytes) -> Part:
    """Read a whole message. Anything is one: what has no head is all body."""
    return _part(raw.replace(b"\r\n", b"\n"))


def fields_of(block: bytes) -> Fields:
    """Read a block of header fields, unfolded. Lines that are no fields are left out."""
    values: dict[str, list[str]] = {}
    name = ""
    for line in block.decode("utf-8", "replace").split("\n", FIELDS_MAX)[:FIELDS_MAX]:
        if line[:1] in {" ", "\t"}:
            if name:
                values[name][-1] = f"{values[name][-1]} {line.strip()}"[:_FIELD_MAX]
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower() if colon else ""
        if name:
            values.setdefault(name, []).append(value.strip()[:_FIELD_MAX])
    return {name: tuple(found) for name, found in values.items()}


def blocks(body: bytes, most: int) -> list[Fields]:
    """Read up to `most` blocks of fields that blank lines separate; empty ones are left out."""
    return [fields for block in _BLANK_LINE.split(body, most)[:most] if (fields := fields_of(block))]


def first(fields: Fields, name: str) -> str:
    """Return the first value of a field, empty where there is none."""
    return fields.get(name, ("",))[0]


def _part(text: bytes) -> Part:
    if text.startswith(b"\n"):
        return Part({}, text[1:])
    head, _, body = _divided(text)
    return Part(fields_of(head), body)


def _divided(text: bytes) -> tuple[bytes, bytes, bytes]:
    match = _BLANK_LINE.search(text)
    return (text, b"", b"") if match is None else (text[: match.start()], match[0], text[match.end() :])
