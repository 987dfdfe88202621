"""RFC 6901 pointers as a pydantic type, for the config models of actions."""

from typing import Any

import jsonpointer
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class JsonPointer(jsonpointer.JsonPointer):
    """A pointer that a config model may declare; a text or a pointer is accepted."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: type[Any], _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._from_input,
            serialization=core_schema.plain_serializer_function_ser_schema(
                _as_text, return_schema=core_schema.str_schema()
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "format": "json-pointer"}

    @classmethod
    def _from_input(cls, value: object) -> "JsonPointer":
        if isinstance(value, cls):
            return value
        if isinstance(value, jsonpointer.JsonPointer):
            return cls(value.path)
        if not isinstance(value, str):
            raise PydanticCustomError("json_pointer_type", "Input should be a JSON pointer text")
        try:
            return cls(value)
        except jsonpointer.JsonPointerException:
            raise PydanticCustomError(
                "json_pointer",
                "Input should be a JSON pointer: '' or a text that begins with '/', "
                "in which '~' is written '~0' and '/' is written '~1'",
            ) from None


def _as_text(pointer: jsonpointer.JsonPointer) -> str:
    return pointer.path
