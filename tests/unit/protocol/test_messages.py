"""The definition of the protobuf messages, against the official one and against the values they stand for."""

import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from centrifuge.protocol import client_pb2 as official
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from hub.protocol import messages_pb2 as ours
from hub.protocol import wire

_ROOT = Path(__file__).parents[3]
_BYTES, _BOOL, _STRING = FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_BOOL, FieldDescriptor.TYPE_STRING
_SCALARS = {msgspec.Raw: {_BYTES}, bool: {_BOOL}, str: {_STRING}}


def test_the_generated_module_is_up_to_date(tmp_path: Path) -> None:
    source = "hub/protocol/messages.proto"
    out = [f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", "--proto_path=.", *out, source], cwd=_ROOT, check=True)
    for generated in ("hub/protocol/messages_pb2.py", "hub/protocol/messages_pb2.pyi"):
        assert (tmp_path / generated).read_text() == (_ROOT / generated).read_text(), "run `make proto`"


@pytest.mark.parametrize("name", ["Command", "Reply"])
def test_fields_have_the_numbers_and_types_of_the_official_definition(name: str) -> None:
    pairs = [
        *_same_fields(ours.DESCRIPTOR.message_types_by_name[name], official.DESCRIPTOR.message_types_by_name[name])
    ]
    assert len(pairs) > 30
    for mine, theirs in pairs:
        assert (mine.number, mine.type, mine.is_repeated) == (theirs.number, theirs.type, theirs.is_repeated), (
            mine.full_name
        )


def _same_fields(mine: Descriptor, theirs: Descriptor) -> Iterator[tuple[FieldDescriptor, FieldDescriptor]]:
    for field in mine.fields:
        counterpart = theirs.fields_by_name[field.name]
        yield field, counterpart
        if field.message_type is not None and counterpart.message_type is not None:
            yield from _same_fields(field.message_type, counterpart.message_type)


@pytest.mark.parametrize(
    ("value", "message"),
    [(wire.Command, "Command"), (wire.Reply, "Reply"), (wire.Push, "Push")],
)
def test_everything_that_is_served_is_defined(value: type[msgspec.Struct], message: str) -> None:
    _assert_defined(value, ours.DESCRIPTOR.message_types_by_name[message])


def _assert_defined(value: type[msgspec.Struct], message: Descriptor) -> None:
    for name, kind in get_type_hints(value).items():
        assert name in message.fields_by_name, f"{message.name} in messages.proto lacks {name} of wire.{value.__name__}"
        _assert_alike(kind, message.fields_by_name[name])


def _assert_alike(kind: Any, field: FieldDescriptor) -> None:
    arguments = get_args(kind)
    if get_origin(kind) is types.UnionType:
        (kind,) = (argument for argument in arguments if argument is not types.NoneType)
        _assert_alike(kind, field)
    elif get_origin(kind) is tuple:
        assert field.is_repeated
        _assert_element(arguments[0], field)
    elif get_origin(kind) is dict:
        assert field.message_type is not None
        _assert_element(arguments[1], field.message_type.fields_by_name["value"])
    else:
        assert not field.is_repeated
        _assert_element(kind, field)


def _assert_element(kind: Any, field: FieldDescriptor) -> None:
    if field.message_type is not None:
        _assert_defined(kind, field.message_type)
    elif kind is int:
        assert field.type not in {_BYTES, _BOOL, _STRING}, field.full_name
    else:
        assert field.type in _SCALARS[kind], field.full_name
