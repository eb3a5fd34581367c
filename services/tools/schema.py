"""What OpenAPI shows beyond the handlers' signatures; nothing is checked here."""

from dataclasses import dataclass

from litestar.openapi.spec import (
    Components,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Reference,
    RequestBody,
    Schema,
    SecurityScheme,
)
from litestar.openapi.spec.enums import OpenAPIType

_TEXT = Schema(type=OpenAPIType.STRING)
_TEXT_OR_NULL = Schema(type=[OpenAPIType.STRING, OpenAPIType.NULL])
_ERROR = Schema(
    type=OpenAPIType.OBJECT,
    description="The one error shape.",
    properties={
        "error": Schema(
            type=OpenAPIType.OBJECT,
            properties={
                "code": _TEXT,
                "message": _TEXT,
                "param": _TEXT_OR_NULL,
                "request_id": _TEXT_OR_NULL,
            },
            required=["code", "message", "param", "request_id"],
        )
    },
    required=["error"],
)
_OBJECT = Schema(type=OpenAPIType.OBJECT)
_TOOL = Schema(
    type=OpenAPIType.OBJECT,
    properties={
        "type": Schema(type=OpenAPIType.STRING, const="function"),
        "function": Schema(
            type=OpenAPIType.OBJECT,
            properties={"name": _TEXT, "description": _TEXT, "parameters": _OBJECT},
            required=["name", "description", "parameters"],
        ),
        "xiaoer": _OBJECT,
    },
    required=["type", "function", "xiaoer"],
)
_ERRORS = {
    "400": "The arguments do not fit the tool's schema, or are no JSON object.",
    "401": "No service token, or not a good one.",
    "404": "No tool has this name.",
    "413": "The body is too large.",
    "503": "The database does not answer, or not in time.",
}
_TOKEN = "service token"  # noqa: S105 - a scheme's name # nosec B105

COMPONENTS = Components(
    schemas={"Error": _ERROR},
    security_schemes={
        _TOKEN: SecurityScheme(
            type="http",
            scheme="bearer",
            bearer_format="JWT",
            description="HS256; iss gateway, aud tools, shop, sub, jti, exp at most 60 s ahead.",
        )
    },
)


def _json(description: str, schema: Schema | Reference) -> OpenAPIResponse:
    content = {"application/json": OpenAPIMediaType(schema=schema)}
    return OpenAPIResponse(description=description, content=content)


def _errors(*statuses: str) -> dict[str, OpenAPIResponse]:
    error = Reference(ref="#/components/schemas/Error")
    return {status: _json(_ERRORS[status], error) for status in statuses}


@dataclass
class Published(Operation):
    """`GET /v1/tools`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; the body is made once, by the registry."""
        tools = Schema(type=OpenAPIType.ARRAY, items=_TOOL)
        self.responses = {"200": _json("The tools, in the order models see them.", tools)}


@dataclass
class CallTool(Operation):
    """`POST /v1/tools/{name}`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; the handler reads the body itself."""
        arguments = Schema(
            type=OpenAPIType.OBJECT, description="Arguments, as the tool's `parameters` say."
        )
        body = {"application/json": OpenAPIMediaType(schema=arguments)}
        self.request_body = RequestBody(content=body, required=False)
        self.security = [{_TOKEN: []}]
        self.responses = {
            "200": _json("The tool's result; an expected miss is one too.", _OBJECT),
            **_errors("400", "401", "404", "413", "503"),
        }


@dataclass
class Catalogue(Operation):
    """`GET /v1/catalogue`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; that there can be nothing new it does not."""
        product = Schema(
            type=OpenAPIType.OBJECT,
            properties={"sku": _TEXT, "names": Schema(type=OpenAPIType.ARRAY, items=_TEXT)},
            required=["sku", "names"],
        )
        catalogue = Schema(
            type=OpenAPIType.OBJECT,
            properties={
                "version": Schema(type=OpenAPIType.INTEGER),
                "products": Schema(type=OpenAPIType.ARRAY, items=product),
            },
            required=["version", "products"],
        )
        self.security = [{_TOKEN: []}]
        self.responses = {
            "200": _json("The shop's products.", catalogue),
            "304": OpenAPIResponse(description="Still the version of If-None-Match."),
            **_errors("401", "503"),
        }


@dataclass
class Ready(Operation):
    """`GET /health/ready`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; the 503 comes from the error handler."""
        self.responses = {**(self.responses or {}), **_errors("503")}
