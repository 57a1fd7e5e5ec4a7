// What the examples beside this file have in common: servers on loopback that do as they are told, and callers.
import { once } from 'node:events';
import { createServer } from 'node:http';

/** So many servers. Each answers 200 until its `answer` is replaced, or it is stopped. */
export async function startServers(count) {
  const servers = [];
  for (let i = 0; i < count; i++) servers.push(await startServer());
  return { servers, endpoints: servers.map(({ port }) => `127.0.0.1:${port}`), stop };

  function stop() {
    for (const server of servers) server.stop();
  }
}

async function startServer(port = 0) {
  const state = { port, answer: (_request, response) => response.end('here you are'), requests: 0 };
  let http;
  state.start = async () => {
    http = createServer((request, response) => {
      state.requests++;
      state.answer(request, response);
    });
    await once(http.listen(state.port, '127.0.0.1'), 'listening');
    state.port = http.address().port;
  };
  state.stop = () => http.close().closeAllConnections();
  await state.start();
  return state;
}

/** Ways to answer. */
export const status = (code, headers) => (_request, response) => response.writeHead(code, headers).end();
export const never = () => {};
export const after = ms => (_request, response) => setTimeout(() => response.end('late'), ms);

/** Makes so many calls, ten at a time, or so many a second. Counts what came of them, and how long the slowest took, in ms. */
export async function callers(count, call, perSecond) {
  const seen = { ok: 0, failed: 0, slowest: 0, errors: {} };
  const one = async () => {
    const begun = performance.now();
    try {
      const response = await call();
      await response.text();
      if (!response.ok) throw Object.assign(new Error(), { code: response.status });
      seen.ok++;
    } catch ({ code, name }) {
      seen.failed++;
      seen.errors[code ?? name] = (seen.errors[code ?? name] ?? 0) + 1;
    }
    seen.slowest = Math.max(seen.slowest, Math.round(performance.now() - begun));
  };
  const all = [];
  if (perSecond === undefined) {
    const caller = async () => {
      while (count-- > 0) await one();
    };
    for (let i = 0; i < 10; i++) all.push(caller());
  } else {
    const begun = performance.now();
    while (all.length < count) {
      const due = Math.min(count, ((performance.now() - begun) * perSecond) / 1000);
      while (all.length < due) all.push(one());
      await new Promise(resolve => setTimeout(resolve, 5));
    }
  }
  await Promise.all(all);
  return seen;
}
