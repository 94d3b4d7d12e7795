import { defineCase } from '../../harness/case-api.ts';

interface Row {
  readonly why: string;
  readonly hz: number;
  readonly ms: number;
  /** Ticks of the timeout: rounded up, and rounded down. */
  readonly up: number;
  readonly down: number;
}

const rows: readonly Row[] = [
  { why: 'HZ 100, 15 ms', hz: 100, ms: 15, up: 2, down: 1 },
  { why: 'HZ 100, 20 ms', hz: 100, ms: 20, up: 2, down: 2 },
  { why: 'HZ 100, 21 ms', hz: 100, ms: 21, up: 3, down: 2 },
  { why: 'HZ 250, 5 ms', hz: 250, ms: 5, up: 2, down: 1 },
  { why: 'HZ 250, 9 ms', hz: 250, ms: 9, up: 3, down: 2 },
];

/** The answer when a write comes at one tick and the timeout ends at another. */
function answer(timeout: number, write: number): string {
  return write < timeout ? '{r:IN}' : '{}';
}

/** Where a write in a tick has one answer: not where the timeout ends in the same tick. */
function decided({ up, down }: Row, tick: number): string {
  const kernels = [tick === down ? '' : '2.5.44+sys_epoll-v11', tick === up ? '' : '2.6.20'];
  return tick > up + 1 ? '' : kernels.filter((kernel) => kernel !== '').join(' ');
}

export default defineCase({
  verifies: 'a timeout is rounded up to whole ticks, on sys_epoll down',
  docs: 'E-R7 E-R96 E-B42',
  rows: rows.flatMap((row) =>
    [1, 2, 3, 4]
      .map((tick) => ({
        ...row,
        why: `${row.why}, write in tick ${tick}`,
        tick,
        on: decided(row, tick),
      }))
      .filter(({ on }) => on !== ''),
  ),
  program: ({ hz, ms, up, down, tick }) => `
hz: ${hz}
init:
  A = epoll_create(8)
  r, w = pipe2(O_NONBLOCK)
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
T1:
  x = epoll_wait(A, 8, ${ms})
T2:
  sleep(${(tick * 1000) / hz})
  n = write(w, "a")
expect:
  always x=${answer(up, tick)} n=1
expect 2.5.44+sys_epoll-v11:
  always x=${answer(down, tick)} n=1
`,
});
