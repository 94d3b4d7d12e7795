import t from 'tap';
import { parseProgram } from '../program/text.ts';
import { modelTarget } from '../target/model.ts';
import { Coverage, countFeatures, coverageText, kindOf, reversed } from './index.ts';

const V11 = '2.5.44+sys_epoll-v11';

/** What a program shows when it is explored to the end. */
function featuresOf(kernel: string, text: string, timers: 'idle' | 'any' = 'idle'): Set<string> {
  const coverage = new Coverage();
  coverage.begin();
  const program = parseProgram(text, 'test');
  // What nobody wants to hear of is seen all the same.
  const uninteresting = (): boolean => true;
  const behaviour = modelTarget(kernel).run(program, { timers, coverage, uninteresting });
  if (behaviour.findings.length > 0) throw new Error('Somebody heard of it');
  if (!behaviour.complete) throw new Error('Not explored to the end');
  return new Set(coverage.features());
}

function of(features: ReadonlySet<string>, kind: string): string[] {
  return [...features].filter((feature) => kindOf(feature) === kind).sort();
}

const PIPE = 'init:\n  r, w = pipe2(O_NONBLOCK)\n';
const SET = `${PIPE}  A = epoll_create(10)\n  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\n`;

t.test('two threads at one object are a racing pair in both orders; one thread is none', (t) => {
  const both = featuresOf('2.6.20', `${PIPE}T1:\n  n = write(w, 1)\nT2:\n  y = read(r, 1)\n`);
  const one = featuresOf('2.6.20', `${PIPE}T1:\n  n = write(w, 1)\n  y = read(r, 1)\n`);

  const pair = 'race pipe.mutex: pipe_write < pipe_read';
  t.ok(both.has(pair) && both.has('race pipe.mutex: pipe_read < pipe_write'));
  t.equal(reversed(pair), 'race pipe.mutex: pipe_read < pipe_write');
  t.ok(both.has('blocked pipe.mutex at pipe_read'));
  t.ok(countFeatures(both, 0).bothOrders > 0);
  t.same([...of(one, 'race'), ...of(one, 'blocked')], []);
  t.ok(one.has('order pipe.mutex < pipe.wait.lock'), 'what one thread shows it shows');
  t.ok(one.has('result read more') && !one.has('result read EAGAIN'));
  t.ok(both.has('result read more') && both.has('result read EAGAIN'));
  t.end();
});

t.test('two threads that only read are no racing pair', (t) => {
  const reading = 'T1:\n  x = epoll_wait(A, 8, 0)\nT2:\n  x2 = epoll_wait(B, 8, 0)\n';
  const apart = featuresOf('2.6.20', `${SET}  B = epoll_create(10)\n${reading}`);

  t.ok(apart.has('site epoll_wait 2.6-LP2'));
  t.same(of(apart, 'race'), []);
  t.end();
});

t.test('who sleeps before its wake-up, and who is woken before it sleeps', (t) => {
  const program = (timeout: number): string =>
    `${SET}T1:\n  x = epoll_wait(A, 8, ${timeout})\nT2:\n  n = write(w, 1)\n`;
  const waits = featuresOf('2.6.20', program(-1));
  const looks = featuresOf('2.6.20', program(0));
  const timed = featuresOf('2.6.20', program(20), 'any');

  // The set is locked until its sleeper is asleep; poll() looks at one file after the other.
  t.match(of(waits, 'sleep'), [/^sleep 2\.6-LP7 < wake \S+$/]);
  t.same(of(waits, 'wake'), []);
  const polling = 'T1:\n  p = poll([r:POLLIN, r2:POLLIN], -1)\nT2:\n  n = write(w, 1)\n';
  const polls = featuresOf('2.6.20', `${PIPE}  r2, w2 = pipe2(O_NONBLOCK)\n${polling}`);
  const slept = of(polls, 'sleep');
  t.match(slept, [/^sleep do_poll < wake \S+$/]);
  t.ok(polls.has(reversed(slept[0]) ?? ''), 'and the other way round');
  t.same([...of(looks, 'sleep'), ...of(looks, 'wake'), ...of(looks, 'timer')], []);
  t.same(of(waits, 'timer'), [], 'no timer, no order of it');
  const orders = of(timed, 'timer');
  t.ok(
    orders.some((feature) => orders.includes(reversed(feature) ?? '')),
    orders.join('; '),
  );
  t.end();
});

t.test('the step labels of each call, and what is wrong', (t) => {
  const program = (op: string): string =>
    `${SET}T1:\n  k = epoll_ctl(A, EPOLL_CTL_${op}, r, EPOLLIN)\nT2:\n  k2 = epoll_ctl(A, EPOLL_CTL_DEL, r)\n`;
  const modify = featuresOf(V11, program('MOD'));
  const add = featuresOf(V11, program('ADD'));
  const mended = featuresOf(`${V11}+epoll-acsem`, program('MOD'));

  t.ok(modify.has('site epoll_ctl v11-MO1') && !add.has('site epoll_ctl v11-MO1'));
  t.ok(modify.has('finding KASAN-UAF v11-MO1 / v11-RM6'));
  t.notOk([...mended].some((feature) => feature.startsWith('finding KASAN')));
  t.ok(add.has('site epoll_ctl v11-IN5') && !modify.has('site epoll_ctl v11-IN5'));
  t.end();
});

t.test('features say nothing of the program: names, order of threads, numbers', (t) => {
  const one = `${SET}T1:\n  x = epoll_wait(A, 8, -1)\nT2:\n  n = write(w, 1)\n  q = close(r)\n`;
  const other = one
    .replace('T1:', 'T9:')
    .replace(/T9:\n.*\n/, '')
    .replace('T2:', 'T1:')
    .concat('T2:\n  seen = epoll_wait(A, 8, -1)\n');

  t.same([...featuresOf('2.6.20', one)].sort(), [...featuresOf('2.6.20', other)].sort());
  t.end();
});

t.test('programs do not know of each other, and what is added is counted', (t) => {
  const coverage = new Coverage();
  const target = modelTarget('2.6.20');
  const shown = (text: string): string[] => {
    coverage.begin();
    target.run(parseProgram(text, 'test'), { coverage });
    return coverage.features();
  };
  const small = `${PIPE}T1:\n  n = write(w, 1)\n`;
  const first = shown(small);
  const outcomes = coverage.outcomes;
  shown(`${SET}T1:\n  x = epoll_wait(A, 8, 0)\n`);
  t.not(coverage.outcomes, outcomes);
  t.same(shown(small), first, 'the same again after another');
  t.equal(coverage.outcomes, outcomes);

  const features = new Set(['race a: x < y', 'race a: y < x', 'race a: z < z', 'race a: x < z']);
  const counts = countFeatures(new Set([...features, 'site read x', 'no feature']), 7);
  t.match(counts, { bothOrders: 2, outcomeSets: 7, features: { race: 4, site: 1, order: 0 } });
  t.match(
    coverageText(counts),
    /^sites 1, racing pairs 4 \(both orders 2\), lock-order edges 0, .*, outcome sets 7$/,
  );
  t.end();
});
