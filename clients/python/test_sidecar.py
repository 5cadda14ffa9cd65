"""What the table of cases cannot see: `python -m unittest` here. The sidecar is a server of this file."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import os
import socketserver
import tempfile
import threading
import time
import unittest
import unittest.mock
from typing import Any, Iterator
from wsgiref.util import setup_testing_defaults

from sidecar import ASGIMiddleware, Decision, Sidecar, Unavailable, WSGIMiddleware

ALLOW = {"decision_id": "1", "allow": True, "kind": "allow", "status": 200, "reasons": [], "headers": {},
         "upstream_headers": {}, "context": {}, "policy": {"path": "p", "revision": "r", "digest": "d"}}
DENY = {**ALLOW, "allow": False, "kind": "deny", "status": 403, "headers": {"X-Why": ["é"]},
        "reasons": [{"code": "no", "message": "never", "secret": "of the application"}]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append((self.path, dict(self.headers), json.loads(body)))
        answer = json.dumps(self.server.answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None: ...


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self) -> Any:
        return self.socket.accept()[0], ("", 0)


@contextlib.contextmanager
def serving(server: Any, answer: Any = ALLOW) -> Iterator[Any]:
    server.answer, server.calls = answer, []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def a_server() -> Server:
    return Server(("127.0.0.1", 0), Handler)


def asking(test: unittest.TestCase, server: Any) -> Sidecar:
    sidecar = Sidecar(f"http://127.0.0.1:{server.server_address[1]}")
    test.addCleanup(sidecar.close)
    return sidecar


def environ(**more: Any) -> "dict[str, Any]":
    env: "dict[str, Any]" = {"RAW_URI": "/orders/42", "REMOTE_ADDR": "10.1.2.3", **more}
    setup_testing_defaults(env)
    return env


def wsgi(middleware: Any, env: "dict[str, Any]") -> "tuple[str, dict[str, str], bytes]":
    seen: "list[Any]" = []
    body = b"".join(middleware(env, lambda status, headers, *_: seen.extend([status, dict(headers)])))
    return seen[0], seen[1], body


def application(env: "dict[str, Any]", start_response: Any) -> "list[bytes]":
    start_response("200 OK", [("X-From", "application")])
    return [b"passed"]


class DecideTest(unittest.TestCase):
    def test_a_unix_socket_is_asked(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "api.sock")
            with serving(UnixServer(path, Handler)) as server:
                sidecar = Sidecar("unix://" + path, key="k", entrypoint="billing/decision")
                self.assertIsInstance(sidecar.decide({"method": "GET"}), Decision)
                sidecar.close()
                asked, headers, _ = server.calls[0]
                self.assertEqual((asked, headers["Host"], headers["Authorization"]),
                                 ("/v1/decisions/billing/decision", "localhost", "Bearer k"))

    def test_other_urls_are_refused_at_once(self) -> None:
        for wrong in ("127.0.0.1:8181", "ftp://h", "http://", "http://h/base", "http://u@h", "unix://h", "http://h?x"):
            with self.assertRaises(ValueError, msg=wrong):
                Sidecar(wrong)

    def test_a_refusal_is_a_decision(self) -> None:
        with serving(a_server(), DENY) as server:
            decision = asking(self, server).decide({"method": "GET", "url": "/"}, context={"a": 1}, token="t")
            self.assertEqual((decision.allow, decision.status, decision.reasons[0]["secret"]),
                             (False, 403, "of the application"))
            self.assertEqual(server.calls[0][2],
                             {"request": {"method": "GET", "url": "/"}, "context": {"a": 1}, "token": "t"})

    def test_connections_are_not_shared_with_a_child(self) -> None:
        with serving(a_server()) as server:
            sidecar = asking(self, server)
            sidecar.decide({})
            (pid, sock), = sidecar._idle
            sidecar._idle[0] = (pid + 1, sock)  # as a child sees it
            sidecar.decide({})
            self.assertEqual(sock.fileno(), -1)

    def test_names_of_a_proxy_are_not_looked_at(self) -> None:
        with serving(a_server()) as server, unittest.mock.patch.dict(os.environ, {"http_proxy": "http://127.0.0.1:1"}):
            self.assertTrue(asking(self, server).decide({}).allow)

    def test_a_call_past_its_deadline_is_not_made(self) -> None:
        with serving(a_server()) as server, self.assertLogs("sidecar"), self.assertRaises(Unavailable):
            asking(self, server).decide({}, deadline=time.monotonic() - 1)
        self.assertEqual(server.calls, [])


class WSGITest(unittest.TestCase):
    def test_the_client_sees_of_reasons_what_is_for_it(self) -> None:
        with serving(a_server(), DENY) as server:
            status, headers, body = wsgi(WSGIMiddleware(application, asking(self, server)), environ())
        self.assertEqual((status, headers["X-Why"]), ("403 Forbidden", "\u00c3\u00a9"))
        self.assertEqual(json.loads(body), {"title": "Forbidden", "status": 403, "decision_id": "1",
                                            "reasons": [{"code": "no", "message": "never"}]})

    def test_a_server_without_a_raw_target_is_refused_by_name(self) -> None:
        env = environ(PATH_INFO="/orders/42", QUERY_STRING="")
        del env["RAW_URI"]
        with serving(a_server()) as server:
            with self.assertLogs("sidecar") as logs:
                status, _, _ = wsgi(WSGIMiddleware(application, asking(self, server)), env)
            self.assertEqual((status, server.calls), ("500 Internal Server Error", []))
            self.assertIn("RAW_URI or REQUEST_URI", logs.output[0])
            option = WSGIMiddleware(application, asking(self, server), target=lambda env: "/orders%2F\xe9")
            self.assertEqual(wsgi(option, env)[0], "200 OK")
            self.assertEqual(server.calls[0][2]["request"]["url"], "/orders%2F%E9")

    def test_octets_of_headers_are_text(self) -> None:
        with serving(a_server()) as server:
            env = environ(HTTP_X_A="\u00c3\u00a9", HTTP_X_B="\xe9", CONTENT_TYPE="text/plain", HTTP_X_TENANT="acme")
            wsgi(WSGIMiddleware(application, asking(self, server)), env)
            headers = server.calls[0][2]["request"]["headers"]
        self.assertEqual([headers[name] for name in ("x-a", "x-b", "content-type", "x-tenant", "host")],
                         [["é"], ["é"], ["text/plain"], ["acme"], ["127.0.0.1"]])

    def test_a_part_of_the_path_that_a_header_takes_off_is_refused(self) -> None:
        env = environ(RAW_URI="/public/admin", SCRIPT_NAME="/public", PATH_INFO="/admin", HTTP_SCRIPT_NAME="/x,/public")
        with serving(a_server()) as server:
            with self.assertLogs("sidecar") as logs:
                status, _, _ = wsgi(WSGIMiddleware(application, asking(self, server)), dict(env))
            self.assertEqual((status, server.calls), ("500 Internal Server Error", []))
            self.assertIn("forwarder_headers", logs.output[0])
            trusted = WSGIMiddleware(application, asking(self, server), target=lambda env: env["RAW_URI"])
            self.assertEqual(wsgi(trusted, dict(env))[0], "200 OK")

    def test_half_a_character_is_no_header(self) -> None:
        for member in ("headers", "upstream_headers"):
            answer = {**ALLOW, member: {"X-A": ["\ud800"]}}
            with serving(a_server(), answer) as server, self.assertLogs("sidecar"):
                status, _, _ = wsgi(WSGIMiddleware(application, asking(self, server)), environ())
            self.assertEqual(status, "503 Service Unavailable")

    def test_upstream_headers_replace_and_join(self) -> None:
        upstream = {"X-Roles": ["a", "é"], "X-Gone": [], "Content-Type": ["text/plain"]}
        answer = {**ALLOW, "upstream_headers": upstream}
        env = environ(HTTP_X_ROLES="root", HTTP_X_GONE="1", CONTENT_TYPE="text/html", HTTP_CONTENT_TYPE="text/html",
                      **{"HTTP_X.ROLES": "root", "HTTP_X-ROLES": "root"})
        with serving(a_server(), answer) as server:
            wsgi(WSGIMiddleware(application, asking(self, server)), env)
        self.assertEqual({key: value for key, value in env.items() if key.startswith("HTTP_X") or "TYPE" in key},
                         {"HTTP_X_ROLES": "a,\u00c3\u00a9", "CONTENT_TYPE": "text/plain"})
        self.assertEqual(env["sidecar.decision"].upstream_headers["X-Roles"], ["a", "é"])

    def test_obligations_are_all_honoured_and_one_that_fails_refuses(self) -> None:
        seen: "list[Any]" = []

        def fails(obligation: Any, env: Any) -> None:
            raise RuntimeError("full")

        def audit_it(obligation: Any, env: Any) -> None:
            seen.append((obligation["level"], env["REMOTE_ADDR"]))

        handlers = {"audit": audit_it, "fails": fails}
        audit = {"type": "audit", "level": 3}
        for due, want in (([audit], "200"), ([{"type": "fails"}, audit], "500"), ([{"type": "other"}, audit], "500")):
            seen.clear()
            with serving(a_server(), {**ALLOW, "context": {"obligations": due}}) as server:
                guarded = WSGIMiddleware(application, asking(self, server), obligations=handlers)
                with contextlib.ExitStack() as stack:
                    if want == "500":
                        stack.enter_context(self.assertLogs("sidecar"))
                    self.assertEqual(wsgi(guarded, environ())[0][:3], want)
            self.assertEqual(seen, [(3, "10.1.2.3")])

    def test_an_obligation_whose_type_is_no_text_has_no_handler(self) -> None:
        handlers = {str(kind): lambda *_: None for kind in (["audit"], 1, None)}
        for kind in (["audit"], 1, None):
            answer = {**ALLOW, "context": {"obligations": [{"type": kind}]}}
            with serving(a_server(), answer) as server, self.assertLogs("sidecar"):
                guarded = WSGIMiddleware(application, asking(self, server), obligations=handlers)
                self.assertEqual(wsgi(guarded, environ())[0][:3], "500")

    def test_the_question_can_be_added_to(self) -> None:
        def question(call: Any, env: Any) -> None:
            call["context"] = {"plan": "gold"}
            call["request"]["source_ip"] = "192.0.2.1"

        with serving(a_server()) as server:
            wsgi(WSGIMiddleware(application, asking(self, server), question=question), environ())
            self.assertEqual((server.calls[0][2]["context"], server.calls[0][2]["request"]["source_ip"]),
                             ({"plan": "gold"}, "192.0.2.1"))


async def asgi_application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept" if scope["type"] == "websocket" else "passed"})


class ASGITest(unittest.IsolatedAsyncioTestCase):
    async def run_scope(self, answer: Any, scope: Any, **options: Any) -> "list[Any]":
        sent: "list[Any]" = []

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"headers": [(b"x-a", b"1"), (b"x-a", b"2")], "raw_path": b"/orders/42", "client": None, **scope}
        with serving(a_server(), answer) as server:
            await ASGIMiddleware(asgi_application, asking(self, server), **options)(scope, receive, send)
        self.calls = server.calls
        return sent

    async def test_a_websocket_that_is_refused_is_closed_or_answered(self) -> None:
        sent = await self.run_scope(DENY, {"type": "websocket"})
        self.assertEqual(sent, [{"type": "websocket.close", "code": 1008}])
        sent = await self.run_scope(DENY, {"type": "websocket", "extensions": {"websocket.http.response": {}}})
        self.assertEqual([(sent[0]["type"], sent[0]["status"]), sent[1]["type"]],
                         [("websocket.http.response.start", 403), "websocket.http.response.body"])

    async def test_a_websocket_that_is_allowed_gets_the_headers_too(self) -> None:
        sent = await self.run_scope({**ALLOW, "headers": {"DPoP-Nonce": ["n"]}}, {"type": "websocket"})
        self.assertEqual(sent, [{"type": "websocket.accept", "headers": [(b"dpop-nonce", b"n")]}])
        self.assertEqual(self.calls[0][2]["request"],
                         {"method": "GET", "url": "/orders/42", "headers": {"x-a": ["1", "2"]}})

    async def test_lifespan_is_not_asked_about(self) -> None:
        self.assertEqual(await self.run_scope(DENY, {"type": "lifespan"}), [{"type": "passed"}])
        self.assertEqual(self.calls, [])

    async def test_handlers_may_be_coroutines(self) -> None:
        seen: "list[Any]" = []

        async def audit(obligation: Any, scope: Any) -> None:
            await asyncio.sleep(0)
            seen.append(obligation)

        answer = {**ALLOW, "context": {"obligations": [{"type": "audit"}]}}
        scope = {"type": "http", "method": "GET"}
        self.assertEqual(await self.run_scope(answer, scope, obligations={"audit": audit}), [{"type": "passed"}])
        self.assertEqual(seen, [{"type": "audit"}])

    async def test_a_server_without_raw_path_is_refused_by_name(self) -> None:
        with self.assertLogs("sidecar") as logs:
            sent = await self.run_scope(ALLOW, {"type": "http", "method": "GET", "raw_path": None, "path": "/a"})
        self.assertEqual((sent[0]["status"], self.calls), (500, []))
        self.assertIn("raw_path", logs.output[0])


if __name__ == "__main__":
    unittest.main()
