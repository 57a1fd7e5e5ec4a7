/** Something that may be in one chain. */
export interface Link<T> {
  older: T | undefined;
  newer: T | undefined;
}

/** A list that is made of its own members, so that joining and leaving are O(1) and allocate nothing. */
export class Chain<T extends Link<T>> {
  size = 0;
  oldest: T | undefined;
  newest: T | undefined;

  add(link: T): void {
    this.addBehind(this.newest, link);
  }

  /** Puts it behind another that is in the chain, or before all. */
  addBehind(behind: T | undefined, link: T): void {
    const before = behind === undefined ? this.oldest : behind.newer;
    link.older = behind;
    link.newer = before;
    if (behind === undefined) this.oldest = link;
    else behind.newer = link;
    if (before === undefined) this.newest = link;
    else before.older = link;
    this.size++;
  }

  /** Takes out one that must be in the chain. */
  remove(link: T): void {
    const { older, newer } = link;
    if (older === undefined) this.oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.newest = older;
    else newer.older = older;
    link.older = link.newer = undefined;
    this.size--;
  }
}
