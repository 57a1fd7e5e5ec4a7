// In an empty CommonJS project with the package: required by name, and the CommonJS files by path, which are
// for those who do not know `module-sync`.
const assert = require('node:assert/strict');
const { join } = require('node:path');

const byName = name => require(name === 'root' ? 'fairlead' : `fairlead/${name}`);
const dist = join(__dirname, 'node_modules', 'fairlead', 'dist');
const byPath = name => require(join(dist, `${name === 'root' ? 'index' : name}.cjs`));
const entries = get => ({ root: get('root'), core: get('core'), dns: get('dns'), testing: get('testing') });

void (async () => {
  for (const { root, core } of [entries(byName), entries(byPath)]) {
    for (const name of Object.keys(core)) {
      if (name !== 'createClient')
        assert.equal(root[name], core[name], `two of ${name}, in the root and the core`);
    }
  }
  assert.deepEqual(Object.keys(byPath('root')).sort(), Object.keys(byName('root')).sort());
  assert.equal(
    (await import('fairlead')).FairleadError,
    byName('root').FairleadError,
    'two of FairleadError',
  );
  const { calls } = await import('./calls.mjs');
  await calls(entries(byName));
  await calls(entries(byPath));
})();
