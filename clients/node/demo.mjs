// Echoes what the middleware lets pass: `node demo.mjs KIND`. KIND is http, fetch, or the name of a package that is a
// version of Express. It asks the sidecar at SIDECAR_URL and listens at PORT of loopback; 0, or none, takes a free one.

import http from "node:http"
import { Sidecar, decisionOf, fetchHandler, httpHandler, middleware } from "./sidecar.mjs"

const { SIDECAR_URL = "http://127.0.0.1:8181", SIDECAR_TIMEOUT = "5", PORT = "0" } = process.env
const sidecar = new Sidecar(SIDECAR_URL, { timeout: Number(SIDECAR_TIMEOUT) * 1000 })
const kind = process.argv[2]

function echo(req, res) {
  res.setHeader("Content-Type", "application/json")
  const { context } = decisionOf(req)
  res.end(JSON.stringify({ target: req.originalUrl ?? req.url, headers: req.headersDistinct, context }))
}

// What an adapter such as @hono/node-server does, in short.
function adapted(handler) {
  return async (req, res) => {
    const headers = req.rawHeaders.flatMap((name, i, all) => (i % 2 ? [] : [[name, all[i + 1]]]))
    const url = req.url.startsWith("/") ? `http://${req.headers.host}${req.url}` : `http://${req.headers.host}/`
    const answer = await handler(new Request(url, { method: req.method, headers }), { incoming: req })
    res.writeHead(answer.status, [...answer.headers].flat())
    res.end(Buffer.from(await answer.arrayBuffer()))
  }
}

async function answer(request, { incoming }) {
  const headers = Object.fromEntries([...request.headers].map(([name, value]) => [name, [value]]))
  return Response.json({ target: incoming.url, headers, context: decisionOf(request).context })
}

async function application() {
  if (kind === "http") return httpHandler(echo, sidecar)
  if (kind === "fetch") {
    const target = (_, { incoming }) => incoming.url
    const question = ({ request }, _, { incoming }) => (request.source_ip = incoming.socket.remoteAddress)
    return adapted(fetchHandler(answer, sidecar, { target, question }))
  }
  const { default: express } = await import(kind)
  const inner = express.Router()
  inner.use(middleware(sidecar), echo)
  return express().use("/orders", inner).use(inner) // mounted: req.url has lost /orders
}

const server = http.createServer(await application())
server.listen(Number(PORT), "127.0.0.1", () => console.log(`listening on 127.0.0.1:${server.address().port}`))
