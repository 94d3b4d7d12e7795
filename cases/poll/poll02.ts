import { defineCase } from '../../harness/case-api.ts';

interface Row {
  readonly why: string;
  readonly ms: number;
  /** Milliseconds after which another thread writes, or a timer expires. */
  readonly other: number;
  readonly outcomes: readonly string[];
  readonly on: string;
}

const models = '2.6.20';

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

function neverEarly(ms: number): Row {
  return { why: `${ms} ms are never early`, ms, other: ms * 0.8, outcomes: ['{}'], on: 'host' };
}

function onModel({ ms, other, outcomes }: Row): string {
  return `
hz: 1000
init:
  r, w = pipe2(O_NONBLOCK)
T1:
  x = poll([r:POLLIN], ${ms})
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
  r, w = pipe2(O_NONBLOCK)
  t = timerfd_create(CLOCK_MONOTONIC, 0)
T1:
  a = timerfd_settime(t, ${other})
  x = poll([r:POLLIN], ${ms})
  p = poll([t:POLLIN], 0)
expect:
  always a=0 x={} p={t:IN}
`;
}

export default defineCase({
  verifies: 'poll() returns when its timeout is over, neither before nor after',
  ltp: 'poll02',
  rows: [...[1, 2, 5, 10, 25, 100, 1000].flatMap(exactly), ...[5, 10, 25, 100].map(neverEarly)],
  program: (row) => (row.on === 'host' ? onHost(row) : onModel(row)),
});
