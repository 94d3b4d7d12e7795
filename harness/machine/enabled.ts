/** When an operation that may block can go ahead. */

import type { Engine } from './engine.ts';
import { Kind } from './op.ts';

/** Whether thread t's operation of that kind could run with its object in that state. */
export function isEnabledIn(m: Engine, state: number, t: number, kind: number): boolean {
  switch (kind) {
    case Kind.LOCK:
    case Kind.AWAIT:
    case Kind.WLOCK:
      return state === 0;
    case Kind.JOIN:
      return (state & m.pArg[t]) === 0;
    case Kind.DOWN:
      return state > 0;
    case Kind.RLOCK:
      return state >= 0;
    case Kind.RWSEM_GRANT:
      return (state & (1 << t)) !== 0;
    case Kind.RELAX:
      return state !== m.pArg[t];
    case Kind.FIRE:
      return (state & (1 << t)) !== 0 && isTimeFor(m, t);
    default:
      return true;
  }
}

/** An armed timer may fire when it is due; whether time may move to its deadline is the timer mode. */
function isTimeFor(m: Engine, t: number): boolean {
  if (m.timers === 'any') return true;
  const deadline = m.deadline[t];
  if (deadline <= m.jiffies) return true;
  const armed = m.state[m.pObj[t]];
  for (let u = 0; u < m.width; u++) {
    if (!m.isLive(u) || u === t) continue;
    if (m.pKind[u] === Kind.FIRE) {
      if ((armed & (1 << u)) === 0) continue;
      if (m.deadline[u] < deadline) return false;
    } else if (m.isEnabled(u)) return false;
  }
  return true;
}

/**
 * What the log keeps of the state of a SER object before an event of thread t, to ask later what else could have come
 * there. Of the timer base: who could fire, not who is armed, since timers may have been moved by then.
 */
export function stateBefore(m: Engine, o: number, t: number): number {
  const state = m.state[o];
  if (o !== m.timerBase || m.timers === 'any') return state;
  const time = Math.max(m.jiffies, m.isBarrier(t) ? m.deadline[t] : 0);
  let future = 0;
  for (let u = 0; u < m.width; u++) if (m.deadline[u] > time) future |= 1 << u;
  return state & ~future;
}
