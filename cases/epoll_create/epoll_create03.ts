import { defineCase } from '../../harness/case-api.ts';

/** The models let a process have descriptors 3 to 1023. */
const FREE = 1021;
const PIPES_IN_INIT = 505;

export default defineCase({
  verifies:
    'epoll_create() says EMFILE when the descriptor table is full, and works again after a close()',
  docs: 'E-R1 E-R87',
  ltp: 'epoll_create03',
  on: '2.5.44+sys_epoll-v11 2.6.20',
  rows: [{ why: 'table full of pipes', size: 1 }],
  program: ({ size }) => `
init:
${'  pipe()\n'.repeat(PIPES_IN_INIT)}
T1:
${'  pipe()\n'.repeat((FREE - 1) / 2 - PIPES_IN_INIT - 1)}
  r, w = pipe()
  A = epoll_create(${size})
  B = epoll_create(${size})
  c = close(r)
  C = epoll_create(${size})
expect:
  always A=ok B=EMFILE c=0 C=ok
`,
});
