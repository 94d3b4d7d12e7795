import { defineCase } from '../../harness/case-api.ts';

interface Row {
  readonly why: string;
  readonly call: string;
  readonly ms: number;
  /** Milliseconds after which another thread writes, or a timer expires. */
  readonly other: number;
  readonly outcomes: readonly string[];
  readonly on: string;
}

const model = '2.6.20';

/** One tick before and one tick after the timeout, in virtual time. */
function exactly(ms: number): Row[] {
  const row = { call: 'epoll_pwait', ms, on: model };
  return [
    { ...row, why: `${ms} ms and a write one tick before`, other: ms - 1, outcomes: ['{r:IN}'] },
    { ...row, why: `${ms} ms and a write one tick after`, other: ms + 1, outcomes: ['{}'] },
  ];
}

/** On the host nothing can be said of lateness; a timer of four fifths of the time has expired before. */
function neverEarly(call: string, ms: number): Row {
  return {
    why: `${call}, ${ms} ms are never early`,
    call,
    ms,
    other: ms * 0.8,
    outcomes: ['{}'],
    on: 'host',
  };
}

function onModel({ call, ms, other, outcomes }: Row): string {
  return `
hz: 1000
init:
  A = epoll_create(8)
  r, w = pipe2(O_NONBLOCK)
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
T1:
  x = ${call}(A, 8, ${ms}, {})
T2:
${other === 0 ? '' : `  sleep(${other})`}
  n = write(w, "a")
expect:
${outcomes.map((x) => `  outcome x=${x} n=1`).join('\n')}
`;
}

function onHost({ call, ms, other }: Row): string {
  return `
init:
  A = epoll_create(8)
  r, w = pipe2(O_NONBLOCK)
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
  t = timerfd_create(CLOCK_MONOTONIC, 0)
T1:
  a = timerfd_settime(t, ${other})
  x = ${call}(A, 8, ${ms}, {})
  p = poll([t:POLLIN], 0)
expect:
  always a=0 x={} p={t:IN}
`;
}

export default defineCase({
  verifies: 'epoll_pwait() returns when its timeout is over, neither before nor after',
  docs: 'E-R89 E-R96 E-R107',
  ltp: 'epoll_pwait03',
  rows: [
    ...[1, 2, 5, 10, 25, 100, 1000].flatMap(exactly),
    ...[5, 25, 100].map((ms) => neverEarly('epoll_pwait', ms)),
    ...[5, 25, 100].map((ms) => neverEarly('epoll_pwait2', ms)),
  ],
  program: (row) => (row.on === 'host' ? onHost(row) : onModel(row)),
});
