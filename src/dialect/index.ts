export type { Placement } from '../balancer/placement.ts';
export type { Dialect, NameOf } from './dialect.ts';
export { type EnvoyMaglevOptions, envoyMaglev } from './envoy-maglev.ts';
export { type EnvoyRingOptions, envoyRing, grpcRing } from './envoy-ring.ts';
export { type HaproxyRingOptions, haproxyRing } from './haproxy.ts';
export type { HaproxyHash } from './haproxy-hash.ts';
export {
  type LibmemcachedRingOptions,
  libmemcachedRing,
  type MemcachedRingOptions,
  type NginxRingOptions,
  nginxRing,
  twemproxyRing,
} from './ketama.ts';
export type { KeyHash } from './key-hash.ts';
