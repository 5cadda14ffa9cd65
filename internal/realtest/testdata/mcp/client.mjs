// A client of an MCP server: node client.mjs sdk1|sdk2|sdk2-2026 URL. It prints what became of each call.
import * as v1 from '@modelcontextprotocol/sdk/client/index.js'
import * as v1http from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import * as v2 from '@modelcontextprotocol/client'

const [kind, url] = process.argv.slice(2)

class Provider {
  redirectUrl = 'http://127.0.0.1:9/callback'
  clientMetadata = {
    client_name: 'test', redirect_uris: [this.redirectUrl], token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code'], response_types: ['code'],
  }
  clientInformation() { return this.client }
  saveClientInformation(client) { this.client = client }
  tokens() { return this.held }
  saveTokens(held) { this.held = held }
  saveCodeVerifier(verifier) { this.verifier = verifier }
  codeVerifier() { return this.verifier }
  async redirectToAuthorization(where) {
    const back = await fetch(where, { redirect: 'manual' })
    this.code = new URL(back.headers.get('location')).searchParams.get('code')
  }
}

const provider = new Provider()
let client, transport

async function connect() {
  transport = kind === 'sdk1'
    ? new v1http.StreamableHTTPClientTransport(new URL(url), { authProvider: provider })
    : new v2.StreamableHTTPClientTransport(new URL(url), { authProvider: provider })
  const info = { name: 'test', version: '1' }
  client = kind === 'sdk1' ? new v1.Client(info)
    : new v2.Client(info, kind === 'sdk2' ? {} : { versionNegotiation: { mode: 'auto' } })
  await client.connect(transport)
}

// step does something, and once more when the user had to authorize.
async function step(name, what, again = what) {
  try {
    let result
    try {
      result = await what()
    } catch (err) {
      if (!provider.code) throw err
      await transport.finishAuth(provider.code)
      provider.code = undefined
      result = await again()
    }
    console.log(name + ': ' + (result?.content?.[0]?.text ?? 'done'))
  } catch (err) {
    console.log(name + ': refused: ' + err.message)
  }
}

const call = (name, args) => () => client.callTool({ name, arguments: args })
await step('connect', connect)
await step('list', call('list_notes', {}))
await step('add', call('add_note', { tenant: 'acme' }))
await step('add of others', call('add_note', { tenant: 'globex' }))
await step('forbidden', call('drop_all', {}))
await client.close()
console.log('scope: ' + provider.held?.scope)
