// Bars and how they are told.
const sum = { passed: 0, failed: 0 };

/** Tells whether a value is no more than it may be. */
export function bar(what, value, most, unit = '') {
  const holds = value <= most;
  if (holds) sum.passed++;
  else sum.failed++;
  const told = number => `${Number.isInteger(number) ? number : number.toFixed(3)}${unit && ` ${unit}`}`;
  console.log(`${holds ? 'ok    ' : 'MISSED'}  ${what}: ${told(value)} (at most ${told(most)})`);
}

/** Prints the sum; the process will end by it. */
export function report() {
  console.log(`soak: ${sum.passed} passed, ${sum.failed} failed`);
  if (sum.failed > 0) process.exitCode = 1;
}
