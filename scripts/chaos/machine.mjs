import { now, sleep } from './clock.mjs';
import { ENOUGH, PATIENCE } from './settings.mjs';
import { cpu } from './stalls.mjs';

/** What share of a processor a process gets that wants one: about 1 where nobody else does. Takes a second. */
async function capacity() {
  let wanted = 0;
  let got = 0;
  for (let i = 0; i < 10; i++) {
    const from = now();
    const before = cpu();
    while (now() - from < 50);
    wanted += now() - from;
    got += cpu() - before;
    await sleep(50);
  }
  return got / wanted;
}

/** Waits, for a while at most, until the machine has enough to spare for a storm. Answers what share it had. */
export async function untilSpare(say) {
  const until = now() + PATIENCE;
  for (;;) {
    const share = await capacity();
    if (share >= ENOUGH || now() >= until) return share;
    say(`the machine is busy: a process gets ${(share * 100).toFixed(0)} % of a processor`);
    await sleep(4000);
  }
}
