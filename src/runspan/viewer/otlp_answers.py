"""What an OTLP/HTTP server answers: the empty success, and errors as `google.rpc.Status`, in the request's encoding."""

from __future__ import annotations

import json
from collections.abc import Mapping

from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from runspan.viewer.decode import JSON, PROTOBUF

# An empty Export...ServiceResponse: everything was taken.
SUCCESS: Mapping[str, bytes] = {PROTOBUF: b"", JSON: b"{}"}

# google.rpc.Code beside HTTP status, as in googleapis/google/rpc/code.proto; anything else is 2, UNKNOWN.
RPC_CODES: Mapping[int, int] = {
    400: 3,
    401: 16,
    403: 7,
    404: 5,
    408: 4,
    413: 8,
    429: 8,
    500: 13,
    501: 12,
    503: 14,
    504: 4,
}


def rpc_code(http_status: int) -> int:
    """The `google.rpc.Code` that says what an HTTP status says."""
    return RPC_CODES.get(http_status, 2)


def refusal(http_status: int, message: str, content_type: str) -> bytes:
    """The body of a request that was not taken; in JSON unless the request was protobuf."""
    code = rpc_code(http_status)
    if content_type != PROTOBUF:
        return json.dumps({"code": code, "message": message}).encode()
    encoded: bytes = Status(code=code, message=message).SerializeToString()
    return encoded
