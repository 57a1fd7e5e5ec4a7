import { between, exponential, shuffled } from './dice.mjs';
import { FAULTS } from './faults.mjs';
import { FAULT, GAP, MOST_FAULTY, SERVERS, STORM, VOLLEY } from './settings.mjs';

const PROCESS = ['killed', 'reborn', 'stopped', 'refusing'];
export const KINDS = [...PROCESS, ...Object.keys(FAULTS)];
/** Those that a server itself deals out, and can tell of. */
export const DEALT = Object.keys(FAULTS);

/** What a total outage is made of. */
export const DARKNESS = ['killed', 'stopped', '503'];

/**
 * The faults of a storm, each `{ at, for, kind, share, server }`, in ms from its beginning: each kind as often as the
 * others, of servers that are well at the time, at most so many at once; and three times half of the servers in the same
 * moment, killed, stopped, and answering 503.
 */
export function faultsOf(random) {
  const faults = [];
  const volleys = DARKNESS.map((kind, i) => ({ at: (STORM * (i + 1)) / 4, kind }));
  const busyUntil = new Array(SERVERS).fill(0);
  let bag = [];
  for (let at = 0; at < STORM; at += exponential(random, GAP)) {
    const volley = volleys[0];
    const lasting = between(random, FAULT);
    const until = volley === undefined ? STORM : volley.at - 500;
    if (volley !== undefined && at >= volley.at) {
      for (const server of shuffled(random, busyUntil.keys()).slice(0, MOST_FAULTY)) {
        faults.push({ at: volley.at, for: VOLLEY, kind: volley.kind, share: 1, server });
        busyUntil[server] = volley.at + VOLLEY + 1000;
      }
      volleys.shift();
      at = volley.at + VOLLEY;
      continue;
    }
    const well = [...busyUntil.keys()].filter(server => busyUntil[server] <= at);
    const most = Math.min(lasting, until - at);
    if (well.length <= SERVERS - MOST_FAULTY || most < FAULT[0] / 2) continue;
    if (bag.length === 0) bag = shuffled(random, KINDS);
    const server = well[Math.floor(random() * well.length)];
    faults.push({ at, for: most, kind: bag.pop(), share: random() < 0.5 ? 1 : 0.3, server });
    busyUntil[server] = at + most + 1000; // a restart takes its time
  }
  return faults;
}

/** What the registry does in a storm, in ms from its beginning: goes away, comes back empty, then stale, then right. */
export function registryOf() {
  const steps = ['hung', 'failing', 'nonsense', 'right', 'gone', 'empty', 'stale'];
  const each = (STORM - 2000) / (steps.length + 1);
  return [...steps.map((mode, i) => ({ at: each * (i + 0.5), mode })), { at: STORM - 2000, mode: 'right' }];
}
