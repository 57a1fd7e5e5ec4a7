// All that the core may know of its surroundings beyond ECMAScript: abort signals. tsconfig.core.json checks
// the core against this file alone, with neither Node's nor the DOM's types.
interface AbortSignal {
  readonly aborted: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: as the platform types it
  readonly reason: any;
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}
interface AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}
declare var AbortController: new () => AbortController;
interface AsyncDisposable {
  [Symbol.asyncDispose](): PromiseLike<void>;
}
interface SymbolConstructor {
  readonly asyncDispose: unique symbol;
}
