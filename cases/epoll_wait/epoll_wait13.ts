import { defineCase } from '../../harness/case-api.ts';

const READY = 13;
const QUIET = 5;
const MAX = 3;
const pipes = [...Array(READY + QUIET).keys()];
const ready = pipes.slice(0, READY);
const rounds = [...Array(Math.ceil(READY / MAX) + 1).keys()];

/** Batches of at most MAX in the order of readiness; within a batch the newest first if so said. */
function batch(round: number, newestFirst: boolean): string {
  const some = ready.slice(round * MAX, (round + 1) * MAX);
  return `[${(newestFirst ? some.toReversed() : some).map((n) => `r${n}:IN`).join(', ')}]`;
}

function expected(newestFirst: boolean): string {
  return rounds.map((round) => `x${round}=${batch(round, newestFirst)}`).join(' ');
}

export default defineCase({
  verifies:
    '13 ready of 18, three at a time: 3, 3, 3, 3, 1 and then none, each ready one exactly once',
  docs: 'E-R97 E-R104 E-R25',
  ltp: 'epoll_wait13',
  on: '2.5.44+sys_epoll-v11 2.6.20 host',
  rows: [
    { why: 'edge-triggered', flag: 'EPOLLET', on: '2.5.44+sys_epoll-v11 2.6.20 host' },
    { why: 'one-shot', flag: 'EPOLLONESHOT', on: '2.6.20 host' },
  ],
  program: ({ flag }) => `
init:
  A = epoll_create(32)
${pipes.map((n) => `  r${n}, w${n} = pipe2(O_NONBLOCK)\n  epoll_ctl(A, EPOLL_CTL_ADD, r${n}, EPOLLIN|${flag})`).join('\n')}
${ready.map((n) => `  write(w${n}, "a")`).join('\n')}
T1:
${rounds.map((n) => `  x${n} = epoll_wait(A, ${MAX}, 0)`).join('\n')}
expect host:
  always ${expected(false)}
expect 2.6.20:
  always ${expected(true)}
# There is no maxevents.
expect 2.5.44+sys_epoll-v11:
  always x0=[${ready.map((n) => `r${n}:IN`).join(', ')}] x1={}
`,
});
