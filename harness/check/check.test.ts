import { readFileSync, readdirSync } from 'node:fs';
import t from 'tap';
import type { CallRecord, Finding, History, Result } from '../history/history.ts';
import type { ExpectBlock, Program } from '../program/program.ts';
import { parseSyntax } from '../program/text.ts';
import { outcomeText } from '../program/values.ts';
import { historyOf, signatures } from './check.test-kit.ts';
import { CHECKS, checkHistory } from './checks.ts';
import { judge, type Seen, type Status } from './expect.ts';
import { blockFor, compareReleases, selects } from './selector.ts';

const V11 = 'model:2.5.44+sys_epoll-v11';
const K26 = 'model:2.6.20';

interface Plant {
  readonly rule: string;
  readonly target: string;
  readonly program: string;
  readonly bad: readonly string[];
  readonly finding: string;
  readonly clean: readonly string[];
}

const pipeIn = `
init:
  A = epoll_create(10)
  r, w = pipe2(O_NONBLOCK)
`;
const pipeInit = ['init.1 3', 'init.2 4,5'];

const plants: readonly Plant[] = [
  {
    rule: 'lost-edge: ready at registration',
    target: V11,
    program: `${pipeIn}T1:\n  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\n  x = epoll_wait(A, 8, -1)\nT2:\n  write(w, "a")\n`,
    bad: [...pipeInit, '>T1.1', 'T2.1 1', '<T1.1 0', 'T1.2 hang'],
    finding: 'LOST-EDGE ready-at-add',
    clean: [...pipeInit, '>T1.1', 'T2.1 1', '<T1.1 0', 'T1.2 {r:IN}'],
  },
  {
    rule: 'lost-edge: nothing was written',
    target: V11,
    program: `${pipeIn}T1:\n  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\n  y = read(r, 1)\n  x = epoll_wait(A, 8, -1)\nT2:\n  write(w, "a")\n`,
    bad: [...pipeInit, 'T1.1 0', 'T1.2 EAGAIN', 'T2.1 1', 'T1.3 hang'],
    finding: 'LOST-EDGE in-after-empty',
    clean: [...pipeInit, 'T1.1 0', 'T2.1 1', 'T1.2 1', 'T1.3 hang'],
  },
  {
    rule: 'lost-edge: a reader that took less than there was cannot complain',
    target: V11,
    program: `${pipeIn}  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\nT1:\n  x = epoll_wait(A, 8, -1)\n  z = epoll_wait(A, 8, -1)\nT2:\n  write(w, "ab")\n`,
    bad: [...pipeInit, 'init.3 0', 'T2.1 2', 'T1.1 hang'],
    finding: 'LOST-EDGE in-after-add',
    clean: [...pipeInit, 'init.3 0', 'T2.1 2', 'T1.1 {r:IN}', 'T1.2 hang'],
  },
  {
    rule: 'lost-edge: room after a short write',
    target: V11,
    program: `${pipeIn}  write(w, 4046)\n  epoll_ctl(A, EPOLL_CTL_ADD, w, EPOLLOUT)\nT1:\n  y = write(w, 100)\n  x = epoll_wait(A, 8, -1)\nT2:\n  read(r, 4096)\n`,
    bad: [...pipeInit, 'init.3 4046', 'init.4 0', 'T1.1 EAGAIN', 'T2.1 4046', 'T1.2 hang'],
    finding: 'LOST-EDGE out-after-short-write',
    clean: [...pipeInit, 'init.3 4046', 'init.4 0', 'T1.1 EAGAIN', 'T2.1 4046', 'T1.2 {w:OUT}'],
  },
  {
    rule: 'lost-edge: hangup that was not asked for',
    target: V11,
    program: `${pipeIn}  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\nT1:\n  x = epoll_wait(A, 8, -1)\nT2:\n  close(w)\n`,
    bad: [...pipeInit, 'init.3 0', 'T2.1 0', 'T1.1 hang'],
    finding: 'LOST-EDGE hup-not-asked',
    clean: [...pipeInit, 'init.3 0', 'T2.1 EBADF', 'T1.1 hang'],
  },
  {
    rule: 'lost-edge: a level keeps everybody awake',
    target: K26,
    program: `${pipeIn}  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\nT1:\n  x = epoll_wait(A, 8, -1)\nT2:\n  write(w, "a")\nT3:\n  read(r, 1)\n`,
    bad: [...pipeInit, 'init.3 0', 'T2.1 1', 'T1.1 hang'],
    finding: 'LOST-EDGE level-asleep',
    clean: [...pipeInit, 'init.3 0', 'T2.1 1', 'T3.1 1', 'T1.1 hang'],
  },
  {
    rule: 'lost-edge: a plain ADD promises nothing where there is ADD_AND_TEST',
    target: `${V11}+epoll-add-and-test`,
    program: `${pipeIn}  write(w, "a")\nT1:\n  epoll_ctl(A, EPOLL_CTL_ADD_AND_TEST, r, EPOLLIN)\n  x = epoll_wait(A, 8, -1)\nT2:\n  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\n`,
    bad: [...pipeInit, 'init.3 1', 'T1.1 0', 'T1.2 hang'],
    finding: 'LOST-EDGE ready-at-add',
    clean: [...pipeInit, 'init.3 1', 'T2.1 0', 'T1.2 hang'],
  },
  {
    rule: 'lost-edge: a plain write to the device promises nothing there either, of room no more than of data',
    target: `${V11}+epoll-add-and-test`,
    program: `init:\n  D = open("/dev/epoll", O_RDWR)\n  s, t = socketpair(AF_UNIX, SOCK_STREAM)\nT1:\n  epoll_ctl(D, EPOLL_CTL_ADD_AND_TEST, t, EPOLLOUT)\n  x = epoll_wait(D, 8, 0)\nT2:\n  write(D, [t:POLLOUT])\n`,
    bad: ['init.1 3', 'init.2 4,5', 'T1.1 0', 'T1.2 {}'],
    finding: 'LOST-EDGE ready-at-add',
    clean: ['init.1 3', 'init.2 4,5', 'T2.1 8', 'T1.2 {}'],
  },
  {
    rule: 'lost-edge: a report of a state that had changed unseen pays for it',
    target: K26,
    program: `init:\n  A = epoll_create(1)\n  s, t = socketpair(AF_UNIX, SOCK_STREAM)\n  epoll_ctl(A, EPOLL_CTL_ADD, s, EPOLLOUT|EPOLLET)\nT1:\n  y = write(s, "a")\n  x = epoll_wait(A, 8, 0)\n`,
    bad: ['init.1 3', 'init.2 4,5', 'init.3 0', 'T1.1 EAGAIN', 'T1.2 {}'],
    finding: 'LOST-EDGE out-while-empty',
    clean: ['init.1 3', 'init.2 4,5', 'init.3 0', 'T1.1 EAGAIN', 'T1.2 {s:OUT}'],
  },
  {
    rule: 'lost-edge: naming a pipe in a device write puts nothing into it',
    target: V11,
    program: `init:\n  D = open("/dev/epoll", O_RDWR)\n  r, w = pipe2(O_NONBLOCK)\n  write(D, [r:POLLIN])\nT1:\n  x = epoll_wait(D, 8, -1)\nT2:\n  write(w, "a")\n`,
    bad: ['init.1 3', 'init.2 4,5', 'init.3 8', 'T2.1 1', 'T1.1 hang'],
    finding: 'LOST-EDGE in-after-add',
    clean: ['init.1 3', 'init.2 4,5', 'init.3 8', 'T1.1 hang'],
  },
  {
    rule: 'exact-count: one entry per registration',
    target: V11,
    program: `${pipeIn}  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\nT1:\n  write(w, "a")\n  x = epoll_wait(A, 8, 0)\n`,
    bad: [...pipeInit, 'init.3 0', 'T1.1 1', 'T1.2 {r:IN, r:IN}'],
    finding: 'COUNT one-fd-twice',
    clean: [...pipeInit, 'init.3 0', 'T1.1 1', 'T1.2 {r:IN}'],
  },
  {
    rule: 'exact-count: one-shot reports once',
    target: K26,
    program: `${pipeIn}  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN|EPOLLONESHOT)\n  write(w, "a")\nT1:\n  x = epoll_wait(A, 8, 0)\nT2:\n  y = epoll_wait(A, 8, 0)\n`,
    bad: [...pipeInit, 'init.3 0', 'init.4 1', 'T1.1 {r:IN}', 'T2.1 {r:IN}'],
    finding: 'COUNT one-shot-twice',
    clean: [...pipeInit, 'init.3 0', 'init.4 1', 'T1.1 {r:IN}', 'T2.1 {}'],
  },
  {
    rule: 'exact-count: a batch has at most maxevents',
    target: K26,
    program: `${pipeIn}  q, v = pipe2(O_NONBLOCK)\n  epoll_ctl(A, EPOLL_CTL_ADD, w, EPOLLOUT)\n  epoll_ctl(A, EPOLL_CTL_ADD, v, EPOLLOUT)\nT1:\n  x = epoll_wait(A, 1, 0)\n`,
    bad: [...pipeInit, 'init.3 6,7', 'init.4 0', 'init.5 0', 'T1.1 {w:OUT, v:OUT}'],
    finding: 'COUNT over-maxevents',
    clean: [...pipeInit, 'init.3 6,7', 'init.4 0', 'init.5 0', 'T1.1 {w:OUT}'],
  },
  {
    rule: 'exact-count: an edge needs a notification',
    target: V11,
    program: `${pipeIn}  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\nT1:\n  write(w, "a")\n  x = epoll_wait(A, 8, 0)\n  y = epoll_wait(A, 8, 0)\n  z = epoll_wait(A, 8, 0)\n`,
    bad: [...pipeInit, 'init.3 0', 'T1.1 1', 'T1.2 {r:IN}', 'T1.3 {r:IN}', 'T1.4 {r:IN}'],
    finding: 'COUNT more-reports-than-edges',
    clean: [...pipeInit, 'init.3 0', 'T1.1 1', 'T1.2 {r:IN}', 'T1.3 {}', 'T1.4 {}'],
  },
  {
    rule: 'stale: a mask that was changed before',
    target: V11,
    program: `init:\n  A = epoll_create(10)\n  s, u = socketpair(AF_UNIX, SOCK_STREAM)\n  epoll_ctl(A, EPOLL_CTL_ADD, s, EPOLLIN)\n  write(u, "a")\nT1:\n  epoll_ctl(A, EPOLL_CTL_MOD, s, EPOLLPRI)\n  x = epoll_wait(A, 8, 0)\n`,
    bad: ['init.1 3', 'init.2 4,5', 'init.3 0', 'init.4 1', 'T1.1 0', 'T1.2 {s:IN}'],
    finding: 'STALE old-mask',
    clean: ['init.1 3', 'init.2 4,5', 'init.3 0', 'init.4 1', 'T1.2 {s:IN}'],
  },
  {
    rule: 'stale: an event after DEL',
    target: K26,
    program: `${pipeIn}  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\n  write(w, "a")\nT1:\n  epoll_ctl(A, EPOLL_CTL_DEL, r, NULL)\nT2:\n  x = epoll_wait(A, 8, 0)\n`,
    bad: [...pipeInit, 'init.3 0', 'init.4 1', 'T1.1 0', 'T2.1 {r:IN}'],
    finding: 'STALE after-del',
    clean: [...pipeInit, 'init.3 0', 'init.4 1', '>T2.1', 'T1.1 0', '<T2.1 {r:IN}'],
  },
  {
    rule: 'stale: a closed number that is another file',
    target: V11,
    program: `${pipeIn}  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\n  write(w, "a")\n  close(r)\n  q, v = pipe2(O_NONBLOCK)\nT1:\n  x = epoll_wait(A, 8, 0)\n`,
    bad: [...pipeInit, 'init.3 0', 'init.4 1', 'init.5 0', 'init.6 4,6', 'T1.1 {r:IN}'],
    finding: 'STALE number-reused',
    clean: [...pipeInit, 'init.3 0', 'init.4 1', 'init.5 0', 'init.6 4,6', 'T1.1 {}'],
  },
  {
    rule: 'stale: a duplicate keeps a closed registration alive',
    target: K26,
    program: `${pipeIn}  d = dup(r)\n  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\n  write(w, "a")\nT1:\n  close(r)\n  x = epoll_wait(A, 8, 0)\n`,
    bad: [...pipeInit, 'init.3 6', 'init.4 0', 'init.5 1', 'T1.1 0', 'T1.2 {r:IN}'],
    finding: 'STALE zombie',
    clean: [...pipeInit, 'init.3 6', 'init.4 0', 'init.5 1', 'T1.1 EBADF', 'T1.2 {r:IN}'],
  },
  {
    rule: 'stale: two sets that hold each other up',
    target: K26,
    program: `init:\n  A = epoll_create(1)\n  B = epoll_create(1)\n  epoll_ctl(A, EPOLL_CTL_ADD, B, EPOLLIN)\n  epoll_ctl(B, EPOLL_CTL_ADD, A, EPOLLIN)\nT1:\n  x = epoll_wait(A, 8, 0)\n`,
    bad: ['init.1 3', 'init.2 4', 'init.3 0', 'init.4 0', 'T1.1 {B:IN}'],
    finding: 'STALE set-cycle',
    clean: ['init.1 3', 'init.2 4', 'init.3 0', 'init.4 0', 'T1.1 {}'],
  },
  {
    rule: 'level-contract: another wait must not hide what is ready',
    target: K26,
    program: `${pipeIn}  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\n  write(w, "a")\nT1:\n  x = epoll_wait(A, 8, 0)\nT2:\n  y = epoll_wait(A, 8, 0)\nT3:\n  read(r, 1)\n`,
    bad: [...pipeInit, 'init.3 0', 'init.4 1', '>T1.1', 'T2.1 {}', '<T1.1 {r:IN}'],
    finding: 'COUNT transient-empty',
    clean: [...pipeInit, 'init.3 0', 'init.4 1', '>T3.1', 'T2.1 {}', '<T3.1 1'],
  },
  {
    rule: 'ctl-contract: two ADDs cannot both be the first',
    target: V11,
    program: `${pipeIn}T1:\n  x = epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\nT2:\n  y = epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\n`,
    bad: [...pipeInit, '>T1.1', 'T2.1 0', '<T1.1 0'],
    finding: 'COUNT two-adds',
    clean: [...pipeInit, '>T1.1', 'T2.1 0', '<T1.1 EEXIST'],
  },
  {
    rule: 'ctl-contract: a number is free again after close',
    target: V11,
    program: `${pipeIn}  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\n  close(r)\n  q, v = pipe2(O_NONBLOCK)\nT1:\n  x = epoll_ctl(A, EPOLL_CTL_ADD, q, EPOLLIN)\n`,
    bad: [...pipeInit, 'init.3 0', 'init.4 0', 'init.5 4,6', 'T1.1 EEXIST'],
    finding: 'COUNT number-poisoned',
    clean: [...pipeInit, 'init.3 0', 'init.4 0', 'init.5 4,6', 'T1.1 0'],
  },
  {
    rule: 'pollable-set: readable means that a wait reports something',
    target: K26,
    program: `${pipeIn}  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\nT1:\n  p = poll([A:POLLIN], 0)\n  x = epoll_wait(A, 8, 0)\nT2:\n  write(w, "a")\n`,
    bad: [...pipeInit, 'init.3 0', 'T1.1 {A:IN}', 'T1.2 {}'],
    finding: 'STALE poll-false-positive',
    clean: [...pipeInit, 'init.3 0', 'T1.1 {}', 'T2.1 1', 'T1.2 {r:IN}'],
  },
  {
    rule: 'timeouts: only -1 has no end',
    target: V11,
    program: `init:\n  A = epoll_create(10)\nT1:\n  x = epoll_wait(A, 8, -2)\n  y = epoll_wait(A, 8, 5)\n`,
    bad: ['init.1 3', 'T1.1 {}'],
    finding: 'COUNT negative-returns',
    clean: ['init.1 3', 'T1.2 {}'],
  },
  {
    rule: 'sizes: no set of negative size',
    target: V11,
    program: `init:\n  A = epoll_create(-1)\nT1:\n  sleep(1)\n`,
    bad: ['init.1 3'],
    finding: 'COUNT negative-size',
    clean: ['init.1 EINVAL'],
  },
];

for (const plant of plants) {
  t.test(plant.rule, (t) => {
    const [bad, program] = historyOf(plant.target, plant.program, plant.bad);
    const [clean] = historyOf(plant.target, plant.program, plant.clean);

    t.equal(signatures(checkHistory(bad, program)), plant.finding, 'finds what was planted');
    t.equal(signatures(checkHistory(clean, program)), '', 'is silent on the clean twin');
    t.end();
  });
}

t.test('a loss is not put down to what was done after it', (t) => {
  const init = 'init:\n  A = epoll_create(1)\n  B = epoll_create(1)\n';
  const sockets = '  s, t = socketpair(AF_UNIX, SOCK_STREAM)\n  d = dup(s)\n';
  const made = ['init.1 3', 'init.2 4', 'init.3 5,6', 'init.4 7', 'init.5 0', 'init.6 0'];
  // The cause before the wait, and after it; data comes before the wait, room is there from the start.
  const sites = (cause: string, answer: string, mask = 'IN', set = 'A'): string[] => {
    const adds = ['A', 'B'].map((to) => `  epoll_ctl(${to}, EPOLL_CTL_ADD, s, EPOLL${mask})\n`);
    const text = `${init}${sockets}${adds.join('')}T1:\n  x = epoll_wait(${set}, 8, 0)\nT2:\n  ${cause}\nT3:\n  write(t, "a")\n`;
    const looked = [...(mask === 'IN' ? ['T3.1 1'] : []), 'T1.1 {}'];
    return [
      [`T2.1 ${answer}`, ...looked],
      [...looked, `T2.1 ${answer}`],
    ].map((end) => {
      const [history, program] = historyOf(V11, text, [...made, ...end]);
      return signatures(checkHistory(history, program)).replace('LOST-EDGE ', '');
    });
  };
  const ready = ['ready-at-add', 'ready-at-add'];
  const del = 'epoll_ctl(B, EPOLL_CTL_DEL, s)';
  const fault = 'y = epoll_wait(A, 8, 0, buf=BAD)';

  t.same(sites(del, '0'), ['two-sets', 'in-after-add']);
  t.same(sites('close(B)', '0'), ['two-sets', 'in-after-add']);
  t.same(sites('close(A)', '0', 'IN', 'B'), ['in-after-add', 'in-after-add'], 'the older set');
  t.same(sites(fault, 'EFAULT'), ['after-efault', 'in-after-add']);
  t.same(sites(del, '0', 'OUT'), ready, 'a callback that had nothing to tell');
  t.same(sites(fault, 'EFAULT', 'OUT'), ready, 'a batch without it');
  t.same(sites('epoll_ctl(A, EPOLL_CTL_DEL, s)', '0', 'OUT', 'B'), ready, 'the older one');
  t.same(sites('n = read(t, 1)', '1', 'OUT'), ready, 'room made where there was room');
  t.end();
});

t.test('a batch at an address that is not mapped is lost', (t) => {
  const text = `${pipeIn}  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\n  write(w, "a")\n  munmap(ALL)\nT1:\n  x = epoll_wait(A, 8, 0)\n`;
  const made = [...pipeInit, 'init.3 0', 'init.4 1', 'init.5 0'];
  const [history, program] = historyOf(V11, text, [...made, 'T1.1 {}']);
  const result: Result = { kind: 'events', events: [], unread: 1 };
  const calls = history.calls.map((one) => (one.thread < 0 ? one : { ...one, result }));

  t.equal(signatures(checkHistory(history, program)), 'LOST-EDGE in-after-add');
  t.equal(signatures(checkHistory({ ...history, calls }, program)), 'LOST-EDGE unmapped');
  t.end();
});

t.test('an end that was there at ADD is not for want of POLLHUP in the mask', (t) => {
  const siteOf = (kernel: string, adds: string): string => {
    const text = `${pipeIn}T1:\n  close(w)\n  epoll_ctl(A, EPOLL_CTL_ADD, r, ${adds})\n  x = epoll_wait(A, 8, 0)\nT2:\n  epoll_ctl(A, EPOLL_CTL_MOD, r, EPOLLIN)\n`;
    const sites = [
      ['T1.1 0', 'T1.2 0', 'T1.3 {}'],
      ['T1.2 0', 'T1.1 0', 'T1.3 {}'],
      ['T1.2 0', 'T2.1 0', 'T1.1 0', 'T1.3 {}'],
    ].map((end) => {
      const [history, program] = historyOf(kernel, text, [...pipeInit, ...end]);
      return signatures(checkHistory(history, program)).replace('LOST-EDGE ', '');
    });
    return sites.join(', ');
  };

  t.equal(siteOf(V11, 'EPOLLIN'), 'end-at-add, hup-not-asked, hup-not-asked');
  t.equal(siteOf(V11, 'EPOLLIN|EPOLLHUP'), 'end-at-add, end-after-add, hup-not-asked');
  t.equal(siteOf(`${V11}+epoll-acsem`, 'EPOLLIN'), 'end-at-add, end-after-add, hup-not-asked');
  t.end();
});

t.test('a wait that came back before its time is too early, in whole ticks', (t) => {
  const text = 'init:\n  A = epoll_create(10)\nT1:\n  x = epoll_wait(A, 8, 5)\n';
  const [history, program] = historyOf(V11, text, ['init.1 3', 'T1.1 {}']);
  const lasting = (ms: number): History => ({
    ...history,
    calls: history.calls.map((call) => ({ ...call, elapsed: { ms, tickMs: 10 } })),
  });

  t.equal(signatures(checkHistory(lasting(0), program)), 'COUNT too-early');
  t.equal(signatures(checkHistory(lasting(10), program)), '');
  t.end();
});

t.test('no check speaks after a thread has died in the kernel', (t) => {
  const plant = plants[0];
  if (plant === undefined) throw new Error('no plants');
  const killed = plant.bad.map((entry) => entry.replace('T1.2 hang', 'T1.2 killed'));

  const [history, program] = historyOf(plant.target, plant.program, killed);
  t.equal(signatures(checkHistory(history, program)), '');
  t.end();
});

t.test('every check is listed with a rule, documents and kernels', (t) => {
  t.equal(new Set(CHECKS.map((check) => check.name)).size, CHECKS.length);
  for (const check of CHECKS) {
    t.match(check.rule, /^[A-Z].*\.$/, check.name);
    t.ok(check.docs.length > 0 && check.promisedOn !== '', check.name);
  }
  t.end();
});

interface Row {
  readonly line: string;
  readonly holds: Status;
  readonly violated: Status;
  readonly holdsIncomplete: Status;
  readonly violatedIncomplete: Status;
  readonly holdsOnHost: Status;
  readonly violatedOnHost: Status;
}

/** Runs that satisfy the line, and runs that do not: `x` is the number of events, F a finding at the site v11-RM1. */
const satisfying: Readonly<Record<string, string>> = {
  'always x=1': '1',
  'never x=0': '1',
  'sometimes x=0': '1 0',
  'outcome x=1|2': '1 2',
  'finding COUNT at v11-RM1': '1 F',
  'absent COUNT at v11-RM1': '1',
  clean: '1',
};
const violating: Readonly<Record<string, string>> = {
  'always x=1': '1 0',
  'never x=0': '1 0',
  'sometimes x=0': '1',
  'outcome x=1|2': '1 0',
  'finding COUNT at v11-RM1': '1',
  'absent COUNT at v11-RM1': '1 F',
  clean: '1 F',
};

const universal = {
  holds: 'PASS',
  violated: 'FAIL',
  holdsIncomplete: 'WARN',
  violatedIncomplete: 'FAIL',
  holdsOnHost: 'PASS',
  violatedOnHost: 'FAIL',
} as const;
const existential = {
  holds: 'PASS',
  violated: 'FAIL',
  holdsIncomplete: 'PASS',
  violatedIncomplete: 'WARN',
  holdsOnHost: 'PASS',
  violatedOnHost: 'INFO',
} as const;

const table: readonly Row[] = [
  { line: 'always x=1', ...universal },
  { line: 'never x=0', ...universal },
  { line: 'outcome x=1|2', ...universal },
  { line: 'absent COUNT at v11-RM1', ...universal },
  { line: 'clean', ...universal },
  { line: 'sometimes x=0', ...existential },
  { line: 'finding COUNT at v11-RM1', ...existential, violatedIncomplete: 'FAIL' },
];

function programWith(block: string): Program {
  return parseSyntax(`T1:\n  x = read(0, 9)\nexpect:\n  ${block}\n`, 'judged.prog');
}

function seen(program: Program, runs: string, target: string, complete: boolean): Seen {
  const history = (records: readonly CallRecord[]): History => ({
    target,
    calls: records,
    before: () => false,
  });
  const call = program.threads[0]?.[0];
  if (call === undefined) throw new Error('no call');
  const words = runs.split(' ');
  const outcomes = words
    .filter((word) => word !== 'F')
    .map((word) => {
      const count = Number(word);
      const record: CallRecord = {
        thread: 0,
        index: 0,
        call,
        result: { kind: 'bytes', count, data: '' },
        start: 0,
        end: 1,
      };
      const records = [record];
      return { text: outcomeText(program, records), records, history: history(records), times: 1 };
    });
  const finding: Finding = {
    detector: 'COUNT',
    site: 'v11-RM1 / v11-RM6',
    message: 'planted',
    steps: [],
  };
  const findings = words.includes('F') ? [{ finding, times: 1, history: history([]) }] : [];
  const all = { target, executions: words.length, outcomes, findings };
  return complete ? { ...all, complete } : { ...all, complete, incomplete: 'steps 9' };
}

for (const row of table) {
  t.test(`judge(): ${row.line}`, (t) => {
    const program = programWith(row.line);
    const status = (
      runs: string | undefined,
      target: string,
      complete: boolean,
    ): Status | undefined =>
      judge(program, seen(program, runs ?? '', target, complete), 'any')[0]?.status;
    const good = satisfying[row.line];
    const bad = violating[row.line];

    t.equal(status(good, K26, true), row.holds, 'complete, holds');
    t.equal(status(bad, K26, true), row.violated, 'complete, violated');
    t.equal(status(good, K26, false), row.holdsIncomplete, 'incomplete, holds');
    t.equal(status(bad, K26, false), row.violatedIncomplete, 'incomplete, violated');
    t.equal(status(good, 'host', false), row.holdsOnHost, 'host, holds');
    t.equal(status(bad, 'host', false), row.violatedOnHost, 'host, violated');
    t.end();
  });
}

t.test(
  'judge(): an outcome that is listed but never seen fails on a complete exploration only',
  (t) => {
    const program = parseSyntax(
      'T1:\n  x = read(0, 9)\nexpect:\n  outcome x=1\n  outcome x=2\n',
      'two.prog',
    );
    const status = (target: string, complete: boolean): Status | undefined =>
      judge(program, seen(program, '1', target, complete), 'any')[0]?.status;

    t.equal(status(K26, true), 'FAIL');
    t.equal(status(K26, false), 'WARN');
    t.equal(status('host', false), 'PASS');
    t.end();
  },
);

t.test('judge(): no block is CONF, broken set-up is BROK, nothing decided is CONF', (t) => {
  const program = parseSyntax('T1:\n  x = read(0, 9)\nexpect host:\n  sometimes x=7\n', 'few.prog');
  const statuses = (target: string, one: Seen): Status[] =>
    judge(program, one, target).map((judgement) => judgement.status);

  t.strictSame(statuses('2.6.20', seen(program, '1', K26, true)), ['CONF']);
  t.strictSame(statuses('host', seen(program, '1', 'host', false)), ['INFO', 'CONF']);
  const broken = { ...seen(program, '1', 'host', false), broken: 'no epoll here' };
  t.strictSame(statuses('host', broken), ['BROK']);
  t.strictSame(statuses('host', seen(program, 'F', 'host', false)).includes('INFO'), true);
  t.end();
});

t.test('judge(): a finding that no line mentions is told as INFO', (t) => {
  const program = programWith('always x=1');

  const judgements = judge(program, seen(program, '1 F', K26, true), 'any');
  t.strictSame(
    judgements.map((one) => one.status),
    ['PASS', 'INFO'],
  );
  t.match(judgements[1]?.message, /COUNT v11-RM1/);
  t.end();
});

t.test('a comparison beats the exact name, that a glob, that the default block', (t) => {
  const selectors = [[], ['2.*'], ['2.6.20'], ['host>=6.0'], ['host']];
  const expect: readonly ExpectBlock[] = selectors.map((selectors) => ({
    selectors,
    expectations: [],
  }));
  const chosen = (selector: string, release?: string): number =>
    expect.indexOf(
      blockFor(expect, release === undefined ? { selector } : { selector, release }) ?? {
        selectors: [],
        expectations: [],
      },
    );

  t.equal(chosen('3.1'), 0);
  t.equal(chosen('2.5.44+sys_epoll-v11'), 1);
  t.equal(chosen('2.6.20'), 2);
  t.equal(chosen('host', '6.1.0-13-amd64'), 3);
  t.equal(chosen('host', '5.10.1'), 4);
  t.equal(chosen('host'), 4);
  t.ok(compareReleases('6.10.2', '6.9') > 0);
  t.notOk(selects('2.6.2', { selector: '2.6.20' }));
  t.end();
});

t.test('every catalogued bug has a program that names it, or a reason why it has none', (t) => {
  const folder = new URL('../../../cases/bugs/', import.meta.url);
  const files = readdirSync(folder);
  const excused: readonly string[] =
    readFileSync(new URL('README.md', folder), 'utf8').match(/^\| E-B\d+/gm) ?? [];
  const numbers = [...Array(62).keys()].map((n) => n + 1);

  for (const number of [...numbers, 81, 82]) {
    const id = `E-B${number}`;
    const name = `E-B${String(number).padStart(2, '0')}`;
    const own = files.filter((file) => file.startsWith(`${name}.`) || file.startsWith(`${name}-`));
    if (excused.includes(`| ${id}`)) t.strictSame(own, [], `${id} is excused`);
    else t.ok(own.length > 0, `${id} has a program`);
    for (const file of own) {
      const { meta } = parseSyntax(readFileSync(new URL(file, folder), 'utf8'), file);
      const docs = meta.find((entry) => entry.key === 'docs')?.value.split(' ') ?? [];
      t.ok(docs.includes(id), `${file} names ${id}`);
    }
  }
  t.end();
});
