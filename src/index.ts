export * from './core.ts';
export { type BalancedFetch, createFetch, type FetchOptions } from './create-fetch.ts';
export { xxhash } from './hash/xxhash.ts';
export {
  type ClientEvents,
  createClient,
  EmittingClient,
  type EmittingClientOptions,
} from './observe/emitter.ts';
export {
  type BalancedInit,
  type Classify,
  type FetchLike,
  httpClassifier,
  type RequestView,
  type TransportOptions,
} from './transport/fetch.ts';
export { type HttpCheckOptions, httpCheck } from './transport/http-check.ts';
export { parseLoadReport } from './transport/load-report.ts';
