"""Answers of the routes: JSON with ETag and compression, problems, private ones never kept."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from services.core.headers import NO_STORE, SECURITY, Headers, of_problem
from services.core.problems import Problem, bad_parameter, not_found
from services.reader.parts import Parts
from services.reader.rendered import Encoded, matches


def parts_of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def raw(status: int, body: bytes, headers: Headers) -> Response:
    response = Response(status_code=status)
    response.body = body
    response.raw_headers = headers
    return response


def public(request: Request, encoded: Encoded) -> Response:
    """200 or 304, in the coding that the client likes; caches may keep it for a second."""
    accepts = request.headers.get("accept-encoding", "").encode("latin-1")
    coded = encoded.coded_as(parts_of(request).choose_coding(accepts))
    if_none_match = request.headers.get("if-none-match", "").encode("latin-1")
    if if_none_match and matches(if_none_match, coded.etag):
        return raw(304, b"", coded.unchanged)
    return raw(200, coded.body, coded.headers)


def private(body: bytes) -> Response:
    """For one reader only: no cache keeps it."""
    return raw(
        200,
        body,
        [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            NO_STORE,
            (b"vary", b"origin, authorization"),
            *SECURITY,
        ],
    )


def problem_response(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    body = problem.encoded()
    return raw(problem.status, body, of_problem(problem, len(body)))


def invalid_response(request: Request, error: Exception) -> Response:
    """A parameter that is not what it must be: named, with what it must be."""
    assert isinstance(error, RequestValidationError)
    return problem_response(request, _named(error.errors()))


def http_response(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = {"allow": "GET, HEAD, OPTIONS"}
        problem = Problem(405, "method_not_allowed", "only GET and HEAD", headers=allowed)
        return problem_response(request, problem)
    return problem_response(request, not_found("no such resource; docs/api.md lists them"))


def last_resort(request: Request, error: Exception) -> Response:
    return problem_response(request, Problem(500, "internal", "this is our fault; it was logged"))


def _named(errors: Sequence[dict[str, object]]) -> Problem:
    first = errors[0]
    where = first["loc"]
    assert isinstance(where, tuple)
    if where[0] == "path":
        return not_found("no such resource")
    return bad_parameter(str(where[1]), str(first["msg"]))
