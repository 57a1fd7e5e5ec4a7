import { planned } from './plan.ts';
import { run } from './simulation.ts';
import type { SimulateOptions, SimulationReport } from './types.ts';

/**
 * Runs clients against servers in virtual time. The clients are real: pools, balancers, breakers, policies and
 * discovery do what they always do, with a clock and chance of the simulation's. Servers, network, registry and
 * callers are simulated. Calls arrive whatever becomes of those before them (an open loop), so waiting is not
 * hidden. The same seed gives the same report, to the last bit, and the same calls with the same work to any client.
 *
 * A call's first attempt takes a time that depends on the call alone, each further one a time of its own. A server
 * does not know when a caller turns away: it works on.
 *
 * It ends when the last call has settled. Calls that are left when none has settled for ten minutes of virtual time,
 * such as those without time-out at a server that never answers, are counted as failures, `never settled`.
 *
 * It leaves the event loop to others now and then by a timer of the system's: do not fake timers meanwhile.
 *
 * Rejects with a RangeError or TypeError that names the bad option, or with what the client's factory, the service
 * time, the rate, the key or the network threw.
 */
export async function simulate(options: SimulateOptions): Promise<SimulationReport> {
  return run(planned(options));
}
