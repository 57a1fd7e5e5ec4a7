/** Writes docs/mutation.md from what Stryker found and from reasons.json. By itself: `node scripts/mutation/report.mjs`. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const BAR = 85;
const PARTS = [
  'src/policy/',
  'src/breaker/',
  'src/health/',
  'src/base/',
  'src/pool.ts',
  'src/pool-options.ts',
  'src/membership.ts',
  'src/runner.ts',
  'src/explain.ts',
];

const here = file => fileURLToPath(new URL(file, import.meta.url));
const json = file => JSON.parse(readFileSync(here(file), 'utf8'));
const version = name => createRequire(import.meta.url)(`${name}/package.json`).version;

/** A piece of code on one line, and not all of it if it is long. */
const short = code => {
  const line = code.replace(/\s+/g, ' ').trim();
  return line.length > 90 ? `${line.slice(0, 60)} … ${line.slice(-20)}` : line;
};

function text(source, { start, end }) {
  const lines = source.split('\n').slice(start.line - 1, end.line);
  lines[lines.length - 1] = lines.at(-1).slice(0, end.column - 1);
  lines[0] = lines[0].slice(start.column - 1);
  return lines.join('\n');
}

/** Status by status, how many. */
function count(mutants) {
  const of = status => mutants.filter(mutant => mutant.status === status).length;
  const [killed, late, survived, unseen] = ['Killed', 'Timeout', 'Survived', 'NoCoverage'].map(of);
  const all = killed + late + survived + unseen;
  return { all, killed, late, survived, unseen, score: (100 * (killed + late)) / all };
}

/** Answers the exit code: 1 if the score is below the bar. */
export function report() {
  const { files } = json('.out/incremental.json');
  const reasons = existsSync(here('reasons.json')) ? json('reasons.json') : {};
  // What was found in earlier runs is kept, files that are gone included.
  const present = Object.entries(files).filter(([file]) => existsSync(here(`../../${file}`)));
  const mutants = present.flatMap(([file, { source, mutants }]) =>
    mutants.map(mutant => ({
      ...{ file, line: mutant.location.start.line, status: mutant.status },
      change: `${short(text(source, mutant.location))} ⇒ ${short(mutant.replacement ?? '')}`,
    })),
  );
  const row = (name, { all, killed, late, survived, unseen, score }) =>
    `| ${name} | ${all} | ${killed} | ${late} | ${survived} | ${unseen} | ${score.toFixed(1)} % |`;
  const rows = PARTS.map(part => [part, mutants.filter(({ file }) => file.startsWith(part))])
    .filter(([, some]) => some.length > 0)
    .map(([part, some]) => row(`\`${part}\``, count(some)));
  const total = count(mutants);

  const left = mutants.filter(({ status }) => status === 'Survived' || status === 'NoCoverage');
  const cell = code => `\`${code.replaceAll('|', '\\|').replaceAll('`', "'")}\``;
  const lists = [...new Set(left.map(({ file }) => file))].sort().map(file => {
    const groups = new Map();
    for (const mutant of left.filter(one => one.file === file)) {
      const known = (reasons[file] ?? []).find(({ mutants }) => mutants.includes(mutant.change));
      const reason = known?.reason ?? 'Not looked into yet.';
      groups.set(reason, [...(groups.get(reason) ?? []), mutant]);
    }
    const lines = [...groups].flatMap(([reason, some]) =>
      some.map(({ line, change }, i) => `| ${line} | ${cell(change)} | ${i === 0 ? reason : '″'} |`),
    );
    return `### ${file}\n\n| line | mutation | why it survives |\n|---|---|---|\n${lines.join('\n')}`;
  });
  const unexplained = left.filter(
    ({ file, change }) => !(reasons[file] ?? []).some(({ mutants }) => mutants.includes(change)),
  ).length;

  writeFileSync(
    here('../../docs/mutation.md'),
    `# Mutation testing

Stryker changes the source in small ways, one at a time: a condition turned round, a statement left out, a bound moved by
one. A change that no test notices shows what is not tested, or what need not be there.

\`\`\`sh
npm run test:mutation                                  # all of it, on what has changed since the last time
npm run test:mutation -- 'src/policy/**' src/pool.ts   # a part
npm run test:mutation -- --force                       # all of it, from the start
\`\`\`

It is run by hand and not with every change. Its packages are in \`scripts/mutation\`, apart from those that
\`npm install\` brings; what it leaves is in \`scripts/mutation/.out\`, with a report to browse. This file is written at
the end of each run, with the reasons of \`scripts/mutation/reasons.json\`; the command fails below ${BAR} %.

Mutants are tried by the unit tests alone (\`scripts/mutation/runner.mjs\` says which), which are loaded once and run in one
process; what only the simulations, the sockets or the tests of balancers would notice counts as unnoticed. What is said to
have changed are the mutated files and the tests: after a change elsewhere, such as in \`src/model\`, \`--force\` is due.

## Score

${new Date().toISOString().slice(0, 10)}, Stryker ${version('@stryker-mutator/core')}, Node ${process.versions.node}.
Noticed are those killed and those that time out, for they no longer end.

| | mutants | killed | timed out | survived | no test reaches it | score |
|---|---|---|---|---|---|---|
${rows.join('\n')}
${row('**all**', total)}

## Those that survive

${left.length}, of which ${unexplained} have not been looked into. ″: as above.

${lists.join('\n\n')}
`,
  );
  console.log(`${total.score.toFixed(1)} % of ${total.all} mutants are noticed: see docs/mutation.md`);
  return total.score < BAR ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = report();
