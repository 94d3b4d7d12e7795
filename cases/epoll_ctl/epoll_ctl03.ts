import { defineCase } from '../../harness/case-api.ts';

const low = ['EPOLLIN', 'EPOLLOUT', 'EPOLLPRI', 'EPOLLERR', 'EPOLLHUP'];
const high = ['EPOLLRDHUP', 'EPOLLET', 'EPOLLONESHOT'];

/** The names whose bit is set in `bits`, as an event set; 0 for none. */
function setOf(names: readonly string[], bits: number): string[] {
  return names.filter((_name, at) => (bits & (1 << at)) !== 0);
}

const rows = [...Array(1 << high.length).keys()].map((bits) => {
  const fixed = setOf(high, bits);
  return { why: fixed.length === 0 ? 'poll bits alone' : `with ${fixed.join(' ')}`, fixed };
});

export default defineCase({
  verifies: 'MOD accepts every one of the 256 combinations of eight event bits',
  docs: 'E-R88 E-R112',
  ltp: 'epoll_ctl03',
  on: '2.5.44+sys_epoll-v11 2.6.20 host',
  rows,
  program: ({ fixed }) => {
    const calls: string[] = [];
    const results: string[] = [];
    for (let bits = 0; bits < 1 << low.length; bits += 1) {
      const events = [...setOf(low, bits), ...fixed].join('|') || '0';
      calls.push(`  m${bits} = epoll_ctl(A, EPOLL_CTL_MOD, r, ${events})`);
      results.push(`m${bits}=0`);
    }
    return `
init:
  A = epoll_create(8)
  r, w = pipe()
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
T1:
${calls.join('\n')}
expect:
  always ${results.join(' ')}
`;
  },
});
