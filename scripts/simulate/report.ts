import { plain, section, verdict } from './markdown.ts';
import { bound, type Finding, type Scenario, told } from './scenario.ts';
import { svg } from './svg.ts';

/** What one scenario adds to the document, its plots by file name, and what it prints. */
export interface Page {
  readonly markdown: string;
  readonly plots: readonly (readonly [file: string, svg: string])[];
  readonly text: string;
  readonly bars: number;
  readonly missed: number;
}

export function page(scenario: Scenario, finding: Finding): Page {
  const { id, title } = scenario;
  const { bars, tables, charts } = finding;
  const file = (number: number): string => `${id}${number === 0 ? '' : `-${number + 1}`}.svg`;
  const rows = bars.map(bar => [
    bar.what,
    bound(bar),
    told(bar.value, bar.unit),
    verdict(bar).replaceAll('*', ''),
  ]);
  return {
    markdown: section(scenario, finding, number => `simulation/${file(number)}`),
    plots: charts.map((chart, number) => [file(number), svg(chart)] as const),
    text: [`# ${title}`, plain({ head: ['bar', 'bound', 'measured', ''], rows }), ...tables.map(plain)].join(
      '\n\n',
    ),
    bars: bars.length,
    missed: rows.filter(row => row[3] !== 'ok').length,
  };
}

/** The whole document. */
export function document(pages: readonly Page[]): string {
  const bars = pages.reduce((sum, each) => sum + each.bars, 0);
  const missed = pages.reduce((sum, each) => sum + each.missed, 0);
  return `${[
    '# What simulation shows',
    `Written by \`npm run simulate\`, in virtual time and from a fixed seed: the same code gives the same bytes. Clients, pools, balancers, breakers and policies are the library's own; servers, network, registry and callers are simulated (\`simulate\` of \`fairlead/testing\`). Latency is what callers see, from the moment a call arrives, in an open loop. *Omniscient* is one picker for all clients that knows each server's queue, each call's work and all faults, those to come as well. *Default* is \`createClient\` with no options but discovery.`,
    `Of ${bars} bars ${missed === 0 ? 'all are met' : `${bars - missed} are met and **${missed} missed**`}. The tests in \`test/simulation\` assert them on shorter runs.`,
    ...pages.map(({ markdown }) => markdown),
  ].join('\n\n')}\n`;
}
