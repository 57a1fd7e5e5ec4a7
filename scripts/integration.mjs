// Runs the tests against real servers, and installs those first that are missing. It fails rather than skip any.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Commands that the tests start, by the Debian package that has them. */
const SERVERS = {
  'dnsmasq-base': 'dnsmasq',
  'nginx-light': 'nginx',
  haproxy: 'haproxy',
  nutcracker: 'nutcracker',
  'libmemcached-tools': 'memccat',
  python3: 'python3',
};

const root = fileURLToPath(new URL('..', import.meta.url));
// Debian installs servers where only root looks.
const path = [process.env.PATH, '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter);
const env = { ...process.env, PATH: path };

const isThere = command =>
  path.split(delimiter).some(folder => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });

const missing = () => Object.keys(SERVERS).filter(name => !isThere(SERVERS[name]));

/** Runs a program with our terminal. Answers its exit code, or nothing if there is no such program. */
const run = (program, ...parameters) =>
  spawnSync(program, parameters, { cwd: root, env, stdio: 'inherit' }).status;

/** Answers what is in the way, if anything. */
function install(packages) {
  const wanted = `the integration tests need these Debian packages: ${packages.join(', ')}`;
  if (!isThere('apt-get')) return `${wanted}; there is no apt-get here to install them`;
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo'];
  if (asRoot.length > 0 && !isThere('sudo')) return `${wanted}; installing them takes root or sudo`;
  const aptGet = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get'];
  run(...aptGet, 'update');
  run(...aptGet, 'install', '-y', '--no-install-recommends', ...packages);
  const still = missing();
  return still.length === 0 ? undefined : `apt-get did not install ${still.join(', ')}`;
}

const needed = missing();
const complaint = needed.length === 0 ? undefined : install(needed);
if (complaint !== undefined) {
  console.error(complaint);
  process.exit(1);
}
const vitest = join('node_modules', 'vitest', 'vitest.mjs');
const config = ['--config', 'vitest.integration.config.ts'];
process.exit(run(process.execPath, vitest, 'run', ...config, ...process.argv.slice(2)) ?? 1);
