/** The kernel's intrusive doubly linked list: unlinking twice follows NULL links and oopses. */

import { Oops } from './engine.ts';

/** A link. `owner` is the object it is part of; the list head has owner null. */
export class ListLink<T> {
  next: ListLink<T> | null = null;
  prev: ListLink<T> | null = null;
  readonly owner: T | null;

  constructor(owner: T | null) {
    this.owner = owner;
  }
}

/** A list head, linked to itself when empty. */
export class List<T> extends ListLink<T> {
  constructor() {
    super(null);
    this.next = this;
    this.prev = this;
  }

  isEmpty(): boolean {
    return this.next === this;
  }

  /** The first element, or null. */
  first(): T | null {
    return this.next === null ? null : this.next.owner;
  }

  /** The elements from the head; the list may be changed behind the element in hand. */
  [Symbol.iterator](): ListIterator<T> {
    return new ListIterator(this, this.next);
  }

  get size(): number {
    let n = 0;
    for (let link = this.next; link !== null && link !== this; link = link.next) n++;
    return n;
  }
}

/** Written out, as lists are walked at every wake-up and a generator costs more than the walk. */
class ListIterator<T> implements Iterator<T, undefined> {
  private readonly list: List<T>;
  private link: ListLink<T> | null;

  constructor(list: List<T>, first: ListLink<T> | null) {
    this.list = list;
    this.link = first;
  }

  next(): IteratorResult<T, undefined> {
    let { link } = this;
    // The head of another list is passed over: who is there has been moved while the walk was under way.
    while (link !== null && link !== this.list && link.owner === null) link = link.next;
    if (link === null || link.owner === null) return { done: true, value: undefined };
    this.link = link.next;
    return { done: false, value: link.owner };
  }
}

/** Inserts at the head. */
export function listAdd<T>(link: ListLink<T>, list: List<T>): void {
  insert(link, list, list.next);
}

/** Inserts at the tail. */
export function listAddTail<T>(link: ListLink<T>, list: List<T>): void {
  insert(link, list.prev, list);
}

function insert<T>(link: ListLink<T>, prev: ListLink<T> | null, next: ListLink<T> | null): void {
  if (prev === null || next === null) throw new Oops('list_add', 'list_add on a NULL link');
  next.prev = link;
  link.next = next;
  link.prev = prev;
  prev.next = link;
}

/** list_del: unlinks and poisons; a second time is a NULL dereference. */
export function listDel<T>(link: ListLink<T>, site: string): void {
  const { next, prev } = link;
  if (next === null || prev === null)
    throw new Oops(site, 'list_del of an entry that is not on a list');
  next.prev = prev;
  prev.next = next;
  link.next = null;
  link.prev = null;
}

/** list_del_init: unlinks and may be done again. */
export function listDelInit<T>(link: ListLink<T>): void {
  const { next, prev } = link;
  if (next === null || prev === null) return;
  next.prev = prev;
  prev.next = next;
  link.next = null;
  link.prev = null;
}

export function isLinked<T>(link: ListLink<T>): boolean {
  return link.next !== null;
}
