// What the run is made of. Times in ms.

export const HOST = '127.0.0.1';
export const SERVERS = 12;
/** With more servers faulty at once nothing is promised. */
export const MOST_FAULTY = SERVERS / 2;

/** Calls a second, however slow the answers: at random. Half of them where the machine is too busy for more. */
export const RATE = 100;
/** As many come in any span of time as in another, but for so many. */
export const BLOCK = 10;
/** What share of the calls may not be carried out twice (POST), and may but has a body (PUT). The others are GETs. */
export const POSTS = 0.2;
export const PUTS = 0.15;

export const ATTEMPT_TIMEOUT = 500;
/** After which the caller gives a call up, come what may; the time that the machine kept it waiting apart. */
export const LONGEST_CALL = 5000;
/** The budget of `retry()`: so many retries a call, and a second in any case, over so many ms. */
export const BUDGET = { ratio: 0.2, minPerSecond: 10, window: 10_000 };

/** Before anything is measured. */
export const WARM_UP = 3000;
export const CALM = 12_000;
export const STORM = 56_000;
/** How soon after a storm the shares must be even again, and for how long they are then counted; longer with fewer calls. */
export const SETTLE = 5000;
export const EVEN = 12_000;
export const DOWN = 10_000;
/** For how long the caller may go on after `close()`. */
export const EXIT = 2000;
/** After which the run is given up. */
export const LONGEST = 400_000;

/** How long a fault lasts, from and to, and how long it takes until the next begins, on average. */
export const FAULT = [2000, 5000];
export const GAP = 450;
/** How long a fault lasts that strikes half of the servers in the same moment. */
export const VOLLEY = 4000;

/** A server that the machine leaves waiting for so long is not well; nor is a caller. */
export const LEFT_WAITING = 250;
/** What share of the storm's calls must be promised anything, else the run shows nothing. */
export const PROMISED = 0.75;
/** What share of the time a machine may leave processes waiting that is fit for this; on another a run is repeated, once. */
export const FIT = 0.2;
/** What share of a processor a process must get before a run begins, and for how long that is waited for. */
export const ENOUGH = 0.5;
export const PATIENCE = 20_000;

/** How often the caller asks the registry. */
export const POLL = 300;
