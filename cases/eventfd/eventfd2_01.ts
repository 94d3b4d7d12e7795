import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'eventfd() sets close-on-exec if and only if EFD_CLOEXEC is given',
  ltp: 'eventfd2_01',
  on: 'host',
  rows: [
    { why: 'no flags', flags: '0', cloexec: 0 },
    { why: 'EFD_CLOEXEC', flags: 'EFD_CLOEXEC', cloexec: 1 },
  ],
  program: ({ flags, cloexec }) => `
T1:
  e = eventfd(1, ${flags})
  f = fcntl(e, F_GETFD)
expect:
  always e=ok f=${cloexec}
`,
});
