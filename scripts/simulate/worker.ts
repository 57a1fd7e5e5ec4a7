import { parentPort, workerData } from 'node:worker_threads';
import { page } from './report.ts';
import { scenarios } from './scenarios.ts';

/** One scenario, by number, in a thread of its own. */
const scenario = scenarios[workerData as number]!;
parentPort!.postMessage(page(scenario, await scenario.run('full')));
