/** What each kind of operation does to the state of its object, at the moment of its event. */

import type { Engine } from './engine.ts';
import { Kind, TIMER_RUNNING, TaskState } from './op.ts';
import { objectState, published } from './published.ts';
import type { OpObject, RwsemEffects } from './scenario.ts';

const state = objectState;
const arg2 = published.arg2;

/** The effect of thread t's operation on the object with number o; sets the result if it has one. */
export function applyEffect(
  m: Engine,
  t: number,
  kind: number,
  o: number,
  target: OpObject | null,
  arg: number,
  site: string,
): void {
  if (target !== null && target.mem !== null) m.observer.access(target.mem, site, kind);
  switch (kind) {
    case Kind.LOCK:
      state[o] = t + 1;
      m.observer.acquired(o, kind, site);
      break;
    case Kind.TRYLOCK:
      m.result = state[o] === 0 ? 1 : 0;
      if (m.result === 1) {
        state[o] = t + 1;
        m.observer.acquired(o, kind, site);
      }
      break;
    case Kind.UNLOCK:
      m.observer.released(o, kind, site);
      state[o] = 0;
      break;
    case Kind.SET:
      state[o] = arg;
      break;
    case Kind.WAKE:
      m.result = (state[o] & arg) !== 0 ? 1 : 0;
      if (m.result === 1) state[o] = TaskState.RUNNING;
      m.observer.woke(o, m.result === 1, site);
      break;
    case Kind.DOWN:
      state[o]--;
      break;
    case Kind.UP:
      state[o]++;
      break;
    case Kind.RLOCK:
      state[o]++;
      m.observer.acquired(o, kind, site);
      break;
    case Kind.RUNLOCK:
      m.observer.released(o, kind, site);
      state[o]--;
      break;
    case Kind.WLOCK:
      state[o] = -1 - t;
      m.observer.acquired(o, kind, site);
      break;
    case Kind.WUNLOCK:
      m.observer.released(o, kind, site);
      // A counting rwlock: an unlock of a lock that nobody holds leaves it in a state no writer can take.
      state[o] = state[o] < 0 ? 0 : state[o] + 1;
      break;
    case Kind.READ:
      m.result = state[o];
      break;
    case Kind.WRITE:
      m.result = state[o];
      state[o] = arg;
      break;
    case Kind.ADD:
      m.result = state[o];
      state[o] += arg;
      break;
    case Kind.RWSEM_ASK:
    case Kind.RWSEM_UP:
    case Kind.RWSEM_GRANT:
      applyRwsem(m, t, kind, target, arg, site);
      break;
    default:
      applyToTimers(m, t, kind, o, arg);
      break;
  }
}

function applyRwsem(
  m: Engine,
  t: number,
  kind: number,
  target: OpObject | null,
  arg: number,
  site: string,
): void {
  const sem = target as OpObject & RwsemEffects;
  if (kind === Kind.RWSEM_ASK) {
    m.result = sem.ask(t, arg === 1) ? 1 : 0;
    if (m.result === 1) m.observer.acquired(sem.id, arg === 1 ? Kind.WLOCK : Kind.RLOCK, site);
  } else if (kind === Kind.RWSEM_GRANT) {
    state[sem.id] &= ~(1 << t);
    m.observer.acquired(sem.id, arg === 1 ? Kind.WLOCK : Kind.RLOCK, site);
  } else {
    m.observer.released(sem.id, arg === 1 ? Kind.WUNLOCK : Kind.RUNLOCK, site);
    sem.up(arg === 1);
  }
}

/** Operations on the timer base; the object is the base, and the argument the timer. */
function applyToTimers(m: Engine, t: number, kind: number, o: number, timer: number): void {
  switch (kind) {
    case Kind.ARM:
      m.result = (state[o] & (1 << timer)) !== 0 ? 1 : 0;
      state[o] |= 1 << timer;
      m.deadline[timer] = arg2[t];
      break;
    case Kind.CANCEL:
      m.result = (state[o] & (1 << timer)) !== 0 ? 1 : 0;
      state[o] &= ~(1 << timer);
      break;
    case Kind.FIRE:
      // atomic because the base lock covers detaching the timer and marking its handler as running
      state[o] = (state[o] & ~(1 << t)) | (1 << (t + TIMER_RUNNING));
      if (m.deadline[t] > m.jiffies) m.jiffies = m.deadline[t];
      break;
    case Kind.EXPIRED:
      state[o] &= ~(1 << (t + TIMER_RUNNING));
      break;
    case Kind.NOW:
      m.result = m.jiffies;
      break;
    default:
      break;
  }
}
