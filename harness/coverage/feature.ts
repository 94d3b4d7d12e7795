/**
 * Features: what a program made a kernel do, as short texts that say nothing of the program, of numbers of
 * objects or of the run. Two programs that bring the same features show the same of a kernel.
 */

/** What is observed, the first word of a feature, and how the final statement calls it. */
export const FEATURE_KINDS = {
  /** `site epoll_ctl v11-CT4`: a step label that a system call, timer or worker reached. */
  site: 'sites',
  /** `race ep.lock: v11-MO1 < v11-RM6`: two threads one after the other at one object, not both reading. */
  race: 'racing pairs',
  /** `order ep.sem < ep.lock`: a lock of one class taken while one of another was held. */
  order: 'lock-order edges',
  /** `blocked ep.lock at v11-CT4`: somebody had to wait for the lock there. */
  blocked: 'locks waited for',
  /** `sleep 2.6-EP6 < wake pipe_write-PW11`, or the other way round: who came first. */
  sleep: 'sleeps before their wake-up',
  wake: 'wake-ups before their sleep',
  /** `timer sleep < wake pipe_write-PW11`, or `timer wake pipe_write-PW11 < sleep`. */
  timer: 'orders of timer and wake-up',
  /** `result epoll_wait EINTR`: what a call answered, without names and numbers. */
  result: 'results',
  /** `finding KASAN-UAF v11-MO1 / v11-RM6`: a signature. */
  finding: 'signatures',
} as const;

export type FeatureKind = keyof typeof FEATURE_KINDS;

/** The kind of a feature; null for text that is none. */
export function kindOf(feature: string): FeatureKind | null {
  const word = feature.slice(0, feature.indexOf(' '));
  // Only after a look whether it is one of them.
  return Object.hasOwn(FEATURE_KINDS, word) ? (word as FeatureKind) : null;
}

/** The same two places the other way round; null for what has no order, or is at one place. */
export function reversed(feature: string): string | null {
  const match = /^(race [^:]*: )(.*) < (.*)$/.exec(feature);
  if (match !== null) return `${match[1]}${match[3]} < ${match[2]}`;
  const slept = /^(sleep|wake) (.*) < (sleep|wake) (.*)$/.exec(feature);
  if (slept !== null) return `${slept[3]} ${slept[4]} < ${slept[1]} ${slept[2]}`;
  const fired = /^timer (.*) < (.*)$/.exec(feature);
  return fired === null ? null : `timer ${fired[2]} < ${fired[1]}`;
}
