import { bad } from '../base/errors.ts';
import { isUnsent } from '../base/failure-kind.ts';
import type { Classifier, Outcome } from '../model/outcome.ts';
import { parseLoadReport } from './load-report.ts';
import { isCallers } from './mistake.ts';
import { isDoubtful, isElsewhere } from './origin.ts';
import { pushbackOf } from './retry-after.ts';

/** Says of a result what it means, or nothing, for the standard verdict. */
export type Classify = (response: Response | undefined, error: unknown) => Outcome | undefined;

/**
 * The verdict on an HTTP exchange. Failures: no answer (refused, reset, timed out), 408, 429, and 5xx but for
 * 501 and 505, which tell of the request and not of the member. Everything else shows the member working.
 *
 * @param report is told what `classify` does wrong, and of the first header with a load report that cannot be read
 */
export function classifierOf(classify?: Classify, report: (error: unknown) => void = () => {}): Classifier {
  const said = (response: Response | undefined, error: unknown): Outcome | undefined => {
    if (classify === undefined) return undefined;
    try {
      const outcome: unknown = classify(response, error);
      if (outcome === undefined || outcome === 'success' || outcome === 'failure' || outcome === 'ignored') {
        return outcome;
      }
      throw bad('the answer of classify', outcome, `'success', 'failure', 'ignored' or undefined`);
    } catch (fault) {
      report(fault);
      return undefined;
    }
  };
  let complained = false;
  return {
    value: response => said(response as Response, undefined) ?? ofStatus((response as Response).status),
    error: error =>
      said(undefined, error) ?? (isCallers(error) || isElsewhere(error) ? 'ignored' : 'failure'),
    kind: error => (neverTried(error) ? 'connect' : undefined),
    unsent: error => !isDoubtful(error) && (isUnsent(error) || neverTried(error)),
    arriving: response => (response as Response).body,
    retryAfter: result => {
      const { headers } = (result ?? {}) as Partial<Response>;
      return typeof headers?.get === 'function' ? pushbackOf(headers) : undefined;
    },
    report: response => {
      const { headers, redirected } = response as Response;
      const header = loadHeaderOf(headers);
      if (header === undefined || redirected) return undefined; // another server's word
      const read = parseLoadReport(header);
      if (read === undefined && !complained) {
        complained = true; // the others will not be any better
        report(bad('the header with the load report', header, 'in the form TEXT, JSON or BIN of ORCA'));
      }
      return read;
    },
    discard: response => void (response as Response).body?.cancel().catch(() => {}),
  };
}

/** The standard verdict, for clients of your own that deal in `Response`s. */
export const httpClassifier: Classifier = /* @__PURE__ */ classifierOf();

/** The header that a load report comes in; gRPC's is without the name of its form. */
function loadHeaderOf(headers: Headers): string | undefined {
  const header = headers.get('endpoint-load-metrics');
  if (header !== null) return header;
  const binary = headers.get('endpoint-load-metrics-bin');
  return binary === null ? undefined : `BIN ${binary}`;
}

const ofStatus = (status: number): Outcome =>
  (status >= 500 && status !== 501 && status !== 505) || status === 429 || status === 408
    ? 'failure'
    : 'success';

/**
 * Whether `fetch` did not so much as connect: the endpoint's host makes no URL, its port is one that `fetch` refuses, or,
 * in the words of Deno, which has no codes, the connection failed.
 */
function neverTried(error: unknown): boolean {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { code?: unknown; message?: unknown } };
  if (code === 'ERR_INVALID_URL' || cause?.code === 'ERR_INVALID_URL') return true;
  return /^bad port$|client error \(Connect\)/.test(String(cause?.message));
}
