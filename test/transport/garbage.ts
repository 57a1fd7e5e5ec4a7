import v8 from 'node:v8';
import vm from 'node:vm';

v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc') as () => void;

/** Collects all that nobody holds any more: in a turn of its own, for what is held weakly stays for the turn. */
export async function collectGarbage(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve));
  gc();
  await new Promise(resolve => setImmediate(resolve)); // in which finalizers have run
}

/** Collects until it is so. */
export async function collected(isSo: () => boolean): Promise<void> {
  while (!isSo()) await collectGarbage();
}
