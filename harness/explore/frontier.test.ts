import t from 'tap';
import { engine, type EndReason, type Scenario } from '../machine/index.ts';
import { Dpor } from './dpor.ts';
import { explore } from './explore.ts';
import { Frontier, type Lease, type Reversal } from './frontier.ts';
import { Prng } from './prng.ts';
import { forgetToys, toyScenario } from './toy.ts';
import { familyOf, randomToy } from './toy-program.ts';

const SEED = 20_261_121;
const programs = Number(process.env['LOSTWAKE_SHARED_PROGRAMS'] ?? 400);

t.teardown(forgetToys);

interface Seen {
  readonly traces: Map<string, EndReason>;
  readonly executions: number;
  readonly leases: number;
}

/** Every trace, by one explorer. */
function alone(scenario: Scenario, limit: number): Map<string, EndReason> | null {
  const traces = new Map<string, EndReason>();
  const see = (end: EndReason): void => void traces.set(engine.log.canonical(), end);
  const end = explore(engine, scenario, new Dpor(engine), see, { executions: limit });
  return end === 'exhausted' ? traces : null;
}

/** Every trace, by explorers that give up at random; what is left is saved as text and read again. */
function interrupted(scenario: Scenario, random: Prng): Seen {
  let frontier = new Frontier();
  const traces = new Map<string, EndReason>();
  let executions = 0;
  let leases = 0;
  for (let lease = frontier.take(); lease !== null; lease = frontier.take()) {
    leases++;
    const dpor = new Dpor(engine, {}, lease.branch);
    const see = (end: EndReason): void => {
      executions++;
      traces.set(engine.log.canonical(), end);
    };
    let gaveUp = false;
    const taken = lease;
    explore(engine, scenario, dpor, see, {
      stop: () => {
        for (const reversal of dpor.takeAbove()) frontier.insert(taken, reversal);
        gaveUp = random.below(4) === 0;
        return gaveUp;
      },
    });
    if (!gaveUp) {
      frontier.finish(lease);
      continue;
    }
    const { levels, below } = dpor.surrender();
    frontier.surrender(lease, levels, below);
    const text = JSON.stringify(frontier.save());
    frontier = new Frontier();
    frontier.restore(JSON.parse(text));
  }
  return { traces, executions, leases };
}

/** Every trace, by explorers that share at random, with reversals that arrive late and in any order. */
function shared(scenario: Scenario, random: Prng, late: boolean): Seen {
  const frontier = new Frontier();
  const traces = new Map<string, EndReason>();
  const held: { readonly lease: Lease; readonly reversal: Reversal }[] = [];
  let executions = 0;
  let leases = 0;
  for (;;) {
    const lease = frontier.take();
    if (lease === null) {
      if (held.length === 0) break;
      const [{ lease: from, reversal }] = held.splice(random.below(held.length), 1);
      frontier.insert(from, reversal);
      continue;
    }
    leases++;
    const dpor = new Dpor(engine, {}, lease.branch);
    const see = (end: EndReason): void => {
      if (end === 'abandoned') throw new Error('abandoned');
      executions++;
      traces.set(engine.log.canonical(), end);
    };
    explore(engine, scenario, dpor, see, {
      stop: () => {
        for (const reversal of dpor.takeAbove()) {
          if (late) held.push({ lease: { ...lease, path: [...lease.path] }, reversal });
          else frontier.insert(lease, reversal);
        }
        const levels = random.below(3) === 0 ? dpor.share() : null;
        if (levels !== null) frontier.share(lease, levels);
        return false;
      },
    });
    if (dpor.sleepSetBlocked > 0) throw new Error('sleep-set blocked');
    frontier.finish(lease);
  }
  if (!frontier.finished) throw new Error('somebody is still at work');
  return { traces, executions, leases };
}

function compare(all: Map<string, EndReason>, seen: Seen): string {
  if (seen.executions !== all.size)
    return `${seen.executions} executions for ${all.size} traces, ${seen.traces.size} of them distinct`;
  for (const [trace, end] of all) if (seen.traces.get(trace) !== end) return 'another trace';
  return '';
}

t.test('explorers that share visit every trace once, however late they hear of each other', (t) => {
  t.comment(`seed ${SEED}, ${programs} programs`);
  const random = new Prng(SEED);
  let traces = 0;
  let leases = 0;
  for (let n = 0; n < programs; n++) {
    const program = randomToy(random, familyOf(n));
    const all = alone(toyScenario(program), 3000);
    if (all === null) continue;
    const seen = shared(toyScenario(program), random, n % 2 === 1);
    traces += all.size;
    leases += seen.leases;
    const wrong = compare(all, seen);
    if (wrong !== '') t.fail(`${wrong}: ${JSON.stringify(program)}`);
  }
  t.comment(`${traces} traces, ${leases} branches`);
  t.ok(leases > programs, 'most explorations were really shared');
  t.end();
});

t.test('an exploration that is saved and restored many times visits every trace once', (t) => {
  const random = new Prng(SEED + 1);
  let leases = 0;
  for (let n = 0; n < programs; n++) {
    const program = randomToy(random, familyOf(n));
    const all = alone(toyScenario(program), 1000);
    if (all === null) continue;
    const seen = interrupted(toyScenario(program), random);
    leases += seen.leases;
    const wrong = compare(all, seen);
    if (wrong !== '') t.fail(`${wrong}: ${JSON.stringify(program)}`);
  }
  t.ok(leases > programs, 'most explorations were really interrupted');
  t.end();
});
