import type { Metric } from './load-report.ts';

/** The fields of `OrcaLoadReport` by number (`xds/data/orca/v3/orca_load_report.proto`). */
const DOUBLES: Readonly<Record<number, string>> = {
  1: 'cpu_utilization',
  2: 'mem_utilization',
  6: 'rps_fractional',
  7: 'eps',
  9: 'application_utilization',
};
const WHOLE: Readonly<Record<number, string>> = { 3: 'rps' };
const MAPS: Readonly<Record<number, string>> = { 5: 'utilization', 8: 'named_metrics' };

interface Field {
  readonly number: number;
  /** By its wire type: a whole number, a double or bytes; nothing for four bytes. */
  readonly value: number | Uint8Array | undefined;
}

/**
 * Reads an `OrcaLoadReport` in Protobuf's binary form. As there, the last of several values of a field holds.
 *
 * @throws TypeError or RangeError if it is none, or is cut off
 */
export function readProtobuf(bytes: Uint8Array): Metric[] {
  const metrics = new Map<string, unknown>();
  for (const { number, value } of fields(bytes)) {
    const name = (typeof value === 'number' ? (DOUBLES[number] ?? WHOLE[number]) : MAPS[number]) ?? '';
    if (name === '') continue;
    if (typeof value === 'number') metrics.set(name, value);
    else if (value !== undefined) {
      const [key, amount] = entry(value);
      metrics.set(`${name}.${key}`, amount);
    }
  }
  return [...metrics];
}

/** An entry of a map: a key of 1, a value of 2, and what is not there is empty or 0. */
function entry(bytes: Uint8Array): [key: string, value: number] {
  let key = '';
  let amount = 0;
  for (const { number, value } of fields(bytes)) {
    if (number === 1 && value instanceof Uint8Array) key = new TextDecoder().decode(value);
    if (number === 2 && typeof value === 'number') amount = value;
  }
  return [key, amount];
}

function* fields(bytes: Uint8Array): Generator<Field> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = view.getUint8(at++);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        yield { number, value: varint() };
        break;
      case 1:
        yield { number, value: view.getFloat64((at += 8) - 8, true) };
        break;
      case 2: {
        const length = varint();
        if (at + length > bytes.length) throw new RangeError('it is cut off');
        yield { number, value: bytes.subarray(at, at + length) };
        at += length;
        break;
      }
      case 5:
        if ((at += 4) > bytes.length) throw new RangeError('it is cut off');
        yield { number, value: undefined };
        break;
      default:
        throw new TypeError(`a field cannot be of the wire type ${tag % 8}`);
    }
  }
}
