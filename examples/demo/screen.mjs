import { headline, table } from './text.mjs';

/**
 * @typedef {{
 *   name: string, calls: number, failures: number, seconds: number, instances: readonly import('./run.mjs').Row[],
 * }} State
 *
 * @typedef {{
 *   say: (line: string) => void,
 *   follow: (look: (() => State) | undefined) => void,
 *   close: () => void,
 * }} Screen `follow` shows a state as it changes, until told otherwise; the last one stays
 */

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';

/** For a terminal: a table drawn over itself; what is said goes above it. @param {import('node:tty').WriteStream} out */
export function liveScreen(out) {
  let height = 0;
  /** @param {string} above @param {State | undefined} state */
  const draw = (above, state) => {
    const lines = state === undefined ? [] : frame(state);
    // A line that wraps would take more room than is erased.
    const text = lines.map(line => `${line.slice(0, out.columns - 1)}\n`).join('');
    const erase = height > 0 ? `\x1b[${height}A\x1b[J` : '';
    out.write(`${state === undefined ? SHOW_CURSOR : HIDE_CURSOR}${erase}${above}${text}`);
    height = lines.length;
  };
  return screen({
    interval: 150,
    tick: state => draw('', state),
    say: (line, state) => draw(`${line}\n`, state),
    last: state => {
      draw('', state);
      height = 0;
      out.write(SHOW_CURSOR);
    },
  });
}

/** For a file or a pipe: a line a second, a table at the end. @param {NodeJS.WritableStream} out */
export function plainScreen(out) {
  const print = (/** @type {string} */ line) => out.write(`${line}\n`);
  return screen({
    interval: 1000,
    tick: state => print(headline(state)),
    say: print,
    last: state => frame(state).forEach(print),
  });
}

/** @type {Screen} */
export const noScreen = { say() {}, follow() {}, close() {} };

/** @param {State} state */
const frame = state => ['', headline(state), '', ...table(state.instances), ''];

/**
 * @param {{
 *   interval: number,
 *   tick: (state: State) => void,
 *   say: (line: string, state: State | undefined) => void,
 *   last: (state: State) => void,
 * }} how
 * @returns {Screen}
 */
function screen({ interval, tick, say, last }) {
  /** @type {(() => State) | undefined} */
  let look;
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const close = () => {
    clearInterval(timer);
    if (look !== undefined) last(look());
    look = undefined;
  };
  return {
    say: line => say(line, look?.()),
    follow(next) {
      close();
      look = next;
      if (next !== undefined) timer = setInterval(() => tick(next()), interval);
    },
    close,
  };
}
