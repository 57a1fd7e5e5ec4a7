import { expect, test } from 'vitest';
import { createServer } from 'node:http';
import { createFetch, fixed, ring, createRing, createClient, weightedRoundRobin, p2c, peakEwma, xxh32 } from 'fairlead';
import xx from 'xxhash-wasm';

test('smoke', async () => {
  const servers = await Promise.all([1, 2, 3].map(n => new Promise<any>(r => { const s = createServer((q, a) => { a.statusCode = n === 3 ? 503 : 200; a.end(String(n)); }).listen(0, '127.0.0.1', () => r(s)); })));
  await using fetch = createFetch({ discovery: fixed([...servers.map(s => `127.0.0.1:${s.address().port}`), '127.0.0.1:9']) });
  fetch.client.on('breaker', m => console.log(m.member.endpoint.id, m.from, m.to));
  fetch.client.on('fault', m => console.log(m));
  const count: any = {};
  for (let i = 0; i < 300; i++) { const r = await fetch('http://x/a?b'); const t = r.status + await r.text(); count[t] = (count[t] ?? 0) + 1; }
  console.log(count, fetch.client.pool.members());
  for (const s of servers) s.close();
});
test('hash', async () => {
  const { h32 } = await xx();
  for (const k of ['', 'a', 'abcd', 'abcdefghijklmno', 'abcdefghijklmnop', 'é', '\ud800', 'x'.repeat(1000), '日本語𝒳'.repeat(9)]) for (const s of [0, 1, 42, 0xffffffff]) expect(xxh32(k, s)).toBe(h32(k, s));
});
test('ring', () => {
  const r = createRing(Array.from({ length: 100 }, (_, i) => `10.0.0.${i}:80`));
  const d = [...r.distribution().values()].map(x => x * 100);
  console.log(Math.max(...d), Math.min(...d), Math.sqrt(d.reduce((s, x) => s + (x - 1) ** 2, 0) / 100), d.reduce((a, b) => a + b));
  const r2 = createRing(); for (let i = 99; i >= 0; i--) r2.add(`10.0.0.${i}:80`); r2.add('z', 3); r2.remove('z');
  for (let i = 0; i < 10000; i++) expect(r.get('k' + i)).toBe(r2.get('k' + i));
  expect(r.getN('a', 200).length).toBe(100);
});
test('wrr', async () => {
  const c = createClient({ discovery: fixed([{ id: 'a', host: 'a', port: 1, weight: 5 }, { id: 'b', host: 'a', port: 2 }, { id: 'c', host: 'a', port: 3, weight: 0.5 }]), balancer: weightedRoundRobin() });
  let s = ''; for (let i = 0; i < 26; i++) s += await c.run(async e => e.id);
  console.log(s);
});
