import { checkKind, type FailureKind } from '../base/failure-kind.ts';
import type { LoadReport } from './load.ts';
import { guarded, type Observer } from './observer.ts';

/** What an attempt says of its member: not whether the caller is pleased. */
export type Outcome =
  | 'success' // the member did its work: a 404 is a success
  | 'failure' // the member is at fault: refused, reset, timed out, 5xx
  | 'ignored'; // no evidence either way: the caller gave up, or made a mistake

/** Judges the results of one protocol. */
export interface Classifier {
  value(value: unknown): Outcome;
  error(error: unknown): Outcome;
  /** Whether the error shows that nothing was sent, so that any task may be run again. Default: by its code. */
  unsent?(error: unknown): boolean;
  /** How an attempt failed, by its error; of one that was an answer, say `answer`. Default, and if it does not say: by its code. */
  kind?(error: unknown): FailureKind | undefined;
  /** What of a value is still to come, such as the body of a response: while it lives, the caller may abort it. */
  arriving?(value: unknown): object | null | undefined;
  /**
   * For how many ms the failed attempt's value or error asks the member to be left alone, if it does. Less than 0: the
   * call is not to be tried again, at any member.
   */
  retryAfter?(result: unknown): number | undefined;
  /** What a value says of how busy the member is. Asked only if the balancer's loads take reports. */
  report?(value: unknown): LoadReport | undefined;
  /** Lets go of a value nobody will read, such as the body of a response to be retried. */
  discard?(value: unknown): void;
}

/** Any value is a success, any error the member's failure. The default where the protocol is unknown. */
export const anyError: Classifier = {
  value: () => 'success',
  error: () => 'failure',
};

/** What the classifier says of how an attempt failed, if it says anything: else the error's code does. */
export function kindBy(
  classifier: Classifier,
  error: unknown,
  observer: Observer | undefined,
): FailureKind | undefined {
  if (classifier.kind === undefined) return undefined;
  return guarded(observer, 'classifier', () => {
    const kind = classifier.kind!(error) as FailureKind | null | undefined;
    return kind == null ? undefined : checkKind('kind', kind);
  });
}
