"""Echoes what the middleware lets pass: `python demo.py KIND`. KIND is flask (under gunicorn), waitress, wsgiref (which
gives no raw target, so that everything is refused), uvicorn, or starlette, which mounts guarded applications.

It asks the sidecar at SIDECAR_URL and listens at PORT of loopback; 0, or none, takes a free one.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any, Callable

from sidecar import ASGIMiddleware, Sidecar, WSGIMiddleware

SIDECAR = Sidecar(os.environ.get("SIDECAR_URL", "http://127.0.0.1:8181"),
                  timeout=float(os.environ.get("SIDECAR_TIMEOUT", "5")))
PORT = int(os.environ.get("PORT", "0"))


def echo(target: str, path: str, headers: "dict[str, list[str]]", context: "dict[str, Any]") -> bytes:
    return json.dumps({"target": target, "path": path, "headers": headers, "context": context}).encode()


def wsgi(environ: "dict[str, Any]", start_response: Callable[..., Any]) -> "list[bytes]":
    headers = {key.replace("HTTP_", "", 1).lower().replace("_", "-"): [value] for key, value in environ.items()
               if key.startswith("HTTP_") or key == "CONTENT_TYPE"}
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI", "")
    body = echo(target, environ["PATH_INFO"], headers, environ["sidecar.decision"].context)
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


async def asgi(scope: "dict[str, Any]", receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return await send({"type": "websocket.close", "code": 1000})
    headers: "dict[str, list[str]]" = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    body = echo(target.decode("latin-1"), scope["path"], headers, scope["sidecar.decision"].context)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


def flask() -> Any:
    from flask import Flask, Response, request

    app = Flask(__name__, static_folder=None)

    @app.route("/<path:path>", methods=["GET", "POST", "PUT", "DELETE"])
    def everything(path: str) -> Response:
        headers = {name.lower(): [value] for name, value in request.headers}
        body = echo(request.environ["RAW_URI"], request.path, headers, request.environ["sidecar.decision"].context)
        return Response(body, mimetype="application/json")

    app.wsgi_app = WSGIMiddleware(app.wsgi_app, SIDECAR)  # type: ignore[method-assign]
    return app


def starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    guarded = ASGIMiddleware(asgi, SIDECAR)
    return Starlette(routes=[Mount("/orders", guarded), Mount("/", guarded)])


def ready(port: int) -> None:
    print(f"listening on 127.0.0.1:{port}", flush=True)


def gunicorn(app: Any) -> None:
    from gunicorn.app.base import BaseApplication

    class Application(BaseApplication):
        def load_config(self) -> None:
            self.cfg.set("bind", f"127.0.0.1:{PORT}")
            self.cfg.set("threads", 8)  # keep-alive needs threads
            self.cfg.set("control_socket_disable", True)
            self.cfg.set("when_ready", lambda arbiter: ready(arbiter.LISTENERS[0].sock.getsockname()[1]))

        def load(self) -> Any:
            return app

    Application().run()


def waitress(app: Any) -> None:
    from waitress.server import create_server

    server = create_server(app, host="127.0.0.1", port=PORT)
    ready(server.effective_port)
    server.run()


def wsgiref(app: Any) -> None:
    from wsgiref.simple_server import make_server

    server = make_server("127.0.0.1", PORT, app)
    ready(server.server_port)
    server.serve_forever()


def uvicorn(app: Any) -> None:
    import uvicorn as asgi_server

    listener = socket.create_server(("127.0.0.1", PORT))
    ready(listener.getsockname()[1])
    asgi_server.Server(asgi_server.Config(app, lifespan="off", log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    kind = sys.argv[1]
    if kind == "flask":
        gunicorn(flask())
    elif kind in ("uvicorn", "starlette"):
        uvicorn(starlette() if kind == "starlette" else ASGIMiddleware(asgi, SIDECAR))
    else:
        {"waitress": waitress, "wsgiref": wsgiref}[kind](WSGIMiddleware(wsgi, SIDECAR))
