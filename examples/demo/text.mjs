import { CALLS, INSTANCES, LATE } from './settings.mjs';

const whole = (/** @type {number} */ n) => n.toLocaleString('en');
const percent = (/** @type {number} */ share) => `${(share * 100).toFixed(1)} %`;
const ms = (/** @type {number | undefined} */ n) => (n === undefined ? '-' : n.toFixed(n < 100 ? 1 : 0));

/**
 * Rows of cells as lines, the columns of text to the left and those of numbers to the right.
 *
 * @param {readonly (readonly string[])[]} rows
 * @param {readonly number[]} left
 */
function columns(rows, left) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map(row => row[i].length)));
  const pad = (/** @type {string} */ cell, /** @type {number} */ i) =>
    left.includes(i) ? cell.padEnd(widths[i]) : cell.padStart(widths[i]);
  return rows.map(row => row.map(pad).join('  ').trimEnd());
}

const what = new Map([...INSTANCES, LATE].map(instance => [instance.id, instance.what]));

/** The attempts of a run by instance. @param {readonly import('./run.mjs').Row[]} instances */
export const table = instances =>
  columns(
    [
      ['instance', 'answers', 'share', 'in flight', 'p50 ms', 'p99 ms', 'failed', 'breaker'],
      ...instances.map(({ id, share, inFlight, p50, p99, failures, breaker }) => [
        id,
        what.get(id) ?? '',
        percent(share),
        whole(inFlight),
        ms(p50),
        ms(p99),
        whole(failures),
        breaker,
      ]),
    ],
    [0, 1, 7],
  );

/** @param {import('./screen.mjs').State} state */
export const headline = ({ name, calls, failures, seconds }) =>
  `${name}: ${whole(calls)} of ${whole(CALLS)} calls in ${seconds.toFixed(1)} s, ${whole(failures)} failed`;

/** How the runs compare, as the callers saw them. @param {readonly import('./run.mjs').Result[]} results */
export function comparison(results) {
  const kinds = [...new Set(results.flatMap(({ failed }) => Object.keys(failed)))];
  /** @param {string} label @param {(result: import('./run.mjs').Result) => string} cell */
  const line = (label, cell) => [label, ...results.map(cell)];
  return columns(
    [
      line('', ({ name }) => name),
      line('calls', ({ calls }) => whole(calls)),
      line('failed calls', ({ failures }) => whole(failures)),
      ...kinds.map(kind => line(`  ${kind}`, ({ failed }) => whole(failed[kind] ?? 0))),
      line('p50 ms', ({ p50 }) => ms(p50)),
      line('p95 ms', ({ p95 }) => ms(p95)),
      line('p99 ms', ({ p99 }) => ms(p99)),
      line('attempts per call', ({ attemptsPerCall }) => attemptsPerCall.toFixed(3)),
      line('calls per second', ({ calls, seconds }) => whole(Math.round(calls / seconds))),
      line('event loop busy', ({ utilization }) => percent(utilization)),
    ],
    [0],
  );
}
