// Asks a server by the SDK of OPA for TypeScript, and prints what it returns: a JSON value a line.
import {OPAClient} from '@open-policy-agent/opa';

const [url, good, bad] = process.argv.slice(2);
const opa = new OPAClient(url);
const input = (token, method = 'GET') => ({
  request: {method, url: 'https://orders.acme.example/orders/42', headers: {'x-tenant': ['acme']}},
  token,
});
const show = async (name, asked) => {
  try {
    console.log(JSON.stringify([name, (await asked()) ?? null]));
  } catch (e) {
    console.log(JSON.stringify([name, e.constructor.name]));
  }
};

await show('evaluate', () => opa.evaluate('authz/decision/allow', input(good)));
await show('denied', () => opa.evaluate('authz/decision/allow', input(good, 'POST')));
await show('bad token', () => opa.evaluate('authz/decision/allow', input(bad)));
await show('claims', () => opa.evaluate('authz/decision/allow',
  {...input(bad), token: {active: true, scopes: ['orders:read']}}));
await show('default', () => opa.evaluateDefault(input(good)));
await show('batch', () => opa.evaluateBatch('authz/decision/allow', {a: input(good), b: input(good, 'POST')}));
await show('no such path', () => opa.evaluate('authz/other', input(good)));
