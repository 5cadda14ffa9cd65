// What the table of cases cannot see: `node --test` here. The sidecar is a server of this file.

import assert from "node:assert/strict"
import http from "node:http"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { Refusal, Sidecar, check, decisionOf, fetchHandler, httpHandler } from "./sidecar.mjs"

const ALLOW = {
  decision_id: "1", allow: true, kind: "allow", status: 200, reasons: [], headers: {}, upstream_headers: {},
  context: {}, policy: { path: "p", revision: "r", digest: "d" },
}
const reasons = [{ code: "no", secret: "of the application" }]
const DENY = { ...ALLOW, allow: false, kind: "deny", status: 403, reasons }

// A sidecar that answers `answer`, with what it was asked; it listens at a port or at a path.
async function sidecar(t, answer, { address = 0, ...options } = {}) {
  const calls = []
  const logged = []
  const server = http.createServer(async (req, res) => {
    const chunks = await req.toArray()
    calls.push({ path: req.url, headers: req.headers, body: JSON.parse(Buffer.concat(chunks)) })
    res.end(JSON.stringify(answer))
  })
  await new Promise((resolve) => server.listen(address, resolve))
  t.after(() => (server.close(), server.closeAllConnections()))
  const url = address ? `unix://${address}` : `http://127.0.0.1:${server.address().port}`
  return { asking: new Sidecar(url, { log: { error: (text) => logged.push(text) }, ...options }), calls, logged }
}

// Sends a request to a handler of node:http and returns status, headers and body.
async function send(t, listener, headers = {}) {
  const server = http.createServer(listener)
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
  t.after(() => (server.close(), server.closeAllConnections()))
  return new Promise((resolve, reject) => {
    const { port } = server.address()
    http.get({ port, host: "127.0.0.1", path: "/orders/42", headers, agent: false }, async (res) => {
      const body = Buffer.concat(await res.toArray()).toString()
      resolve({ status: res.statusCode, headers: res.headersDistinct, body })
    }).on("error", reject)
  })
}

test("a unix socket is asked", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "sidecar"))
  t.after(() => rmSync(dir, { recursive: true }))
  const options = { address: join(dir, "api.sock"), key: "k", entrypoint: "billing/decision" }
  const { asking, calls } = await sidecar(t, ALLOW, options)
  assert.equal((await asking.decide({ method: "GET" }, { token: "t" })).allow, true)
  const [{ path, headers, body }] = calls
  assert.deepEqual([path, headers.host, headers.authorization],
    ["/v1/decisions/billing/decision", "localhost", "Bearer k"])
  assert.deepEqual(body, { request: { method: "GET" }, token: "t" })
})

test("other urls are refused at once", () => {
  for (const wrong of ["127.0.0.1:8181", "ftp://h", "http://", "http://h/a", "http://u@h", "unix://h", "http://h?x"]) {
    assert.throws(() => new Sidecar(wrong), TypeError, wrong)
  }
})

test("a refusal is a decision, and no decision is a Refusal", async (t) => {
  const { asking } = await sidecar(t, DENY)
  assert.equal((await asking.decide({})).reasons[0].secret, "of the application")
  const broken = await sidecar(t, { ...ALLOW, allow: 1 })
  await assert.rejects(broken.asking.decide({}), (error) => error instanceof Refusal && error.status === 503)
  assert.deepEqual(broken.logged, ['sidecar: no decision: "the answer is no decision"'])
})

test("the client sees of reasons what is for it", async (t) => {
  const { asking } = await sidecar(t, DENY)
  const { status, body } = await send(t, httpHandler(() => assert.fail(), asking))
  const problem = { title: "Forbidden", status: 403, decision_id: "1", reasons: [{ code: "no" }] }
  assert.deepEqual([status, JSON.parse(body)], [403, problem])
})

test("headers of the decision are added to those of the application", async (t) => {
  const { asking } = await sidecar(t, { ...ALLOW, headers: { "Cache-Control": ["no-store"], "X-Why": ["é"] } })
  for (const answer of [
    (res) => res.writeHead(201, { "Cache-Control": "private", "X-From": "application" }).end(),
    (res) => res.writeHead(201, "Fine", ["Cache-Control", "private", "X-From", "application"]).end(),
    (res) => {
      res.setHeader("Cache-Control", "private").setHeader("X-From", "application")
      res.statusCode = 201
      res.end()
    },
  ]) {
    const { status, headers } = await send(t, httpHandler((req, res) => answer(res), asking))
    assert.deepEqual([status, headers["cache-control"].join(", "), headers["x-from"], headers["x-why"]],
      [201, "private, no-store", ["application"], ["\u00c3\u00a9"]])
  }
})

test("upstream headers replace what was read already", async (t) => {
  const { asking } = await sidecar(t, { ...ALLOW, upstream_headers: { "X-Roles": ["a", "b"], "X-Gone": [] } })
  let seen
  const guarded = httpHandler((req, res) => {
    seen = [req.headers["x-roles"], req.headersDistinct["x-roles"], req.headers["x-gone"],
      req.rawHeaders.filter((name) => /^x/i.test(name)), decisionOf(req).decision_id]
    res.end()
  }, asking)
  const readBefore = (req, res) => (req.headers, req.headersDistinct, guarded(req, res))
  await send(t, readBefore, { "X-Roles": "root", "X_Roles": "root", "X.Roles": "root", "X-Gone": "1" })
  assert.deepEqual(seen, ["a, b", ["a", "b"], undefined, ["X-Roles", "X-Roles"], "1"])
})

test("an obligation whose type is no text has no handler", async (t) => {
  for (const type of [["audit"], 1, null, undefined]) {
    const { asking } = await sidecar(t, { ...ALLOW, context: { obligations: [{ type }] } })
    const obligations = { audit() {}, 1() {}, null() {}, undefined() {} }
    const { status } = await send(t, httpHandler((req, res) => res.end(), asking, { obligations }))
    assert.equal(status, 500)
  }
})

test("obligations are all honoured, and one that fails refuses", async (t) => {
  const audit = { type: "audit", level: 3 }
  for (const [due, want] of [[[audit], 200], [[{ type: "fails" }, audit], 500], [[{ type: "toString" }, audit], 500]]) {
    const { asking, logged } = await sidecar(t, { ...ALLOW, context: { obligations: due } })
    const seen = []
    const obligations = {
      audit: async ({ level }, req) => seen.push([level, req.url]),
      fails: async () => { throw new Error("full") },
    }
    const { status } = await send(t, httpHandler((req, res) => res.end(), asking, { obligations }))
    assert.deepEqual([status, seen, logged.length], [want, [[3, "/orders/42"]], want === 200 ? 0 : 1])
  }
})

test("check guards what is no handler", async (t) => {
  const { asking, calls } = await sidecar(t, ALLOW)
  const question = (call) => (call.context = { upgrade: true })
  await send(t, async (req, res) => {
    assert.equal((await check(req, asking, { question })).allow, true)
    res.end()
  })
  assert.deepEqual([calls[0].body.context, calls[0].body.request.url], [{ upgrade: true }, "/orders/42"])
})

test("a fetch handler is guarded by its Request alone", async (t) => {
  const answer = { ...ALLOW, headers: { "DPoP-Nonce": ["n"] }, upstream_headers: { "X-Tenant": ["acme"] } }
  const { asking, calls } = await sidecar(t, answer)
  const guarded = fetchHandler(async (request, env) => {
    const { headers } = request
    return new Response([headers.get("x-tenant"), headers.get("x_tenant"), await request.text(), env].join())
  }, asking)
  const sent = new Request("http://api.acme.example/orders%2F42?a=%2F", {
    method: "POST", body: "body", headers: { "X-Tenant": "globex", "X_Tenant": "globex" },
  })
  const got = await guarded(sent, "env")
  assert.deepEqual([await got.text(), got.headers.get("dpop-nonce")], ["acme,,body,env", "n"])
  assert.equal(calls[0].body.request.url, "http://api.acme.example/orders%2F42?a=%2F")
  const refusing = await sidecar(t, DENY)
  const refused = await fetchHandler(() => assert.fail(), refusing.asking)(new Request("http://h/"))
  assert.deepEqual([refused.status, refused.headers.get("content-type")], [403, "application/problem+json"])
})
