import { expect, test, vi } from 'vitest';

vi.mock('fast-check', () => {
  throw new Error('fast-check is not installed');
});

test('fairlead/testing can be imported where fast-check is not installed', async () => {
  const { discoveryLaws, manualClock } = await import('fairlead/testing');
  expect(manualClock(3).now()).toBe(3);
  expect(discoveryLaws(() => ({ discovery: async function* () {} })).length).toBeGreaterThan(0);
});
