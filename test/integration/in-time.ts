/** Waits for what must happen soon: at worst the machine is slow, so the bound is far away. */
export async function inTime<T>(promise: Promise<T>, complaint: string | (() => string)): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`${typeof complaint === 'string' ? complaint : complaint()} within 20 s`));
    }, 20_000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
