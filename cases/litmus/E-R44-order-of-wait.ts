import { defineCase } from '../../harness/case-api.ts';

const register = '  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN|EPOLLET)';
const check = '  y = read(r, 1)';
const sleep = '  x = epoll_wait(A, 8, -1)';
const sleepIfEmpty = `${sleep} if y == EAGAIN`;

export default defineCase({
  verifies:
    'of the six orders of register, check and sleep one is free of hangs, and two more where ADD looks',
  docs: 'E-R44 E-R36 E-R37',
  on: '2.5.44+sys_epoll-v11 2.6.20',
  rows: [
    {
      why: 'register, check, sleep',
      calls: [register, check, sleepIfEmpty],
      v11: 'never',
      v26: 'never',
    },
    {
      why: 'register, sleep, check',
      calls: [register, sleep, check],
      v11: 'sometimes',
      v26: 'never',
    },
    {
      why: 'check, register, sleep',
      calls: [check, register, sleepIfEmpty],
      v11: 'sometimes',
      v26: 'never',
    },
    {
      why: 'check, sleep, register',
      calls: [check, sleepIfEmpty, register],
      v11: 'sometimes',
      v26: 'sometimes',
    },
    {
      why: 'sleep, register, check',
      calls: [sleep, register, check],
      v11: 'sometimes',
      v26: 'sometimes',
    },
    {
      why: 'sleep, check, register',
      calls: [sleep, check, register],
      v11: 'sometimes',
      v26: 'sometimes',
    },
  ],
  program: ({ calls, v11, v26 }) => `
init:
  A = epoll_create(10)
  r, w = pipe2(O_NONBLOCK)
T1:
${calls.join('\n')}
T2:
  write(w, "a")
expect 2.5.44+sys_epoll-v11:
  ${v11} x=hang
expect 2.6.20:
  ${v26} x=hang
`,
});
