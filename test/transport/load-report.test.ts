import { createFetch, fixed, type Load, type LoadReport } from 'fairlead';
import { manualClock, seededRandom } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utilizationRoundRobin } from '../../src/balancer/utilization-round-robin.ts';
import { parseLoadReport } from '../../src/transport/load-report.ts';
import { logbook } from '../helpers.ts';
import { type Answer, faked } from './fake.ts';
import { type Running, serve } from './servers.ts';

const FULL: LoadReport = {
  applicationUtilization: 0.8,
  cpuUtilization: 0.7,
  memUtilization: 0.9,
  rps: 1000,
  eps: 2,
  utilization: { total: 0.5 },
  namedMetrics: { foo: 123, bar: 0.2 },
};

describe('a load report', () => {
  // The example of Envoy's own test (test/common/orca/orca_parser_test.cc), by its metrics and values.
  test.each([
    'TEXT cpu_utilization=0.7,application_utilization=0.8,mem_utilization=0.9,rps_fractional=1000,eps=2,named_metrics.foo=123,named_metrics.bar=0.2,utilization.total=0.5',
    'TEXT cpu_utilization:0.7, application_utilization:0.8, mem_utilization:0.9, rps_fractional:1000, eps:2, named_metrics.foo:123, named_metrics.bar:0.2, utilization.total:0.5',
    'JSON {"cpu_utilization": 0.7, "application_utilization": 0.8, "mem_utilization": 0.9, "rps_fractional": 1000, "eps": 2, "named_metrics": {"foo": 123, "bar": 0.2}, "utilization": {"total": 0.5}}',
    'JSON {"cpuUtilization": 0.7, "applicationUtilization": "0.8", "memUtilization": 0.9, "rpsFractional": "1e3", "eps": 2, "namedMetrics": {"foo": 123, "bar": 0.2}, "utilization": {"total": 0.5}, "requestCost": null}',
  ])('is read from %s', header => {
    expect(parseLoadReport(header)).toEqual(FULL);
  });

  // What a server of grpc-go sent, as Envoy's test has it, with its padding and without.
  test.each(['', '=='])('is read from the Protobuf of grpc-go, padded by "%s"', padding => {
    const report = parseLoadReport(
      `BIN CQAAAAAAAOA/MQAAAAAAAFlAOQAAAAAAAABAQg4KA3JpZhEAAAAAAAAQQA${padding}`,
    );
    expect(report).toEqual({ cpuUtilization: 0.5, rps: 100, eps: 2, namedMetrics: { rif: 4 } });
  });

  test('in Protobuf may have fields that are of no use or not known, and the last of several holds', () => {
    const bytes = [
      ...[0x09, ...double(0.9)], // cpu_utilization, twice
      ...[0x09, ...double(0.5)],
      ...[0x18, 0xac, 0x02], // rps, as a whole number: 300
      ...[0x22, 0x04, 0x0a, 0x02, 0xc3, 0xa9], // request_cost
      ...[0x2a, 0x0d, 0x0a, 0x02, 0xc3, 0xa9, 0x11, ...double(0.25)], // utilization of é
      ...[0x2a, 0x03, 0x0a, 0x01, 0x78], // utilization of x: 0, which is not written
      ...[0xa5, 0x06, 1, 2, 3, 4], // field 100, four bytes
      ...[0xa0, 0x06, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], // field 100, the largest number
    ];
    expect(parseLoadReport(`BIN ${btoa(String.fromCharCode(...bytes))}`)).toEqual({
      cpuUtilization: 0.5,
      rps: 300,
      utilization: { é: 0.25, x: 0 },
    });
  });

  test('with a rate in whole numbers only has that', () => {
    expect(parseLoadReport('JSON {"rps": "300"}')).toEqual({ rps: 300 });
    expect(parseLoadReport('TEXT rps=300,rps_fractional=12.5')).toEqual({ rps: 12.5 });
  });

  test('passes over metrics that it does not know', () => {
    expect(parseLoadReport('TEXT cpu_utilization=0.5,gpu=0.9,request_cost.disk=3')).toEqual({
      cpuUtilization: 0.5,
    });
    expect(parseLoadReport('JSON {"cpu_utilization": 0.5, "request_cost": {"disk": 3}, "gpu": "?"}')).toEqual(
      {
        cpuUtilization: 0.5,
      },
    );
    expect(parseLoadReport('TEXT ')).toEqual({});
  });

  test('with names that objects have by themselves is data like any other', () => {
    const report = parseLoadReport(
      'JSON {"named_metrics": {"__proto__": 1, "constructor": 2}, "toString": 3}',
    );
    expect(Object.entries(report!.namedMetrics!)).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
    ]);
    expect(Object.keys(report!)).toEqual(['namedMetrics']);
  });

  test.each([
    '',
    'cpu_utilization=0.7',
    'BAD cpu_utilization=0.7',
    'TEXTcpu_utilization=0.7',
    'TEXT cpu_utilization',
    'TEXT cpu_utilization=',
    'TEXT =0.7',
    'TEXT cpu_utilization="0.7"',
    'TEXT cpu_utilization=NaN',
    'TEXT cpu_utilization=inf',
    'TEXT cpu_utilization=1e999',
    'TEXT cpu_utilization=0x1',
    'TEXT cpu_utilization=-1',
    'TEXT cpu_utilization=0.7,cpu_utilization=0.8',
    'TEXT named_metrics.a=1,named_metrics.a=1',
    'TEXT named_metrics.=1',
    'TEXT utilization.=1',
    'JSON not-json',
    'JSON null',
    'JSON [1]',
    'JSON 7',
    'JSON {"cpu_utilization": true}',
    'JSON {"cpu_utilization": -0.5}',
    'JSON {"cpu_utilization": {}}',
    'JSON {"named_metrics": [1]}',
    'JSON {"named_metrics": {"a": "x"}}',
    'JSON {"cpu_utilization": 0.5, "cpuUtilization": 0.5}',
    'BIN !',
    'BIN CQAAAAAA', // cut off within a number
    'BIN Qg4KA3Jp', // cut off within a map
    'BIN pQYB', // cut off within four bytes
    'BIN /////w==', // cut off within a tag
    'BIN CwA=', // a group
    'BIN CQAAAAAAAPD/', // minus infinity
    'BIN CQAAAAAAAPB/', // infinity
  ])('is not read from %j', header => {
    expect(parseLoadReport(header)).toBeUndefined();
  });

  test('of whatever text never throws', () => {
    const form = fc.constantFrom('TEXT ', 'JSON ', 'BIN ', '');
    const name = fc.constantFrom('cpu_utilization', 'named_metrics.a', 'utilization.', 'x', '__proto__');
    const text = fc.oneof(
      fc.string(),
      fc.base64String(),
      fc.json(),
      fc
        .array(fc.tuple(name, fc.constantFrom('=', ':', ''), fc.string()))
        .map(all => all.map(each => each.join('')).join()),
    );
    fc.assert(
      fc.property(form, text, (prefix, rest) => {
        const report = parseLoadReport(prefix + rest);
        for (const value of Object.values(report ?? {}))
          for (const number of typeof value === 'object' ? Object.values(value) : [value])
            expect(number).toBeGreaterThanOrEqual(0);
      }),
    );
    expect(parseLoadReport(undefined as unknown as string)).toBeUndefined();
  });
});

const double = (value: number): number[] => [...new Uint8Array(new Float64Array([value]).buffer)];

const reporting =
  (header: string, name = 'endpoint-load-metrics'): Answer =>
  () =>
    new Response('ok', { headers: { [name]: header } });

describe('createFetch', () => {
  test('hands reports to a balancer that takes them, of good responses and bad ones, in whichever header', async () => {
    for (const [answer, utilization] of [
      [reporting('TEXT cpu_utilization=0.5,rps=10'), 0.5],
      [reporting('CQAAAAAAANA/', 'endpoint-load-metrics-bin'), 0.25],
      [
        () =>
          new Response('', { status: 404, headers: { 'endpoint-load-metrics': 'TEXT cpu_utilization=1' } }),
        1,
      ],
      [
        () =>
          new Response('', { status: 503, headers: { 'endpoint-load-metrics': 'TEXT cpu_utilization=1' } }),
        1,
      ],
    ] as const) {
      const seen: LoadReport[] = [];
      const load: Load = { begin() {}, end() {}, cost: () => 0, report: report => seen.push(report) };
      const { fetch } = faked(answer, {
        balancer: {
          load: () => load,
          picker:
            ([member]) =>
            () =>
              member,
        },
        policies: [],
      });
      await fetch('/v1');
      expect(seen.map(({ cpuUtilization }) => cpuUtilization)).toEqual([utilization]);
      await fetch.close();
    }
  });

  test('does not look at the header where the balancer takes no reports', async () => {
    const { fetch, lines } = faked(reporting('nonsense'));
    await fetch('/v1');
    expect(lines.filter(line => line.startsWith('fault'))).toEqual([]);
  });

  test('passes over a header that cannot be read, and says so once', async () => {
    const { fetch, lines, outcomes } = faked(reporting('nonsense'), { balancer: utilizationRoundRobin() });
    for (let i = 0; i < 5; i++) expect((await fetch('/v1')).status).toBe(200);
    expect(outcomes()).toEqual(new Array(5).fill('success'));
    expect(lines.filter(line => line.startsWith('fault'))).toEqual([
      expect.stringMatching(/^fault classifier the header with the load report is "nonsense"/),
    ]);
  });

  test("does not take a report for the member's that came from where it had redirected to", async () => {
    await using other = await serve((_, response) => {
      response.setHeader('endpoint-load-metrics', 'nonsense').end();
    });
    await using member = await serve((_, response) => {
      response.writeHead(307, { location: `http://${other.id}/` }).end();
    });
    const { observer, lines } = logbook();
    const fetch = createFetch({ discovery: fixed([member.id]), balancer: utilizationRoundRobin(), observer });
    expect((await fetch('/v1')).redirected).toBe(true);
    expect(lines.filter(line => line.startsWith('fault'))).toEqual([]);
    await fetch.close();
  });

  test('spreads calls over real servers in inverse proportion to how busy they say they are', async () => {
    const utilizations = [0.2, 0.4, 0.8];
    const counts = [0, 0, 0];
    const forms = [
      (u: number) => `TEXT application_utilization=${u},rps_fractional=100`,
      (u: number) => `JSON ${JSON.stringify({ application_utilization: u, rps_fractional: 100 })}`,
      (u: number) => `BIN ${btoa(String.fromCharCode(0x31, ...double(100), 0x49, ...double(u)))}`,
    ];
    const servers: Running[] = await Promise.all(
      utilizations.map((utilization, i) =>
        serve((_, response) => {
          counts[i]!++;
          response.setHeader('endpoint-load-metrics', forms[i]!(utilization)).end('ok');
        }),
      ),
    );
    const clock = manualClock();
    const fetch = createFetch({
      discovery: fixed(servers.map(({ id }) => id)),
      balancer: utilizationRoundRobin(),
      env: { clock, random: seededRandom(1) },
    });
    const call = async (times: number): Promise<number[]> => {
      counts.fill(0);
      for (let i = 0; i < times; i++) await (await fetch('http://users/v1')).text();
      return [...counts];
    };
    expect(await call(30)).toEqual([10, 10, 10]);
    await clock.advance(10_000);
    const after = await call(140);
    // 4 to 2 to 1, give or take the call that where their turns stand may make.
    for (const [i, expected] of [80, 40, 20].entries())
      expect(Math.abs(after[i]! - expected)).toBeLessThanOrEqual(2);
    await fetch.close();
    for (const server of servers) await server.stop();
  });
});
