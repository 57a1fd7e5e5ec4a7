// What both runs face.

export const SERVICE = 'users';
export const CALLS = 10_000;
export const CONCURRENCY = 64;
/** How long one attempt may take, in ms, in either run. */
export const ATTEMPT_TIMEOUT = 350;
/** Each instance tells the registry that it is alive so often, and expires when silent for so long, in ms. */
export const HEARTBEAT = 200;
export const TTL = 1000;

/** @typedef {'healthy' | 'slow' | 'failing' | 'hung'} Behaviour */

/** @type {readonly { id: string, behaviour: Behaviour, what: string }[]} */
export const INSTANCES = [
  { id: 'healthy-1', behaviour: 'healthy', what: '5 ms' },
  { id: 'healthy-2', behaviour: 'healthy', what: '5 ms' },
  { id: 'slow', behaviour: 'slow', what: '50 ms' },
  { id: 'failing', behaviour: 'failing', what: '503 at once' },
  { id: 'hung', behaviour: 'hung', what: 'never' },
  { id: 'killed', behaviour: 'healthy', what: '5 ms' },
];

/** @type {{ id: string, behaviour: Behaviour, what: string }} */
export const LATE = { id: 'late', behaviour: 'healthy', what: '5 ms' };

/** @type {readonly { after: number, what: string, act: (cluster: import('./cluster.mjs').Cluster) => Promise<void> }[]} */
export const SCRIPT = [
  { after: 0.2, what: "SIGKILL for 'killed'", act: cluster => cluster.kill('killed') },
  { after: 0.45, what: "'late' joins", act: cluster => cluster.start(LATE) },
  { after: 0.7, what: "'killed' is back on its port", act: cluster => cluster.restart('killed') },
];
