// The laws of consistent hashing, run over a ring: fairlead's, your own, or another library's.

import { createRing } from 'fairlead';
import { evenness, ringLaws } from 'fairlead/testing';
import fc from 'fast-check';

// In a test runner: for (const { name, run } of ringLaws(fc, () => createRing())) test(name, run);
for (const { name, run } of ringLaws(fc, () => createRing(), { fastCheck: { numRuns: 20 } })) {
  await run();
  console.log('holds:', name);
}

// A ring that is none: the owner is the hash modulo the number of members.
const modulo = () => {
  const ids = [];
  return {
    add: id => ids.push(id),
    remove: id => ids.splice(ids.indexOf(id), 1),
    get: key => ids[[...key].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % ids.length],
  };
};
for (const { name, run } of ringLaws(fc, modulo, { fastCheck: { numRuns: 20 } })) {
  try {
    await run();
  } catch {
    console.log('broken by hash % n:', name);
  }
}
const ids = ['a', 'b', 'c', 'd'];
console.log(evenness(createRing(ids), ids));
