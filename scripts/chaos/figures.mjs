import { MOST_FAULTY } from './settings.mjs';

export const quantile = (values, share) => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
};

export const isIn = ([from, until], time) => time >= from && time < until;

/** When more than half of the servers were faulty. */
export function darkTimes(faulty) {
  const changes = faulty.flatMap(([from, until]) => [
    [from, 1],
    [until, -1],
  ]);
  changes.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  const times = [];
  let count = 0;
  let since;
  for (const [at, by] of changes) {
    count += by;
    if (count > MOST_FAULTY) since ??= at;
    else if (since !== undefined) {
      times.push([since, at]);
      since = undefined;
    }
  }
  if (since !== undefined) times.push([since, Number.POSITIVE_INFINITY]);
  return times;
}

/** How long after a time it was until every server had answered. */
export const lastBack = (successes, time, addresses) =>
  Math.max(
    ...addresses.map(
      address => (successes.find(([at, from]) => at >= time && from === address)?.[0] ?? Infinity) - time,
    ),
  );

/** The most calls in so many ms that end in a range. */
export function busiest(calls, [from, until], span) {
  const times = calls.map(({ due }) => due);
  let most = 0;
  for (let at = from; at <= until; at += 100)
    most = Math.max(most, times.filter(time => time > at - span && time <= at).length);
  return most;
}

/** How far the servers' shares of the attempts are from even, and how far chance alone would bring one of them. */
export function sharesIn(attempts, range, addresses) {
  const counts = new Map(addresses.map(address => [address, 0]));
  for (const [at, address] of attempts) {
    if (isIn(range, at)) counts.set(address, (counts.get(address) ?? 0) + 1);
  }
  const all = [...counts.values()];
  const mean = all.reduce((sum, each) => sum + each, 0) / addresses.length;
  const spread = Math.max(...all.map(each => Math.abs(each / mean - 1)));
  // Four and a half standard deviations of a fair draw: one run in ten thousand.
  const chance = (4.5 * Math.sqrt(1 - 1 / addresses.length)) / Math.sqrt(mean);
  return { counts: all, spread, chance };
}
