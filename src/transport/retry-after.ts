/** No server can have itself left alone for longer, in ms. */
const LONGEST = 300_000;

/**
 * What a response says of another attempt: less than 0 if it wants none, else for how many ms it asks to be left alone,
 * if it does. It says no by `x-should-retry: false`, as many APIs do, or by a `grpc-retry-pushback-ms` (gRFC A6) below 0 or
 * that is no number; one from 0 stands for a `retry-after`, in ms.
 */
export function pushbackOf(headers: Pick<Headers, 'get'>): number | undefined {
  if (headers.get('x-should-retry')?.trim().toLowerCase() === 'false') return NEVER;
  const pushback = headers.get('grpc-retry-pushback-ms')?.trim();
  if (pushback === undefined) return retryAfterOf(headers);
  return /^\d+$/.test(pushback) ? Math.min(LONGEST, Number(pushback)) : NEVER;
}

const NEVER = -1;

/**
 * For how many ms a response asks to be left alone by its `retry-after` (RFC 9110, 10.2.3), up to 5 minutes: seconds,
 * or a date. A date is compared with the response's own, so that clocks need not agree; without one it says nothing.
 */
export function retryAfterOf(headers: Pick<Headers, 'get'>): number | undefined {
  const given = headers.get('retry-after')?.trim();
  if (given === undefined) return undefined;
  if (/^\d+$/.test(given)) return Math.min(LONGEST, Number(given) * 1000);
  const until = httpDate(given);
  const from = httpDate(headers.get('date')?.trim() ?? '');
  if (until === undefined || from === undefined) return undefined;
  return Math.min(LONGEST, Math.max(0, until - from));
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** Days of a year before its months. */
const BEFORE = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/** The three forms of RFC 9110, 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`, and those of old. */
const FORMS = [
  /^\w{3}, (?<day>\d{2}) (?<month>\w{3}) (?<year>\d{4}) (?<time>[\d:]{8}) GMT$/,
  /^\w{6,9}, (?<day>\d{2})-(?<month>\w{3})-(?<year>\d{2}) (?<time>[\d:]{8}) GMT$/,
  /^\w{3} (?<month>\w{3}) (?<day>[ \d]\d) (?<time>[\d:]{8}) (?<year>\d{4})$/,
];

/** A date of HTTP in ms from some day or other: only differences mean anything. */
function httpDate(text: string): number | undefined {
  for (const form of FORMS) {
    const { day, month, year: written, time } = form.exec(text)?.groups ?? {};
    const index = MONTHS.indexOf(month ?? '');
    const [, hours, minutes, seconds] = /^(\d\d):(\d\d):(\d\d)$/.exec(time ?? '') ?? [];
    if (index < 0 || seconds === undefined) continue;
    // Two digits are of this century: only a difference is asked for, and that of two dates near each other.
    const year = Number(written) + (written!.length === 2 ? 2000 : 0);
    const leaps = (y: number): number => Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400);
    const leap = index > 1 && leaps(year) > leaps(year - 1) ? 1 : 0;
    const days = year * 365 + leaps(year - 1) + BEFORE[index]! + leap + Number(day);
    return (((days * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
  }
  return undefined;
}
