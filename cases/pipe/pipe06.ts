import { defineCase } from '../../harness/case-api.ts';

/** The models let a process have descriptors 3 to 1023, of which a pipe takes two. */
const FREE = 1021;
const PIPES = (FREE - 1) / 2;

export default defineCase({
  verifies: 'pipe() says EMFILE when there are not two descriptors left, and takes none',
  ltp: 'pipe06',
  on: '2.5.44+sys_epoll-v11 2.6.20',
  rows: [{ why: 'one descriptor left', calls: PIPES }],
  program: ({ calls }) => `
init:
${'  pipe()\n'.repeat(calls - 1)}
T1:
  r, w = pipe()
  p, q = pipe()
  d = dup(r)
  e = dup(r)
expect:
  always r=ok w=ok p=EMFILE d=ok e=EMFILE
`,
});
