"""core/v1 PodLogOptions in a query: checked as upstream checks it, and written as the kubelet reads it."""

from __future__ import annotations

from wherry.apimachinery import errors, fielderrors
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.http import Request
from wherry.util.clock import parse_rfc3339

_FLAGS = ("follow", "previous", "timestamps")
_LEAST = {"sinceSeconds": 1, "tailLines": 0, "limitBytes": 1}
_STREAMS = ("All", "Stderr", "Stdout")


def log_query(request: Request, pod: str) -> list[tuple[str, str]]:
    """What to ask the kubelet.  Raises StatusError 400 or 422."""
    query = [(name, "true") for name in _FLAGS if _flag(request, name)]
    numbers = {name: _number(request, name) for name in _LEAST}
    since, stream = request.param("sinceTime"), request.param("stream")
    if since:
        _check_time(since)
    causes = [_too_small(name, value) for name, value in numbers.items() if value is not None and value < _LEAST[name]]
    if since and numbers["sinceSeconds"] is not None:
        causes.append(fielderrors.forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    if stream and stream not in _STREAMS:
        causes.append(fielderrors.not_supported("stream", stream, _STREAMS))
    elif stream not in ("", "All") and numbers["tailLines"] is not None:
        causes.append(fielderrors.forbidden("", "`tailLines` and specific `stream` are mutually exclusive for now"))
    if causes:
        raise errors.invalid("", "PodLogOptions", pod, causes)
    query += [(name, str(value)) for name, value in numbers.items() if value is not None]
    return query + [(name, text) for name, text in (("sinceTime", since), ("stream", stream)) if text]


def _flag(request: Request, name: str) -> bool:
    """As upstream reads a bool from a query: anything but "false" and "0" is true."""
    values = request.params(name)
    return bool(values) and values[0].lower() not in ("false", "0")


def _number(request: Request, name: str) -> int | None:
    text = request.param(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _check_time(text: str) -> None:
    try:
        parse_rfc3339(text)
    except ValueError:
        raise errors.bad_request(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"') from None


def _too_small(name: str, value: int) -> Cause:
    least = _LEAST[name]
    return fielderrors.invalid(name, value, "must be greater than 0" if least else "must be greater than or equal to 0")
