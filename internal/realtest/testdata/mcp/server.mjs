// An MCP server behind the gateway, one of the two official ones: node server.mjs sessions|stateless PORT. It prints a
// line for each tool that it runs.
import { createServer } from 'node:http'
import { randomUUID } from 'node:crypto'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import * as v2 from '@modelcontextprotocol/server'

const [kind, port] = process.argv.slice(2)
const schema = { type: 'object', properties: { tenant: { type: 'string' } } }
const tools = ['list_notes', 'add_note', 'delete_note'].map(name => ({ name, inputSchema: schema }))

function run(request) {
  console.log('ran ' + request.params.name)
  return { content: [{ type: 'text', text: 'done ' + request.params.name }] }
}

async function body(req) {
  const parts = []
  for await (const part of req) parts.push(part)
  return Buffer.concat(parts)
}

const transports = new Map()

async function sessions(req, res) {
  let transport = transports.get(req.headers['mcp-session-id'])
  if (!transport) {
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID, onsessioninitialized: id => transports.set(id, transport),
    })
    const server = new Server({ name: 'notes', version: '1' }, { capabilities: { tools: {} } })
    server.setRequestHandler(ListToolsRequestSchema, async () => ({ tools }))
    server.setRequestHandler(CallToolRequestSchema, async request => run(request))
    await server.connect(transport)
  }
  await transport.handleRequest(req, res)
}

const handler = v2.createMcpHandler(() => {
  const server = new v2.Server({ name: 'notes', version: '1' }, { capabilities: { tools: {} } })
  server.setRequestHandler('tools/list', async () => ({ tools }))
  server.setRequestHandler('tools/call', async request => run(request))
  return server
})

async function stateless(req, res) {
  const answer = await handler.fetch(new Request('http://127.0.0.1' + req.url, {
    method: req.method, headers: Object.entries(req.headers).filter(([, v]) => typeof v === 'string'),
    body: req.method === 'POST' ? await body(req) : undefined,
  }))
  res.writeHead(answer.status, Object.fromEntries(answer.headers))
  if (answer.body) for await (const part of answer.body) res.write(part)
  res.end()
}

createServer((req, res) => {
  (kind === 'sessions' ? sessions : stateless)(req, res).catch(err => {
    console.log(String(err))
    if (!res.headersSent) res.writeHead(500)
    res.end()
  })
}).listen(Number(port), '127.0.0.1', () => console.log('listening'))
