/** A value as TypeScript has it: numbers, texts, booleans, nothing, arrays and records of them. */
export function source(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (Object.is(value, -0)) return '-0';
  if (value === null || typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return `[${value.map(source).join(', ')}]`;
  const fields = Object.entries(value).map(([name, field]) => `${JSON.stringify(name)}: ${source(field)}`);
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`;
}
