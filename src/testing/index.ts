export { type ManualClock, manualClock, settled } from './manual-clock.ts';
export { type ScriptedDiscovery, scriptedDiscovery } from './scripted-discovery.ts';
export { seededRandom } from './seeded-random.ts';
