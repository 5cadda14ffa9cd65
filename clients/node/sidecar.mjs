// Asks a sidecar about every request of a Node.js application, and lets pass what it allows.
// Copy this file, and sidecar.d.mts for types, into your project. It needs Node.js 18.3 and nothing else.
//
//   const sidecar = new Sidecar("http://127.0.0.1:8181")
//   app.use(middleware(sidecar))                                       // Express 4 and 5, before everything else
//   http.createServer(httpHandler(listener, sidecar))                  // node:http
//   export default { fetch: fetchHandler(app.fetch, sidecar) }         // (Request) => Response, such as Hono
//
// Whatever goes wrong refuses: 503 while there is no decision, 500 when the call itself is wrong (the log says how).

import http from "node:http"
import https from "node:https"

const LARGEST = 1 << 20 // bytes of an answer
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/ // a header's name, RFC 9110 section 5.6.2
const VALUE = /^[^\x00-\x08\x0a-\x1f\x7f]*$/

/** Why a request does not reach the application, as the answer to the client: a problem of RFC 9457. */
export class Refusal extends Error {
  constructor(status, headers = {}, decision = undefined) {
    super(`refused with ${status}`)
    Object.assign(this, { status, decision })
    const decision_id = decision?.decision_id
    const reasons = decision?.reasons.map(({ code, message }) => ({ code, message })) // more is for the application
    this.body = JSON.stringify({ title: http.STATUS_CODES[status] ?? "Refused", status, decision_id, reasons })
    const own = [["Content-Type", "application/problem+json"], ["Cache-Control", "no-store"]]
    const other = ([name]) => !own.some(([taken]) => taken.toLowerCase() === name.toLowerCase())
    this.headers = [...own, ...pairs(headers).filter(other)]
  }
}

/** The sidecar at `url`: http://, https:// or unix:///path. Keeps connections open.
 *  timeout     milliseconds for a whole call, from the first connection to the last byte
 *  key         the caller key, when the listener wants one
 *  tls         options of node:tls, for a private CA or a client certificate
 *  entrypoint  the policy's rule, when it is not the default one, such as "billing/decision"
 *  log         has error(text) */
export class Sidecar {
  #options
  #client
  #timeout
  #log

  constructor(url = "http://127.0.0.1:8181", { timeout = 3000, key, tls, entrypoint, log = console } = {}) {
    if (!/^(https?:\/\/[^/?#@\s]+\/?|unix:\/\/\/[^?#]+)$/.test(url)) {
      throw new TypeError(`sidecar url ${url}: want http://HOST:PORT, https://HOST:PORT or unix:///PATH`)
    }
    const { protocol, hostname, port, host, pathname } = new URL(url)
    this.#client = protocol === "https:" ? https : http
    this.#options = {
      ...(protocol === "unix:"
        ? { socketPath: decodeURIComponent(pathname) }
        : { host: hostname.replace(/^\[|\]$/g, ""), port: port || (protocol === "https:" ? 443 : 80) }),
      method: "POST",
      path: "/v1/decisions" + (entrypoint ? "/" + entrypoint.replace(/^\/|\/$/g, "") : ""),
      headers: { Host: host || "localhost", "Content-Type": "application/json" },
      agent: new this.#client.Agent({ keepAlive: true, maxFreeSockets: 64, ...tls }),
    }
    if (key) this.#options.headers.Authorization = `Bearer ${key.trim()}`
    this.#timeout = timeout
    this.#log = log
  }

  /** Asks about `request` ({method, url, headers: {name: [values]}, source_ip}; `url` is the request target as it
   *  arrived, never decoded). `members` are those beside it: context, token. Resolves to the decision, of docs/api.md,
   *  also when that refuses; rejects with a Refusal when there is none. */
  async decide(request, members = {}) {
    const body = Buffer.from(JSON.stringify({ request, ...members }))
    let answer
    try {
      answer = await this.#call(body, Date.now() + this.#timeout)
    } catch (error) {
      throw this.#unavailable(error.message)
    }
    if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) {
      throw this.fault(`the sidecar refuses the call with ${answer.status}: ${callError(answer.body)}`)
    }
    if (answer.status !== 200) throw this.#unavailable(`status ${answer.status}`, answer.retryAfter)
    try {
      const decision = strictJSON(answer.body)
      if (isDecision(decision)) return decision
    } catch {} // JSON that is none
    throw this.#unavailable("the answer is no decision")
  }

  /** Something that operators must change: the log says what, the client learns nothing. */
  fault(cause, decision = undefined) {
    this.#log.error(`sidecar: ${cause}`)
    return new Refusal(500, {}, decision)
  }

  #unavailable(cause, retryAfter = "1") {
    this.#log.error(`sidecar: no decision: ${JSON.stringify(String(cause).slice(0, 300))}`)
    return new Refusal(503, { "Retry-After": [retryAfter] })
  }

  async #call(body, deadline) {
    try {
      return await this.#exchange(body, deadline)
    } catch (error) {
      if (!error.unanswered) throw error // else the connection was closed while it was idle
      return await this.#exchange(body, deadline, { ...this.#options, agent: false })
    }
  }

  #exchange(body, deadline, options = this.#options) {
    return new Promise((resolve, reject) => {
      let begun = false
      const call = this.#client.request({ ...options, headers: { ...options.headers, "Content-Length": body.length } })
      const end = (cause) => {
        reject(new Error(cause))
        call.destroy()
      }
      const timer = setTimeout(end, Math.max(1, deadline - Date.now()), "the call took too long")
      const fail = (error) => {
        reject(Object.assign(error, { unanswered: call.reusedSocket && !begun && error.code !== undefined }))
      }
      call.on("response", (answer) => {
        begun = true
        const chunks = []
        let size = 0
        answer.on("data", (chunk) => {
          chunks.push(chunk)
          if ((size += chunk.length) > LARGEST) end(`the answer is over ${LARGEST} bytes`)
        })
        answer.on("error", fail)
        answer.on("end", () => {
          const { complete, statusCode: status, headers } = answer
          if (complete) resolve({ status, retryAfter: headers["retry-after"], body: Buffer.concat(chunks) })
        })
      })
      call.on("error", fail)
      call.on("close", () => {
        clearTimeout(timer)
        fail(new Error("the answer ends early")) // unless there is one
      })
      call.end(body)
    })
  }
}

function strictJSON(body) {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body)
  const value = JSON.parse(text)
  // JSON.parse keeps the last of two members with one name: then there are fewer members than colons.
  const colons = text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"/g, "").split(":").length - 1
  const members = (v) => {
    if (v === null || typeof v !== "object") return 0
    return Object.values(v).reduce((sum, member) => sum + members(member), Array.isArray(v) ? 0 : Object.keys(v).length)
  }
  if (members(value) !== colons) throw new Error("a member is there twice")
  return value
}

const isObject = (v) => typeof v === "object" && v !== null && !Array.isArray(v)
const isText = (v) => typeof v === "string"
const isListOf = (is) => (v) => Array.isArray(v) && v.every(is)
const isHeaders = (v) => isObject(v) && Object.keys(v).every((name) => NAME.test(name)) &&
  Object.values(v).every(isListOf((value) => isText(value) && VALUE.test(value)))
const isReason = (v) => isObject(v) && isText(v.code) && isText(v.message ?? "") && v.message !== null

// Every member must be there with its type, and fit the others. More members are those of a newer sidecar.
const isDecision = ({ decision_id, allow, kind, status, reasons, headers, upstream_headers, context, policy }) =>
  (allow === true ? kind === "allow" && status === 200 : allow === false && isText(kind) && kind !== "allow" &&
    Number.isInteger(status) && status >= 400 && status <= 599) &&
  isText(decision_id) && isListOf(isReason)(reasons) && isHeaders(headers) && isHeaders(upstream_headers) &&
  isObject(context) && isListOf(isObject)("obligations" in context ? context.obligations : []) &&
  isObject(policy) && [policy.path, policy.revision, policy.digest].every(isText)

/** Code, message and pointer of a call error, safe to log. */
function callError(body) {
  try {
    const { code, message, pointer } = strictJSON(body).error
    return [code, message, pointer].map((v) => JSON.stringify(String(v ?? "").slice(0, 200))).join(" ")
  } catch {
    return "the body is no call error; is this the sidecar's api listener?"
  }
}

// Header values are octets, one a character: UTF-8 in JSON, and the same octets in messages.
// What is not UTF-8 is ISO 8859-1, which it was before (RFC 9110 section 5.5).
const text = (octets) => {
  const utf8 = Buffer.from(octets, "latin1").toString("utf8")
  return utf8.includes("\ufffd") ? octets : utf8
}
const octets = (text) => Buffer.from(text, "utf8").toString("latin1")
const pairs = (headers) => Object.entries(headers).flatMap(([name, values]) => values.map((v) => [name, octets(v)]))

// Octets beyond ASCII, which no URL has, are percent-encoded so that none is lost in JSON.
const ascii = (target) =>
  target.replace(/[\x80-\xff]/g, (octet) => "%" + octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0"))

// A target in absolute form without its authority: applications read Host, which may be another one. The URL of a Request
// has that host, and the scheme.
const origin = (target) =>
  target.replace(/^https?:\/\/[0-9A-Za-z.:[\]_~-]+(?=[/?]|$)\/?/i, "/")

const folded = (name) => name.toLowerCase().replace(/[^0-9a-z]/g, "-") // names that frameworks may take for one

const decisions = new WeakMap()

/** The decision that let a request pass. */
export const decisionOf = (request) => decisions.get(request)

// options:
//   obligations  what policies may oblige the application to: {type: handler(obligation, request)}. A handler may be
//                async, and throws when it cannot. An obligation without a handler refuses what the policy allowed.
//   target       target(request, ...rest) -> the raw request target, where request does not have it
//   question     question(call, request, ...rest) may add to the call: context, request.client_certificate, token
async function authorize(request, rest, asked, sidecar, options) {
  const url = options.target ? options.target(request, ...rest) : asked.url
  if (!url) throw sidecar.fault("the option target gives no request target")
  const raw = asked.headers.host && !(request instanceof Request && url === request.url) ? origin(url) : url
  const call = { request: { ...asked, url: ascii(raw) } }
  options.question?.(call, request, ...rest)
  const { request: about, ...members } = call
  const decision = await sidecar.decide(about, members)
  const failed = await honour(decision, request, options.obligations ?? {})
  const fault = failed.length && sidecar.fault(`decision ${JSON.stringify(decision.decision_id)}: ${failed.join("; ")}`, decision)
  if (!decision.allow) throw new Refusal(decision.status, decision.headers, decision)
  if (fault) throw fault
  return decision
}

// All obligations, also when one fails; returns why some are not honoured.
async function honour({ context }, request, handlers) {
  const failed = []
  for (const obligation of context.obligations ?? []) {
    const { type } = obligation
    try {
      if (!isText(type) || !Object.hasOwn(handlers, type)) throw new Error("no handler is registered for its type")
      await handlers[type](obligation, request)
    } catch (error) {
      failed.push(`obligation ${JSON.stringify(type)?.slice(0, 100)} is not honoured: ${error?.message ?? error}`)
    }
  }
  return failed
}

/** The decision about a request of node:http, whose headers are replaced when it is allowed; throws a Refusal.
 *  For what is neither middleware nor handler, such as `upgrade` events. */
export async function check(req, sidecar, options = {}) {
  const headers = Object.create(null) // so that a header may be called constructor
  for (let i = 0; i < req.rawHeaders.length; i += 2) {
    const name = req.rawHeaders[i].toLowerCase().replace(/^:authority$/, "host") // of HTTP/2
    if (!name.startsWith(":")) (headers[name] ??= []).push(text(req.rawHeaders[i + 1]))
  }
  const source_ip = req.ip ?? req.socket.remoteAddress
  const asked = { method: req.method, url: req.originalUrl ?? req.url, headers, ...(source_ip && { source_ip }) }
  const decision = await authorize(req, [], asked, sidecar, options)
  const upstream = Object.entries(decision.upstream_headers)
  const gone = new Set(upstream.map(([name]) => folded(name)))
  for (const read of [req.headers, req.headersDistinct ?? {}]) { // Node makes both from rawHeaders, when first read
    for (const name of Object.keys(read)) if (gone.has(folded(name))) delete read[name]
  }
  req.rawHeaders = req.rawHeaders.filter((_, i, all) => !gone.has(folded(all[i - (i % 2)])))
  for (const [name, values] of upstream.filter(([, values]) => values.length)) {
    const given = values.map(octets)
    req.headers[name.toLowerCase()] = given.join(", ")
    if (req.headersDistinct) req.headersDistinct[name.toLowerCase()] = given
    req.rawHeaders.push(...given.flatMap((value) => [name, value]))
  }
  decisions.set(req, decision)
  return decision
}

/** For Express and whatever else calls (req, res, next). */
export function middleware(sidecar, options) {
  return (req, res, next) => check(req, sidecar, options).then((decision) => addHeaders(res, pairs(decision.headers)))
    .then(() => process.nextTick(next), (refusal) => refuse(req, res, refusal, sidecar))
}

/** For (req, res) of node:http. */
export function httpHandler(handler, sidecar, options) {
  const guard = middleware(sidecar, options)
  return (req, res) => guard(req, res, () => handler(req, res))
}

function refuse(req, res, error, sidecar) {
  const refusal = error instanceof Refusal ? error : sidecar.fault(error?.stack ?? error)
  for (const [name, value] of refusal.headers) res.appendHeader(name, value)
  res.statusCode = refusal.status
  // Bytes: with a string, Node writes the fields in UTF-8 once more.
  res.end(req.method === "HEAD" ? undefined : Buffer.from(refusal.body))
}

// The headers that writeHead takes: an object, a list of pairs, or names and values in turn.
function entries(headers) {
  if (!Array.isArray(headers)) return Object.entries(headers)
  return Array.isArray(headers[0]) ? headers : headers.flatMap((name, i) => (i % 2 ? [] : [[name, headers[i + 1]]]))
}

/** Adds to the answer when it is begun, so that the application's own headers do not replace these. */
function addHeaders(res, added) {
  const writeHead = res.writeHead
  if (added.length) res.writeHead = function (status, ...rest) {
    res.writeHead = writeHead
    const given = typeof rest.at(-1) === "object" ? entries(rest.pop() ?? {}) : []
    for (const [name] of given) res.removeHeader(name)
    for (const [name, value] of [...given, ...added]) res.appendHeader(name, value)
    return writeHead.call(res, status, ...rest)
  }
}

/** For (Request, ...rest) => Response. Runtimes have normalised request.url, and the application sees no other; where
 *  there is a raw target, such as `target: (_, env) => env.incoming.url` with @hono/node-server, hand it on. */
export function fetchHandler(handler, sidecar, options = {}) {
  return async (request, ...rest) => {
    let decision
    try {
      const headers = Object.create(null)
      for (const [name, value] of request.headers) (headers[name] ??= []).push(text(value))
      const asked = { method: request.method, url: request.url, headers }
      decision = await authorize(request, rest, asked, sidecar, options)
    } catch (error) {
      const { status, headers, body } = error instanceof Refusal ? error : sidecar.fault(error?.stack ?? error)
      return new Response(request.method === "HEAD" ? null : body, { status, headers })
    }
    const headers = new Headers(request.headers)
    const gone = new Set(Object.keys(decision.upstream_headers).map(folded))
    for (const name of [...headers.keys()]) if (gone.has(folded(name))) headers.delete(name)
    for (const [name, value] of pairs(decision.upstream_headers)) headers.append(name, value)
    const allowed = new Request(request, { headers })
    decisions.set(allowed, decision)
    const answer = await handler(allowed, ...rest)
    const added = pairs(decision.headers)
    if (!added.length) return answer
    const response = new Response(answer.body, answer)
    for (const [name, value] of added) response.headers.append(name, value)
    return response
  }
}
