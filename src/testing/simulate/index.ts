export { constant, exponential, lognormal, pareto } from './distributions.ts';
export { SimulatedError } from './flight.ts';
export { simulate } from './simulate.ts';
export type * from './types.ts';
