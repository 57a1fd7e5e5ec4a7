import type { Chart, Series } from './scenario.ts';

const WIDTH = 800;
const HEIGHT = 372;
/** The plot's edges. */
const LEFT = 58;
const RIGHT = 560;
const TOP = 52;
const BOTTOM = 324;
/** The height of a line of the legend. */
const LINE = 20;

/** Told apart on white and on black, and by most who see colours differently (after Okabe and Ito). */
const COLOURS = ['#0b84c6', '#e07b00', '#00966e', '#c2569c', '#8a6ee0', '#8b7d1a', '#7f7f7f', '#d1495b'];

const STYLE = `text{font:12px system-ui,sans-serif;fill:#333}
.title{font-size:14px;font-weight:600}
.axis{stroke:#888}
.grid{stroke:#8884;stroke-width:.6}
.mark{stroke:#888;stroke-dasharray:5 4}
.span{fill:#8882}
.line{fill:none;stroke-width:2;stroke-linejoin:round}
@media(prefers-color-scheme:dark){text{fill:#ccc}}`;

/** Lines in a frame, with axes and a legend. The same chart gives the same bytes. */
export function svg(chart: Chart): string {
  const { title, series, marks = [], spans = [] } = chart;
  const x = scale(chart, 'x', LEFT, RIGHT);
  const y = scale(chart, 'y', BOTTOM, TOP);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${text(title)}">`,
    `<style>${STYLE}</style>`,
    `<clipPath id="plot"><rect x="${LEFT}" y="${TOP}" width="${RIGHT - LEFT}" height="${BOTTOM - TOP}"/></clipPath>`,
    label(LEFT, 20, title, 'start', 'title'),
  ];
  for (const { from, until, name } of spans) {
    const left = x.at(from);
    const width = Math.min(RIGHT, x.at(until)) - left;
    parts.push(
      `<rect class="span" x="${round(left)}" y="${TOP}" width="${round(width)}" height="${BOTTOM - TOP}"/>`,
      label(left + 4, TOP + 14, name),
    );
  }
  for (const value of y.ticks) {
    const at = round(y.at(value));
    parts.push(
      `<line class="grid" x1="${LEFT}" x2="${RIGHT}" y1="${at}" y2="${at}"/>`,
      label(LEFT - 6, y.at(value) + 4, String(value), 'end'),
    );
  }
  for (const value of x.ticks) {
    const at = round(x.at(value));
    parts.push(
      `<line class="axis" x1="${at}" x2="${at}" y1="${BOTTOM}" y2="${BOTTOM + 4}"/>`,
      label(x.at(value), BOTTOM + 18, String(value), 'middle'),
    );
  }
  parts.push(
    `<path class="axis" fill="none" d="M${LEFT} ${TOP}V${BOTTOM}H${RIGHT}"/>`,
    label((LEFT + RIGHT) / 2, HEIGHT - 10, chart.x, 'middle'),
    label(LEFT, TOP - 8, chart.y),
  );
  for (const { y: value, name } of marks) {
    const at = y.at(value);
    parts.push(
      `<line class="mark" x1="${LEFT}" x2="${RIGHT}" y1="${round(at)}" y2="${round(at)}"/>`,
      label(RIGHT - 4, at - 4, name, 'end'),
    );
  }
  series.forEach((each, i) => {
    const colour = COLOURS[i % COLOURS.length]!;
    parts.push(...line(each, colour, x, y), ...legend(each.name, colour, TOP + 10 + i * LINE));
  });
  return `${parts.join('\n')}\n</svg>\n`;
}

interface Scale {
  at(value: number): number;
  readonly ticks: readonly number[];
}

function scale(
  { series, log = '' as 'x', top, marks = [] }: Chart,
  axis: 'x' | 'y',
  from: number,
  to: number,
): Scale {
  const logarithmic = log.includes(axis);
  const values = series
    .flatMap(({ points }) => points.map(point => point[axis === 'x' ? 0 : 1]))
    .concat(axis === 'y' ? marks.map(({ y }) => y) : [])
    .filter(value => Number.isFinite(value) && (!logarithmic || value > 0));
  const least = axis === 'y' && !logarithmic ? 0 : values.reduce((a, b) => Math.min(a, b), Infinity);
  const largest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const most = axis === 'y' ? (top ?? largest * (logarithmic ? 1.2 : 1.05)) : largest;
  const of = (value: number): number => (logarithmic ? Math.log(value) : value);
  const width = of(most) - of(least) || 1;
  return {
    at: value => from + ((of(value) - of(least)) / width) * (to - from),
    ticks: logarithmic ? decades(least, most) : steps(least, most),
  };
}

/** About five round numbers, at equal distances. */
function steps(least: number, most: number): number[] {
  const rough = (most - least) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5].find(each => each * power >= rough) ?? 10);
  const count = Math.floor(most / step + 1e-9);
  const first = Math.ceil(least / step - 1e-9);
  return Array.from({ length: count - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(6)));
}

/** 1, 2, 5, 10 and so on; only powers of ten where these would be too many. */
function decades(least: number, most: number): number[] {
  const few = most / least < 1000 ? [1, 2, 5] : [1];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(least)); 10 ** power <= most; power++) {
    for (const each of few) {
      const value = Number((each * 10 ** power).toPrecision(6));
      if (value >= least * 0.999 && value <= most * 1.001) ticks.push(value);
    }
  }
  return ticks;
}

/** A line through the points, and a dot for each while they are few. A value that is none interrupts it. */
function line({ points }: Series, colour: string, x: Scale, y: Scale): string[] {
  const parts: string[] = [];
  let path = '';
  let drawing = false;
  for (const [at, value] of points) {
    const known = Number.isFinite(value);
    if (known) path += `${drawing ? 'L' : 'M'}${round(x.at(at))} ${round(y.at(value))}`;
    drawing = known;
  }
  parts.push(`<path class="line" clip-path="url(#plot)" stroke="${colour}" d="${path}"/>`);
  if (points.length <= 12) {
    for (const [at, value] of points) {
      if (Number.isFinite(value) && y.at(value) >= TOP)
        parts.push(`<circle fill="${colour}" cx="${round(x.at(at))}" cy="${round(y.at(value))}" r="3"/>`);
    }
  }
  return parts;
}

const legend = (name: string, colour: string, at: number): string[] => [
  `<line stroke="${colour}" stroke-width="3" x1="${RIGHT + 14}" x2="${RIGHT + 32}" y1="${at}" y2="${at}"/>`,
  label(RIGHT + 38, at + 4, name),
];

function label(x: number, y: number, words: string, anchor = 'start', kind = ''): string {
  const attributes = `${kind && ` class="${kind}"`}${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}`;
  return `<text x="${round(x)}" y="${round(y)}"${attributes}>${text(words)}</text>`;
}

const round = (value: number): string => String(Number(value.toFixed(1)));

const text = (words: string): string =>
  words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
