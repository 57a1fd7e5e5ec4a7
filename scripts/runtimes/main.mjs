import * as fairlead from '../../dist/index.js';
import { smoke } from './smoke.mjs';

const [dead, good] = process.argv.slice(2);
console.log(await smoke(fairlead, { dead, good }));
