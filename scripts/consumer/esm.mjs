// In an empty project with the package: every entry imported and required, and the same whichever way.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { calls } from './calls.mjs';

const require = createRequire(import.meta.url);

for (const entry of [
  'fairlead',
  'fairlead/core',
  'fairlead/dns',
  'fairlead/dialects',
  'fairlead/tcp',
  'fairlead/testing',
]) {
  const imported = await import(entry);
  const required = require(entry);
  const names = Object.keys(imported);
  assert.ok(names.length > 0, `${entry} is empty`);
  assert.deepEqual(
    Object.keys(required).sort(),
    names.sort(),
    `${entry}: import and require answer other names`,
  );
  for (const name of names) assert.equal(required[name], imported[name], `${entry}: two of ${name}`);
}

const root = await import('fairlead');
const core = await import('fairlead/core');
for (const name of Object.keys(core)) {
  // The root's is another one: its clients emit events.
  if (name !== 'createClient')
    assert.equal(root[name], core[name], `two of ${name}, in the root and the core`);
}
assert.ok(root.FairleadError && root.Pool && root.Call && root.Member && root.Attempt);

await calls({ root, core, dns: await import('fairlead/dns'), testing: await import('fairlead/testing') });
