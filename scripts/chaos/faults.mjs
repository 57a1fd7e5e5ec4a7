// What a server does wrong with a request, by the kind of fault. Each is given how to answer well, and whether the
// connection has served before; it answers whether it has taken the request over. What comes before `execute()` is a
// request not carried out; where a fault comes after it, the request was, though its caller cannot know.

import { exponential, logNormal } from './dice.mjs';

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-le';

/** Answers with a status, and asks to be left alone for a second or two, in either form. */
const refuse =
  status =>
  ({ response, random }) => {
    const seconds = 1 + Math.floor(random() * 2);
    const retryAfter = random() < 0.5 ? String(seconds) : new Date(Date.now() + seconds * 1000).toUTCString();
    response.writeHead(status, { 'retry-after': retryAfter }).end('not now');
  };

/** What comes of half a body. */
const breakOff = (response, body, how) => {
  response.write(body.subarray(0, body.length >> 1));
  setTimeout(how, 3); // so that the head has arrived, and what there is of the body
};

export const FAULTS = {
  'reset in the head'({ execute, response: { socket } }) {
    execute();
    socket.write(HEAD);
    setTimeout(() => socket.resetAndDestroy(), 2);
  },
  'end in the head'({ execute, response: { socket } }) {
    execute();
    socket.end(HEAD);
  },
  'reset in the body'({ execute, response }) {
    const body = execute();
    response.writeHead(200, { 'content-length': body.length });
    breakOff(response, body, () => response.socket?.resetAndDestroy());
  },
  truncated({ execute, response }) {
    const body = execute();
    response.writeHead(200, { 'content-length': body.length });
    breakOff(response, body, () => response.socket?.end());
  },
  'chunks without the last'({ execute, response }) {
    const body = execute();
    response.writeHead(200);
    breakOff(response, body, () => response.socket?.end());
  },
  'stalled body'({ execute, response }) {
    const body = execute();
    response.writeHead(200, { 'content-length': body.length });
    response.write(body.subarray(0, body.length >> 1));
  },
  slow({ answer, random }) {
    setTimeout(answer, random() < 0.05 ? exponential(random, 1500) : logNormal(random, 60));
  },
  500(given) {
    given.execute();
    refuse(500)(given);
  },
  503: refuse(503),
  429: refuse(429),
  'closed when reused'({ reused, answer, response }) {
    if (reused) response.socket.destroy();
    else answer();
  },
  'closed after the answer'({ answer, response, random }) {
    const { socket } = response;
    response.on('finish', () => setTimeout(() => socket.destroy(), random() * 30));
    answer();
  },
};
