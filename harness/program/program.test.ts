import { readFileSync, readdirSync } from 'node:fs';
import * as fc from 'fast-check';
import t from 'tap';
import { DETECTORS, MASK_BITS, formatMask, parseMask } from '../abi/index.ts';
import {
  META,
  ProgramSyntaxError,
  formatResult,
  matches,
  metaOf,
  missingOn,
  outcomeText,
  parseProgram,
  printProgram,
  problemOf,
  programHash,
  resultNames,
  resultOf,
  satisfies,
  type CallResult,
  type Conjunction,
  type Program,
  type Result,
  type ValuePattern,
} from './index.ts';

const SEED = Number(process.env['PROGRAM_SEED'] ?? 20_261_120);
t.comment(`seed ${SEED} (PROGRAM_SEED overrides)`);

const EXAMPLE = `# comment
about: one sentence, with "quotes" and bug#7
docs: E-B2 E-R80
on: 2.5.44+sys_epoll-v11 2.6.20 host      # targets
hz: 100

init:
  A = epoll_create(10)
  r, w = pipe2(O_NONBLOCK|O_CLOEXEC)
  s, t = socketpair(AF_UNIX, SOCK_STREAM)
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN|EPOLLET|0x800, data=7)
T1:
  x = epoll_wait(A, 8, -1, buf=mapped(1))
  y = read(r, 10) if x == {7:IN}   # only then
  v = epoll_pwait(A, 1, 0, {SIGUSR1, SIGUSR2})
T2:
  n = write(w, "a\\x00\\"b\\\\#\\n")
  write(-1, 4096)
  p = poll([r:POLLIN, w:POLLOUT|0x1000], -1)
  kill(T1, SIGUSR1) if n != EAGAIN
  munmap(ALL, A)
expect:
  always n=5 v=0|EINTR
  never y=EAGAIN
  sometimes x=hang T2.5=ok
expect 2.5.44+sys_epoll-v11 2.*:
  outcome x={7:IN+, s:OUT|HUP} y=1
  outcome x=hang y=none
  finding KASAN-UAF at v11-MO1 / v11-RM6
  absent LOST-EDGE
  clean
`;

const CANONICAL = `name: example
about: one sentence, with "quotes" and bug#7
docs: E-B2 E-R80
on: 2.5.44+sys_epoll-v11 2.6.20 host
hz: 100

init:
  A = epoll_create(10)
  r, w = pipe2(O_NONBLOCK|O_CLOEXEC)
  s, t = socketpair(AF_UNIX, SOCK_STREAM)
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN|EPOLLET|0x800, data=7)
T1:
  x = epoll_wait(A, 8, -1, buf=mapped(1))
  y = read(r, 10) if x == {7:IN}
  v = epoll_pwait(A, 1, 0, {SIGUSR1, SIGUSR2})
T2:
  n = write(w, "a\\x00\\"b\\\\#\\n")
  write(-1, 4096)
  p = poll([r:POLLIN, w:POLLOUT|0x1000], -1)
  kill(T1, SIGUSR1) if n != EAGAIN
  munmap(ALL, A)
expect:
  always n=5 v=0|EINTR
  never y=EAGAIN
  sometimes x=hang T2.5=ok
expect 2.5.44+sys_epoll-v11 2.*:
  outcome x={7:IN+, s:OUT|HUP} y=1
  outcome x=hang y=none
  finding KASAN-UAF at v11-MO1 / v11-RM6
  absent LOST-EDGE
  clean
`;

t.test('a program prints in the canonical form and parses back equal', async (t) => {
  const program = parseProgram(EXAMPLE, 'dir/example.prog');

  t.equal(printProgram(program), CANONICAL);
  t.same(parseProgram(CANONICAL, 'other.prog'), program);
  t.equal(program.name, 'example');
  t.equal(metaOf(program, 'on'), '2.5.44+sys_epoll-v11 2.6.20 host');
  t.equal(metaOf(program, 'hz'), '100');
  t.equal(metaOf(program, 'schedule'), null);
});

t.test('the outcome lines of a block are one exact set, wherever they stand', async (t) => {
  const text = 'T1:\n  x = sleep(1)\nexpect:\n  outcome x=0\n  clean\n  outcome x=EINTR\n';

  const [block] = parseProgram(text, 'x.prog').expect;

  t.same(
    block.expectations.map((e) => e.kind),
    ['exactly', 'clean'],
  );
  t.match(block.expectations[0], { outcomes: [{}, {}] });
});

t.test('windows line ends and a missing last newline are read', async (t) => {
  const program = parseProgram('T1:\r\n  x = sleep(1)\r\nexpect:\r\n  always x=0', 'x.prog');

  t.equal(program.threads[0].length, 1);
});

t.test('the hash is of init and threads only', async (t) => {
  const program = parseProgram(EXAMPLE, 'example.prog');
  const bare: Program = { ...program, name: 'other', meta: [], expect: [] };

  t.equal(programHash(bare), programHash(program));
  t.equal(programHash(program), '4f5905e6268543b8', 'a golden value: saved reports use it');
  t.not(programHash({ ...bare, threads: bare.threads.slice(1) }), programHash(bare));
});

/** What is written, and the one line that answers it. `P` is a valid beginning of four lines. */
const P = 'init:\n  A = epoll_create(1)\n  r, w = pipe()\nT1:\n';
const MALFORMED: readonly (readonly [text: string, message: string])[] = [
  // lines and sections
  ['x = pipe()', '1:1: Cannot read "x": expected "key: value", "init:", "T1:" or "expect:"'],
  ['colour: red', '1:1: Cannot read "colour:": it is no header key or section'],
  ['abuot: x', '1:1: Cannot read "abuot:": it is no header key or section, did you mean "about"?'],
  ['expct:', '1:1: Cannot read "expct:": it is no header key or section, did you mean "expect"?'],
  ['about:', '1:7: Cannot read "about:": its value is missing'],
  ['hz: 100\nhz: 250', '2:1: Cannot read "hz:" a second time'],
  ['name: a\nname: b', '2:1: Cannot read "name:" a second time'],
  ['hz: fast', '1:5: Cannot use "fast" as "hz": ticks per second of the model, such as "100"'],
  [
    'timers: never',
    '1:9: Cannot use "never" as "timers": when timers fire: at idle, or any time, such as "idle"',
  ],
  ['max-steps: 0', '1:12: Cannot use "0" as "max-steps": bound on steps per run, such as "20000"'],
  [
    'on: 2.6.20, host',
    '1:5: Cannot use "2.6.20, host" as "on": targets it applies to, such as "2.6.20 host"',
  ],
  [`${P}about: late`, '5:1: Cannot read "about:" here: header lines stand before the calls'],
  ['init:\ninit:', '2:1: Cannot start "init:" a second time'],
  ['T1:\ninit:', '2:1: Cannot start "init:" here: it stands before the threads'],
  ['init: x', '1:7: Cannot read "init:": unexpected "x" at its end'],
  ['T2:', '1:1: Cannot start "T2:" here: the next thread is T1'],
  ['T1:\nT1:', '2:1: Cannot start "T1:" here: the next thread is T2'],
  ['T1:\nT2:\nT3:\nT4:\nT5:', '5:1: Cannot start "T5:": a program has at most 4 threads'],
  ['T1:\nexpect:\nT2:', '3:1: Cannot start "T2:" here: threads stand before "expect:"'],
  [
    'expect 2.6/x:',
    '1:1: Cannot read target "2.6/x": write it as 2.6.20, 2.5.44+sys_epoll-v11, 2.* or host',
  ],
  ['expect:\n  clean\nexpect:\n  clean', '3:1: Cannot have two "expect:" blocks'],
  // calls
  [
    'T1:\n  x = epol_wait(1, 1, 0)',
    '2:3: Cannot call "epol_wait": no such call, did you mean "epoll_wait"?',
  ],
  ['T1:\n  frobnicate()', '2:3: Cannot call "frobnicate": no such call'],
  ['T1:\n  sleep', '2:8: Cannot read the call "sleep": expected "(", found the end of the line'],
  [
    'T1:\n  sleep(1',
    '2:10: Cannot read the arguments of sleep(): expected ",", found the end of the line',
  ],
  ['T1:\n  sleep(1) 2', '2:12: Cannot read "2" after a call: expected "if" or the end of the line'],
  ['T1:\n  x = = 3', '2:7: Cannot read a call: expected a name, found "="'],
  ['T1:\n  3 = sleep(1)', '2:3: Cannot read a call: expected a name, found "3"'],
  ['T1:\n  a, b sleep(1)', '2:8: Cannot read a call: expected "=", found "sleep"'],
  [
    'T1:\n  r = pipe()',
    '2:3: Cannot bind 1 name to pipe(): it makes two descriptors, as in "r, w = "',
  ],
  ['T1:\n  x, y = sleep(1)', '2:3: Cannot bind 2 names to sleep(): it makes one name'],
  [`${P}  r = dup(w)`, '5:3: Cannot bind "r" again: init.2 binds it'],
  ['T1:\n  x = sleep(1)\nT2:\n  x = sleep(1)', '4:3: Cannot bind "x" again: T1.1 binds it'],
  ['T1:\n  EPOLLIN = sleep(1)', '2:3: Cannot bind "EPOLLIN": the word is reserved'],
  ['T1:\n  hang = sleep(1)', '2:3: Cannot bind "hang": the word is reserved'],
  ['T1:\n  EAGAIN = sleep(1)', '2:3: Cannot bind "EAGAIN": the word is reserved'],
  // arguments
  [
    `${P}  epoll_wait(A, 1)`,
    '5:3: Cannot call epoll_wait() with 2 arguments: it takes (epfd, maxevents, timeout, [buf=])',
  ],
  [`${P}  close(r, w)`, '5:12: Cannot call close() with 2 arguments: it takes (fd)'],
  [`${P}  close(q)`, '5:9: Cannot use "q": nothing binds it'],
  [`${P}  dup(rr)`, '5:7: Cannot use "rr": nothing binds it, did you mean "r"?'],
  [
    `${P}  close(d)\n  d = dup(r)`,
    '5:9: Cannot use "d" here: it is bound later or by another thread; bind it in init',
  ],
  [
    `${P}  d = dup(r)\nT2:\n  close(d)`,
    '7:9: Cannot use "d" here: it is bound later or by another thread; bind it in init',
  ],
  [
    `${P}  n = close(r)\n  dup(n)`,
    '6:7: Cannot use "n" as oldfd of dup(): it is a result, not a descriptor',
  ],
  [
    `${P}  munmap(r)`,
    '5:10: Cannot use "r" as addr of munmap(): it is a descriptor, not a mapping or context',
  ],
  [
    `${P}  epoll_ctl(A, EPOLL_CTL_AD, r, 0)`,
    '5:16: Cannot use unknown flag EPOLL_CTL_AD as op of epoll_ctl(), did you mean "EPOLL_CTL_ADD"?',
  ],
  [
    `${P}  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLN)`,
    '5:34: Cannot use unknown flag EPOLLN as event of epoll_ctl(), did you mean "EPOLLIN"?',
  ],
  [
    `${P}  epoll_ctl(A, EPOLL_CTL_ADD, r, O_NONBLOCK)`,
    '5:34: Cannot use O_NONBLOCK as event of epoll_ctl(): expected EPOLLIN or its like',
  ],
  [
    `${P}  epoll_ctl(A, EPOLL_CTL_ADD|EPOLL_CTL_DEL, r, 0)`,
    '5:16: Cannot combine EPOLL_CTL_ADD|EPOLL_CTL_DEL: op of epoll_ctl() is one of them',
  ],
  [
    `${P}  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN|)`,
    '5:42: Cannot read flags: expected a name after "|", found ")"',
  ],
  [
    `${P}  epoll_ctl(A, EPOLL_CTL_ADD, r, 3|EPOLLIN)`,
    '5:35: Cannot combine number 3 with flags: write it as 0x...',
  ],
  [
    `${P}  epoll_ctl(A, EPOLL_CTL_ADD, r)`,
    '5:3: Cannot leave the events of epoll_ctl() out: only EPOLL_CTL_DEL has none',
  ],
  [
    `${P}  epoll_ctl(A, EPOLL_CTL_ADD, r, 0, dta=7)`,
    '5:37: Cannot label an argument of epoll_ctl() "dta", did you mean "data"?',
  ],
  [`${P}  epoll_ctl(A, EPOLL_CTL_ADD, r, 0, data=7, data=8)`, '5:45: Cannot give "data=" twice'],
  [
    `${P}  epoll_ctl(A, EPOLL_CTL_ADD, data=7, r, 0)`,
    '5:39: Cannot put r after a labelled argument',
  ],
  [
    `${P}  epoll_wait(A, EPOLLIN, 0)`,
    '5:17: Cannot use EPOLLIN as maxevents of epoll_wait(): expected a decimal number',
  ],
  [`${P}  read(r, 0x10)`, '5:11: Cannot use 0x10 as count of read(): expected a decimal number'],
  [`${P}  read(r, -1)`, '5:11: Cannot use -1 as a number of bytes: it goes from 0 to 1048576'],
  [`${P}  write(w, "a)`, '5:12: Cannot read a string: its closing quote is missing'],
  [`${P}  write(w, "\\q")`, '5:13: Cannot read escape "\\q": use \\" \\\\ \\n \\t or \\xNN'],
  [
    `${P}  write(w, "é€")`,
    '5:12: Cannot use a character beyond \\xff in a string: write its bytes',
  ],
  [
    `${P}  close(99999999999999999999)`,
    '5:9: Cannot read number 99999999999999999999: it is out of range',
  ],
  [`${P}  close(12x)`, '5:9: Cannot read an argument: found "12x"'],
  [`${P}  sleep(-1)`, '5:9: Cannot sleep for -1 ms'],
  [
    `${P}  poll([r:POLLIM], 0)`,
    '5:11: Cannot use unknown flag POLLIM as events of poll(), did you mean "POLLIN"?',
  ],
  [`${P}  poll([r], 0)`, '5:10: Cannot read a pollfd list: expected ":", found "]"'],
  [
    `${P}  epoll_pwait(A, 1, 0, {SIGUSR9})`,
    '5:24: Cannot use unknown flag SIGUSR9 as a signal set, did you mean "SIGUSR1"?',
  ],
  [
    `${P}  epoll_wait(A, 1, 0, buf=mapped(x))`,
    '5:34: Cannot read mapped(): expected a number of elements, found "x"',
  ],
  [`${P}  kill(T2, SIGUSR1)`, '5:8: Cannot send a signal to "T2": threads are T1 to T1'],
  ['init:\n  kill(T1, SIGUSR1)\nT1:', '2:8: Cannot send a signal in init: no thread runs yet'],
  // conditions
  [`${P}  close(r) if q == 0`, '5:15: Cannot test "q": nothing binds it'],
  [
    `${P}  n = close(r) if n == 0`,
    '5:19: Cannot test "n": it is not an earlier result of this thread or of init',
  ],
  [`${P}  close(r) if r = 0`, '5:17: Cannot read a condition: expected "==", found "="'],
  [
    `${P}  close(r) if r == EAGAN`,
    '5:20: Cannot read value "EAGAN": it is no number, errno, hang, killed, none or ok, did you mean "EAGAIN"?',
  ],
  [`${P}  close(r) if r == 0|1`, '5:21: Cannot read a condition: unexpected "|" at its end'],
  [
    `${P}  x = epoll_wait(A, 1, 0)\n  close(r) if x == {q:IN}`,
    '6:21: Cannot expect an event of "q": no such descriptor',
  ],
  // expectations
  [`${P}expect:\n  allways x=0`, '6:3: Cannot read expectation "allways", did you mean "always"?'],
  [`${P}expect:\n  always`, '6:9: Cannot read "always": no result is named'],
  [`${P}expect:\n  always q=0`, '6:10: Cannot expect "q": nothing binds it'],
  [`${P}expect:\n  always T1.1=0`, '6:10: Cannot expect "T1.1": no such call'],
  [`${P}expect:\n  always r=0 r=1`, '6:14: Cannot say "r" twice in one outcome'],
  [
    `${P}expect:\n  always r`,
    '6:11: Cannot read "always": expected "=", found the end of the line',
  ],
  [`${P}expect:\n  always r={w:INN}`, '6:15: Cannot read event "INN", did you mean "IN"?'],
  [
    `${P}expect:\n  always r={w:}`,
    '6:15: Cannot read events: expected an event after ":", found "}"',
  ],
  [
    `${P}expect:\n  always r={w:IN`,
    '6:17: Cannot read events: expected ",", found the end of the line',
  ],
  [
    `${P}expect:\n  finding KASAN-UFA`,
    '6:3: Cannot expect a finding of "KASAN-UFA": no such detector, did you mean "KASAN-UAF"?',
  ],
  [
    `${P}expect:\n  finding at v11-MO1`,
    '6:21: Cannot read "finding at v11-MO1": expected a detector and perhaps "at SITE"',
  ],
  [`${P}expect:\n  clean please`, '6:9: Cannot read "clean": unexpected "please" at its end'],
];

t.test('malformed programs are refused with one line that has position and reason', async (t) => {
  t.ok(MALFORMED.length >= 45);
  for (const [text, message] of MALFORMED) {
    let caught: unknown = null;
    try {
      parseProgram(text, 'bad.prog');
    } catch (error) {
      caught = error;
    }
    const found = caught instanceof ProgramSyntaxError ? caught.message : String(caught);
    t.equal(found, `bad.prog:${message}`, JSON.stringify(text.split('\n').at(-1)));
    t.notOk(found.includes('\n'), 'one line');
  }
});

t.test('a program that is not from text is refused by the place of the call', async (t) => {
  const program: Program = {
    name: 'made',
    meta: [],
    init: [],
    threads: [[{ bind: [], name: 'close', args: [{ kind: 'name', name: 'q' }] }]],
    expect: [],
  };

  t.equal(problemOf(program), 'Cannot use "q": nothing binds it');
  t.throws(() => parseProgram(printProgram(program), 'made.prog'), {
    message: 'made.prog:4:9: Cannot use "q": nothing binds it',
  });
  t.equal(
    problemOf({ ...program, threads: [[], [], [], [], []] }),
    'Cannot have 5 threads: 4 at most',
  );
});

t.test('a target without a call or a device flag says so; event bits are passed', async (t) => {
  const host = parseProgram('T1:\n  e = eventfd(0, 0)\n', 'x.prog');
  const device = parseProgram('T1:\n  D = open("/dev/epoll")\n  ioctl(D, EP_ALLOC, 1)\n', 'x.prog');
  const edge = parseProgram('T1:\n  epoll_ctl(3, EPOLL_CTL_ADD, 4, EPOLLET)\n', 'x.prog');

  t.equal(missingOn(host, '2.6.20'), '2.6.20 has no eventfd()');
  t.equal(missingOn(host, 'host'), null);
  t.equal(missingOn(device, '2.6.20'), '2.6.20 has no EP_ALLOC');
  t.equal(missingOn(device, '2.5.44+sys_epoll-v11'), null);
  t.equal(missingOn(edge, '2.5.44+sys_epoll-v11'), null);
  t.equal(missingOn(edge, '2.5.44'), '2.5.44 has no epoll_ctl()');
});

t.test('masks print in bit order and read back', async (t) => {
  t.equal(formatMask(0), '0');
  t.equal(formatMask(0x2015), 'IN|OUT|HUP|RDHUP');
  t.equal(formatMask(0x80000001), 'IN|0x80000000');
  t.equal(parseMask('POLLIN|EPOLLOUT|0x10'), 0x15);
  t.equal(parseMask('INN'), null);
  fc.assert(
    fc.property(fc.nat({ max: 0xffffffff }), (mask) => parseMask(formatMask(mask)) === mask),
    { seed: SEED },
  );
});

const events = (...list: readonly (readonly [string, number])[]): Result => ({
  kind: 'events',
  events: list.map(([name, mask]) => ({ name, mask })),
});

/** Patterns are written as in a program whose descriptors are r, w and s. */
function pattern(text: string): ValuePattern {
  const source = `init:\n  r, w = pipe()\n  s = dup(r)\nT1:\n  x = sleep(1)\nexpect:\n  always x=${text}\n`;
  const [expectation] = parseProgram(source, 'x.prog').expect[0].expectations;
  if (expectation.kind !== 'always') throw new Error('always is always');
  return expectation.outcome.terms[0].values[0];
}

t.test('patterns match results as the grammar says', async (t) => {
  const yes: readonly (readonly [string, Result | undefined])[] = [
    ['3', { kind: 'value', value: 3 }],
    ['3', { kind: 'bytes', count: 3, data: 'abc' }],
    ['1', events(['r', 1])],
    ['0', events()],
    ['{}', events()],
    ['[]', { kind: 'value', value: 0 }],
    ['"abc"', { kind: 'bytes', count: 3, data: 'abc' }],
    ['EAGAIN', { kind: 'errno', errno: 'EAGAIN' }],
    ['hang', { kind: 'hang' }],
    ['killed', { kind: 'killed' }],
    ['none', undefined],
    ['ok', { kind: 'fds', fds: [3] }],
    ['ok', { kind: 'value', value: 0 }],
    ['{s:OUT, r:IN}', events(['r', 1], ['s', 4])],
    ['{r:IN+, r:IN}', events(['r', 1], ['r', 0x11])],
    ['[r:IN, s:OUT]', events(['r', 1], ['s', 4])],
    ['{r:IN+}', events(['r', 0x11])],
    ['{7:IN}', events(['7', 1])],
    ['{r:0x800}', events(['r', 0x800])],
  ];
  const no: readonly (readonly [string, Result | undefined])[] = [
    ['3', { kind: 'value', value: 4 }],
    ['3', undefined],
    ['3', { kind: 'fds', fds: [3] }],
    ['"abd"', { kind: 'bytes', count: 3, data: 'abc' }],
    ['EAGAIN', { kind: 'errno', errno: 'EINTR' }],
    ['none', { kind: 'hang' }],
    ['ok', { kind: 'errno', errno: 'EBADF' }],
    ['ok', { kind: 'hang' }],
    ['ok', undefined],
    ['{r:IN}', events(['r', 0x11])],
    ['{r:IN}', events()],
    ['{r:IN+}', events(['r', 4])],
    ['{r:IN}', events(['s', 1])],
    ['[r:IN, s:OUT]', events(['s', 4], ['r', 1])],
    ['{r:IN, r:IN}', events(['r', 1], ['s', 1])],
    ['{}', { kind: 'hang' }],
  ];

  for (const [text, result] of yes)
    t.ok(matches(pattern(text), result), `${text} is ${JSON.stringify(result)}`);
  for (const [text, result] of no)
    t.notOk(matches(pattern(text), result), `${text} is not ${JSON.stringify(result)}`);
});

t.test(
  'an outcome is every result in program order, with failures and hangs of the rest',
  async (t) => {
    const program = parseProgram(
      'init:\n  A = epoll_create(0)\n  D = open("/dev/epoll")\n  m = mmap(D, 2)\n' +
        'T1:\n  x = epoll_wait(A, 8, -1)\n  y = read(3, 9) if x != 0\n  close(3)\n' +
        'T2:\n  close(4)\n  z = read(3, 9)\n  read(3, 1)\n' +
        'expect:\n  sometimes z="hi" T2.3=0\n',
      'x.prog',
    );
    const records: readonly CallResult[] = [
      { thread: -1, index: 0, result: { kind: 'errno', errno: 'EINVAL' } },
      { thread: -1, index: 1, result: { kind: 'fds', fds: [3] } },
      { thread: -1, index: 2, result: { kind: 'value', value: 0x40000000 } },
      { thread: 1, index: 0, result: { kind: 'errno', errno: 'EBADF' } },
      { thread: 0, index: 0, result: events(['s', 4], ['r', 1]) },
      { thread: 0, index: 2, result: { kind: 'hang' } },
      { thread: 1, index: 1, result: { kind: 'bytes', count: 2, data: 'hi' } },
      { thread: 1, index: 2, result: { kind: 'bytes', count: 0, data: '' } },
    ];

    t.same(resultNames(program), ['m', 'x', 'y', 'z', 'T2.3']);
    t.equal(
      outcomeText(program, records),
      'A=EINVAL m=ok x=[s:OUT, r:IN] y=none T1.3=hang z="hi" T2.3=0',
    );
    t.equal(outcomeText(program, []), 'm=none x=none y=none z=none T2.3=none');
    t.same(resultOf(program, 'T2.1', records), { kind: 'errno', errno: 'EBADF' });
    t.equal(resultOf(program, 'y', records), undefined);
    t.equal(formatResult({ kind: 'bytes', count: 2, data: 'hi' }), '2');
    const outcome: Conjunction = {
      terms: [
        { name: 'z', values: [{ kind: 'data', value: 'hi' }] },
        { name: 'y', values: [{ kind: 'int', value: 1 }, { kind: 'none' }] },
      ],
    };
    t.ok(satisfies(program, outcome, records));
    t.notOk(satisfies(program, { terms: [{ name: 'x', values: [{ kind: 'hang' }] }] }, records));
  },
);

t.test('the sample programs and the grammar page are in step with the parser', async (t) => {
  const folder = new URL('../../../fixtures/programs/', import.meta.url);
  const files = readdirSync(folder).filter((file) => file.endsWith('.prog'));
  const page = readFileSync(new URL('README.md', folder), 'utf8');

  t.ok(files.length >= 5);
  for (const file of files) {
    const program = parseProgram(readFileSync(new URL(file, folder), 'utf8'), file);
    t.same(parseProgram(printProgram(program), file), program, file);
    for (const selector of (metaOf(program, 'on') ?? '').split(' ')) {
      t.equal(missingOn(program, selector), null, `${file} on ${selector}`);
    }
  }
  for (const { key } of META) t.match(page, `| \`${key}\` |`);
  for (const detector of DETECTORS) t.match(page, detector);
  t.match(page, MASK_BITS.map(([name]) => name).join(' '));
  const example = /```\n(# a comment[^]*?)```/.exec(page)?.[1] ?? '';
  t.equal(parseProgram(example, 'readme.prog').threads.length, 2);
});
