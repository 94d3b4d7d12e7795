import { defineCase } from '../../harness/case-api.ts';

const READY = 13;
const MAX = 3;
const TIMES = 4;

const all = [...Array(READY).keys()];

/**
 * What waits report when nobody reads: who was reported goes to the end of the queue, in the order of the report.
 * After TIMES rounds each one was reported TIMES times.
 */
function rotation(newestFirst: boolean): string[] {
  let queue = all;
  const batches: string[] = [];
  for (let left = READY * TIMES; left > 0; left -= MAX) {
    const taken = queue.slice(0, Math.min(MAX, left));
    const reported = newestFirst ? taken.toReversed() : taken;
    queue = [...queue.slice(taken.length), ...reported];
    batches.push(`[${reported.map((n) => `r${n}:IN`).join(', ')}]`);
  }
  return batches;
}

function expected(newestFirst: boolean): string {
  return rotation(newestFirst)
    .map((batch, at) => `x${at}=${batch}`)
    .join(' ');
}

const waits = rotation(false).map((_batch, at) => {
  const max = Math.min(MAX, READY * TIMES - at * MAX);
  return `  x${at} = epoll_wait(A, ${max}, 0)`;
});

export default defineCase({
  verifies: '13 that stay ready, three at a time: after 52 reports each was reported four times',
  docs: 'E-R101 E-R104',
  ltp: 'epoll_wait14',
  on: '2.6.20 host',
  rows: [{ why: 'level-triggered', events: 'EPOLLIN' }],
  program: ({ events }) => `
init:
  A = epoll_create(32)
${all.map((n) => `  r${n}, w${n} = pipe2(O_NONBLOCK)\n  epoll_ctl(A, EPOLL_CTL_ADD, r${n}, ${events})`).join('\n')}
${all.map((n) => `  write(w${n}, "a")`).join('\n')}
T1:
${waits.join('\n')}
expect:
  always ${expected(false)}
expect 2.6.20:
  always ${expected(true)}
`,
});
