import { bad } from '../base/errors.ts';
import type { LoadReport } from '../model/load.ts';

const FIELDS: Readonly<Record<string, (report: LoadReport) => number | undefined>> = {
  application_utilization: report => report.applicationUtilization,
  cpu_utilization: report => report.cpuUtilization,
  mem_utilization: report => report.memUtilization,
};
const MAPS: Readonly<Record<string, (report: LoadReport) => Readonly<Record<string, number>> | undefined>> = {
  utilization: report => report.utilization,
  named_metrics: report => report.namedMetrics,
};

/**
 * Reads from a report how busy a member is: its application utilization, else the largest of the metrics of these
 * names, else its CPU utilization (gRFC A114). What is not above 0 and finite is not there.
 *
 * @throws TypeError for what is no name of a metric
 */
export function utilizationBy(option: string, names: readonly string[]): (report: LoadReport) => number {
  if (!Array.isArray(names)) throw bad(option, names, 'an array of names of metrics');
  const readers = names.map(name => {
    if (typeof name === 'string' && Object.hasOwn(FIELDS, name)) return FIELDS[name]!;
    const [, field = '', key = ''] = /^(\w+)\.(.+)$/s.exec(String(name)) ?? [];
    if (!Object.hasOwn(MAPS, field))
      throw bad(option, name, `names such as 'mem_utilization', 'utilization.x' or 'named_metrics.x'`);
    return (report: LoadReport) => MAPS[field]!(report)?.[key];
  });
  return report => {
    const own = positive(report.applicationUtilization);
    if (own > 0) return own;
    let largest = 0;
    for (const read of readers) largest = Math.max(largest, positive(read(report)));
    return largest > 0 ? largest : positive(report.cpuUtilization);
  };
}

/** A number of a report; 0 for what is none above 0, for reports are the servers' word. */
export const positive = (value: unknown): number =>
  typeof value === 'number' && value > 0 && value < Number.POSITIVE_INFINITY ? value : 0;
