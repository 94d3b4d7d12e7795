/** What each kind of operation does to the state of its object, at the moment of its event. */

import type { Engine } from './engine.ts';
import { Kind, TIMER_RUNNING, TaskState } from './op.ts';
import type { OpObject, RwsemEffects } from './scenario.ts';

/** The effect of the published operation. */
export function applyEffect(m: Engine, t: number): void {
  m.operations++;
  const kind = m.pKind[t];
  const o = m.pObj[t];
  const state = m.state;
  const target = m.pTarget[t];
  if (target !== null && target.mem !== null) m.observer.access(target.mem, m.pSite[t], kind);
  switch (kind) {
    case Kind.LOCK:
      state[o] = t + 1;
      m.observer.acquired(o, kind, m.pSite[t]);
      break;
    case Kind.TRYLOCK:
      m.result = state[o] === 0 ? 1 : 0;
      if (m.result === 1) {
        state[o] = t + 1;
        m.observer.acquired(o, kind, m.pSite[t]);
      }
      break;
    case Kind.UNLOCK:
      m.observer.released(o, kind, m.pSite[t]);
      state[o] = 0;
      break;
    case Kind.SET:
      state[o] = m.pArg[t];
      break;
    case Kind.WAKE:
      m.result = (state[o] & m.pArg[t]) !== 0 ? 1 : 0;
      if (m.result === 1) state[o] = TaskState.RUNNING;
      m.observer.woke(o, m.result === 1, m.pSite[t]);
      break;
    case Kind.DOWN:
      state[o]--;
      break;
    case Kind.UP:
      state[o]++;
      break;
    case Kind.RLOCK:
      state[o]++;
      m.observer.acquired(o, kind, m.pSite[t]);
      break;
    case Kind.RUNLOCK:
      m.observer.released(o, kind, m.pSite[t]);
      state[o]--;
      break;
    case Kind.WLOCK:
      state[o] = -1 - t;
      m.observer.acquired(o, kind, m.pSite[t]);
      break;
    case Kind.WUNLOCK:
      m.observer.released(o, kind, m.pSite[t]);
      // A counting rwlock: an unlock of a lock that nobody holds leaves it in a state no writer can take.
      state[o] = state[o] < 0 ? 0 : state[o] + 1;
      break;
    case Kind.RWSEM_ASK:
    case Kind.RWSEM_UP:
    case Kind.RWSEM_GRANT:
      applyRwsem(m, t, kind, target);
      break;
    case Kind.ARM:
      m.result = (state[o] & (1 << m.pArg[t])) !== 0 ? 1 : 0;
      state[o] |= 1 << m.pArg[t];
      m.deadline[m.pArg[t]] = m.pArg2[t];
      break;
    case Kind.CANCEL:
      m.result = (state[o] & (1 << m.pArg[t])) !== 0 ? 1 : 0;
      state[o] &= ~(1 << m.pArg[t]);
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
    case Kind.READ:
      m.result = state[o];
      break;
    case Kind.WRITE:
      m.result = state[o];
      state[o] = m.pArg[t];
      break;
    case Kind.ADD:
      m.result = state[o];
      state[o] += m.pArg[t];
      break;
    default:
      break;
  }
}

function applyRwsem(m: Engine, t: number, kind: number, target: OpObject | null): void {
  const sem = target as OpObject & RwsemEffects;
  if (kind === Kind.RWSEM_ASK) {
    m.result = sem.ask(t, m.pArg[t] === 1) ? 1 : 0;
    if (m.result === 1)
      m.observer.acquired(sem.id, m.pArg[t] === 1 ? Kind.WLOCK : Kind.RLOCK, m.pSite[t]);
  } else if (kind === Kind.RWSEM_GRANT) {
    m.state[sem.id] &= ~(1 << t);
    m.observer.acquired(sem.id, m.pArg[t] === 1 ? Kind.WLOCK : Kind.RLOCK, m.pSite[t]);
  } else {
    m.observer.released(sem.id, m.pArg[t] === 1 ? Kind.WUNLOCK : Kind.RUNLOCK, m.pSite[t]);
    sem.up(m.pArg[t] === 1);
  }
}
