import { MOST_FAULTY } from './settings.mjs';
import { stalled } from './stalls.mjs';

export const quantile = (values, share) => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
};

export const isIn = ([from, until], time) => time >= from && time < until;

/** When more than half of the servers were not well, each by a list of times of its own. */
export function darkTimes(unwell) {
  const changes = unwell.flat().flatMap(([from, until]) => [
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

/**
 * Calls and attempts that began in a range, and the most calls that the budget looked back on at any time in it: a call
 * pays when its first attempt begins, or, if that fails, when it ends.
 */
export function spent(attempts, range, window) {
  const firsts = new Map();
  for (const attempt of attempts) if (!firsts.has(attempt.id)) firsts.set(attempt.id, attempt);
  const paid = [...firsts.values()].map(({ at, end, outcome }) => (outcome === 'failure' ? end : at));
  paid.sort((a, b) => a - b);
  let paying = 0;
  for (let oldest = 0, i = 0; i < paid.length; i++) {
    while (paid[oldest] <= paid[i] - window) oldest++;
    if (isIn(range, paid[i])) paying = Math.max(paying, i - oldest + 1);
  }
  const began = list => list.filter(({ at }) => isIn(range, at)).length;
  return { calls: began([...firsts.values()]), attempts: began(attempts), paying };
}

/**
 * How long each server that was mended had no answer for the caller: `{ server, kind, at, took }`. Counted from when it was
 * well and among the members, which the registry decides, without the times when the machine let nobody run. Not counted at
 * all where it was struck again, or left the members, before so many ms had passed.
 */
export function returns({ cluster: { faulty, addresses }, attempts, sets, stalls }, within, end) {
  const answered = new Map(addresses.map(address => [address, []]));
  for (const { address, end, outcome } of attempts)
    if (outcome === 'success') answered.get(address)?.push(end);
  for (const times of answered.values()) times.sort((a, b) => a - b);
  const back = [];
  for (const [, mended, server, kind] of faulty) {
    const address = addresses[server];
    const isMember = set => set?.addresses.includes(address);
    const at = isMember(sets.findLast(set => set.at <= mended))
      ? mended
      : (sets.find(set => set.at > mended && isMember(set))?.at ?? Infinity);
    const first = answered.get(address).find(time => time >= at) ?? Infinity;
    const struckAgain = Math.min(
      ...faulty.filter(([from, , other]) => other === server && from > mended).map(([from]) => from),
    );
    const left = sets.find(set => set.at > at && !isMember(set))?.at ?? Infinity;
    const until = Math.min(first, struckAgain, left, end);
    const waited = until - at - stalled(stalls, at, until);
    if (until < first && !(waited > within)) continue;
    back.push({ server, kind, at, took: until < first ? Infinity : waited });
  }
  return back;
}

/**
 * How far the servers' shares of the attempts are from even: the farthest of them, and all together (chi-square over its
 * degrees of freedom, 1 where calls are dealt out by chance).
 */
export function sharesIn(attempts, range, addresses) {
  const counts = new Map(addresses.map(address => [address, 0]));
  for (const { at, address } of attempts) {
    if (isIn(range, at)) counts.set(address, (counts.get(address) ?? 0) + 1);
  }
  const all = [...counts.values()];
  const mean = all.reduce((sum, each) => sum + each, 0) / addresses.length;
  const spread = Math.max(...all.map(each => Math.abs(each / mean - 1)));
  const unrest = all.reduce((sum, each) => sum + (each - mean) ** 2 / mean, 0) / (all.length - 1);
  return { counts: all, spread, unrest, mean };
}
