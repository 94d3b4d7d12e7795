/**
 * What a case file in TypeScript may import: a table of rows, each of which gives one program.
 *
 * A case speaks in programs only (fixtures/programs/README.md has the grammar); a `.prog` file is the same
 * with a single row. The file name is the name of the case, the row's `why` that of the row.
 */

/** One row of the table; more fields are the case's own. */
export interface CaseRow {
  /** What sets this row apart, in a few words: `epfd is closed`. Its slug, `epfd-is-closed`, names the row. */
  readonly why: string;
  /** Targets of this row alone, instead of the table's: `2.6.20 host`. */
  readonly on?: string;
}

/** The table as the author writes it. */
export interface CaseTable<Row extends CaseRow> {
  /** One sentence: what holds if every row passes. */
  readonly verifies: string;
  /** Ids of the rules and bugs that the case rests on: `E-R9 E-B2`. */
  readonly docs?: string;
  /** The LTP test it mirrors, where it does not bear its name. */
  readonly ltp?: string;
  /** The fix or report that a regression case protects. */
  readonly guards?: string;
  /** Targets it applies to, as in a program's `on:` line. */
  readonly on?: string;
  readonly rows: readonly Row[];
  /** The text of one program; `about:`, `docs:`, `on:` lines are added where it has none. */
  program(row: Row): string;
}

/** A header line that every row gets unless its text has one of that key. */
export interface CaseMeta {
  readonly key: string;
  readonly value: string;
}

/** One row as the runner sees it. */
export interface DefinedRow {
  readonly why: string;
  readonly meta: readonly CaseMeta[];
  text(): string;
}

/** What `defineCase` gives: the default export of a case file. */
export interface DefinedCase {
  readonly kind: 'lostwake-case';
  readonly verifies: string;
  readonly rows: readonly DefinedRow[];
}

/**
 * Makes a case of a table. Throws a TypeError if there is no row, or if two rows have the same name.
 *
 * @example
 * export default defineCase({
 *   verifies: 'epoll_create() refuses sizes below one',
 *   rows: [{ why: 'size is zero', size: 0 }, { why: 'size is negative', size: -1 }],
 *   program: (row) => `init:\n  A = epoll_create(${row.size})\nexpect:\n  always A=EINVAL\n`,
 * });
 */
export function defineCase<const Row extends CaseRow>(table: CaseTable<Row>): DefinedCase {
  if (table.rows.length === 0) throw new TypeError('Cannot define a case without rows');
  const seen = new Set<string>();
  for (const row of table.rows) {
    const slug = rowSlug(row.why);
    if (slug === '')
      throw new TypeError(`Cannot name a row "${row.why}": it has no letter or digit`);
    if (seen.has(slug)) throw new TypeError(`Cannot define two rows named "${slug}" in one case`);
    seen.add(slug);
  }
  return {
    kind: 'lostwake-case',
    verifies: table.verifies,
    rows: table.rows.map((row) => ({
      why: row.why,
      meta: metaOf(table, row),
      text: () => table.program(row),
    })),
  };
}

/** `epfd is closed` → `epfd-is-closed`; letters, digits, `_`, `.` and `+` stay, everything else joins. */
export function rowSlug(why: string): string {
  return why
    .replace(/[^A-Za-z0-9_.+]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .toLowerCase();
}

function metaOf<Row extends CaseRow>(table: CaseTable<Row>, row: Row): CaseMeta[] {
  const meta: CaseMeta[] = [{ key: 'about', value: `${table.verifies}: ${row.why}` }];
  const on = row.on ?? table.on;
  if (table.docs !== undefined) meta.push({ key: 'docs', value: table.docs });
  if (table.ltp !== undefined) meta.push({ key: 'ltp', value: table.ltp });
  if (table.guards !== undefined) meta.push({ key: 'guards', value: table.guards });
  if (on !== undefined) meta.push({ key: 'on', value: on });
  return meta;
}
