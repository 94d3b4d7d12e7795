/** Single generated calls, each valid for what the actor can name. */

import type { Arg, Call, Condition } from '../program.ts';
import { chance, pick, pickWeighted } from './draw.ts';
import {
  call,
  flags,
  freshName,
  int,
  name,
  ofKind,
  pickHot,
  type Actor,
  type Descriptor,
  type World,
} from './world.ts';

/** A step makes some calls, or none where what it needs is not there. */
export type Step = (actor: Actor) => readonly Call[];

function sizeOf(world: World): Arg {
  return int(pick(world.draw, world.sizes));
}

/** Readers often take all there is. */
function readSize(world: World): Arg {
  return chance(world.draw, 40) ? int(4096) : sizeOf(world);
}

/** Mostly the first set. */
export function pickSet(actor: Actor): Descriptor | null {
  const sets = ofKind(actor, 'set', 'device');
  if (sets.length === 0) return null;
  return chance(actor.world.draw, 75) ? sets[0] : pick(actor.world.draw, sets);
}

/** Event sets that make sense for a descriptor, with trigger bits where the kernel has them. */
export function eventsFor(world: World, target: Descriptor): Arg {
  const { draw, profile } = world;
  const both: readonly (readonly string[])[] = [
    ['EPOLLIN'],
    ['EPOLLIN'],
    ['EPOLLOUT'],
    ['EPOLLIN', 'EPOLLOUT'],
  ];
  const natural =
    target.kind === 'pipe-write'
      ? [['EPOLLOUT']]
      : target.kind === 'socket' || target.kind === 'eventfd'
        ? both
        : [['EPOLLIN']];
  const names = chance(draw, 6) ? ['EPOLLIN', 'EPOLLOUT'] : [...pick(draw, natural)];
  if (chance(draw, 6)) names.push(pick(draw, ['EPOLLHUP', 'EPOLLERR', 'EPOLLPRI']));
  if (profile.rdhup && target.kind === 'socket' && chance(draw, 10)) names.push('EPOLLRDHUP');
  if (profile.triggers && chance(draw, 40)) names.push('EPOLLET');
  if (profile.triggers && chance(draw, 15)) names.push('EPOLLONESHOT');
  return flags(...names);
}

/** epoll_ctl(), or its like on the device. */
export function ctl(
  actor: Actor,
  how: { set: Descriptor; target: Descriptor; op: string; bound: boolean },
): Call[] {
  const { world } = actor;
  const { set, target, op } = how;
  const bind = how.bound ? [freshName(world, 'k')] : [];
  const key = `${set.name} ${target.name}`;
  if (op === 'EPOLL_CTL_DEL') world.registered.delete(key);
  else world.registered.add(key);
  const events = op === 'EPOLL_CTL_DEL' ? int(0) : eventsFor(world, target);
  if (set.kind !== 'device' || chance(world.draw, 40)) {
    return [call(bind, 'epoll_ctl', [name(set.name), flags(op), name(target.name), events])];
  }
  const pollEvents = op === 'EPOLL_CTL_DEL' ? flags('POLLREMOVE') : asPoll(events);
  const entries = [{ fd: name(target.name), events: pollEvents }];
  return [call(bind, 'write', [name(set.name), { kind: 'pollfds', entries }])];
}

function asPoll(events: Arg): Arg {
  if (events.kind !== 'flags') return events;
  return flags(...events.names.map((flag) => flag.replace(/^EPOLL/, 'POLL')));
}

/** What can be registered; sets too, but seldom. */
export function pickTarget(actor: Actor): Descriptor | null {
  const { draw } = actor.world;
  if (chance(draw, 4)) return pickHot(actor.world, ofKind(actor, 'set', 'other'));
  return pickHot(
    actor.world,
    ofKind(actor, 'pipe-read', 'pipe-write', 'socket', 'listener', 'eventfd', 'timerfd'),
  );
}

/** Prefers targets the set has (or, for ADD, has not) been given, three times in four. */
function ctlStep(op: string): Step {
  return (actor) => {
    const { world } = actor;
    const set = pickSet(actor);
    let target = pickTarget(actor);
    if (set === null || target === null) return [];
    const wanted = !op.startsWith('EPOLL_CTL_ADD');
    for (let tries = 0; tries < 3; tries++) {
      if (world.registered.has(`${set.name} ${target.name}`) === wanted) break;
      if (chance(world.draw, 25)) break;
      target = pickTarget(actor) ?? target;
    }
    return ctl(actor, { set, target, op, bound: true });
  };
}

export const add: Step = (actor) =>
  ctlStep(
    actor.world.profile.addAndTest && chance(actor.world.draw, 50)
      ? 'EPOLL_CTL_ADD_AND_TEST'
      : 'EPOLL_CTL_ADD',
  )(actor);
export const modify: Step = ctlStep('EPOLL_CTL_MOD');
export const remove: Step = ctlStep('EPOLL_CTL_DEL');

/** epoll_wait() or what the device and later kernels have in its place. */
export function wait(actor: Actor, when?: Condition): Call[] {
  const { world } = actor;
  const set = pickSet(actor);
  if (set === null) return [];
  const { draw, profile } = world;
  const timeout = int(
    pickWeighted(draw, [
      [68, -1],
      [26, 0],
      [6, 20],
    ]),
  );
  const bind = [freshName(world, 'x')];
  if (set.kind === 'device' && chance(draw, 40)) {
    return [call(bind, 'ioctl', [name(set.name), flags('EP_POLL'), timeout], when)];
  }
  const args = [name(set.name), int(chance(draw, 75) ? 8 : 1), timeout];
  if (profile.calls.has('epoll_pwait') && chance(draw, 5)) {
    const signals = chance(draw, 50) ? [] : ['SIGUSR1'];
    return [call(bind, 'epoll_pwait', [...args, { kind: 'signals', names: signals }], when)];
  }
  return [call(bind, 'epoll_wait', args, when)];
}

/** The edge-triggered habit: try first, wait only after EAGAIN. */
export const probeThenWait: Step = (actor) => {
  const [probe] = chance(actor.world.draw, 50) ? read(actor) : write(actor);
  const [result] = probe?.bind ?? [];
  if (probe === undefined || result === undefined) return [];
  const eagain: Condition = {
    name: result,
    negated: false,
    value: { kind: 'errno', errno: 'EAGAIN' },
  };
  return [probe, ...wait(actor, eagain)];
};

/** Waits, then reads if that descriptor was reported. */
export const waitThenRead: Step = (actor) => {
  const [waiting] = wait(actor);
  const source = pickHot(actor.world, ofKind(actor, 'pipe-read', 'socket'));
  const [result] = waiting?.bind ?? [];
  if (waiting === undefined || source === null || result === undefined) return [];
  const value = {
    kind: 'events',
    ordered: false,
    entries: [{ name: source.name, mask: 1, atLeast: true }],
  } as const;
  const count = sizeOf(actor.world);
  const bind = [freshName(actor.world, 'y')];
  const when: Condition =
    waiting.name === 'ioctl'
      ? { name: result, negated: true, value: { kind: 'int', value: 0 } }
      : { name: result, negated: false, value };
  return [waiting, call(bind, 'read', [name(source.name), count], when)];
};

export const waitStep: Step = (actor) => wait(actor);

/** read(), or the like of an eventfd. */
export const read: Step = (actor) => {
  const { world } = actor;
  const source = pickHot(world, ofKind(actor, 'pipe-read', 'socket', 'eventfd'));
  if (source === null) return [];
  const bind = [freshName(world, 'y')];
  return source.kind === 'eventfd'
    ? [call(bind, 'eventfd_read', [name(source.name)])]
    : [call(bind, 'read', [name(source.name), readSize(world)])];
};

export const write: Step = (actor) => {
  const { world } = actor;
  const sink = pickHot(world, ofKind(actor, 'pipe-write', 'socket', 'eventfd'));
  if (sink === null) return [];
  const bind = [freshName(world, 'n')];
  return sink.kind === 'eventfd'
    ? [call(bind, 'eventfd_write', [name(sink.name), int(1)])]
    : [call(bind, 'write', [name(sink.name), sizeOf(world)])];
};

export const close: Step = (actor) => {
  const { world } = actor;
  const victims = chance(world.draw, 80)
    ? actor.descriptors.filter((d) => d.kind !== 'set' && d.kind !== 'device')
    : actor.descriptors;
  const victim = pickHot(world, victims);
  return victim === null ? [] : [call([freshName(world, 'q')], 'close', [name(victim.name)])];
};

/** dup() of an end; the copy can be used from here on. */
export const duplicate: Step = (actor) => {
  const { world } = actor;
  const source = pickHot(
    world,
    actor.descriptors.filter((d) => d.kind !== 'set' && d.kind !== 'device'),
  );
  if (source === null) return [];
  const copy = freshName(world, 'd');
  actor.descriptors.push({ ...source, name: copy });
  return [call([copy], 'dup', [name(source.name)])];
};

/** A pipe opened anew for reading, through /proc: another open file on the same pipe. */
export const reopen: Step = (actor) => {
  const { world } = actor;
  const source = pickHot(world, ofKind(actor, 'pipe-read'));
  if (source === null) return [];
  const copy = freshName(world, 'o');
  actor.descriptors.push({ ...source, name: copy, blocking: true });
  return [call([copy], 'open', [{ kind: 'string', value: '/proc/self/fd/' }, name(source.name)])];
};

/** Makes an end non-blocking, or blocking again. */
export const setFlags: Step = (actor) => {
  const { world } = actor;
  const end = pickHot(world, ofKind(actor, 'pipe-read', 'pipe-write', 'socket'));
  if (end === null) return [];
  const mode = chance(world.draw, 70) ? flags('O_NONBLOCK') : int(0);
  return [call([freshName(world, 'z')], 'fcntl', [name(end.name), flags('F_SETFL'), mode])];
};

export const shutdown: Step = (actor) => {
  const socket = pickHot(actor.world, ofKind(actor, 'socket'));
  if (socket === null) return [];
  const how = pick(actor.world.draw, ['SHUT_RD', 'SHUT_WR', 'SHUT_RDWR']);
  return [call([freshName(actor.world, 'h')], 'shutdown', [name(socket.name), flags(how)])];
};

export const connect: Step = (actor) => {
  const listener = pickHot(actor.world, ofKind(actor, 'listener'));
  if (listener === null) return [];
  const c = freshName(actor.world, 'c');
  actor.descriptors.push({ name: c, kind: 'socket', channel: listener.channel, blocking: false });
  return [call([c], 'connect', [name(listener.name), flags('SOCK_NONBLOCK')])];
};

export const accept: Step = (actor) => {
  const listener = pickHot(actor.world, ofKind(actor, 'listener'));
  if (listener === null) return [];
  const a = freshName(actor.world, 'a');
  actor.descriptors.push({ name: a, kind: 'socket', channel: listener.channel, blocking: false });
  return [call([a], 'accept', [name(listener.name), flags('SOCK_NONBLOCK')])];
};

/** poll(2) of a set, an end, or both. */
export const poll: Step = (actor) => {
  const { world } = actor;
  const set = pickSet(actor);
  const end = pickHot(
    world,
    ofKind(actor, 'pipe-read', 'pipe-write', 'socket', 'listener', 'eventfd'),
  );
  const entries = [];
  if (set !== null && chance(world.draw, 70)) {
    entries.push({ fd: name(set.name), events: flags('POLLIN') });
  }
  if (end !== null && (entries.length === 0 || chance(world.draw, 20))) {
    const events = end.kind === 'pipe-write' ? flags('POLLOUT') : flags('POLLIN');
    entries.push({ fd: name(end.name), events });
  }
  if (entries.length === 0) return [];
  const timeout = int(chance(world.draw, 50) ? 0 : -1);
  return [call([freshName(world, 'p')], 'poll', [{ kind: 'pollfds', entries }, timeout])];
};

/** A signal to another thread. */
export const kill: Step = (actor) => {
  const { world, thread } = actor;
  if (world.threads < 2 || thread < 0) return [];
  const other = (thread + world.draw.int(1, world.threads - 1)) % world.threads;
  return [call([freshName(world, 'g')], 'kill', [name(`T${other + 1}`), flags('SIGUSR1')])];
};

/** A set of the thread's own; others can only guess its number. */
export const createSet: Step = (actor) => {
  const { world } = actor;
  const set = freshName(world, 'B');
  actor.descriptors.push({ name: set, kind: 'set', channel: world.channels++, blocking: true });
  return [call([set], 'epoll_create', [int(pick(world.draw, [10, 10, 1, 1000]))])];
};

export const sleep: Step = (actor) => [
  call([], 'sleep', [int(pick(actor.world.draw, [1, 10, 100]))]),
];
