// What has to work wherever there is a fetch: one instance is dead, the other well.

const demand = (condition, complaint) => {
  if (!condition) throw new Error(complaint);
};

const failure = promise =>
  promise.then(
    () => demand(false, 'a call that should fail did not'),
    error => error,
  );

/** Answers what it has seen to work. */
export async function smoke(fairlead, { dead, good }) {
  const { consecutiveFailures, createFetch, fixed, roundRobin, xxh32, xxhash } = fairlead;
  const outcomes = { [dead]: [], [good]: [] };
  const fetch = createFetch({
    discovery: fixed([dead, good]),
    balancer: roundRobin(),
    breaker: consecutiveFailures({ openFor: 600_000 }),
  });
  fetch.client.on('attemptEnd', ({ endpoint, outcome }) => outcomes[endpoint.id].push(outcome));
  const ask = async (...request) => (await fetch(...request)).text();

  for (let i = 0; i < 20; i++)
    demand((await ask('http://users/hello?q=%20')) === 'GET /hello?q=%20 ', 'a GET');
  demand(
    outcomes[good].every(outcome => outcome === 'success'),
    'the good one was blamed',
  );
  demand(
    outcomes[dead].join() === 'failure,failure,failure,failure,failure',
    `the dead one: ${outcomes[dead]}`,
  );
  demand(
    fetch.client.pool.members().some(({ breaker }) => breaker === 'open'),
    'no breaker opened',
  );

  const init = { method: 'POST', body: 'body' };
  demand((await ask('/post', init)) === 'POST /post body', 'a POST of a string');
  demand((await ask(new Request('http://users/post', init))) === 'POST /post body', 'a POST by a Request');
  const bytes = { method: 'PUT', body: new TextEncoder().encode('bytes') };
  demand((await ask(new URL('http://users/put'), bytes)) === 'PUT /put bytes', 'a PUT of bytes');
  const body = new Response('stream').body;
  demand((await ask('/put', { method: 'PUT', body })) === 'PUT /put stream', 'a PUT of a stream');

  // The breaker's time is not up: what comes now goes to the good one.
  const only = createFetch({ discovery: fixed([good]) });
  const ended = [];
  only.client.on('attemptEnd', ({ outcome }) => ended.push(outcome));
  await failure(only('/hello', { headers: { 'no such header': 'x' } }));
  demand(ended.join() === 'ignored', `a caller's mistake: ${ended}`);

  const hanging = new AbortController();
  const hung = failure(only('/hang', { signal: hanging.signal }));
  hanging.abort('enough');
  demand((await hung) === 'enough', 'an abort during an attempt');

  const dripping = new AbortController();
  const response = await only('/drip', { signal: dripping.signal });
  const rest = failure(response.text());
  dripping.abort(new Error('enough'));
  await rest;

  const late = createFetch({ discovery: fixed([good]), attemptTimeout: 50 });
  demand((await failure(late('/hang', { method: 'POST' }))).code === 'TIMEOUT', 'a time-out');

  const hash = xxhash();
  const long = 'länger als hundert Zeichen '.repeat(10);
  const values = [hash(long)];
  await new Promise(resolve => setTimeout(resolve, 10));
  values.push(hash(long), xxh32(long));
  demand(new Set(values).size === 1, 'the hash');

  for (const each of [fetch, only, late]) await each.close();
  demand((await failure(fetch('/hello'))).code === 'CLOSED', 'a call after the end');
  return `${outcomes[good].length} calls answered, ${outcomes[dead].length} attempts at the dead one`;
}
