import type { LoadReport } from '../model/load.ts';
import { readProtobuf } from './load-report-protobuf.ts';

/** A metric by its name in ORCA, a map's with its key: `cpu_utilization`, `named_metrics.queue`. */
export type Metric = readonly [name: string, value: unknown];

/**
 * Reads what a server says of how busy it is, as ORCA has it (`xds.data.orca.v3.OrcaLoadReport`): the header
 * `endpoint-load-metrics` in the forms that Envoy reads (`orca_parser.cc`).
 *
 * ```
 * TEXT cpu_utilization=0.3,rps_fractional=120,named_metrics.queue=7     or : for =
 * JSON {"cpu_utilization": 0.3, "rps_fractional": 120, "named_metrics": {"queue": 7}}
 * BIN CQAAAAAAANA/                                                      base64 of the message
 * ```
 *
 * The header `endpoint-load-metrics-bin`, which gRPC sends, is the third form without `BIN`. Metrics of other names are
 * passed over. Answers nothing for what is in no such form, or has a metric twice or one that is no number of at least 0.
 */
export function parseLoadReport(header: string): LoadReport | undefined {
  try {
    const [, form, rest = ''] = /^(TEXT|JSON|BIN) (.*)$/s.exec(header) ?? [];
    if (form === 'TEXT') return reportOf(readText(rest));
    if (form === 'JSON') return reportOf(readJson(JSON.parse(rest)));
    return form === 'BIN'
      ? reportOf(readProtobuf(Uint8Array.from(atob(rest), char => char.charCodeAt(0))))
      : undefined;
  } catch {
    return undefined;
  }
}

const FIELDS: Readonly<Record<string, keyof LoadReport>> = {
  application_utilization: 'applicationUtilization',
  cpu_utilization: 'cpuUtilization',
  mem_utilization: 'memUtilization',
  rps_fractional: 'rps',
  eps: 'eps',
};
const MAPS: Readonly<Record<string, keyof LoadReport>> = {
  utilization: 'utilization',
  named_metrics: 'namedMetrics',
};
/** What `rps_fractional` has taken the place of. */
const WHOLE_RPS = 'rps';

function reportOf(metrics: readonly Metric[]): LoadReport {
  const seen = new Map<string, number>();
  for (const [name, value] of metrics) {
    if (seen.has(name)) throw new TypeError(`${name} is there twice`);
    const [, map = '', key] = /^([^.]+)\.(.*)$/s.exec(name) ?? [];
    if (!Object.hasOwn(FIELDS, name) && !Object.hasOwn(MAPS, map) && name !== WHOLE_RPS) continue;
    if (key === '') throw new TypeError(`${map} has no key`);
    seen.set(name, numberOf(value));
  }
  const report: Record<string, unknown> = {};
  for (const name in FIELDS) if (seen.has(name)) report[FIELDS[name]!] = seen.get(name);
  if (seen.has(WHOLE_RPS)) report['rps'] ??= seen.get(WHOLE_RPS);
  for (const map in MAPS) {
    const own = [...seen].filter(([name]) => name.startsWith(`${map}.`));
    if (own.length > 0)
      report[MAPS[map]!] = Object.fromEntries(
        own.map(([name, value]) => [name.slice(map.length + 1), value]),
      );
  }
  return report;
}

function numberOf(value: unknown): number {
  const text = typeof value === 'number' ? String(value) : value;
  const number =
    typeof text === 'string' && /^\+?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
  if (!(number < Infinity)) throw new TypeError(`${String(value)} is no number of at least 0`);
  return number;
}

function readText(text: string): Metric[] {
  return text
    .split(',')
    .map(entry => entry.trim())
    .filter(entry => entry !== '')
    .map(entry => {
      const at = entry.search(/[=:]/);
      if (at <= 0) throw new TypeError(`${entry} is no metric`);
      return [entry.slice(0, at).trim(), entry.slice(at + 1).trim()];
    });
}

/** As Protobuf's JSON: names as they are or in camel case, numbers as text, too, and null for what is not there. */
function readJson(json: unknown): Metric[] {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new TypeError('it is no object');
  return Object.entries(json).flatMap(([given, value]): Metric[] => {
    const name = given.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
    if (value === null) return [];
    if (!Object.hasOwn(MAPS, name)) return [[name, value]];
    if (typeof value !== 'object' || Array.isArray(value)) throw new TypeError(`${name} is no map`);
    return Object.entries(value).map(([key, each]) => [`${name}.${key}`, each]);
  });
}
