// An authorization server with opaque tokens, for the tests of the sidecar:
//
//   node as.mjs PORT
//
// The secrets of its clients are in the environment. It keeps everything in memory.
import { generateKeyPairSync } from 'node:crypto';
import http from 'node:http';
import { Provider, errors } from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;

function secret(name) {
  const value = process.env[name];
  if (!value) throw new Error(`environment variable ${name} is not set`);
  return value;
}

// Resource indicators (RFC 8707), and the audience that their tokens get.
const audiences = {
  'https://orders.acme.example/api': 'orders-api',
  'https://shipping.acme.example/api': 'shipping-api',
};

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const provider = new Provider(issuer, {
  clients: [
    // The sidecar.
    { client_id: 'orders-api', client_secret: secret('ORDERS_API_SECRET'), grant_types: [], redirect_uris: [], response_types: [] },
    // A service that acts for itself.
    { client_id: 'orders-app', client_secret: secret('ORDERS_APP_SECRET'), grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
    // An application that people log in to. Nothing listens at its redirect URI. That it wants to hear of logouts puts the
    // session (sid) into what is said of its tokens.
    {
      client_id: 'orders-web', client_secret: secret('ORDERS_WEB_SECRET'), redirect_uris: ['http://127.0.0.1:9/callback'],
      grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
      backchannel_logout_uri: 'http://127.0.0.1:9/logout', backchannel_logout_session_required: true,
    },
  ],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'one' }] },
  cookies: { keys: [secret('COOKIE_SECRET')] },
  scopes: ['openid', 'orders:read', 'orders:write'],
  ttl: { AccessToken: 600, ClientCredentials: 600, RefreshToken: 3600, Grant: 3600, Session: 3600, Interaction: 600, IdToken: 600 },
  findAccount: (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  extraTokenClaims: () => ({ tenant: 'acme', 'https://acme.example/roles': ['order-reader'] }),
  features: {
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, indicator) => {
        const audience = audiences[indicator];
        if (!audience) throw new errors.InvalidTarget();
        return { scope: 'orders:read orders:write', audience, accessTokenFormat: 'opaque', accessTokenTTL: 600 };
      },
    },
  },
});

http.createServer(provider.callback()).listen(port, '127.0.0.1');
