import { createSocket, type Socket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { createClient, type Endpoint, type FollowOptions, follow, type Random } from 'fairlead';
import { type AddressRecord, type DnsOptions, type DnsResolver, dns, type SrvRecord } from 'fairlead/dns';
import { manualClock, seededRandom, settled } from 'fairlead/testing';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { describeDiscovery } from '../contract/discovery.ts';
import { countedSignal } from '../helpers.ts';

const NAME = 'users.internal';
const SERVICE = '_http._tcp.users.internal';

interface Answers {
  resolve4: () => unknown;
  resolve6: () => unknown;
  resolveSrv: () => unknown;
}

interface Asked {
  readonly method: keyof Answers;
  readonly name: string;
  readonly options: unknown;
  readonly at: number;
}

/** An error as Node's resolver has it. */
const fault = (code: string): Error => Object.assign(new Error(`query ${code} ${NAME}`), { code });

const fails = (code: string) => (): never => {
  throw fault(code);
};

const never = (): Promise<never> => new Promise(() => {});

const addresses =
  (...given: (string | AddressRecord)[]) =>
  (): AddressRecord[] =>
    given.map(each => (typeof each === 'string' ? { address: each, ttl: 30 } : each));

const srv = (name: string, fields: Partial<SrvRecord> = {}): SrvRecord => ({
  name,
  port: 80,
  priority: 0,
  weight: 0,
  ...fields,
});

/** A name server that says what `answers` says at the time, under a clock that stands still but for the test. */
function nameServer(first: Partial<Answers> = {}, random: Random = () => 0) {
  const clock = manualClock();
  const answers: Answers = {
    resolve4: fails('ENODATA'),
    resolve6: fails('ENODATA'),
    resolveSrv: fails('ENOTFOUND'),
    ...first,
  };
  const asked: Asked[] = [];
  const ask =
    (method: keyof Answers) =>
    async (name: string, options?: unknown): Promise<never> => {
      asked.push({ method, name, options, at: clock.now() });
      return (await answers[method]()) as never;
    };
  const resolver: DnsResolver = {
    resolve4: ask('resolve4'),
    resolve6: ask('resolve6'),
    resolveSrv: ask('resolveSrv'),
  };
  const { signal, abort, listeners } = countedSignal();
  const sets: (readonly Endpoint[])[] = [];
  const errors: unknown[] = [];
  return {
    clock,
    answers,
    asked,
    resolver,
    listeners,
    sets,
    errors,
    /** The ids of the latest set. */
    ids: (): string[] | undefined => sets.at(-1)?.map(({ id }) => id),
    messages: (): string[] => errors.map(error => (error as Error).message),
    times: (method?: keyof Answers): number[] =>
      asked.filter(each => method === undefined || each.method === method).map(({ at }) => at),
    stop: (): void => abort(new Error('stopped')),
    /** Follows a source that asks here. Resolves when that has ended. */
    follow(options: DnsOptions, how?: FollowOptions): Promise<void> {
      const source = dns({ resolver, ...options });
      return follow(
        source,
        { clock, random },
        signal,
        { set: set => void sets.push(set), error: error => void errors.push(error) },
        how,
      );
    },
    async begin(options: DnsOptions, how?: FollowOptions): Promise<void> {
      void this.follow(options, how);
      await settled();
    },
  };
}

const users = { host: NAME, port: 8080 };

describe('addresses', () => {
  test('each becomes an endpoint, named by address and port, an IPv6 one in brackets', async () => {
    const server = nameServer({
      resolve4: addresses('10.0.0.2', '10.0.0.1'),
      resolve6: addresses('fd00::1'),
    });
    await server.begin({ ...users, family: 'both' });
    expect(server.sets).toEqual([
      [
        { id: '10.0.0.1:8080', host: '10.0.0.1', port: 8080 },
        { id: '10.0.0.2:8080', host: '10.0.0.2', port: 8080 },
        { id: '[fd00::1]:8080', host: 'fd00::1', port: 8080 },
      ],
    ]);
    expect(server.asked).toEqual([
      { method: 'resolve4', name: NAME, options: { ttl: true }, at: 0 },
      { method: 'resolve6', name: NAME, options: { ttl: true }, at: 0 },
    ]);
    expect(server.errors).toEqual([]);
  });

  test('an address that is named twice is one endpoint, and nothing to complain of', async () => {
    const server = nameServer({ resolve4: addresses('10.0.0.1', '10.0.0.1', '10.0.0.2') });
    await server.begin(users);
    expect(server.ids()).toEqual(['10.0.0.1:8080', '10.0.0.2:8080']);
    expect(server.errors).toEqual([]);
  });

  test('those that come in another order are the same set; those that come and go make another', async () => {
    const server = nameServer({ resolve4: addresses('10.0.0.1', '10.0.0.2') });
    await server.begin(users);
    server.answers.resolve4 = addresses('10.0.0.2', '10.0.0.1');
    await server.clock.advance(30_000);
    expect(server.asked).toHaveLength(2);
    expect(server.sets).toHaveLength(1);
    server.answers.resolve4 = addresses('10.0.0.2', '10.0.0.3');
    await server.clock.advance(30_000);
    expect(server.sets).toHaveLength(2);
    expect(server.ids()).toEqual(['10.0.0.2:8080', '10.0.0.3:8080']);
  });

  test.each(['10.0.0.1', 'fd00::1'])(
    '%s instead of a name stands for itself, and nobody is asked',
    async host => {
      const server = nameServer();
      await server.follow({ host, port: 8080 });
      expect(server.sets).toEqual([
        [{ id: host === '10.0.0.1' ? `${host}:8080` : `[${host}]:8080`, host, port: 8080 }],
      ]);
      expect(server.asked).toEqual([]);
      expect(server.clock.pending).toBe(0);
    },
  );
});

describe('when to look up again', () => {
  const at = (ttl: number, address = '10.0.0.1'): AddressRecord => ({ address, ttl });

  test('when the shortest TTL of the latest answer is over', async () => {
    const server = nameServer({
      resolve4: addresses(at(20), at(7, '10.0.0.2')),
      resolve6: addresses(at(12, 'fd00::1')),
    });
    await server.begin({ ...users, family: 'both' });
    await server.clock.advance(7000);
    server.answers.resolve4 = addresses(at(20));
    await server.clock.advance(7000);
    await server.clock.advance(12_000);
    expect(server.times('resolve4')).toEqual([0, 7000, 14_000, 26_000]);
    expect(server.times('resolve6')).toEqual(server.times('resolve4'));
  });

  test.each([
    ['0, and nothing else is said, after 1 s', 0, {}, 1000],
    ['0', 0, { minInterval: 250 }, 250],
    ['shorter than minInterval', 2, { minInterval: 5000 }, 5000],
    ['a day, and nothing else is said, after 30 s', 86_400, {}, 30_000],
    ['longer than maxInterval', 60, { maxInterval: 10_000 }, 10_000],
    ['longer than a minInterval beyond the usual maxInterval', 60, { minInterval: 45_000 }, 45_000],
    ['shorter than a maxInterval below the usual minInterval', 0, { maxInterval: 100 }, 100],
    ['in between', 20, { minInterval: 10_000, maxInterval: 30_000 }, 20_000],
    ['no number', Number.NaN, {}, 1000],
    ['negative', -5, {}, 1000],
  ])('a TTL that is %s', async (_, ttl, intervals, expected) => {
    const server = nameServer({ resolve4: addresses(at(ttl)) });
    await server.begin({ ...users, ...intervals });
    await server.clock.advance(expected - 1);
    expect(server.times()).toEqual([0]);
    await server.clock.advance(1);
    expect(server.times()).toEqual([0, expected]);
  });

  test('each wait is longer by chance, up to a tenth, so that a fleet does not march in step', async () => {
    const waits: number[] = [];
    for (let seed = 0; seed < 50; seed++) {
      const server = nameServer({ resolve4: addresses(at(10)) }, seededRandom(seed));
      await server.begin(users);
      await server.clock.advance(11_000 * 3);
      const times = server.times();
      expect(times.length).toBeGreaterThanOrEqual(4);
      for (let i = 1; i < times.length; i++) waits.push(times[i]! - times[i - 1]!);
      server.stop();
    }
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(10_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(11_000);
    // At least 150 draws: that none is in the lowest or highest fifth has a chance of 2 * 0.8 ** 150, below 1e-14, and
    // the seeds are fixed.
    expect(Math.min(...waits)).toBeLessThan(10_200);
    expect(Math.max(...waits)).toBeGreaterThan(10_800);
  });

  test('SRV records, whose TTL Node does not tell, every 30 s, or as often as said', async () => {
    const usual = nameServer({ resolveSrv: () => [srv('a.internal')] });
    await usual.begin({ srv: SERVICE });
    await usual.clock.advance(60_000);
    expect(usual.times()).toEqual([0, 30_000, 60_000]);
    const often = nameServer({ resolveSrv: () => [srv('a.internal')] }, () => 0.5);
    await often.begin({ srv: SERVICE, interval: 1000 });
    await often.clock.advance(2100);
    expect(often.times()).toEqual([0, 1050, 2100]);
  });
});

describe('family', () => {
  const both = { resolve4: addresses('10.0.0.1'), resolve6: addresses('fd00::1') };

  test.each([
    [4, ['10.0.0.1:8080'], ['resolve4']],
    [6, ['[fd00::1]:8080'], ['resolve6']],
    ['both', ['10.0.0.1:8080', '[fd00::1]:8080'], ['resolve4', 'resolve6']],
    ['either', ['10.0.0.1:8080'], ['resolve4']],
    [undefined, ['10.0.0.1:8080'], ['resolve4']],
  ] as const)('%s, of a name with addresses of both', async (family, ids, methods) => {
    const server = nameServer(both);
    await server.begin({ ...users, ...(family && { family }) });
    expect(server.ids()).toEqual(ids);
    expect(server.asked.map(({ method }) => method)).toEqual(methods);
    expect(server.errors).toEqual([]);
  });

  test.each(['both', 'either'] as const)(
    '%s: that one kind has no record is nothing to complain of',
    async family => {
      for (const none of [fails('ENODATA'), fails('ENOTFOUND'), () => []]) {
        const four = nameServer({ ...both, resolve6: none });
        await four.begin({ ...users, family });
        expect(four.ids()).toEqual(['10.0.0.1:8080']);
        const six = nameServer({ ...both, resolve4: none });
        await six.begin({ ...users, family });
        expect(six.ids()).toEqual(['[fd00::1]:8080']);
        expect([...four.errors, ...six.errors]).toEqual([]);
      }
    },
  );

  test('both: a kind that cannot be looked up keeps its addresses while the other moves on', async () => {
    const server = nameServer(both);
    await server.begin({ ...users, family: 'both' });
    server.answers.resolve4 = addresses('10.0.0.2');
    server.answers.resolve6 = fails('ESERVFAIL');
    await server.clock.advance(30_000);
    expect(server.ids()).toEqual(['10.0.0.2:8080', '[fd00::1]:8080']);
    expect(server.messages()).toEqual([`query ESERVFAIL ${NAME}`]);
  });

  test('both: it keeps them when both fail and only the other one comes back', async () => {
    const server = nameServer(both);
    await server.begin({ ...users, family: 'both' });
    server.answers.resolve4 = server.answers.resolve6 = fails('ESERVFAIL');
    await server.clock.advance(31_000);
    expect(server.errors.length).toBeGreaterThan(1);
    server.answers.resolve4 = addresses('10.0.0.2');
    await server.clock.advance(30_000);
    expect(server.ids()).toEqual(['10.0.0.2:8080', '[fd00::1]:8080']);
    server.answers.resolve6 = fails('ENODATA');
    await server.clock.advance(30_000);
    expect(server.ids()).toEqual(['10.0.0.2:8080']);
  });

  test('both: when neither can be looked up, that is tried again soon, not when the TTL is over', async () => {
    const server = nameServer(both);
    await server.begin({ ...users, family: 'both' });
    server.answers.resolve4 = server.answers.resolve6 = fails('ESERVFAIL');
    await server.clock.advance(30_150);
    expect(server.times('resolve4')).toEqual([0, 30_000, 30_050, 30_150]);
    expect(server.times('resolve6')).toEqual(server.times('resolve4'));
    expect(server.errors).toHaveLength(3);
  });

  test('both: a kind that fails from the first is reported, and the other serves', async () => {
    const server = nameServer({ ...both, resolve6: fails('ESERVFAIL') });
    await server.begin({ ...users, family: 'both' });
    expect(server.ids()).toEqual(['10.0.0.1:8080']);
    expect(server.messages()).toEqual([`query ESERVFAIL ${NAME}`]);
  });

  test.each(['both', 'either'] as const)(
    '%s: no record of one kind and no answer for the other is no empty set',
    async family => {
      const server = nameServer({ resolve4: fails('ENODATA'), resolve6: fails('ESERVFAIL') });
      await server.begin({ ...users, family });
      expect(server.sets).toEqual([]);
      expect(server.messages()).toEqual([`query ESERVFAIL ${NAME}`]);
    },
  );

  test('either: IPv4 that cannot be looked up is a failure, not a reason to take IPv6', async () => {
    const server = nameServer({ ...both, resolve4: fails('ESERVFAIL') });
    await server.begin(users);
    expect(server.sets).toEqual([]);
    expect(server.times('resolve6')).toEqual([]);
  });
});

describe('a look-up that fails', () => {
  test.each(['ESERVFAIL', 'EREFUSED', 'ETIMEOUT', 'ECONNREFUSED', 'EBADRESP', 'EFORMERR'])(
    '%s: is reported and repeated after growing waits; the last good set stands until it succeeds',
    async code => {
      const server = nameServer({ resolve4: addresses('10.0.0.1'), resolve6: addresses('fd00::1') });
      await server.begin(users);
      server.answers.resolve4 = fails(code);
      await server.clock.advance(120_000);
      expect(server.ids()).toEqual(['10.0.0.1:8080']);
      expect(server.sets).toHaveLength(1);
      expect(server.messages()).toEqual(server.messages().fill(`query ${code} ${NAME}`));
      const failed = server.times().slice(1);
      expect(failed.length).toBe(server.errors.length);
      // follow's waits without chance: half of 100, 200, 400 ms and so on
      expect(failed.slice(0, 5)).toEqual([30_000, 30_050, 30_150, 30_350, 30_750]);
      server.answers.resolve4 = addresses('10.0.0.2');
      await server.clock.advance(30_000);
      expect(server.ids()).toEqual(['10.0.0.2:8080']);
    },
  );

  test('no answer at all: is given up after the time-out, and repeated', async () => {
    const server = nameServer({ resolve4: never });
    await server.begin({ ...users, timeout: 700 });
    await server.clock.advance(699);
    expect(server.errors).toEqual([]);
    await server.clock.advance(1);
    expect(server.errors).toMatchObject([
      { code: 'DISCOVERY', message: `no name server told the A records of ${NAME} within 700 ms` },
    ]);
    server.answers.resolve4 = addresses('10.0.0.1');
    await server.clock.advance(50);
    expect(server.ids()).toEqual(['10.0.0.1:8080']);
  });

  test('no answer to an SRV look-up is given up after 5 s by default, and says what it was about', async () => {
    const server = nameServer({ resolveSrv: never });
    await server.begin({ srv: SERVICE });
    await server.clock.advance(5000);
    expect(server.messages()).toEqual([`no name server told the SRV records of ${SERVICE} within 5000 ms`]);
  });

  test('an answer that comes after the time-out changes nothing', async () => {
    const late: ((records: unknown) => void)[] = [];
    const server = nameServer({ resolve4: () => new Promise(resolve => late.push(resolve)) });
    await server.begin({ ...users, timeout: 100 });
    await server.clock.advance(150);
    expect(late).toHaveLength(2);
    late[1]!([{ address: '10.0.0.2', ttl: 30 }]);
    await settled();
    late[0]!([{ address: '10.0.0.1', ttl: 30 }]);
    await settled();
    expect(server.sets.flat().map(({ host }) => host)).toEqual(['10.0.0.2']);
  });

  test.each([[undefined], ['10.0.0.1'], [{ address: '10.0.0.1' }]])(
    'a resolver that answers %j is reported, and the last good set stands',
    async answer => {
      const server = nameServer({ resolve4: addresses('10.0.0.1') });
      await server.begin(users);
      server.answers.resolve4 = () => answer;
      await server.clock.advance(30_000);
      expect(server.messages()).toEqual([expect.stringContaining(`the resolver's answer to resolve4 is`)]);
      expect(server.ids()).toEqual(['10.0.0.1:8080']);
    },
  );

  test('records that make no endpoint are refused, and the last good set stands', async () => {
    const server = nameServer({ resolveSrv: () => [srv('a.internal')] });
    await server.begin({ srv: SERVICE });
    server.answers.resolveSrv = () => [
      srv('a.internal', { port: 0 }),
      srv('b.internal', { weight: Number.NaN, port: -1 }),
    ];
    await server.clock.advance(30_000);
    expect(server.errors).toMatchObject([{ code: 'BAD_ENDPOINTS' }]);
    expect(server.ids()).toEqual(['a.internal:80']);
  });
});

describe('a name without records', () => {
  const unknown = { message: `the name ${NAME} does not exist (NXDOMAIN)`, cause: { code: 'ENOTFOUND' } };

  test.each([
    ['NXDOMAIN', 'ENOTFOUND', users, `the name ${NAME} does not exist (NXDOMAIN)`],
    ['NODATA', 'ENODATA', users, `the name ${NAME} has no usable A or AAAA record (NODATA)`],
    ['NODATA', 'ENODATA', { ...users, family: 4 }, `the name ${NAME} has no usable A record (NODATA)`],
    ['NODATA', 'ENODATA', { ...users, family: 6 }, `the name ${NAME} has no usable AAAA record (NODATA)`],
    [
      'NODATA',
      'ENODATA',
      { ...users, family: 'both' },
      `the name ${NAME} has no usable A or AAAA record (NODATA)`,
    ],
    ['NXDOMAIN', 'ENOTFOUND', { srv: SERVICE }, `the name ${SERVICE} does not exist (NXDOMAIN)`],
    ['NODATA', 'ENODATA', { srv: SERVICE }, `the name ${SERVICE} has no usable SRV record (NODATA)`],
  ] as const)(
    '%s (%s) for %j is an empty set, and an error that says so',
    async (_, code, options, message) => {
      const none = fails(code);
      const server = nameServer({ resolve4: none, resolve6: none, resolveSrv: none });
      await server.begin(options);
      expect(server.sets).toEqual([[]]);
      expect(server.errors).toMatchObject([{ code: 'DISCOVERY', message, cause: { code } }]);
    },
  );

  test('NXDOMAIN for one kind of record and NODATA for the other is a name that exists', async () => {
    const server = nameServer({ resolve4: fails('ENODATA'), resolve6: fails('ENOTFOUND') });
    await server.begin(users);
    expect(server.messages()).toEqual([`the name ${NAME} has no usable A or AAAA record (NODATA)`]);
  });

  test('calls fail at once, and the reason is in the cause', async () => {
    const server = nameServer({ resolve4: fails('ENOTFOUND'), resolve6: fails('ENOTFOUND') });
    const client = createClient({
      discovery: dns({ ...users, resolver: server.resolver }),
      env: { clock: server.clock, random: () => 0 },
    });
    await expect(client.run(async () => 1)).rejects.toMatchObject({ code: 'NO_ENDPOINTS', cause: unknown });
    await client.close();
    await settled();
    expect(server.clock.pending).toBe(0);
  });

  test('one stray answer is not believed; one that lasts is, having been confirmed meanwhile', async () => {
    const server = nameServer({ resolve4: addresses('10.0.0.1') });
    await server.begin(users);
    server.answers.resolve4 = server.answers.resolve6 = fails('ENOTFOUND');
    await server.clock.advance(30_000 + 4000);
    expect(server.errors).toMatchObject([unknown]);
    server.answers.resolve4 = addresses('10.0.0.1');
    await server.clock.advance(60_000);
    expect(server.sets).toHaveLength(1);

    server.answers.resolve4 = fails('ENOTFOUND');
    const before = server.times('resolve4').at(-1)!;
    await server.clock.advance(before + 30_000 - server.clock.now());
    const first = server.clock.now();
    expect(server.times('resolve4').at(-1)).toBe(first);
    await server.clock.advance(29_999);
    expect(server.ids()).toEqual(['10.0.0.1:8080']);
    expect(server.times('resolve4').filter(time => time >= first)).toEqual(
      [0, 1, 2, 3, 4, 5].map(i => first + i * 5000),
    );
    await server.clock.advance(1);
    expect(server.ids()).toEqual([]);
  });

  test('while it lasts it is reported once, and again when it comes again', async () => {
    const server = nameServer({ resolve4: fails('ENOTFOUND'), resolve6: fails('ENOTFOUND') });
    await server.begin(users);
    await server.clock.advance(60_000);
    expect(server.asked.length).toBeGreaterThan(10);
    expect(server.errors).toMatchObject([unknown]);
    server.answers.resolve4 = addresses('10.0.0.1');
    await server.clock.advance(5000);
    expect(server.ids()).toEqual(['10.0.0.1:8080']);
    server.answers.resolve4 = fails('ENOTFOUND');
    await server.clock.advance(60_000);
    expect(server.errors).toMatchObject([unknown, unknown]);
  });

  test.each([
    ['5 s', users, 5000],
    ['maxInterval, if that is shorter', { ...users, maxInterval: 500 }, 500],
    ['5 s, even if minInterval is longer, to be confirmed in time', { ...users, minInterval: 40_000 }, 5000],
    ['5 s', { srv: SERVICE }, 5000],
    ['interval, if that is shorter', { srv: SERVICE, interval: 700 }, 700],
  ])('is looked up again after %s (%j)', async (_, options, expected) => {
    const server = nameServer({ resolve4: fails('ENOTFOUND'), resolve6: fails('ENOTFOUND') });
    await server.begin(options);
    await server.clock.advance(expected);
    expect([...new Set(server.times())]).toEqual([0, expected]);
  });
});

describe('SRV records', () => {
  const endpointsFor = async (records: readonly SrvRecord[]): Promise<readonly Endpoint[]> => {
    const server = nameServer({ resolveSrv: () => records });
    await server.begin({ srv: SERVICE });
    expect(server.errors).toEqual([]);
    server.stop();
    return server.sets.at(-1)!;
  };

  const weights = async (...records: readonly SrvRecord[]): Promise<Record<string, number | undefined>> =>
    Object.fromEntries((await endpointsFor(records)).map(({ host, weight }) => [host, weight]));

  test('become endpoints whose host is the target, with port and priority', async () => {
    const server = nameServer({
      resolveSrv: () => [
        { ...srv('b.internal', { port: 8081, priority: 20, weight: 5 }), type: 'SRV' },
        { ...srv('a.internal', { port: 8080, priority: 10, weight: 5 }), type: 'SRV' },
      ],
    });
    await server.begin({ srv: SERVICE });
    expect(server.asked).toEqual([{ method: 'resolveSrv', name: SERVICE, options: undefined, at: 0 }]);
    expect(server.sets).toEqual([
      [
        { id: 'a.internal:8080', host: 'a.internal', port: 8080, priority: 10, weight: 1 },
        { id: 'b.internal:8081', host: 'b.internal', port: 8081, priority: 20, weight: 1 },
      ],
    ]);
  });

  test('weights keep their ratio, in lowest terms', async () => {
    expect(
      await weights(srv('a', { weight: 60 }), srv('b', { weight: 10 }), srv('c', { weight: 30 })),
    ).toEqual({
      a: 6,
      b: 1,
      c: 3,
    });
  });

  test('instances with equal weights weigh the same however many there are, though each record says 100 / n', async () => {
    const server = nameServer({ resolveSrv: () => ['a', 'b', 'c'].map(name => srv(name, { weight: 33 })) });
    await server.begin({ srv: SERVICE });
    const before = server.sets.at(-1)!;
    server.answers.resolveSrv = () => ['a', 'b', 'c', 'd'].map(name => srv(name, { weight: 25 }));
    await server.clock.advance(30_000);
    expect(server.sets.at(-1)!.slice(0, 3)).toEqual(before);
    expect(server.sets.at(-1)!).toHaveLength(4);
  });

  test('weights that are all 0 are equal', async () => {
    expect(await weights(srv('a'), srv('b'))).toEqual({ a: 1, b: 1 });
  });

  test('a weight of 0 beside others of its priority is a very small share, and drains nobody', async () => {
    expect(await weights(srv('a', { weight: 50 }), srv('b', { weight: 100 }), srv('c'))).toEqual({
      a: 1,
      b: 2,
      c: 0.01,
    });
    const spare = srv('spare', { priority: 1 });
    expect(await weights(srv('a', { weight: 50 }), srv('b', { weight: 100 }), spare)).toEqual({
      a: 1,
      b: 2,
      spare: 1,
    });
  });

  test('of several records for one target and port the best counts, and nothing is complained of', async () => {
    const records = [
      srv('a', { priority: 10, weight: 5 }),
      srv('A.', { priority: 10, weight: 10 }),
      srv('a', { priority: 20, weight: 90 }),
      srv('a', { port: 81, priority: 10, weight: 20 }),
    ];
    for (const order of [records, records.toReversed()]) {
      expect(await endpointsFor(order)).toEqual([
        { id: 'a:80', host: 'a', port: 80, priority: 10, weight: 1 },
        { id: 'a:81', host: 'a', port: 81, priority: 10, weight: 2 },
      ]);
    }
  });

  test('the target "." says that the service is not there', async () => {
    for (const name of ['.', '']) {
      const server = nameServer({ resolveSrv: () => [srv(name)] });
      await server.begin({ srv: SERVICE });
      expect(server.sets).toEqual([[]]);
      expect(server.messages()).toEqual([`the name ${SERVICE} has no usable SRV record (NODATA)`]);
    }
  });

  test('whatever the records: ids are unique, all weigh something, ratios stay, and their order never matters', async () => {
    const record = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd', 'B.', 'e'),
      port: fc.integer({ min: 80, max: 82 }),
      priority: fc.integer({ min: 0, max: 2 }),
      weight: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 65_535 })),
    });
    await fc.assert(
      fc.asyncProperty(
        fc
          .array(record, { minLength: 1, maxLength: 12 })
          .chain(records =>
            fc.tuple(fc.constant(records), fc.shuffledSubarray(records, { minLength: records.length })),
          ),
        async ([records, shuffled]) => {
          const set = await endpointsFor(records);
          expect(await endpointsFor(shuffled)).toEqual(set);
          expect(new Set(set.map(({ id }) => id)).size).toBe(set.length);
          const given = new Set(
            records.map(({ name, port }) => `${name.replace('.', '').toLowerCase()}:${port}`),
          );
          expect(set.map(({ id }) => id)).toEqual([...given].sort());
          for (const { weight, host, port, priority } of set) {
            expect(weight).toBeGreaterThan(0);
            const best = records
              .filter(each => each.name.replace('.', '').toLowerCase() === host && each.port === port)
              .sort((x, y) => x.priority - y.priority || y.weight - x.weight)[0]!;
            expect(priority).toBe(best.priority);
            const others = set.filter(each => each.priority === priority && each.weight! >= 1);
            if (best.weight === 0 && weight !== 1) {
              for (const other of others) expect(weight! * 100).toBeLessThanOrEqual(other.weight!);
            }
          }
        },
      ),
      { numRuns: 200, seed: 2782 },
    );
  });

  test('two positive weights are in the ratio that their records say', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 65_535 }), { minLength: 2, maxLength: 8 }),
        async given => {
          const found = await weights(...given.map((weight, i) => srv(`m${i}`, { weight })));
          for (let i = 0; i < given.length; i++) {
            expect(found[`m${i}`]! * given[0]!).toBe(found['m0']! * given[i]!);
            expect(found[`m${i}`]!).toBeLessThanOrEqual(given[i]!);
          }
        },
      ),
      { numRuns: 200, seed: 2782 },
    );
  });
});

describe('when it is to stop', () => {
  test.each([
    ['while it looks up', never],
    ['while it waits for the TTL', addresses('10.0.0.1')],
    ['while it waits after a failure', fails('ESERVFAIL')],
  ])('%s, it ends at once and leaves nothing behind', async (_, resolve4) => {
    const server = nameServer({ resolve4, resolve6: never });
    const over = server.follow({ ...users, family: 'both' });
    await settled();
    const errors = server.errors.length;
    server.stop();
    await over;
    await settled();
    expect(server.clock.pending).toBe(0);
    expect(server.errors).toHaveLength(errors);
    const asked = server.asked.length;
    await server.clock.advance(1_000_000);
    expect(server.asked).toHaveLength(asked);
  });

  test('between two look-ups it holds as many listeners on the signal after a hundred as after one', async () => {
    const server = nameServer({ resolve4: addresses({ address: '10.0.0.1', ttl: 1 }) });
    await server.begin(users);
    const first = server.listeners();
    await server.clock.advance(100_000);
    expect(server.asked.length).toBeGreaterThan(99);
    expect(server.listeners()).toBe(first);
  });
});

describe(`Node's own resolver`, () => {
  const sockets: Socket[] = [];
  afterEach(() => {
    vi.restoreAllMocks();
    for (const socket of sockets.splice(0)) socket.close();
  });

  /** A name server that hears and says nothing. */
  async function silentServer(): Promise<{ socket: Socket; address: string }> {
    const socket = createSocket('udp4');
    sockets.push(socket);
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return { socket, address: `127.0.0.1:${socket.address().port}` };
  }

  test('asks the servers it is told to, and what it has under way is cancelled when it is to stop', async () => {
    const { socket, address } = await silentServer();
    const asks = vi.spyOn(Resolver.prototype, 'resolve4');
    const { signal, abort } = countedSignal();
    const source = dns({ ...users, servers: [address] });
    const errors: unknown[] = [];
    const clock = manualClock();
    const over = follow(source, { clock, random: () => 0 }, signal, {
      set: () => {},
      error: error => void errors.push(error),
    });
    const [query] = (await once(socket, 'message')) as [Buffer];
    expect(query.includes('users')).toBe(true);
    abort();
    await over;
    await expect(asks.mock.results[0]!.value).rejects.toMatchObject({ code: 'ECANCELLED' });
    expect(errors).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('what it has under way is cancelled when the time-out is over', async () => {
    const { socket, address } = await silentServer();
    const asks = vi.spyOn(Resolver.prototype, 'resolveSrv');
    const { signal, abort } = countedSignal();
    const clock = manualClock();
    const over = follow(dns({ srv: SERVICE, servers: [address] }), { clock, random: () => 0 }, signal, {
      set: () => {},
      error: () => {},
    });
    await once(socket, 'message');
    await clock.advance(5000);
    await expect(asks.mock.results[0]!.value).rejects.toMatchObject({ code: 'ECANCELLED' });
    abort();
    await over;
  });

  test('may be given ready-made', () => {
    const resolver: DnsResolver = new Resolver();
    expect(() => dns({ ...users, resolver })).not.toThrow();
    expect(() => dns({ srv: SERVICE, resolver: new Resolver() })).not.toThrow();
  });
});

describe('bad options', () => {
  const { resolver } = nameServer();
  test.each([
    ['options', undefined],
    ['options', null],
    ['options', NAME],
    ['options', {}],
    ['options', { port: 80 }],
    ['options', { ...users, srv: SERVICE }],
    ['host', { host: '', port: 80 }],
    ['host', { host: 42, port: 80 }],
    ['host', { host: null, port: 80 }],
    ['host', { host: 'http://users.internal', port: 80 }],
    ['host', { host: 'users.internal:80', port: 80 }],
    ['host', { host: '[::1]', port: 80 }],
    ['host', { host: 'users..internal', port: 80 }],
    ['host', { host: 'users internal', port: 80 }],
    ['host', { host: `${'x'.repeat(64)}.internal`, port: 80 }],
    ['host', { host: 'x.'.repeat(128), port: 80 }],
    ['port', { host: NAME }],
    ['port', { host: NAME, port: '80' }],
    ['port', { host: NAME, port: 0 }],
    ['port', { host: NAME, port: 65_536 }],
    ['port', { host: NAME, port: 80.5 }],
    ['port', { host: '10.0.0.1', port: 0 }],
    ['family', { ...users, family: '4' }],
    ['family', { ...users, family: 0 }],
    ['family', { ...users, family: null }],
    ['minInterval', { ...users, minInterval: 0 }],
    ['minInterval', { ...users, minInterval: Number.NaN }],
    ['minInterval', { ...users, minInterval: '5' }],
    ['maxInterval', { ...users, maxInterval: 0.5 }],
    ['maxInterval', { ...users, minInterval: 10, maxInterval: 9 }],
    ['timeout', { ...users, timeout: 0 }],
    ['timeout', { srv: SERVICE, timeout: -1 }],
    ['servers', { ...users, servers: [] }],
    ['servers', { ...users, servers: '10.0.0.53' }],
    ['servers', { ...users, servers: ['ns.internal'] }],
    ['servers', { ...users, servers: [53] }],
    ['servers', { ...users, resolver, servers: ['10.0.0.53'] }],
    ['resolver', { ...users, resolver: null }],
    ['resolver', { ...users, resolver: {} }],
    ['resolver resolve6', { ...users, resolver: { resolve4: resolver.resolve4 } }],
    ['resolver resolveSrv', { srv: SERVICE, resolver: { resolve4: resolver.resolve4 } }],
    ['srv', { srv: '' }],
    ['srv', { srv: 7 }],
    ['interval', { srv: SERVICE, interval: 0 }],
    ['interval', { srv: SERVICE, interval: Number.NaN }],
  ])('dns %s: %j is refused by name', (option, options) => {
    const make = () => dns(options as DnsOptions);
    expect(make).toThrow(new RegExp(`^dns ${option}( \\w+)? is `));
    expect(make).toThrow(/it must be/);
  });

  test('only the methods that are needed must be there', () => {
    const { resolve4, resolve6 } = resolver;
    expect(() => dns({ ...users, family: 4, resolver: { resolve4 } as DnsResolver })).not.toThrow();
    expect(() => dns({ ...users, family: 6, resolver: { resolve6 } as DnsResolver })).not.toThrow();
  });

  test('servers may be IPv4 or IPv6 addresses, with a port or without', () => {
    expect(() =>
      dns({ ...users, servers: ['10.0.0.53', '127.0.0.1:8600', 'fd00::53', '[::1]:5353'] }),
    ).not.toThrow();
  });
});

describeDiscovery('dns', endpoints => {
  const { answers, resolver } = nameServer();
  const set = (wanted: readonly Endpoint[]): void => {
    answers.resolveSrv = () => wanted.map(({ host, port }) => srv(host, { port, weight: 100 }));
  };
  set(endpoints);
  return { discovery: dns({ srv: SERVICE, resolver }), set };
});
