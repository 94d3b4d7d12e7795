import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'a timer is readable when it has expired, once if it is single and again if it repeats',
  docs: 'E-R141',
  ltp: 'timerfd01',
  on: 'host',
  rows: [
    { why: 'single', value: 20, interval: 0, again: '{}' },
    { why: 'repeating', value: 20, interval: 20, again: '{t:IN}' },
  ],
  program: ({ value, interval, again }) => `
init:
  t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)
T1:
  e = read(t, 8)
  a = timerfd_settime(t, ${value}, ${interval})
  x = poll([t:POLLIN], 1000)
  k = read(t, 8)
  y = poll([t:POLLIN], 100)
  z = timerfd_settime(t, 0)
  v = poll([t:POLLIN], 50)
expect:
  always e=EAGAIN a=0 x={t:IN} k=8 y=${again} z=0 v={}
`,
});
