"""RFC 6901 pointers as a pydantic type, for the config models of actions."""

from typing import Annotated, Any, TypeAlias

import jsonpointer
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class _AsPydanticType:
    """What pydantic asks of a type that does not know pydantic."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _type: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        as_text = core_schema.plain_serializer_function_ser_schema(
            _text, return_schema=core_schema.str_schema()
        )
        return core_schema.no_info_plain_validator_function(_pointer, serialization=as_text)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "format": "json-pointer"}


JsonPointer: TypeAlias = Annotated[jsonpointer.JsonPointer, _AsPydanticType]
"""A ``jsonpointer.JsonPointer`` in a model; it is given as such or as its text."""


def _pointer(value: object) -> jsonpointer.JsonPointer:
    if isinstance(value, jsonpointer.JsonPointer):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("json_pointer_type", "Input should be the text of a JSON pointer")
    try:
        return jsonpointer.JsonPointer(value)
    except jsonpointer.JsonPointerException:
        raise PydanticCustomError(
            "json_pointer",
            "Input should be a JSON pointer: '' or a text that begins with '/', "
            "in which '~' is written '~0' and '/' is written '~1'",
        ) from None


def _text(pointer: jsonpointer.JsonPointer) -> str:
    return pointer.path
