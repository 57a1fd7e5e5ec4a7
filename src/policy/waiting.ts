import type { AbortListener } from '../base/signal.ts';
import type { Call } from '../model/call.ts';
import type { PolicyContext } from './policy.ts';

/**
 * A call waits from now on: for its turn, or for its next attempt. `gaveUp` is told if it is to wait no longer, for it is given
 * up, or the client has drained for as long as it may. Answers what to call when it has waited long enough.
 */
export function waiting(call: Call, { waits }: PolicyContext, gaveUp: (reason: unknown) => void): () => void {
  const listener: AbortListener = {
    aborted(reason) {
      over();
      gaveUp(reason);
    },
  };
  const leave = waits?.(listener);
  const over = (): void => {
    call.unlisten(listener);
    leave?.();
  };
  call.listen(listener);
  return over;
}
