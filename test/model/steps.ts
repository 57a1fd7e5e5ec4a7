/** How many steps each model is walked in every run of the tests: 100 000 in all, at least. */
export const STEPS = {
  breaker: 40_000,
  outliers: 16_000,
  budget: 20_000,
  health: 12_000,
  pool: 12_000,
} as const;
