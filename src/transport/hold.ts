/**
 * Reads the body of a response ahead, if it comes to no more than `most` bytes, so that what breaks off does so before
 * anybody has the response. Rejects as reading does. The response is the very same, and its body is there to be read.
 *
 * A longer body, and one that need not end soon (`text/event-stream`), goes on as it comes: once `most` bytes are there,
 * or at once where its head tells. So does one that a redirect led to: it is another server's.
 */
export async function hold(response: Response, most: number): Promise<Response> {
  const { headers, redirected } = response;
  if (response.body === null || redirected || Number(headers.get('content-length')) > most) return response;
  if (/^text\/event-stream\b/i.test(headers.get('content-type') ?? '')) return response;
  // A branch of the stream and not a response of its own: that would have neither `url` nor `redirected`.
  const reader = response.clone().body!.getReader();
  for (let size = 0; size <= most; ) {
    const { done, value } = await reader.read();
    if (done) return response;
    size += value.length;
  }
  reader.cancel().catch(() => {}); // waits for the other branch to be cancelled, too
  return response;
}
