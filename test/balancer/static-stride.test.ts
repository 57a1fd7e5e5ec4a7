import { Call } from 'fairlead';
import { callAvoiding, members, testEnv } from 'fairlead/testing';
import { expect, test } from 'vitest';
import { staticStride } from '../../src/balancer/static-stride.ts';
import { atMost, same } from '../in-loops.ts';

const weighed = (weights: readonly number[]) =>
  members(weights.map((weight, i) => ({ id: `m${i}`, weight })));

test('when all weights are equal, members come one after the other', () => {
  const of = weighed([0.3, 0.3, 0.3, 0.3]);
  const picker = staticStride().picker(of, testEnv());
  const call = new Call();
  const first = of.indexOf(picker(call, 0)!);
  for (let i = 1; i < 1000; i++) expect(of.indexOf(picker(call, 0)!)).toBe((first + i) % 4);
});

test('explains whose turn is next, and with what share, whoever is refused', () => {
  const of = weighed([500, 300, 1, 2]);
  const picker = staticStride().picker(of, testEnv());
  for (const call of [new Call(), callAvoiding([of[0]!]), callAvoiding([of[0]!, of[1]!])]) {
    const rest = of.filter(member => !call.tried.includes(member));
    const total = rest.reduce((sum, { weight }) => sum + weight, 0);
    for (let i = 0; i < 400; i++) {
      const explained = picker.explain!(call, 0);
      const again = picker.explain!(call, 0);
      same(again.length, explained.length);
      for (const [turn, { member }] of again.entries()) same(member, explained[turn]!.member);
      same(explained.length, rest.length);
      for (const member of rest) same(explained.filter(told => told.member === member).length, 1);
      for (const { member, share } of explained) atMost(Math.abs(share! - member.weight / total), 5e-13);
      same(picker(call, 0), explained[0]!.member);
    }
  }
  expect(picker.explain!(callAvoiding(of), 0)).toEqual([]);
});

// A pick looks at no more than twice as many members as there are, though the light one's turn is 10^9 rounds away.
test('a light member is found in two passes when the heavy ones are refused', () => {
  const of = weighed([1e9, 1e9, 1]);
  const picker = staticStride().picker(of, testEnv());
  const call = callAvoiding(of.slice(0, 2));
  let asked = 0;
  call.filter = () => {
    asked++;
    return true;
  };
  for (let i = 0; i < 10; i++) expect(picker(call, 0)).toBe(of[2]);
  expect(asked).toBeLessThanOrEqual(10 * 2 * of.length);
});
