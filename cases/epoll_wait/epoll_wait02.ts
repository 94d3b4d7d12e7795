import { defineCase } from '../../harness/case-api.ts';

interface Row {
  readonly why: string;
  readonly ms: number;
  /** Milliseconds after which another thread writes, or a timer expires. */
  readonly other: number;
  readonly outcomes: readonly string[];
  readonly on?: string;
}

const models = '2.5.44+sys_epoll-v11 2.6.20';

/** One tick before and one tick after the timeout, in virtual time. */
function exactly(ms: number): Row[] {
  return [
    {
      why: `${ms} ms and a write one tick before`,
      ms,
      other: ms - 1,
      outcomes: ['{r:IN}'],
      on: models,
    },
    { why: `${ms} ms and a write one tick after`, ms, other: ms + 1, outcomes: ['{}'], on: models },
  ];
}

/** On the host nothing can be said of lateness; a timer of four fifths of the time has expired before. */
function neverEarly(ms: number): Row {
  return { why: `${ms} ms are never early`, ms, other: ms * 0.8, outcomes: ['{}'], on: 'host' };
}

const rows: readonly Row[] = [
  ...[1, 2, 5, 10, 25, 100, 1000].flatMap(exactly),
  {
    why: '10 ms and a write in that tick',
    ms: 10,
    other: 10,
    outcomes: ['{}', '{r:IN}'],
    on: models,
  },
  ...[5, 10, 25, 100].map(neverEarly),
];

function onModel({ ms, other, outcomes }: Row): string {
  return `
hz: 1000
init:
  A = epoll_create(8)
  r, w = pipe2(O_NONBLOCK)
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
T1:
  x = epoll_wait(A, 8, ${ms})
T2:
${other === 0 ? '' : `  sleep(${other})`}
  n = write(w, "a")
expect:
${outcomes.map((x) => `  outcome x=${x} n=1`).join('\n')}
`;
}

function onHost({ ms, other }: Row): string {
  return `
init:
  A = epoll_create(8)
  r, w = pipe2(O_NONBLOCK)
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
  t = timerfd_create(CLOCK_MONOTONIC, 0)
T1:
  a = timerfd_settime(t, ${other})
  x = epoll_wait(A, 8, ${ms})
  p = poll([t:POLLIN], 0)
expect:
  always a=0 x={} p={t:IN}
`;
}

export default defineCase({
  verifies: 'epoll_wait() returns when its timeout is over, neither before nor after',
  docs: 'E-R7 E-R96 E-R107',
  ltp: 'epoll_wait02',
  rows,
  program: (row) => (row.on === 'host' ? onHost(row) : onModel(row)),
});
