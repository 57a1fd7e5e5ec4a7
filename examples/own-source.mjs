// A discovery source of one's own: a file with one `host:port` a line, read again and again.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, poll } from 'fairlead';

/** @returns {import('fairlead').Discovery} */
const file = (path, interval = 5000) =>
  poll(
    async signal => {
      const lines = (await readFile(path, { encoding: 'utf8', signal })).split('\n').filter(Boolean);
      return lines.map(id => ({ id, host: id.split(':')[0], port: Number(id.split(':')[1]) }));
    },
    { interval },
  );

const folder = await mkdtemp(join(tmpdir(), 'fairlead-'));
const path = join(folder, 'instances');
await writeFile(path, '10.0.0.1:80\n10.0.0.2:80\n');

const client = createClient({ discovery: file(path, 50) });
await client.ready();
console.log(client.pool.members().map(({ endpoint }) => endpoint.id));

const alive = setInterval(() => {}, 1000); // stands in for your server: discovery alone does not keep a process alive
const changed = new Promise(resolve => client.once('members', resolve));
await writeFile(path, '10.0.0.1:80\n10.0.0.3:80\n');
const { added, removed } = await changed;
console.log({ added: added.map(({ id }) => id), removed: removed.map(({ id }) => id) });

clearInterval(alive);
await client.close();
await rm(folder, { recursive: true });
