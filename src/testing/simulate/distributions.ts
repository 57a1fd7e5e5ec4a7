import { checkNumber } from '../../base/errors.ts';
import type { Distribution } from './types.ts';

/** Standard deviations beyond which nobody asks. */
const WIDEST = 5;

const known = (mean: number, draw: Distribution): Distribution => Object.assign(draw, { mean });

/** Always the same, in ms. */
export function constant(ms: number): Distribution {
  checkNumber('constant', ms, 0, Number.MAX_VALUE);
  return known(ms, () => ms);
}

/** Without memory: how long it has taken says nothing of how long it will still take. Mean in ms. */
export function exponential(mean: number): Distribution {
  checkNumber('exponential mean', mean, 0, Number.MAX_VALUE);
  return known(mean, random => -mean * Math.log(1 - random()));
}

/**
 * The usual shape of measured service times: `sigma` is the standard deviation of the logarithm, 0.5 for a mild
 * spread, 1 for a wide one. Drawn by the method of Box and Muller. Mean in ms.
 */
export function lognormal(mean: number, sigma = 0.5): Distribution {
  checkNumber('lognormal mean', mean, Number.MIN_VALUE, Number.MAX_VALUE);
  checkNumber('lognormal sigma', sigma, 0, WIDEST);
  const mu = Math.log(mean) - (sigma * sigma) / 2;
  return known(mean, random => {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    return Math.exp(mu + sigma * radius * Math.cos(2 * Math.PI * random()));
  });
}

/**
 * A heavy tail: most calls take little, a few take very long. The smaller `shape`, the heavier; it must be above 1,
 * and up to 2 the variance is infinite. Mean in ms.
 */
export function pareto(mean: number, shape = 2.5): Distribution {
  checkNumber('pareto mean', mean, 0, Number.MAX_VALUE);
  checkNumber('pareto shape', shape, 1.01, 1e6);
  const least = (mean * (shape - 1)) / shape;
  return known(mean, random => least / (1 - random()) ** (1 / shape));
}
