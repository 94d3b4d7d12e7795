import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'timerfd_create() refuses unknown clocks and flags',
  ltp: 'timerfd_create01',
  on: 'host',
  rows: [
    { why: 'clock', args: '-1, 0' },
    { why: 'flags', args: 'CLOCK_MONOTONIC, -1' },
  ],
  program: ({ args }) => `
T1:
  t = timerfd_create(${args})
expect:
  always t=EINVAL
`,
});
