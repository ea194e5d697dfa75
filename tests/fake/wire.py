"""Plain HTTP for the tests, SSE text to events, a checker for the JSON Schema subset of the description."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

USER = {"role": "user", "content": "What do my files say about Heron, please?"}
FUNCTION = {
    "type": "function",
    "function": {
        "name": "lookup",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def call(
    base_url: str, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, str], Any]:
    """-> (status, headers in lower case, JSON body or text). A cut stream gives what came before the cut."""
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    try:
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        given = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        connection.request(method, address.path + path, content, given)
        response = connection.getresponse()
        try:
            text = response.read().decode()
        except http.client.IncompleteRead as cut:
            text = cut.partial.decode()
        is_json = response.headers.get("content-type") == "application/json"
        named = {name.lower(): value for name, value in response.headers.items()}
        return response.status, named, json.loads(text) if is_json else text
    finally:
        connection.close()


def events(text: str) -> list[tuple[str, Any]]:
    """(event, data) of an SSE body; [DONE] stays a text."""
    found = re.findall(r"event: ?(\S+)\r?\ndata: ?(.*)", text)
    return [(name, data if data == "[DONE]" else json.loads(data)) for name, data in found]


class Schemas:
    """`problems(value, schema)` names every place where the value breaks the schema."""

    def __init__(self, description: Any) -> None:
        self.description = description

    def named(self, name: str) -> Any:
        return self.description["components"]["schemas"][name]

    def response(self, method: str, path: str) -> Any:
        """The schema of a good answer, found by the path's template."""
        for template, operations in self.description["paths"].items():
            pattern = re.sub(r"\{\w+\}", "[^/]+", template)
            if re.fullmatch(pattern, path) and method.lower() in operations:
                content = operations[method.lower()]["responses"]["200"].get("content", {})
                return content.get("application/json", {}).get("schema", {})
        raise AssertionError(f"not in the description: {method} {path}")

    def problems(self, value: Any, schema: Any, at: str = "") -> Iterator[str]:
        if "$ref" in schema:
            yield from self.problems(value, self.named(schema["$ref"].rsplit("/", 1)[1]), at)
            return
        if value is None and schema.get("nullable"):
            return
        for part in schema.get("allOf", ()):
            yield from self.problems(value, part, at)
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            tried = [list(self.problems(value, choice, at)) for choice in choices]
            yield from min(tried, key=len)
        if "enum" in schema and value not in schema["enum"]:
            yield f"{at}: {value!r} is none of {schema['enum']}"
        yield from TYPES.get(schema.get("type"), _any)(self, value, schema, at)

    def _object(self, value: Any, schema: Any, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{at}: {value!r} is no object"
            return
        properties = schema.get("properties", {})
        yield from (f"{at}.{name}: missing" for name in schema.get("required", ()) if name not in value)
        for name, one in value.items():
            inner = properties.get(name, schema.get("additionalProperties"))
            if isinstance(inner, dict):
                yield from self.problems(one, inner, f"{at}.{name}")

    def _array(self, value: Any, schema: Any, at: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{at}: {value!r} is no array"
            return
        for one in value:
            yield from self.problems(one, schema.get("items", {}), f"{at}[]")

    def _number(self, value: Any, schema: Any, at: str) -> Iterator[str]:
        wanted = int if schema["type"] == "integer" else (int, float)
        if not isinstance(value, wanted) or isinstance(value, bool):
            yield f"{at}: {value!r} is no {schema['type']}"
        elif not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{at}: {value!r} is out of range"

    def _plain(self, value: Any, schema: Any, at: str) -> Iterator[str]:
        wanted = {"string": str, "boolean": bool, "null": type(None)}[schema["type"]]
        if not isinstance(value, wanted):
            yield f"{at}: {value!r} is no {schema['type']}"


def _any(schemas: Schemas, value: Any, schema: Any, at: str) -> Iterator[str]:
    return iter(())


TYPES = {
    "object": Schemas._object,
    "array": Schemas._array,
    "integer": Schemas._number,
    "number": Schemas._number,
    "string": Schemas._plain,
    "boolean": Schemas._plain,
    "null": Schemas._plain,
}
