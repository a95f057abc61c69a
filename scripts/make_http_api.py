"""
Make docs/http-api.md, the HTTP interface for people with curl, from the contract in the package.

    python scripts/make_http_api.py

Nothing is said in the page that does not stand in openapi.yaml; a test fails while the two differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tarkeep.entrypoints.http.routes.archives import openapi

PAGE = Path(__file__).parent.parent / "docs" / "http-api.md"
# what any route may answer is said once, in the description of the whole
ANYWHERE = {
    *("bad-request-framing", "invalid-encoding", "request-timeout", "headers-too-large", "internal-error"),
    *("unauthorized", "insufficient-scope", "foreign-request"),
}
HEADLINE = """\
# The HTTP interface

<!-- Made by scripts/make_http_api.py from src/entrypoints/http/openapi.yaml: change that, then run it. -->

This page is for people; programs find the same in `GET /openapi.json`, an OpenAPI 3.1 document.
"""


class Page:
    """The page of one *document*: an OpenAPI document as data, in which references point into itself."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.schemas: dict[str, Any] = document["components"]["schemas"]

    def text(self) -> str:
        blocks = [HEADLINE, self.document["info"]["description"]]
        for tag in self.document["tags"]:
            blocks += [f"## {tag['name']}", tag["description"]]
            for path, item in self.document["paths"].items():
                for method, operation in item.items():
                    if method != "parameters" and tag["name"] in operation["tags"]:
                        blocks += self.route(path, method, item.get("parameters", []), operation)
        blocks += self.objects()
        blocks += self.values()
        blocks += self.errors()
        return "\n\n".join(block.strip() for block in blocks if block) + "\n"

    # -- routes ------------------------------------------------------------------------------------------------------

    def route(self, path: str, method: str, shared: list[Any], operation: dict[str, Any]) -> Iterator[str]:
        yield f"### `{method.upper()} {path}`"
        yield f"**{operation['summary']}**"
        yield operation["description"]
        parameters = [self.resolved(each) for each in [*shared, *operation.get("parameters", [])]]
        if parameters:
            rows = [(f"`{each['name']}`", each["in"], self.parameter(each)) for each in parameters]
            yield table(("parameter", "in", "meaning"), rows)
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            yield from self.body(media_type, content.get("schema"), operation["requestBody"].get("description", ""))
        responses = {status: self.resolved(each) for status, each in operation["responses"].items()}
        answers = [(status, self.answer(each)) for status, each in sorted(responses.items())]
        yield table(("answer", "meaning"), [row for row in answers if row[1] and row[0] not in ("408", "429", "431")])
        yield from self.headers(responses)
        yield from self.bodies(responses)

    def bodies(self, responses: dict[str, Any]) -> Iterator[str]:
        """What the answers that are no errors hold, with one example of each kind."""
        schemas: dict[str, Any] = {}
        statuses: dict[str, list[str]] = {}
        for status, response in responses.items():
            schema = response.get("content", {}).get("application/json", {}).get("schema")
            if schema and status.startswith("2"):
                schemas.setdefault(self.kind(schema), schema)
                statuses.setdefault(self.kind(schema), []).append(status)
        for kind, schema in schemas.items():
            yield f"{' and '.join(statuses[kind])}: {kind}, for example"
            yield fenced(self.example(schema))

    def parameter(self, parameter: dict[str, Any]) -> str:
        schema = self.resolved(parameter["schema"])
        text: str = parameter["description"].strip()
        if "minimum" in schema:
            text += f" {schema['minimum']} to {schema['maximum']}."
        if "default" in schema:
            text += f" Without it: {schema['default']}."
        return text

    def body(self, media_type: str, schema: dict[str, Any] | None, description: str) -> Iterator[str]:
        if schema is None:
            yield f"Body, `{media_type}`: {description}"
        elif media_type == "multipart/form-data":
            yield f"Body, `{media_type}`:"
            yield self.members(self.resolved(schema), "field")
        elif "$ref" in schema:
            yield f"Body, `{media_type}`: {self.kind(schema)}, for example"
            yield fenced(self.example(schema))
        else:
            yield f"Body, `{media_type}`: {schema['description']}"

    def answer(self, response: dict[str, Any]) -> str:
        text: str = response["description"].strip()
        problem = response.get("content", {}).get("application/problem+json")
        if problem is None:
            return text
        codes = [code for code in self.codes(problem["schema"]) if code not in ANYWHERE]
        return f"{text} {', '.join(f'[`{code}`](#errors)' for code in codes)}" if codes else ""

    def codes(self, schema: dict[str, Any]) -> list[str]:
        """The codes that *schema* allows: those of its status, unless it names some of them."""
        if "code" in schema.get("properties", {}):
            return list(schema["properties"]["code"]["enum"])
        return [variant["properties"]["code"]["const"] for variant in self.resolved(schema).get("oneOf", [])]

    def headers(self, responses: dict[str, Any]) -> Iterator[str]:
        seen: dict[str, str] = {}
        for status, response in responses.items():
            for name, header in response.get("headers", {}).items():
                if name not in ("X-Request-Id", "Retry-After") and not status.startswith("5"):
                    seen.setdefault(name, self.resolved(header).get("description", ""))
        if seen:
            yield table(("header of an answer", "meaning"), [(f"`{name}`", text) for name, text in seen.items()])

    # -- schemas -----------------------------------------------------------------------------------------------------

    def objects(self) -> Iterator[str]:
        yield "## Objects"
        yield "Members are always there unless they are called optional."
        for name, schema in self.schemas.items():
            if self.is_object(schema) and not name.startswith("Problem") and name != "UploadForm":
                yield f"### {name}"
                yield schema.get("description", "")
                yield self.members(self.merged(schema), "member")

    def values(self) -> Iterator[str]:
        yield "## Values"
        rows = [
            (name, f"`{self.example(schema)}`", schema["description"])
            for name, schema in self.schemas.items()
            if self.is_value(schema)
        ]
        yield table(("value", "for example", "meaning"), rows)

    def errors(self) -> Iterator[str]:
        problem = self.schemas["Problem"]
        yield "## Errors"
        yield problem["description"]
        common = {**problem, "properties": {name: problem["properties"][name] for name in problem["required"]}}
        yield self.members(common, "member")
        rows = []
        for name, schema in self.schemas.items():
            for variant in schema.get("oneOf", []) if re.fullmatch(r"Problem\d+", name) else []:
                more = ", ".join(f"`{member}`" for member in variant.get("required", []))
                rows.append((name[-3:], f"`{variant['properties']['code']['const']}`", variant["description"], more))
        yield table(("status", "code", "meaning", "members besides"), rows)
        besides = {name: part for name, part in problem["properties"].items() if name not in problem["required"]}
        yield self.members({"properties": besides, "required": list(besides)}, "member besides")
        yield "For example:"
        yield fenced(problem["examples"][0])

    def members(self, schema: dict[str, Any], headline: str) -> str:
        rows = []
        for name, part in {**schema.get("properties", {}), **schema.get("patternProperties", {})}.items():
            optional = "" if name in schema.get("required", ()) else "Optional. "
            default = f" Without it: `{part['default']}`." if "default" in part else ""
            text = part.get("description", "").strip()
            rows.append((f"`{name}`", self.kind(part), f"{optional}{text}{default}"))
        return table((headline, "what", "meaning"), rows)

    def kind(self, schema: dict[str, Any]) -> str:
        """What a value of *schema* is, in a few words."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if self.is_object(self.schemas[name]):
                return f"[{name}](#{name.lower()})"
            return f"[{name}](#values)" if self.is_value(self.schemas[name]) else self.kind(self.schemas[name])
        if "allOf" in schema:
            return self.kind(schema["allOf"][0])
        if "const" in schema:
            return f"`{json.dumps(schema['const'])}`"
        if "enum" in schema:
            return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
        if "anyOf" in schema:
            return " or ".join(self.kind(each) for each in schema["anyOf"])
        if schema.get("type") == "array":
            return f"list of {self.kind(schema['items'])}"
        if schema.get("type") == "object":
            parts = {**schema.get("properties", {}), **schema.get("patternProperties", {})}
            kinds = list(dict.fromkeys(self.kind(part) for part in parts.values()))
            names = ", ".join(f"`{name}`" for name in schema.get("properties", {}))
            return f"object with {names}, each {kinds[0]}" if names and len(kinds) == 1 else self.mixed(parts)
        types = schema.get("type", "anything")
        return " or ".join(types) if isinstance(types, list) else str(types)

    def mixed(self, parts: dict[str, Any]) -> str:
        listed = ", ".join(f"`{name}` ({self.kind(part)})" for name, part in parts.items() if not name.startswith("^"))
        lists = ", ".join(self.kind(part) for name, part in parts.items() if name.startswith("^"))
        return f"object with {listed}" if listed else f"object of {lists}" if lists else "object"

    def example(self, schema: dict[str, Any]) -> Any:
        schema = self.merged(schema)
        if "examples" in schema:
            return schema["examples"][0]
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        if schema.get("type") == "array":
            return [self.example(schema["items"])]
        if schema.get("type") == "object":
            return {name: self.example(schema["properties"][name]) for name in schema.get("required", ())}
        return None

    def is_object(self, schema: dict[str, Any]) -> bool:
        return "properties" in schema or "allOf" in schema

    def is_value(self, schema: dict[str, Any]) -> bool:
        return not self.is_object(schema) and "description" in schema and isinstance(self.example(schema), str | int)

    def merged(self, schema: dict[str, Any]) -> dict[str, Any]:
        """*schema* without references and ``allOf``: what it says itself counts before what it builds on."""
        schema = self.resolved(schema)
        for base in (self.merged(each) for each in schema.get("allOf", ())):
            properties = {**base.get("properties", {}), **schema.get("properties", {})}
            required = [*base.get("required", ()), *schema.get("required", ())]
            schema = {**base, **schema, "properties": properties, "required": required}
        return schema

    def resolved(self, value: dict[str, Any]) -> dict[str, Any]:
        """*value*, or what it refers to; what stands beside a reference counts before what it refers to."""
        if "$ref" not in value:
            return value
        target: Any = self.document
        for step in value["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return {**self.resolved(target), **{name: part for name, part in value.items() if name != "$ref"}}


def table(headline: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table; cells may hold line breaks and bars."""
    cells = [[" ".join(cell.replace("|", "\\|").split()) for cell in row] for row in [headline, *rows]]
    lines = [f"| {' | '.join(row)} |".replace("  |", " |") for row in cells]
    return "\n".join([lines[0], "|" + " --- |" * len(headline), *lines[1:]])


def fenced(value: Any) -> str:
    return f"```json\n{json.dumps(value, indent=2, ensure_ascii=False)}\n```"


if __name__ == "__main__":
    PAGE.write_text(Page(openapi()).text(), encoding="utf-8")
