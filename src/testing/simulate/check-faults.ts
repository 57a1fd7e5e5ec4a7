import { bad, checkNumber } from '../../base/errors.ts';
import type { SimulatedFault } from './types.ts';

const KINDS: readonly SimulatedFault['kind'][] = [
  'slow',
  'failing',
  'failing-slowly',
  'frozen',
  'dead',
  'unreachable',
  'flapping',
  'zone-loss',
  'rolling-deploy',
  'scale-out',
  'registry-outage',
  'registry-lag',
  'registry-split',
];

/** @throws RangeError or TypeError that names the fault by number, and what is wrong with it */
export function checkFaults(
  faults: readonly SimulatedFault[],
  servers: readonly { readonly zone: string | undefined }[],
): void {
  if (!Array.isArray(faults)) throw bad('faults', faults, 'an array');
  for (const [number, fault] of (faults as readonly SimulatedFault[]).entries()) {
    const name = (field: string): string => `${field} of fault ${number}`;
    if (!KINDS.includes(fault?.kind)) throw bad(name('kind'), fault?.kind, `one of ${KINDS.join(', ')}`);
    const { from = 0, until = Number.POSITIVE_INFINITY } = fault;
    checkNumber(name('from'), from, 0, Number.MAX_VALUE);
    checkNumber(name('until'), until, 0);
    if (until <= from) throw bad(name('until'), until, `more than from, ${from}`, RangeError);
    const given = fault as Readonly<Record<string, unknown>>;
    const check = (field: string, least: number, most = Number.MAX_VALUE, optional = true): void => {
      const value = given[field];
      if (value !== undefined || !optional) checkNumber(name(field), value as number, least, most);
    };
    if (fault.kind === 'zone-loss') {
      if (!servers.some(({ zone }) => zone === fault.zone))
        throw bad(name('zone'), fault.zone, 'the zone of a server');
    } else if (!fault.kind.startsWith('registry') || fault.kind === 'registry-split') {
      checkServers(name('servers'), given['servers'], servers.length, fault.kind === 'rolling-deploy');
    }
    check('share', 0, 1, fault.kind !== 'registry-split');
    check('after', 0);
    check('drain', 0);
    check('down', 1);
    check('factor', Number.MIN_VALUE, Number.MAX_VALUE, fault.kind !== 'slow');
    // Turns so short that time hardly passes would never end.
    const everyNeeded = fault.kind === 'flapping' || fault.kind === 'rolling-deploy';
    check('every', fault.kind === 'flapping' ? 1 : 0, Number.MAX_VALUE, !everyNeeded);
    check('lag', 0, Number.MAX_VALUE, fault.kind !== 'registry-lag');
  }
}

function checkServers(name: string, servers: unknown, count: number, optional: boolean): void {
  if (servers === undefined && optional) return;
  if (!Array.isArray(servers)) throw bad(name, servers, 'an array of numbers');
  for (const server of servers) checkNumber(name, server, 0, count - 1, true);
  if (new Set(servers).size < servers.length) throw bad(name, servers, 'without repetition', RangeError);
}
