/**
 * Finds a port that `take` can take. Below those that outgoing connections are given, so that a server which is
 * restarted finds its port free.
 */
export async function takePort<T>(take: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await take(20_000 + Math.floor(Math.random() * 10_000));
    } catch (error) {
      if (attempt === 20 || !/EADDRINUSE|already in use/.test(String(error))) throw error;
    }
  }
}
