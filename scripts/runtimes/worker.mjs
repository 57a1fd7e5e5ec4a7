import * as fairlead from '../../dist/index.js';
import { smoke } from './smoke.mjs';

// biome-ignore lint/style/noDefaultExport: what workerd looks for
export default {
  async test(_controller, env) {
    console.log(await smoke(fairlead, env));
  },
};
