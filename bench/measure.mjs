export const median = numbers => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** What this process has computed so far, in ns: unlike a clock on the wall, deaf to what else the machine does. */
export const cpuTime = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1e3;
};

/**
 * Collects young garbage, so that nobody pays for another's. Needs `--expose-gc`. A full collection would throw away
 * the compiled code of whoever has no call in flight, and so time the compiler.
 */
export const tidy = () => globalThis.gc({ type: 'minor' });

/** So that nobody always comes after the same one. */
export const turned = (all, round) => all.map((_, i) => all[(round + i) % all.length]);

/**
 * Times operations in turns, A B C B C A and so on, so that a machine that slows down slows all of them, each after it
 * has run for `ms`. An operation is called with 0, 1, 2 and so on and, if asked, its promise awaited. Answers by name:
 * the CPU time of each round and their median in ns per operation, and how many bytes of heap an operation allocates.
 */
export async function measure(operations, { rounds = 9, ms = 20, wait = false } = {}) {
  const all = [];
  for (const [name, operation] of Object.entries(operations)) {
    const loop = looped(operation, wait);
    const count = await warm(loop, ms);
    all.push({ name, loop, count, times: [], bytes: await allocated(loop, count) });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { loop, count, times } of turned(all, round)) {
      tidy();
      times.push((await timed(loop, count)) / count);
    }
  }
  return Object.fromEntries(all.map(({ name, times, bytes }) => [name, { times, ns: median(times), bytes }]));
}

/** How many times as long the first takes as the second: the median of the rounds' ratios. */
export const ratio = (a, b) => median(a.times.map((time, round) => time / b.times[round]));

let loops = 0;

/** A loop compiled for one operation alone: a shared one would be optimised for all of them, that is, for none. */
function looped(operation, wait) {
  const step = wait ? 'await operation(i)' : 'operation(i)';
  const source = `/* ${loops++} */ let last; for (let i = 0; i < n; i++) last = ${step}; return last;`;
  return new Function('operation', `return ${wait ? 'async ' : ''}n => { ${source} }`)(operation);
}

// biome-ignore lint/correctness/noUnusedVariables: written to, so that nothing measured is optimised away
let kept;

/** In ns. */
async function timed(loop, count) {
  const start = cpuTime();
  const result = loop(count);
  kept = result instanceof Promise ? await result : result;
  return cpuTime() - start;
}

/** Runs the loop for `ms` at the least. Answers how many times it then goes round in `ms`. */
async function warm(loop, ms) {
  let count = 1;
  let spent = 0;
  for (;;) {
    const last = await timed(loop, count);
    spent += last;
    if (last >= ms * 2e5 && spent >= ms * 2e6) return Math.max(1, Math.round((count * ms * 1e6) / last));
    if (last < ms * 1e6) count *= 2;
  }
}

/** So many bytes that the collector does not run meanwhile. */
const ROOM = 600_000;

/** Bytes of heap per operation; NaN if they are too many to tell. */
async function allocated(loop, most) {
  const used = async count => {
    tidy();
    const before = process.memoryUsage().heapUsed;
    const result = loop(count);
    kept = result instanceof Promise ? await result : result;
    return (process.memoryUsage().heapUsed - before) / count;
  };
  const few = await used(Math.min(most, 100));
  if (few > ROOM) return Number.NaN;
  const count = Math.min(most, 20_000, few < 0 ? 1 : Math.ceil(ROOM / (few + 1)));
  const found = [];
  for (let i = 0; i < 7; i++) found.push(await used(count));
  return Math.max(0, median(found));
}

const MILLION = 1_000_000;
const CHUNKS = 10;
/** In ns. */
const CHUNK_AT_MOST = 1e8;

/**
 * Bytes of heap per operation over a million of them, fewer where that takes long: the median of ten parts, before each of
 * which the young are collected. For operations that allocate next to nothing: run with `--min-semi-space-size=64`, so that the collector
 * stays away.
 */
export function bytesOver(operation) {
  const loop = looped(operation, false);
  const start = cpuTime();
  kept = loop(2000);
  const each = Math.ceil(Math.min(MILLION / CHUNKS, (2000 * CHUNK_AT_MOST) / (cpuTime() - start)));
  for (let i = 0; i < CHUNKS; i++) loop(each); // until it is compiled for good
  const used = n => {
    tidy();
    const before = process.memoryUsage().heapUsed;
    kept = loop(n);
    return process.memoryUsage().heapUsed - before;
  };
  const found = [];
  for (let i = 0; i < CHUNKS; i++) found.push((used(each) - used(0)) / each); // without what it takes to look
  return Math.max(0, median(found));
}

/** Three digits, no more. */
export const digits = number => {
  if (!Number.isFinite(number)) return '-';
  if (Math.abs(number) >= 100) return String(Math.round(number));
  return String(Number(number.toPrecision(3)));
};

/** A time in a unit fit for it. */
export const time = ns => {
  if (ns < 1e4) return `${digits(ns)} ns`;
  return ns < 1e7 ? `${digits(ns / 1e3)} µs` : `${digits(ns / 1e6)} ms`;
};

/** Prints rows of cells under a title, the first column to the left, the others to the right. */
export function print(title, ...rows) {
  const width = rows[0].map((_, column) => Math.max(...rows.map(row => String(row[column] ?? '').length)));
  console.log(`\n${title}\n`);
  for (const row of rows) {
    console.log(
      `  ${row.map((cell, i) => String(cell)[i === 0 ? 'padEnd' : 'padStart'](width[i])).join('   ')}`,
    );
  }
}
