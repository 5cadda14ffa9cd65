"""Asks a sidecar about every request of a WSGI or ASGI application, and lets pass what it allows.

Copy this file into your project; it needs Python 3.9 and nothing else.

    app.wsgi_app = WSGIMiddleware(app.wsgi_app, Sidecar("http://127.0.0.1:8181"))   # Flask
    app = ASGIMiddleware(app, Sidecar("unix:///run/sidecar/api.sock"))              # Starlette, FastAPI, Quart

Whatever goes wrong refuses: 503 while there is no decision, 500 when the call itself is wrong (the log says how).
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import http.client
import inspect
import io
import json
import logging
import os
import re
import socket
import ssl
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterable, Mapping, Optional

log = logging.getLogger("sidecar")

_LARGEST = 1 << 20  # bytes of an answer
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a header's name, RFC 9110 section 5.6.2
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")  # surrogates are no text

Headers = Mapping[str, "list[str]"]


@dataclasses.dataclass(frozen=True)
class Decision:
    """What the sidecar answered; docs/api.md tells each member. `headers` are for the answer to the client,
    `upstream_headers` for the application, in place of what the client sent under these names."""

    id: str
    allow: bool
    kind: str
    status: int
    reasons: "list[dict[str, Any]]"
    headers: Headers
    upstream_headers: Headers
    context: "dict[str, Any]"
    policy: "dict[str, Any]"


class Refusal(Exception):
    """Why a request does not reach the application, as the answer to the client: a problem of RFC 9457."""

    def __init__(self, status: int, headers: Headers, decision: Optional[Decision] = None) -> None:
        super().__init__(status)
        self.status, self.decision = status, decision
        problem: "dict[str, Any]" = {"title": http.client.responses.get(status, "Refused"), "status": status}
        if decision:  # other members of reasons are for the application
            reasons = [{k: reason[k] for k in ("code", "message") if k in reason} for reason in decision.reasons]
            problem.update(decision_id=decision.id, reasons=reasons)
        self.body = json.dumps(problem).encode()
        own = {"Content-Type": "application/problem+json", "Content-Length": str(len(self.body)),
               "Cache-Control": "no-store"}
        self.headers = [*own.items(), *(pair for pair in _pairs(headers) if pair[0].title() not in own)]


class Unavailable(Refusal):
    """There is no decision: no answer, a late, broken or oversized one, or one that is no decision."""

    def __init__(self, cause: str, retry_after: str = "1") -> None:
        log.error("no decision: %.300s", ascii(cause))  # part of it may be what something else answered
        super().__init__(503, {"Retry-After": [retry_after]})


class Fault(Refusal):
    """The application asks or is set up wrongly. The log says what to change; the client learns nothing."""

    def __init__(self, cause: str) -> None:
        log.error("%s", cause)
        super().__init__(500, {})


class Sidecar:
    """The sidecar at `url`: http://, https:// or unix:///path. Safe for threads; keeps connections open.

    timeout     seconds for a whole call, from the first connection to the last byte
    key         the caller key, when the listener wants one
    tls         for a private CA or a client certificate
    entrypoint  the policy's rule, when it is not the default one, such as "billing/decision"
    """

    def __init__(self, url: str = "http://127.0.0.1:8181", *, timeout: float = 3.0, key: str = "",
                 tls: Optional[ssl.SSLContext] = None, entrypoint: str = "") -> None:
        if not re.fullmatch(r"https?://[^/?#@\s]+/?|unix:///[^?#]+", url):
            raise ValueError(f"sidecar url {url!r}: want http://HOST:PORT, https://HOST:PORT or unix:///PATH")
        parts = urllib.parse.urlsplit(url)
        self._unix = parts.path if parts.scheme == "unix" else ""
        self._host = parts.hostname or "localhost"
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = tls or ssl.create_default_context() if parts.scheme == "https" else None
        path = "/v1/decisions" + ("/" + entrypoint.strip("/") if entrypoint else "")
        lines = [f"POST {path} HTTP/1.1", f"Host: {parts.netloc or 'localhost'}", "Content-Type: application/json"]
        self._head = "\r\n".join(lines + ([f"Authorization: Bearer {key.strip()}"] if key else []))
        self.timeout = timeout
        self._idle: "collections.deque[tuple[int, socket.socket]]" = collections.deque(maxlen=64)

    def decide(self, request: Mapping[str, Any], *, deadline: Optional[float] = None, **members: Any) -> Decision:
        """Asks about `request` ({"method", "url", "headers": {name: [values]}, "source_ip"}; `url` is the request
        target as it arrived, never decoded). `members` are those beside it: context, token. A refusal is a decision
        with allow False; Unavailable or Fault is raised when there is none. `deadline` is of time.monotonic()."""
        deadline = time.monotonic() + self.timeout if deadline is None else deadline
        call = json.dumps({"request": request, **members}, allow_nan=False).encode()
        try:
            status, retry_after, body = self._call(call, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from None
        if 400 <= status < 500 and status != 429:
            raise Fault(f"the sidecar refuses the call with {status}: {_call_error(body)}")
        if status != 200:
            raise Unavailable(f"status {status}", retry_after if _VALUE.fullmatch(retry_after) else "1")
        try:
            return _decision(_strict_json(body))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise Unavailable(f"the answer is no decision: {type(error).__name__}") from None

    def close(self) -> None:
        """Closes the connections that are kept; later calls open new ones."""
        while self._idle:
            self._idle.pop()[1].close()

    def _call(self, body: bytes, deadline: float) -> "tuple[int, str, bytes]":
        message = f"{self._head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        kept = self._kept()
        if kept:
            try:
                return self._exchange(kept, message, deadline)
            except _Closed:  # while it was idle: nothing was answered
                pass
        return self._exchange(self._connect(deadline), message, deadline)

    def _exchange(self, sock: socket.socket, message: bytes, deadline: float) -> "tuple[int, str, bytes]":
        source, keep = _Source(sock, deadline), False
        try:
            sock.settimeout(_left(deadline))
            sock.sendall(message)
            answer = http.client.HTTPResponse(source, method="POST")  # type: ignore[arg-type]
            answer.begin()
            while 100 <= answer.status < 200:  # interim: the answer is behind it (RFC 9110 section 15.2)
                answer.headers = None  # type: ignore[assignment]  # else begin does nothing
                answer.begin()
            body = answer.read(_LARGEST + 1)
            if len(body) > _LARGEST:
                raise ValueError(f"the answer is over {_LARGEST} bytes")
            if answer.length:
                raise ValueError("the answer ends early")
            keep = not answer.will_close
            return answer.status, answer.getheader("Retry-After") or "1", body
        except ConnectionError as error:
            raise error if source.begun else _Closed(str(error)) from None
        finally:
            if keep and len(self._idle) < 64:
                self._idle.append((os.getpid(), sock))
            else:
                sock.close()

    def _kept(self) -> Optional[socket.socket]:
        """A connection of this process that is still open: a fork must not share them."""
        while self._idle:
            try:
                pid, sock = self._idle.pop()
            except IndexError:
                return None
            try:
                sock.settimeout(0)
                if pid == os.getpid():
                    sock.recv(1)  # anything to read, the end too, does not belong to the next call
            except (BlockingIOError, ssl.SSLWantReadError):
                return sock
            except OSError:
                pass
            sock.close()
        return None

    def _connect(self, deadline: float) -> socket.socket:
        if self._unix:
            addresses: Iterable[Any] = [(socket.AF_UNIX, socket.SOCK_STREAM, 0, "", self._unix)]
        else:
            addresses = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        failure = OSError("no address")
        for family, kind, protocol, _, address in addresses:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(_left(deadline))
                sock.connect(address)
                if not self._unix:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return self._tls.wrap_socket(sock, server_hostname=self._host) if self._tls else sock
            except OSError as error:
                sock.close()
                failure = error
        raise failure


class _Closed(ConnectionError):
    """The connection ended before the first byte of an answer."""


class _Source(io.RawIOBase):
    """What http.client reads an answer from: every wait ends at the deadline of the whole call."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline, self.begun = sock, deadline, False

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._deadline))
        count = self._sock.recv_into(buffer)
        self.begun = self.begun or count > 0
        return count


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise socket.timeout("the call took too long")
    return left


def _strict_json(body: bytes) -> Any:
    def once(pairs: "list[tuple[str, Any]]") -> "dict[str, Any]":
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a member is there twice")
        return dict(pairs)

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(body.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse)


def _decision(answer: Any) -> Decision:
    """Every member must be there with its type, and fit the others. More members are those of a newer sidecar."""
    allow, kind, status, reasons = (answer[name] for name in ("allow", "kind", "status", "reasons"))
    refused = allow is False and isinstance(kind, str) and kind != "allow" and 400 <= status <= 599
    if type(status) is not int or not (refused or allow is True and kind == "allow" and status == 200):
        raise ValueError("allow, kind and status do not fit")
    for reason in _typed(reasons, list):
        _typed(_typed(reason, dict)["code"], str), _typed(reason.get("message", ""), str)
    for obligation in _typed(_typed(answer["context"], dict).get("obligations", []), list):
        _typed(obligation, dict)
    for member in ("path", "revision", "digest"):
        _typed(answer["policy"][member], str)
    return Decision(_typed(answer["decision_id"], str), allow, kind, status, reasons, _headers(answer["headers"]),
                    _headers(answer["upstream_headers"]), answer["context"], answer["policy"])


def _typed(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"want {kind.__name__}")
    return value


def _headers(headers: Any) -> Headers:
    for name, values in _typed(headers, dict).items():
        if not _NAME.fullmatch(name) or not all(map(_VALUE.fullmatch, _typed(values, list))):
            raise ValueError("a header is none")
    read: Headers = headers
    return read


def _call_error(body: bytes) -> str:
    """Code, message and pointer of a call error, safe to log."""
    try:
        error = _strict_json(body)["error"]
        return " ".join(repr(error.get(member, ""))[:200] for member in ("code", "message", "pointer"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "the body is no call error; is this the sidecar's api listener?"


def _pairs(headers: Headers) -> "list[tuple[str, str]]":
    return [(name, value.encode("utf-8").decode("latin-1")) for name, values in headers.items() for value in values]


def _text(octets: bytes) -> str:
    """The value of a header: UTF-8, or else ISO 8859-1, which it was before (RFC 9110 section 5.5)."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _ascii(target: bytes) -> str:
    """The request target; octets beyond ASCII, which no URL has, percent-encoded so that none is lost in JSON."""
    return "".join(chr(octet) if octet < 0x80 else f"%{octet:02X}" for octet in target)


def _origin(target: str) -> str:
    """A target in absolute form without its authority: applications read Host, which may be another one."""
    absolute = re.match(r"https?://[0-9A-Za-z.:\[\]_~-]+(?=[/?]|\Z)", target, re.IGNORECASE)
    rest = target[absolute.end():] if absolute else target
    return "/" + rest if absolute and rest[:1] != "/" else rest


def _folded(name: str) -> str:
    """Names that CGI, WSGI and frameworks may take for one fold to one text."""
    return re.sub("[^0-9A-Z]", "_", name.upper())


Handler = Callable[["dict[str, Any]", Any], Any]


class _Middleware:
    """sidecar      whom to ask
    obligations  what policies may oblige the application to: type -> handler(obligation, environ or scope), which
                 raises when it cannot. An obligation without a handler refuses what the policy allowed.
    target       target(environ or scope) -> the raw request target as text, where the server does not give it
    question     question(call, environ or scope) may add to the call: context, request.client_certificate, token
    """

    def __init__(self, app: Any, sidecar: Optional[Sidecar] = None, *,
                 obligations: Optional[Mapping[str, Handler]] = None, target: Optional[Callable[[Any], str]] = None,
                 question: Optional[Callable[["dict[str, Any]", Any], None]] = None) -> None:
        self._app, self._sidecar = app, sidecar or Sidecar()
        self._obligations, self._target, self._question = obligations or {}, target, question

    def _about(self, source: Any, request: "dict[str, Any]", raw: Optional[str], wanted: str) -> "dict[str, Any]":
        if self._target is not None:
            raw = self._target(source)
        if not raw:
            raise Fault(f"the server gives no {wanted}, and without the raw request target no path is safe: decoded, "
                        "%2F and %3F cannot be told from / and ?. Use a server that gives it, or the option target")
        if "host" in request["headers"]:
            raw = _origin(raw)
        call: "dict[str, Any]" = {"request": {**request, "url": _ascii(raw.encode("latin-1"))}}
        if self._question is not None:
            self._question(call, source)
        return call

    def _due(self, decision: Decision) -> "list[tuple[Handler, dict[str, Any]]]":
        due = decision.context.get("obligations", [])
        named = [(obligation.get("type"), obligation) for obligation in due]
        return [(self._obligations.get(name, _unknown) if isinstance(name, str) else _unknown, obligation)
                for name, obligation in named]

    def _settle(self, decision: Decision, failed: "list[str]") -> Decision:
        if failed:
            log.error("decision %.100r: %s", decision.id, "; ".join(failed))
        if not decision.allow:
            raise Refusal(decision.status, decision.headers, decision)
        if failed:
            raise Refusal(500, {}, decision)
        return decision


def _unknown(_obligation: "dict[str, Any]", _source: Any) -> None:
    raise LookupError("no handler is registered for its type")


def _failure(obligation: "dict[str, Any]", error: Exception) -> str:
    return f"obligation {str(obligation.get('type'))[:100]!r} is not honoured: {error!r}"


_BARE = {"CONTENT_TYPE", "CONTENT_LENGTH"}  # headers whose variable has no HTTP_


def _header_of(key: str) -> str:
    """The name of the header that a variable of environ has; empty for other variables."""
    name = key[5:] if key.startswith("HTTP_") else key if key in _BARE else ""
    return name.replace("_", "-").lower()


class WSGIMiddleware(_Middleware):
    """For WSGI applications. The server must give RAW_URI (gunicorn, Werkzeug) or REQUEST_URI (uWSGI, mod_wsgi,
    waitress); wsgiref gives neither. gunicorn's `--protocol uwsgi` makes RAW_URI from the decoded path: use HTTP."""

    def __call__(self, environ: "dict[str, Any]", start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            decision = self._decide(environ)
        except Refusal as refusal:
            start_response(f"{refusal.status} {http.client.responses.get(refusal.status, 'Refused')}", refusal.headers)
            return [b"" if environ["REQUEST_METHOD"] == "HEAD" else refusal.body]
        replaced = {_folded(name) for name in decision.upstream_headers}
        for key in [key for key in environ if _folded(_header_of(key)) in replaced]:
            del environ[key]
        for name, value in _pairs(decision.upstream_headers):
            key = _folded(name) if _folded(name) in _BARE else "HTTP_" + _folded(name)
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        environ["sidecar.decision"] = decision

        def start(status: str, headers: "list[tuple[str, str]]", *exc_info: Any) -> Any:
            return start_response(status, list(headers) + _pairs(decision.headers), *exc_info)

        answer: Iterable[bytes] = self._app(environ, start)
        return answer

    def _decide(self, environ: "dict[str, Any]") -> Decision:
        headers: "dict[str, list[str]]" = {}
        for key, value in environ.items():
            if _header_of(key) and (value or key not in _BARE):
                headers.setdefault(_header_of(key), []).append(_text(value.encode("latin-1")))
        request = {"method": environ["REQUEST_METHOD"], "headers": headers}
        if environ.get("REMOTE_ADDR"):
            request["source_ip"] = environ["REMOTE_ADDR"]
        if self._target is None and environ.get("SCRIPT_NAME") and "HTTP_SCRIPT_NAME" in environ:
            raise Fault("the request has the header SCRIPT_NAME, and gunicorn takes a part off the path for it: set "
                        "forwarder_headers = '' there; or if a proxy sets the header, give the option target")
        raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
        decision = self._sidecar.decide(**self._about(environ, request, raw, "RAW_URI or REQUEST_URI"))
        failed = []
        for handler, obligation in self._due(decision):  # all of them, also when one fails
            try:
                handler(obligation, environ)
            except Exception as error:
                failed.append(_failure(obligation, error))
        return self._settle(decision, failed)


class ASGIMiddleware(_Middleware):
    """For ASGI applications, HTTP and WebSocket, under asyncio. The server must give raw_path, as uvicorn, hypercorn,
    daphne and granian do. Handlers of obligations may be coroutines."""

    def __init__(self, app: Any, sidecar: Optional[Sidecar] = None, *, calls: int = 32, **options: Any) -> None:
        super().__init__(app, sidecar, **options)
        self._threads = ThreadPoolExecutor(calls, "sidecar")  # calls at once; the deadline runs while one waits

    async def __call__(self, scope: "dict[str, Any]", receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            decision = await self._decide(scope)
        except Refusal as refusal:
            await _refuse(refusal, scope, receive, send)
            return
        replaced = {_folded(name) for name in decision.upstream_headers}
        kept = [(name, value) for name, value in scope["headers"] if _folded(name.decode("latin-1")) not in replaced]
        headers = kept + _octets(_pairs(decision.upstream_headers))
        scope = {**scope, "headers": headers, "sidecar.decision": decision}

        async def started(message: "dict[str, Any]") -> None:
            if message["type"] in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
                message = {**message, "headers": [*message.get("headers", ()), *_octets(_pairs(decision.headers))]}
            await send(message)

        await self._app(scope, receive, started)

    async def _decide(self, scope: "dict[str, Any]") -> Decision:
        headers: "dict[str, list[str]]" = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), []).append(_text(value))
        request = {"method": scope.get("method", "GET"), "headers": headers}
        if scope.get("client"):
            request["source_ip"] = scope["client"][0]
        path, query = scope.get("raw_path"), scope.get("query_string", b"")
        raw = (path + b"?" + query if query else path).decode("latin-1") if path else None
        call = self._about(scope, request, raw, "raw_path")
        deadline = time.monotonic() + self._sidecar.timeout
        asked = asyncio.wrap_future(self._threads.submit(self._sidecar.decide, deadline=deadline, **call))
        try:
            decision = await asyncio.wait_for(asked, self._sidecar.timeout + 1)
        except asyncio.TimeoutError:
            raise Unavailable(f"more than {self._threads._max_workers} calls are under way") from None
        failed = []
        for handler, obligation in self._due(decision):
            try:
                done = handler(obligation, scope)
                if inspect.isawaitable(done):
                    await done
            except Exception as error:
                failed.append(_failure(obligation, error))
        return self._settle(decision, failed)


async def _refuse(refusal: Refusal, scope: "dict[str, Any]", receive: Any, send: Any) -> None:
    kind = "http.response"
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1008})  # not accepted yet: the server answers 403
            return
        kind = "websocket.http.response"
    body = b"" if scope.get("method") == "HEAD" else refusal.body
    await send({"type": kind + ".start", "status": refusal.status, "headers": _octets(refusal.headers)})
    await send({"type": kind + ".body", "body": body})


def _octets(headers: "list[tuple[str, str]]") -> "list[tuple[bytes, bytes]]":
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
