/** Where a service can be reached, as discovery tells it. Plain data; never mutated. */
export interface Endpoint {
  /** Names the endpoint across updates, and places it on a hash ring. */
  readonly id: string;
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
  /** Its share of the traffic relative to the others: 1 if absent; 0 drains it. */
  readonly weight?: number;
  readonly zone?: string;
  /** 0, the first choice, if absent. Carried for balancers that heed it. */
  readonly priority?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}
