import { bad, checkNumber } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import { bytesOf, written } from './bytes.ts';
import { address, type Dialect, dialect, type NameOf, type Server } from './dialect.ts';
import type { Walk } from './walk.ts';
import { remainder, xxh64 } from './xxh64.ts';

export interface EnvoyMaglevOptions {
  /** Envoy's `table_size`, a prime. Default: 65 537. */
  readonly tableSize?: number | undefined;
  /** As for `envoyRing`. Default: `host:port`. */
  readonly name?: NameOf | undefined;
}

/** Envoy's limit. */
const LARGEST = 5_000_011;
/** So many times it hashes again before it goes through the table: four bits' worth. */
const REHASHES = 16;

/**
 * Envoy's `MAGLEV` (`maglev_lb.cc`; Eisenbud et al., NSDI 2016): a table of a prime size, which the members fill in
 * turns, each in an order of its own by XXH64 of its address with seeds 0 and 1; a key's place is XXH64 of it modulo
 * the size. While a call does not accept a member, the hash is changed as Envoy changes it with retry predicates;
 * where Envoy would take whom it finds, at the 17th, the table is gone through from there.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function envoyMaglev(options: EnvoyMaglevOptions = {}): Dialect {
  checkOptions('envoyMaglev', options, { tableSize: 1, name: 1 });
  const { tableSize = 65_537, name = address } = options;
  checkNumber('envoyMaglev tableSize', tableSize, 2, LARGEST, true);
  if (!isPrime(tableSize)) throw bad('envoyMaglev tableSize', tableSize, 'a prime', RangeError);
  return dialect('envoyMaglev', name, servers => new TableWalk(tableOf(servers, tableSize), servers.length));
}

function isPrime(n: number): boolean {
  for (let i = 2; i * i <= n; i++) if (n % i === 0) return false;
  return true;
}

/** Whose each place of the table is. */
export function tableOf(servers: readonly Server[], size: number): Int32Array {
  const table = new Int32Array(size).fill(-1);
  const total = servers.reduce((sum, { weight }) => sum + weight, 0);
  const weights = servers.map(({ weight }) => weight / total);
  const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  const targets = new Float64Array(servers.length);
  const at = new Uint32Array(servers.length);
  const steps = new Uint32Array(servers.length);
  const hash = new Uint32Array(2);
  servers.forEach(({ name }, i) => {
    const bytes = bytesOf(name);
    xxh64(bytes, written, 0, hash);
    at[i] = remainder(hash[0]!, hash[1]!, size);
    xxh64(bytes, written, 1, hash);
    steps[i] = remainder(hash[0]!, hash[1]!, size - 1) + 1;
  });
  const order = servers.map((_, i) => i).sort((a, b) => (servers[a]!.name < servers[b]!.name ? -1 : 1));
  let left = servers.length === 0 ? 0 : size;
  for (let round = 1; left > 0; round++) {
    for (const i of order) {
      if (left === 0) break;
      if (round * weights[i]! < targets[i]!) continue;
      targets[i]! += largest;
      let place = at[i]!;
      while (table[place]! >= 0) place = stepped(place, steps[i]!, size);
      table[place] = i;
      at[i] = stepped(place, steps[i]!, size);
      left--;
    }
  }
  return table;
}

const stepped = (place: number, step: number, size: number): number =>
  place + step < size ? place + step : place + step - size;

export class TableWalk implements Walk {
  readonly onward = 'by another hash';
  readonly #table: Int32Array;
  readonly #servers: number;
  readonly #hash: Uint32Array = new Uint32Array(2);
  #tries = 0;
  #place = 0;

  constructor(table: Int32Array, servers: number) {
    this.#table = table;
    this.#servers = servers;
  }

  start(key: string): void {
    const bytes = bytesOf(key);
    xxh64(bytes, written, 0, this.#hash);
    this.#tries = 0;
  }

  /** Sets out at a hash. */
  startAtHash(high: number, low: number): void {
    this.#hash[0] = high;
    this.#hash[1] = low;
    this.#tries = 0;
  }

  startAt(chance: number): void {
    this.startAtHash(Math.floor(chance * 2 ** 32), Math.floor(chance * 2 ** 52));
  }

  next(): number {
    const { length } = this.#table;
    const tries = this.#tries++;
    if (tries > REHASHES + length) return -1;
    if (tries > REHASHES) this.#place = stepped(this.#place, 1, length);
    else {
      // The hash with the bits changed that minus the number of the try has in 64 bits.
      const flip = tries === 0 ? 0 : 0xffffffff;
      this.#place = remainder((this.#hash[0]! ^ flip) >>> 0, (this.#hash[1]! ^ -tries) >>> 0, length);
    }
    return this.#table[this.#place]!;
  }

  /**
   * The n-th try changes the hash h to ~h with the bits of n - 1 turned, which moves its place from -h by what turning
   * them adds: that depends on the last four bits alone, each value of which is as likely.
   */
  shares(open: (server: number) => boolean): Float64Array {
    const table = this.#table;
    const { length } = table;
    const shares = new Float64Array(this.#servers);
    const mirror = remainder(0xffffffff, 0xffffffff, length);
    /** The first place at or after each, in two rounds, that belongs to one that is open. */
    const heirs = new Int32Array(length);
    for (let i = 2 * length - 1, heir = -1; i >= 0; i--) {
      if (table[i % length]! >= 0 && open(table[i % length]!)) heir = i % length;
      heirs[i % length] = heir;
    }
    if (length === 0 || heirs[0]! < 0) return shares;
    for (let place = 0; place < length; place++) {
      if (heirs[place] === place) {
        shares[table[place]!]! += 1 / length;
        continue;
      }
      for (let bits = 0; bits < REHASHES; bits++) {
        let found = 0;
        for (let turned = 0; turned < REHASHES; turned++) {
          found = (mirror - place + (bits ^ turned) - bits + REHASHES * length) % length;
          if (heirs[found] === found) break;
        }
        shares[table[heirs[found]!]!]! += 1 / length / REHASHES;
      }
    }
    return shares;
  }
}
