/** Generated calls off the beaten track: the device's own, and odd arguments. */

import type { Arg } from '../program.ts';
import { eventsFor, pickSet, pickTarget, type Step } from './calls.ts';
import { pick } from './draw.ts';
import { call, flags, freshName, int, name } from './world.ts';

/** The device's own calls: mappings and page management. */
export const device: Step = (actor) => {
  const { world } = actor;
  const { draw } = world;
  const set = pickSet(actor);
  if (set === null || !world.profile.device) return [];
  const fd = name(set.name);
  switch (draw.int(0, 5)) {
    case 0:
      return [call([freshName(world, 'u')], 'munmap', [flags('ALL'), fd])];
    case 1: {
      const [map] = actor.mappings;
      return map === undefined ? [] : [call([freshName(world, 'u')], 'munmap', [name(map)])];
    }
    case 2: {
      const map = freshName(world, 'm');
      actor.mappings.push(map);
      return [call([map], 'mmap', [fd, int(2)])];
    }
    case 3:
      return [call([freshName(world, 'i')], 'ioctl', [fd, flags('EP_FREE')])];
    case 4:
      return [
        call([freshName(world, 'i')], 'ioctl', [
          fd,
          flags('EP_ALLOC'),
          int(pick(draw, [1, 100, 513])),
        ]),
      ];
    default: {
      const target = pickTarget(actor);
      return target === null
        ? []
        : [call([freshName(world, 'i')], 'ioctl', [fd, flags('EP_ISPOLLED'), name(target.name)])];
    }
  }
};

/** Odd arguments: bad descriptors, guessed numbers, unknown operations, bad buffers. */
export const odd: Step = (actor) => {
  const { world } = actor;
  const { draw } = world;
  const set = pickSet(actor);
  const target = pickTarget(actor);
  if (set === null || target === null) return [];
  const [epfd, fd] = [name(set.name), name(target.name)];
  const events = eventsFor(world, target);
  const op = pick(draw, ['EPOLL_CTL_ADD', 'EPOLL_CTL_MOD', 'EPOLL_CTL_DEL']);
  const guess = int(draw.int(-1, 9));
  switch (draw.int(0, 5)) {
    case 0:
      return [call([freshName(world, 'k')], 'epoll_ctl', [guess, flags(op), fd, events])];
    case 1:
      return [call([freshName(world, 'k')], 'epoll_ctl', [epfd, flags(op), guess, events])];
    case 2:
      return [
        call([freshName(world, 'k')], 'epoll_ctl', [epfd, int(pick(draw, [0, 5, 99])), fd, events]),
      ];
    case 3:
      return [
        call([freshName(world, 'k')], 'epoll_ctl', [
          epfd,
          flags(op),
          fd,
          { kind: 'pointer', where: 'BAD' },
        ]),
      ];
    case 4: {
      const buf: Arg = { kind: 'labelled', label: 'buf', value: { kind: 'pointer', where: 'BAD' } };
      return [call([freshName(world, 'x')], 'epoll_wait', [epfd, int(8), int(0), buf])];
    }
    default:
      return [
        call([freshName(world, 'x')], 'epoll_wait', [epfd, int(pick(draw, [0, -1])), int(0)]),
      ];
  }
};
