// Checks that go on after a failure: a line each, a sum at the end, and an exit code that says it all.
import { spawn } from 'node:child_process';

const sum = { passed: 0, failed: 0 };

/** Does the work and prints a line: what it answers, or all that there is to know about why it failed. */
export async function check(name, work) {
  const begun = performance.now();
  try {
    const note = await work();
    const took = `${((performance.now() - begun) / 1000).toFixed(1)} s`;
    sum.passed++;
    console.log(`ok    ${name}${note ? `: ${note}` : ''} (${took})`);
    return true;
  } catch (error) {
    sum.failed++;
    process.exitCode = 1;
    console.log(`FAIL  ${name}\n${String(error.message ?? error).replace(/^/gm, '      ')}`);
    return false;
  }
}

/** Prints the sum of all checks. */
export const report = () => console.log(`${sum.passed} ok, ${sum.failed} not`);

/** Ends the work with this complaint unless the condition holds. */
export function demand(condition, complaint) {
  if (!condition) throw new Error(complaint);
}

/** Runs a program. Answers what it wrote; rejects with all of it if it fails or is not done within `seconds`. */
export function run(program, parameters, { cwd, seconds = 180 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        NO_COLOR: '1',
        npm_config_loglevel: 'error',
        npm_config_update_notifier: 'false',
      },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', text => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', text => (stderr += text));
    const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
    child.on('error', reject).on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return resolve({ stdout, stderr });
      const command = [program, ...parameters].join(' ');
      const end = signal ? `was ended by ${signal} (it has ${seconds} s)` : `exited with ${code}`;
      reject(new Error(`${command} ${end}\n${stdout}${stderr}`.trimEnd()));
    });
  });
}
