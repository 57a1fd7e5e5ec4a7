import { Callers, clientsOf, closed } from './callers.ts';
import { chance, Stream } from './chance.ts';
import { Reach } from './event-queue.ts';
import { type Schedule, scheduled } from './faults.ts';
import { Network } from './network.ts';
import { Omniscient } from './omniscient.ts';
import type { Plan } from './plan.ts';
import { SimulatedRegistry } from './registry.ts';
import { Server } from './server.ts';
import { Tally } from './tally.ts';
import { Time } from './time.ts';
import type { SimulatedClient, SimulationReport } from './types.ts';

/** For so many ms of virtual time clients may go on closing. */
const CLOSING = 600_000;

/** One run, from a plan to its report. */
export async function run(plan: Plan): Promise<SimulationReport> {
  const luck = chance(plan.seed);
  const time = new Time();
  const { queue, clock } = time;
  const schedule = scheduled(plan);
  const { spells, rebirths } = schedule;
  const servers = plan.servers.map((server, i) => new Server(server, queue, luck, spells[i]!, rebirths[i]!));
  for (const server of servers) server.turn();
  const registry = new SimulatedRegistry(queue, luck, servers, schedule.registry, plan.clients);
  const lives = rebirths.map(times => times.length + 1);
  const network = new Network(queue, plan, servers, lives);
  expectTurns(time, schedule, servers, registry);
  const { clientZones } = plan;
  const clients = clientsOf(plan.clients, index =>
    plan.client({
      env: { clock, random: luck.stream(Stream.client, index) },
      discovery: registry.discovery(index),
      probe: (endpoint, signal) =>
        network.send(index, endpoint, signal, () => ({ call: 0, attempt: 0, counted: false })),
      index,
      zone: clientZones[index % clientZones.length],
    }),
  );
  const tally = new Tally(plan);
  try {
    const omniscient = new Omniscient(plan, luck, schedule);
    const callers = new Callers(plan, luck, time, network, omniscient, tally, clients);
    await time.settle();
    await time.pass(callers.over);
    callers.leave();
  } catch (error) {
    for (const client of clients) void closed(client).catch(() => {});
    throw error;
  }
  await closing(time, clients);
  return tally.report(servers, clock.pending);
}

/** What goes wrong comes before anything else that happens at that time. */
function expectTurns(
  { queue }: Time,
  { turns }: Schedule,
  servers: readonly Server[],
  registry: SimulatedRegistry,
): void {
  for (const [at, turn] of turns) {
    queue.add(at, {
      happen() {
        let changed = turn.registry;
        for (const server of turn.servers) changed = servers[server]!.turn() || changed;
        if (!changed) return Reach.nobody;
        registry.turn();
        return Reach.anybody;
      },
    });
  }
}

/** Closes all clients; what they do about it may take its time. */
async function closing(time: Time, clients: readonly SimulatedClient[]): Promise<void> {
  let open = clients.length;
  let failure: { readonly error: unknown } | undefined;
  for (const client of clients) {
    closed(client).then(
      () => open--,
      error => {
        open--;
        failure ??= { error };
      },
    );
  }
  await time.settle();
  const until = time.now + CLOSING;
  await time.pass(() => open === 0 || time.now > until);
  if (failure !== undefined) throw failure.error;
}
