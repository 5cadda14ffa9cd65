// An authorization server: node authserver.mjs PORT. Authorization code with PKCE, consent at once, registration,
// resource indicators (the resource becomes the audience) and introspection.
import { createServer } from 'node:http'
import { randomUUID } from 'node:crypto'

const port = Number(process.argv[2])
const issuer = 'http://127.0.0.1:' + port
const codes = new Map()
const tokens = new Map()

const metadata = {
  issuer, authorization_endpoint: issuer + '/authorize', token_endpoint: issuer + '/token',
  registration_endpoint: issuer + '/register', introspection_endpoint: issuer + '/introspect',
  response_types_supported: ['code'], grant_types_supported: ['authorization_code'],
  code_challenge_methods_supported: ['S256'], token_endpoint_auth_methods_supported: ['none'],
}

function answer(res, status, value, headers = {}) {
  res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers })
  res.end(value === undefined ? '' : JSON.stringify(value))
}

createServer(async (req, res) => {
  let text = ''
  for await (const part of req) text += part
  const url = new URL(req.url, issuer)
  const form = new URLSearchParams(text)
  switch (url.pathname) {
    case '/.well-known/oauth-authorization-server': return answer(res, 200, metadata)
    case '/register': return answer(res, 201, { ...JSON.parse(text), client_id: randomUUID() })
    case '/authorize': {
      const asked = url.searchParams
      const code = randomUUID()
      codes.set(code, { scope: asked.get('scope') ?? '', aud: asked.get('resource') })
      console.log('asked for ' + asked.get('scope') + ' of ' + asked.get('resource'))
      const back = new URL(asked.get('redirect_uri'))
      back.searchParams.set('code', code)
      if (asked.get('state')) back.searchParams.set('state', asked.get('state'))
      return answer(res, 302, undefined, { location: back.href })
    }
    case '/token': {
      const grant = codes.get(form.get('code'))
      if (!grant) return answer(res, 400, { error: 'invalid_grant' })
      codes.delete(form.get('code'))
      const token = randomUUID()
      tokens.set(token, grant)
      return answer(res, 200, { access_token: token, token_type: 'Bearer', expires_in: 3600, scope: grant.scope })
    }
    case '/introspect': {
      const grant = tokens.get(form.get('token'))
      if (!grant) return answer(res, 200, { active: false })
      return answer(res, 200, {
        active: true, iss: issuer, sub: 'alice', tenant: 'acme', token_type: 'Bearer', client_id: 'client', ...grant,
      })
    }
  }
  answer(res, 404, { error: 'not_found' })
}).listen(port, '127.0.0.1', () => console.log('listening'))
