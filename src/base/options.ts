import { bad } from './errors.ts';

/** The names of all options, for `checkOptions`. */
export type Names<Options> = { readonly [Name in keyof Options]-?: 1 };

/** Options with all defaults in. */
export type Settled<Options> = { readonly [Name in keyof Options]-?: Exclude<Options[Name], undefined> };

/**
 * Checks that options are an object, and that it has no others: nobody would heed them. An instance of a class may have
 * more about it. Answers them.
 *
 * @param name of the function that they are given to
 */
export function checkOptions<Options extends object>(
  name: string,
  options: Options,
  names: Names<Options>,
): Options {
  if (typeof options === 'function') throw uncalled(name);
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw bad(`${name} options`, options, 'an object');
  const kind: unknown = Object.getPrototypeOf(options);
  if (kind !== null && kind !== Object.prototype) return options;
  for (const given of Object.keys(options)) {
    if (Object.hasOwn(names, given)) continue;
    if (!('env' in names) && ['clock', 'host'].some(key => key in options && !(key in names)))
      throw uncalled(name);
    const known = Object.keys(names);
    const near = known.find(each => isNear(each.toLowerCase(), given.toLowerCase()));
    const hint = near === undefined ? `it has ${known.join(', ')}` : `did you mean ${near}?`;
    throw new TypeError(`${name} has no option ${given}; ${hint}`);
  }
  return options;
}

/** Given where what it makes belongs, it was handed what is for that: a run, an `Env` or an endpoint. */
export const uncalled = (name: string): TypeError =>
  new TypeError(`${name} must be called where it is given: ${name}(), not ${name}`);

/** Whether so few letters differ that one may be a slip for the other: a third of them (by Levenshtein's distance). */
function isNear(a: string, b: string): boolean {
  let above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const row = [i + 1];
    for (let j = 0; j < b.length; j++)
      row.push(Math.min(row[j]! + 1, above[j + 1]! + 1, above[j]! + (a[i] === b[j] ? 0 : 1)));
    above = row;
  }
  return above[b.length]! <= Math.max(1, b.length / 3);
}
