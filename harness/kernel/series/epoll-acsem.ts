/**
 * epoll-acsem: the serialisation announced in the thread on 2002-10-29 and merged in 2.5.45 (1.8 of the document).
 *
 * A rw semaphore for each set is held for writing over lookup and action, in epoll_ctl and in write(2); ADD always
 * asks for ERR and HUP; epoll_create takes one mount reference. Lock order: ep.acsem before everything of v11.
 */

import { SideTable, RwSem, downWrite, kmalloc, upWrite, type Kernel } from '../../machine/index.ts';
import { EP_CTL_DEL, EP_CTL_MOD } from '../drivers/char/eventpoll-calls.ts';
import type { EntryPoints, EventPoll } from '../drivers/char/eventpoll.ts';
import { HarnessBug } from '../../machine/op.ts';
import { POLLERR, POLLHUP } from '../poll-bits.ts';
import type { Parts2544 } from '../build-2.5.44.ts';
import { SYS_EPOLL_THREAD, type Patch } from './patch.ts';

// Patch: epoll-acsem. The field it adds to struct eventpoll.
const acsems = new SideTable<EventPoll, RwSem>();

function acsemOf(ep: EventPoll): RwSem {
  const acsem = acsems.get(ep);
  if (acsem === undefined)
    throw new HarnessBug('Cannot find the acsem of a set: it was made without the patch');
  return acsem;
}

/** Runs `action` with the set's acsem held for writing. */
function* serialised(ep: EventPoll, action: () => Kernel<number>): Kernel<number> {
  yield* downWrite(acsemOf(ep), 'v11-CT4-acsem');
  const result = yield* action();
  yield* upWrite(acsemOf(ep), 'v11-CT5-acsem');
  return result;
}

function withAcsem(base: EntryPoints): EntryPoints {
  return {
    ...base,
    epInit(ep) {
      base.epInit(ep);
      acsems.set(ep, new RwSem('ep.acsem', ep.mem));
    },
    takeReferences(references) {
      references.mounts.push(kmalloc('vfsmount reference', 'v11-EC5-mntget'));
      references.dentryCount++;
    },
    ctlAction(ep, op, fd, events) {
      const adds = op !== EP_CTL_DEL && op !== EP_CTL_MOD;
      const wanted = adds ? events | POLLERR | POLLHUP : events;
      return serialised(ep, () => base.ctlAction(ep, op, fd, wanted));
    },
    writeElements(ep, address, count) {
      return serialised(ep, () => base.writeElements(ep, address, count));
    },
  };
}

export const epollAcsem: Patch<Parts2544> = {
  name: 'epoll-acsem',
  title:
    'serialises epoll_ctl and write(2) of a set; ADD always asks for ERR and HUP; one mount reference',
  seed: SYS_EPOLL_THREAD,
  base: '2.5.44',
  requires: ['sys_epoll-v11'],
  replaces: ['ep_getfd', 'ep_init', 'sys_epoll_ctl', 'write_eventpoll'],
  apply: (parts) => ({ ...parts, epoll: parts.epoll === null ? null : withAcsem(parts.epoll) }),
};
