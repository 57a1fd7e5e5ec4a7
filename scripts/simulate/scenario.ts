/** How much is simulated: enough to be sure of the bars, or enough for smooth plots. */
export type Effort = 'brief' | 'full';

/** What was promised, and what came of it. */
export interface Bar {
  readonly what: string;
  /** Why that bound, and no other. */
  readonly why: string;
  readonly value: number;
  /** The value must not be above. */
  readonly most?: number;
  /** The value must not be below. */
  readonly least?: number;
  readonly unit?: Unit;
}

/** How a number is told: as it is, as a ratio, in percent, in ms. */
export type Unit = '' | '×' | '%' | 'ms' | 's';

export interface Table {
  readonly title?: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** Values by name, over a common scale; NaN is a gap. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly series: readonly Series[];
  /** The axes' marks grow by factors. Default: both do not. */
  readonly log?: 'x' | 'y' | 'xy';
  /** Where the vertical axis ends; what is above is cut off. Default: the largest value. */
  readonly top?: number;
  /** Lines across at a value, such as a bar. */
  readonly marks?: readonly { readonly y: number; readonly name: string }[];
  /** Spans of the horizontal axis that are shaded, such as a fault's. */
  readonly spans?: readonly { readonly from: number; readonly until: number; readonly name: string }[];
}

export interface Finding {
  readonly bars: readonly Bar[];
  readonly tables: readonly Table[];
  readonly charts: readonly Chart[];
  /** What the figures say, below them. */
  readonly notes?: readonly string[];
}

export interface Scenario {
  /** Names its plots. */
  readonly id: string;
  readonly title: string;
  /** The situation. */
  readonly text: string;
  run(effort: Effort): Promise<Finding>;
}

export const holds = ({ value, most = Infinity, least = -Infinity }: Bar): boolean =>
  value <= most && value >= least;

/** A number as it is told: three digits, and its unit. */
export function told(value: number, unit: Unit = ''): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? '–' : '∞';
  if (unit === '%') return `${plain(value * 100)} %`;
  if (unit === '') return plain(value);
  return unit === '×' ? `${plain(value)}×` : `${plain(value)} ${unit}`;
}

function plain(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) return String(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.995 ? 2 : 3);
}

/** The bound of a bar, in words. */
export function bound({ most, least, unit }: Bar): string {
  const parts: string[] = [];
  if (least !== undefined) parts.push(`at least ${told(least, unit)}`);
  if (most !== undefined) parts.push(most === 0 ? told(0, unit) : `at most ${told(most, unit)}`);
  return parts.join(', ');
}

/** The bars that were missed, in words; none is the aim. */
export function missed(bars: readonly Bar[]): string[] {
  return bars
    .filter(bar => !holds(bar))
    .map(bar => `${bar.what}: ${told(bar.value, bar.unit)}, not ${bound(bar)} (${bar.why})`);
}
