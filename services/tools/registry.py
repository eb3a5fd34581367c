"""Tools: typed async functions whose names, schemas and descriptions are read off themselves."""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from services.tools.calls import Call, Miss
from services.tools.errors import InvalidArguments, UnknownTool

Access = Literal["public", "customer"]
Effect = Literal["read", "write"]
ToolFunction = Callable[..., Awaitable[msgspec.Struct]]

_SCALARS: dict[type, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
_CHECKS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
}


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool and how it may be used.

    Attributes:
        function: does the work; takes a Call and the arguments.
        name: the function's name.
        description: the docstring's first paragraph.
        parameters: JSON schema of the arguments.
        access: whether a signed-in customer is needed.
        effect: whether it changes anything.
        cache_ttl_s: how long an answer built on it may be given to others; 0 for never.
        fresh_for_s: how long its result counts as evidence later in the same conversation.

    """

    function: ToolFunction
    name: str
    description: str
    parameters: dict[str, Any]
    access: Access
    effect: Effect
    cache_ttl_s: int
    fresh_for_s: int

    @classmethod
    def of(
        cls,
        function: ToolFunction,
        *,
        access: Access,
        effect: Effect,
        cache_ttl_s: int,
        fresh_for_s: int,
    ) -> "Tool":
        """Read the tool off a function; TypeError if its signature or docstring does not do."""
        if access == "customer" and cache_ttl_s:
            raise TypeError("an answer built on a customer's own data is never given to others")
        description, arguments = _read_docstring(function)
        return cls(
            function=function,
            name=getattr(function, "__name__", ""),
            description=description,
            parameters=_schema_of(function, arguments),
            access=access,
            effect=effect,
            cache_ttl_s=cache_ttl_s,
            fresh_for_s=fresh_for_s,
        )

    def published(self) -> dict[str, Any]:
        """Give the tool in OpenAI's format, with our annotations beside it."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": self.parameters,
            },
            "xiaoer": {
                "access": self.access,
                "effect": self.effect,
                "cache_ttl_s": self.cache_ttl_s,
                "fresh_for_s": self.fresh_for_s,
            },
        }

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise InvalidArguments, naming the argument, unless the schema is met."""
        properties: dict[str, Any] = self.parameters["properties"]
        for name in arguments:
            if name not in properties:
                takes = ", ".join(properties) or "no arguments"
                raise InvalidArguments(
                    f"unknown argument {name[:64]!r}; {self.name} takes {takes}", param=name[:64]
                )
        for name in self.parameters.get("required", ()):
            if name not in arguments:
                raise InvalidArguments(f"argument {name!r} is missing", param=name)
        for name, value in arguments.items():
            _check_value(value, properties[name], name)

    async def run(self, call: Call, arguments: Mapping[str, Any]) -> msgspec.Struct:
        """Check the arguments, then do it; a visitor gets sign_in_required from private tools."""
        self.check(arguments)
        if self.access == "customer" and call.caller.customer is None:
            return Miss("sign_in_required")
        return await self.function(call, **arguments)


class Registry:
    """The tools in their published order."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self.body = msgspec.json.encode([tool.published() for tool in self._tools.values()])

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __contains__(self, name: str) -> bool:
        return name in self._tools

    def get(self, name: str) -> Tool:
        """Find a tool by name; raises UnknownTool."""
        try:
            return self._tools[name]
        except KeyError:
            known = ", ".join(self._tools)
            raise UnknownTool(f"no tool has this name; there are {known}") from None


def _read_docstring(function: ToolFunction) -> tuple[str, dict[str, str]]:
    """First paragraph, and the text after each `:param name:`."""
    text = inspect.getdoc(function) or ""
    summary = text.split("\n\n")[0].split("\n:param")[0]
    arguments = {
        name: " ".join(words.split())
        for name, words in re.findall(r"^:param (\w+):((?:.|\n(?!:))*)", text, re.MULTILINE)
    }
    if not summary.strip():
        raise TypeError(f"{function!r} needs a docstring: it is the tool's description")
    return " ".join(summary.split()), arguments


def _schema_of(function: ToolFunction, descriptions: Mapping[str, str]) -> dict[str, Any]:
    hints = get_type_hints(function)
    call, *parameters = inspect.signature(function).parameters.values()
    if hints.get(call.name) is not Call:
        raise TypeError(f"the first parameter of {function!r} must be a Call")
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in parameters:
        if parameter.name not in descriptions:
            raise TypeError(f"{function!r} does not describe :param {parameter.name}:")
        schema, optional = _schema_of_type(hints[parameter.name])
        properties[parameter.name] = {**schema, "description": descriptions[parameter.name]}
        if parameter.default is inspect.Parameter.empty:
            required.append(parameter.name)
        elif parameter.default is None and not optional:
            raise TypeError(f"{parameter.name} of {function!r} has a default of another type")
    result: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        result["required"] = required
    return result


def _schema_of_type(hint: Any) -> tuple[dict[str, Any], bool]:
    """JSON schema of a parameter's type, and whether None is allowed by leaving it out."""
    if hint in _SCALARS:
        return {"type": _SCALARS[hint]}, False
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal and all(isinstance(value, str) for value in inner):
        return {"type": "string", "enum": list(inner)}, False
    if origin is list:
        return {"type": "array", "items": _schema_of_type(inner[0])[0]}, False
    if origin in {Union, UnionType} and len(inner) == 2 and NoneType in inner:
        return _schema_of_type(next(part for part in inner if part is not NoneType))[0], True
    raise TypeError(f"a tool's parameter cannot be of type {hint!r}")


def _check_value(value: Any, schema: Mapping[str, Any], name: str) -> None:
    expected = schema["type"]
    wrong_bool = isinstance(value, bool) and expected != "boolean"
    if wrong_bool or not isinstance(value, _CHECKS[expected]):
        article = "an" if expected[0] in "aeio" else "a"
        raise InvalidArguments(f"argument {name!r} must be {article} {expected}", param=name)
    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(schema["enum"])
        raise InvalidArguments(f"argument {name!r} must be one of {allowed}", param=name)
    if expected == "array":
        for item in cast("list[Any]", value):
            _check_value(item, schema["items"], name)
