import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** All that run, to be ended whatever happens. */
const running = new Set();

/** Starts a module of this folder in a process of its own. */
export function start(name, ...parameters) {
  const child = fork(fileURLToPath(new URL(`${name}.mjs`, import.meta.url)), parameters.map(String), {
    serialization: 'advanced',
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.on('error', () => {}); // what is sent to one that has ended
  return child;
}

const hasEnded = ({ exitCode, signalCode }) => exitCode !== null || signalCode !== null;

/** The next message that a test finds to be the one; rejects if the child ends first. */
export function heard(child, isIt = () => true) {
  return new Promise((resolve, reject) => {
    const listen = message => {
      if (isIt(message)) settle(() => resolve(message));
    };
    const ended = (code, signal) =>
      settle(() => reject(new Error(`${child.spawnargs.slice(1).join(' ')} ended: ${signal ?? code}`)));
    const settle = how => {
      child.off('message', listen);
      child.off('exit', ended);
      how();
    };
    child.on('message', listen);
    child.once('exit', ended);
    if (hasEnded(child)) ended(child.exitCode, child.signalCode);
  });
}

/** Tells a child something, and waits for its answer. */
export function ask(child, message, isIt) {
  const answer = heard(child, isIt);
  child.send(message);
  return answer;
}

export async function kill(child) {
  if (hasEnded(child)) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** Synchronous, for it may be the last thing that this process does. */
export function killAll() {
  for (const child of running) child.kill('SIGKILL');
}
