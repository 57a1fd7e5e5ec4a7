import { type Bar, bound, type Finding, holds, type Scenario, type Table, told } from './scenario.ts';

/** A scenario as a section of the document. `plot` answers where the plot of a number is. */
export function section(
  { title, text }: Scenario,
  { bars, tables, charts, notes = [] }: Finding,
  plot: (number: number) => string,
): string {
  return [
    `## ${title}`,
    text,
    ...(bars.length > 0 ? [barTable(bars)] : []),
    ...tables.map(table),
    ...charts.map((chart, i) => `![${chart.title}](${plot(i)})`),
    ...notes,
  ].join('\n\n');
}

const barTable = (bars: readonly Bar[]): string =>
  table({
    head: ['bar', 'bound', 'measured', '', 'why this bound'],
    rows: bars.map(bar => [bar.what, bound(bar), told(bar.value, bar.unit), verdict(bar), bar.why]),
  });

export const verdict = (bar: Bar): string => (holds(bar) ? 'ok' : '**missed**');

/** Numbers stand on the right. */
function table({ title, head, rows }: Table): string {
  const numeric = head.map(
    (_, i) => i > 0 && rows.every(row => typeof row[i] === 'number' || /^[\d–∞]/.test(row[i]!)),
  );
  const line = (cells: readonly (string | number)[]): string =>
    `| ${cells.map(cell => (typeof cell === 'number' ? told(cell) : cell)).join(' | ')} |`;
  return [
    ...(title === undefined ? [] : [`${title}\n`]),
    line(head),
    `|${numeric.map(each => (each ? '--:' : '---')).join('|')}|`,
    ...rows.map(line),
  ].join('\n');
}

/** The same for the terminal: columns side by side. */
export function plain({ title, head, rows }: Table): string {
  const cells = [head, ...rows].map(row => row.map(cell => (typeof cell === 'number' ? told(cell) : cell)));
  const widths = head.map((_, i) => Math.max(...cells.map(row => row[i]!.length)));
  const lines = cells.map(row =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
  return [...(title === undefined ? [] : [title]), ...lines].join('\n');
}
