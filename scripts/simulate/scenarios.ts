import type { Scenario } from './scenario.ts';
import { bounded } from './scenarios/bounded.ts';
import { capacity } from './scenarios/capacity.ts';
import { choices } from './scenarios/choices.ts';
import { rollingDeploy } from './scenarios/deploy.ts';
import { failing } from './scenarios/failing.ts';
import { freeze } from './scenarios/freeze.ts';
import { grey } from './scenarios/grey.ts';
import { hashing } from './scenarios/hashing.ts';
import { hedging } from './scenarios/hedging.ts';
import { outage } from './scenarios/outage.ts';
import { overload } from './scenarios/overload.ts';
import { registry } from './scenarios/registry.ts';
import { sinkhole } from './scenarios/sinkhole.ts';
import { start } from './scenarios/start.ts';
import { storm } from './scenarios/storm.ts';
import { zones } from './scenarios/zones.ts';

/** In the order of the document. */
export const scenarios: readonly Scenario[] = [
  grey,
  choices,
  sinkhole,
  freeze,
  rollingDeploy,
  start,
  failing,
  zones,
  capacity,
  registry,
  hashing,
  bounded,
  outage,
  storm,
  overload,
  hedging,
];
