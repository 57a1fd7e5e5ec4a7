import { expect, test } from 'vitest';
import { document, page } from '../../scripts/simulate/report.ts';
import { type Bar, type Chart, missed, type Scenario, told } from '../../scripts/simulate/scenario.ts';
import { svg } from '../../scripts/simulate/svg.ts';

const chart: Chart = {
  title: 'p99 < 5 & "more"',
  x: 'clients',
  y: 'ms',
  log: 'xy',
  series: [
    {
      name: 'a',
      points: [
        [10, 1],
        [100, Number.NaN],
        [1000, 100],
      ],
    },
    {
      name: 'b',
      points: [
        [10, 3],
        [1000, 1e9],
      ],
    },
  ],
  top: 200,
  marks: [{ y: 50, name: 'bar' }],
  spans: [{ from: 10, until: 100, name: 'fault' }],
};
const bar = (value: number): Bar => ({ what: 'errors', why: 'because', value, most: 0.001, unit: '%' });
const scenario: Scenario = {
  id: 'some',
  title: 'Some',
  text: 'What happens.',
  run: () => Promise.reject(new Error('not here')),
};
const finding = (value: number) => ({
  bars: [bar(value)],
  tables: [
    {
      head: ['', 'n'],
      rows: [
        ['a', 1],
        ['b', 2.5],
      ],
    },
  ],
  charts: [chart, chart],
});

test('a bar that is just met is met, one that is missed says by how much and why it is a bar', () => {
  expect(missed([bar(0.001)])).toEqual([]);
  expect(missed([bar(0.0011)])).toEqual(['errors: 0.110 %, not at most 0.100 % (because)']);
  expect(missed([{ ...bar(0.9), most: 2, least: 1, unit: '×' }])).toEqual([
    'errors: 0.900×, not at least 1×, at most 2× (because)',
  ]);
  expect(missed([bar(Number.NaN)])).toHaveLength(1);
});

test('numbers are told by three digits', () => {
  const all = [0, 7, 1234.5, 12.345, 1.2345, 0.12345, Number.NaN, Infinity].map(value => told(value));
  expect(all).toEqual(['0', '7', '1235', '12.3', '1.23', '0.123', '–', '∞']);
});

test('the document has each bar, table and plot, and counts the bars that are missed', () => {
  const met = page(scenario, finding(0));
  const failed = page(scenario, finding(1));
  expect(met.plots.map(([file]) => file)).toEqual(['some.svg', 'some-2.svg']);
  const text = document([met, failed]);
  expect(text).toContain('Of 2 bars 1 are met and **1 missed**');
  expect(text).toContain('| errors | at most 0.100 % | 100 % | **missed** | because |');
  expect(text).toContain('|  | n |\n|---|--:|\n| a | 1 |\n| b | 2.50 |');
  expect(text).toContain('](simulation/some-2.svg)');
  expect(document([met])).toContain('Of 1 bars all are met');
});

test('a plot is well-formed whatever the words, leaves out what is no number, and is the same each time', () => {
  const drawn = svg(chart);
  expect(drawn).toBe(svg(structuredClone(chart)));
  expect(drawn).not.toMatch(/NaN|Infinity|undefined/);
  expect(drawn).toContain('p99 &lt; 5 &amp; &quot;more&quot;');
  const open = drawn.match(/<[a-z]+[^>]*[^/]>/gi)!.length;
  expect(drawn.match(/<\/[a-z]+>/gi)).toHaveLength(open);
  // The gap parts the line in two; the point above the top has no dot.
  expect(drawn.match(/<path class="line"[^>]* d="M[^"]*M[^"]*"/g)).toHaveLength(1);
  expect(drawn.match(/<circle/g)).toHaveLength(3);
});

test('axes have a handful of round marks', () => {
  const linear: Chart = {
    title: '',
    x: '',
    y: '',
    series: [
      {
        name: '',
        points: [
          [0, 0],
          [7, 0.93],
        ],
      },
    ],
  };
  const marks = [...svg(linear).matchAll(/text-anchor="(middle|end)">([^<]+)</g)].map(([, , mark]) => mark);
  expect(marks).toEqual(['0', '0.2', '0.4', '0.6', '0.8', '0', '2', '4', '6']);
});
