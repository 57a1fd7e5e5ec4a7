// Only the ring: placing keys, replicas and shares, without calling anybody.
import { createRing } from 'fairlead';

const ring = createRing(['cache-1', 'cache-2', { id: 'cache-3', weight: 2 }]);
console.log('owner of user-42:', ring.get('user-42'));
console.log('it and its replica:', ring.getN('user-42', 2));

for (const [id, share] of ring.distribution()) console.log(id, `${(share * 100).toFixed(1)} %`);

const keys = Array.from({ length: 10_000 }, (_, i) => `user-${i}`);
const before = keys.map(key => ring.get(key));
ring.add('cache-4');
const moved = keys.filter((key, i) => ring.get(key) !== before[i]);
console.log(`${moved.length} keys moved, all to cache-4: ${moved.every(key => ring.get(key) === 'cache-4')}`);
