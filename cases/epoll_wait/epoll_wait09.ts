import { defineCase } from '../../harness/case-api.ts';

interface Row {
  readonly why: string;
  readonly depth: number;
  readonly on?: string;
}

/** How many sets in a chain 2.6.20 tells of an event at the bottom. */
const DEEPEST = 6;

const everywhere = '2.5.44+sys_epoll-v11 2.6.20 host';
const rows: readonly Row[] = [
  ...[2, 3, 4, 5].map((depth) => ({ why: `depth ${depth}`, depth, on: everywhere })),
  ...[6, 7, 8].map((depth) => ({ why: `depth ${depth}`, depth, on: '2.6.20' })),
];

/** Sets e1 to en, each watched by the next. */
function levels(depth: number): number[] {
  return [...Array(depth).keys()].map((n) => n + 1);
}

export default defineCase({
  verifies:
    'IN at the bottom of a chain of sets is seen in every set of it, as far down as the kernel goes',
  docs: 'E-R95 E-R111 E-B51 E-B18',
  ltp: 'epoll_wait09',
  rows,
  program: ({ depth }) => {
    const chain = levels(depth);
    const child = (n: number): string => (n === 1 ? 'r' : `e${n - 1}`);
    const seen = (reaches: (n: number) => boolean): string =>
      chain.map((n) => `x${n}={${reaches(n) ? `${child(n)}:IN` : ''}}`).join(' ');
    return `
init:
  r, w = pipe2(O_NONBLOCK)
${chain.map((n) => `  e${n} = epoll_create(1)`).join('\n')}
${chain.map((n) => `  epoll_ctl(e${n}, EPOLL_CTL_ADD, ${child(n)}, EPOLLIN)`).join('\n')}
T1:
  n = write(w, "a")
${chain
  .toReversed()
  .map((n) => `  x${n} = epoll_wait(e${n}, 8, 0)`)
  .join('\n')}
expect:
  always n=1 ${seen((n) => n <= DEEPEST)}
expect 2.5.44+sys_epoll-v11:
  always n=1 ${seen((n) => n === 1)}
`;
  },
});
