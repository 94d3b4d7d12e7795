/**
 * Kernel functions without a generator of their own: those that turn out to need no operation, and those that need one
 * and then compute their answer from what they find.
 *
 * What these functions return is consumed by the `yield*` in front of the call, at once and in no other way: all calls
 * share one iterator each.
 */

import { engine, type Kernel } from './engine.ts';
import { iteratorOf } from './iterator.ts';
import { MAX_THREADS } from './op.ts';

const given: IteratorReturnResult<unknown> = { done: true, value: undefined };
const givenIterator = iteratorOf(() => given);

/** The answer of a kernel function that needs no operation this time. */
export function atOnce<T>(value: T): Kernel<T> {
  given.value = value;
  // What the one caller of the moment gave is what it gets.
  return givenIterator as Kernel<T>;
}

type Then = (a: unknown, b: unknown, result: number) => unknown;

const noThen: Then = () => undefined;
const thens: Then[] = new Array<Then>(MAX_THREADS).fill(noThen);
const steps: Kernel<number>[] = new Array<Kernel<number>>(MAX_THREADS).fill(engine.step);
const firsts: unknown[] = new Array<unknown>(MAX_THREADS).fill(null);
const seconds: unknown[] = new Array<unknown>(MAX_THREADS).fill(null);
const computed: IteratorReturnResult<unknown> = { done: true, value: undefined };

const thenIterator = iteratorOf<unknown>(() => {
  const t = engine.current;
  const step = steps[t].next();
  if (step.done !== true) return step;
  computed.value = thens[t](firsts[t], seconds[t], step.value);
  return computed;
});

type More = (a: unknown, b: unknown, result: number) => Kernel<number> | null;

const mores: (More | null)[] = new Array<More | null>(MAX_THREADS).fill(null);

const moreIterator = iteratorOf<number>(() => {
  const t = engine.current;
  let step = steps[t].next();
  while (step.done === true) {
    const more = mores[t];
    const next = more === null ? null : more(firsts[t], seconds[t], step.value);
    mores[t] = null;
    if (next === null) return step;
    steps[t] = next;
    step = next.next();
  }
  return step;
});

/** One operation, and then the one that `more(a, b, its result)` publishes, unless that is null. */
export function andMaybe<A, B>(
  step: Kernel<number>,
  more: (a: A, b: B, result: number) => Kernel<number> | null,
  a: A,
  b: B,
): Kernel<number> {
  const t = engine.current;
  steps[t] = step;
  // These belong together, and come back together.
  mores[t] = more as More;
  firsts[t] = a;
  seconds[t] = b;
  return moreIterator;
}

/**
 * One operation, and then `then(a, b, its result)` in the same step: `step` is the call that publishes it. What `then`
 * does is atomic with the operation, as what stands behind a `yield*`.
 */
export function andThen<A, B, T>(
  step: Kernel<number>,
  then: (a: A, b: B, result: number) => T,
  a: A,
  b: B,
): Kernel<T> {
  const t = engine.current;
  // These belong together, and come back together.
  steps[t] = step;
  thens[t] = then as Then;
  firsts[t] = a;
  seconds[t] = b;
  return thenIterator as Kernel<T>;
}
