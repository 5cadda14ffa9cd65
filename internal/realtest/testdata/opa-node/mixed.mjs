// Asks a package by the SDK of OPA for TypeScript for what fails in part, and prints what it returns: a JSON value a line.
import {OPAClient} from '@open-policy-agent/opa';

const opa = new OPAClient(process.argv[2]);
const inputs = {good: {zero: 1}, bad: {zero: 0}};
const show = async (name, asked) => {
  try {
    console.log(JSON.stringify([name, (await asked()) ?? null]));
  } catch (e) {
    console.log(JSON.stringify([name, 'throws', e.constructor.name, e.code ?? null]));
  }
};
const brief = (all) => Object.fromEntries(Object.entries(all).map(([k, v]) => [k, v.code ?? v]));

await show('mixed', async () => brief(await opa.evaluateBatch('play/ratio', inputs)));
await show('reject', () => opa.evaluateBatch('play/ratio', inputs, {rejectMixed: true}));
await show('fallback', () => opa.evaluateBatch('play/ratio', {good: {zero: 1}}, {fallback: true}));
await show('failed', () => opa.evaluate('play/ratio', {zero: 0}));
await show('undefined', () => opa.evaluate('play/nothing', {}));
await show('elsewhere', () => opa.evaluate('other/allow', {}));
