import { Call } from 'fairlead';
import { haproxyRing } from 'fairlead/dialects';
import { callAvoiding, members, testEnv } from 'fairlead/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';

const numbered = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    id: `s${String(i + 1).padStart(2, '0')}`,
    host: `10.0.0.${i}`,
    port: 80,
    weight: 1 + (i % 4),
  }));
const id = (endpoint: { readonly id: string }): number => Number(endpoint.id.slice(1));

test('the weight and the id place a server, not its address or the others', () => {
  const endpoints = numbered(9);
  const placed = haproxyRing({ id }).place(endpoints);
  const moved = haproxyRing({ id }).place(
    endpoints.map(endpoint => ({ ...endpoint, host: 'elsewhere', port: 1 })),
  );
  const without = haproxyRing({ id }).place(endpoints.slice(1));
  for (let i = 0; i < 1000; i++) {
    const key = `key ${i}`;
    expect(moved.get(key)).toBe(placed.get(key));
    if (placed.get(key) !== 's01') expect(without.get(key)).toBe(placed.get(key));
  }
});

test('those refused count for nothing: a key goes where it would be without them', () => {
  const endpoints = numbered(12);
  const all = members(endpoints);
  const picker = haproxyRing({ id, avalanche: true }).picker(all, testEnv());
  fc.assert(
    fc.property(fc.string(), fc.subarray(endpoints, { minLength: 1 }), (key, left) => {
      const expected = haproxyRing({ id, avalanche: true }).place(left).get(key);
      const refused = all.filter(({ endpoint }) => !left.some(each => each.id === endpoint.id));
      const explained = picker.explain!(callAvoiding(refused, { key }), 0);
      expect(picker(callAvoiding(refused, { key }), 0)?.endpoint.id).toBe(expected);
      expect(explained).toHaveLength(left.length);
      expect(explained.find(({ note }) => note !== undefined)!.member.endpoint.id).toBe(expected);
      const shares = haproxyRing({ id }).place(left).distribution();
      for (const { member, share } of explained)
        expect(share).toBeCloseTo(shares.get(member.endpoint.id)!, 12);
    }),
  );
});

test('shares are what keys bear out, with avalanche', () => {
  const placed = haproxyRing({ id, avalanche: true }).place(numbered(6));
  const counts = new Map<string, number>();
  for (let i = 0; i < 20_000; i++) {
    const owner = placed.get(`key ${i}`)!;
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  // Always the same keys; the standard deviation of a share is at most 0.4 %.
  for (const [owner, share] of placed.distribution())
    expect(Math.abs(counts.get(owner)! / 20_000 - share)).toBeLessThan(0.015);
});

test('in a pool it places as by itself', () => {
  const placed = haproxyRing({ id, function: 'wt6' }).place(numbered(7));
  const picker = haproxyRing({ id, function: 'wt6' }).picker(members(numbered(7)), testEnv());
  for (let i = 0; i < 200; i++)
    expect(picker(new Call({ key: `key ${i}` }), 0)?.endpoint.id).toBe(placed.get(`key ${i}`));
});
