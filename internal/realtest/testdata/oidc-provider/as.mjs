// An authorization server for the tests of the sidecar. What it is to be comes as JSON on standard input:
//
//   port         of http://127.0.0.1, which is the issuer
//   secure_port  of https://127.0.0.1, where clients may show a certificate
//   tls          {key, cert, ca} in PEM; ca vouches for certificates of clients
//   cookie_key   signs cookies
//   clients      as they are registered, in the words of OpenID Connect Dynamic Client Registration 1.0
//
// It keeps everything in memory.
import { generateKeyPairSync } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { json } from 'node:stream/consumers';
import { Provider, errors } from 'oidc-provider';

const setup = await json(process.stdin);
const issuer = `http://127.0.0.1:${setup.port}`;
const secure = `https://127.0.0.1:${setup.secure_port}`;

// Resource indicators (RFC 8707), and what their tokens are.
const resources = {
  'https://orders.acme.example/api': { audience: 'orders-api', accessTokenFormat: 'opaque' },
  'https://orders.acme.example/jwt': { audience: 'orders-api', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } },
  'https://shipping.acme.example/api': { audience: 'shipping-api', accessTokenFormat: 'opaque' },
};

function key(kid, alg, type, options) {
  return { ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid };
}

const certificateOf = (ctx) => ctx.socket.getPeerX509Certificate?.();

const provider = new Provider(issuer, {
  clients: setup.clients,
  clientAuthMethods: [
    'none', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth',
  ],
  jwks: { keys: [key('rsa', 'RS256', 'rsa', { modulusLength: 2048 }), key('ec', 'ES256', 'ec', { namedCurve: 'P-256' })] },
  cookies: { keys: [setup.cookie_key] },
  // Its own guard lets no call go to loopback, where the tests listen for logouts.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  discovery: {
    mtls_endpoint_aliases: {
      token_endpoint: `${secure}/token`,
      introspection_endpoint: `${secure}/token/introspection`,
      revocation_endpoint: `${secure}/token/revocation`,
    },
  },
  scopes: ['openid', 'offline_access', 'orders:read', 'orders:write'],
  ttl: { AccessToken: 600, ClientCredentials: 600, RefreshToken: 3600, Grant: 3600, Session: 3600, Interaction: 600, IdToken: 600 },
  findAccount: (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  extraTokenClaims: () => ({ tenant: 'acme', 'https://acme.example/roles': ['order-reader'] }),
  features: {
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    dPoP: { enabled: true },
    encryption: { enabled: true },
    introspection: { enabled: true },
    jwtIntrospection: { enabled: true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      selfSignedTlsClientAuth: true,
      tlsClientAuth: true,
      getCertificate: certificateOf,
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) => {
        if (property !== 'tls_client_auth_san_dns') throw new Error(`${property} is not compared here`);
        return certificateOf(ctx).subjectAltName?.split(', ').includes(`DNS:${expected}`) ?? false;
      },
    },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, indicator) => {
        const resource = resources[indicator];
        if (!resource) throw new errors.InvalidTarget();
        return { scope: 'orders:read orders:write', accessTokenTTL: 600, ...resource };
      },
    },
  },
});
provider.on('server_error', (ctx, err) => console.error('server error at', ctx.path, err.message));
provider.on('backchannel.error', (ctx, err) => console.error('back-channel logout:', err.message));

const handler = provider.callback();
// A self-signed certificate may be registered itself: it is looked at later.
https.createServer({ ...setup.tls, requestCert: true, rejectUnauthorized: false }, handler).listen(setup.secure_port, '127.0.0.1', () => {
  http.createServer(handler).listen(setup.port, '127.0.0.1');
});
