/** Ms of a clock that all processes of this machine share. */
export const now = () => Number(process.hrtime.bigint()) / 1e6;

export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

export const sleepUntil = time => sleep(Math.max(0, time - now()));
