import { bad } from '../base/errors.ts';
import type { Endpoint } from '../model/endpoint.ts';

/** What stays of a URL without its authority. */
export interface Target {
  readonly scheme: string;
  /** Path, query and fragment, as the caller wrote them. */
  readonly rest: string;
}

/** @throws TypeError for what is neither an http or https URL without credentials nor a path */
export function readTarget(url: string, protocol: string): Target {
  if (url.startsWith('/') && !url.startsWith('//')) return { scheme: protocol, rest: url };
  const match = /^(https?):\/\/([^/?#\\]*)/i.exec(url);
  if (match === null) throw bad('the URL', url, 'an http or https URL, or a path that begins with /');
  if (match[2]!.includes('@'))
    throw new TypeError('the URL holds a user name or password; send a header instead');
  return { scheme: match[1]!.toLowerCase(), rest: url.slice(match[0].length) };
}

/** A URL as a string: to make a `URL` for each attempt costs more than to pick a member. */
export const urlAt = ({ host, port }: Endpoint, { scheme, rest }: Target): string =>
  host.includes(':') && !host.startsWith('[')
    ? `${scheme}://[${host}]:${port}${rest}`
    : `${scheme}://${host}:${port}${rest}`;
