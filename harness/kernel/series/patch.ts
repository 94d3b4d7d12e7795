/** What a patch is. One file each in this folder; `index.ts` has the table of bases and patches. */

/** What is known of a patch without the kernel it applies to. */
export interface PatchInfo {
  /** As it stands in a spec: `epoll-acsem`. */
  readonly name: string;
  /** One line for people. */
  readonly title: string;
  /** The seed document it comes from. */
  readonly seed: string;
  /** Base it applies to. */
  readonly base: string;
  /** Patches that must stand before it. */
  readonly requires: readonly string[];
  /** Patches that it was posted on top of, when it applies without them as well: listings show it there. */
  readonly postedOn?: readonly string[];
  /** Patches that cannot stand in the same series, for instance other versions of this one. */
  readonly excludes?: readonly string[];
  /** The functions it replaces or adds, by their names in the kernel. */
  readonly replaces: readonly string[];
}

/** A patch on a base whose replaceable functions are `Parts`. */
export interface Patch<Parts> extends PatchInfo {
  apply(parts: Parts): Parts;
}

/** Seed of the sys_epoll thread of October 2002. */
export const SYS_EPOLL_THREAD = '001_c49968c44f50b10d.txt';

/** Seed of the AIO mails of 2011 and 2012: batches of kiocbs, the plug of io_submit, a stray unlock. */
export const AIO_BATCH_DIGEST = '003_2c4866c18ddf3374.txt';

/** Seed of the mail of January 2007 with epoll_wait as an iocb. */
export const AIO_EPOLL_MAIL = '000_4f566732c63f1bb3.txt';

/** Seed of the mail of January 2007 with the fallback for files that can be polled. */
export const AIO_FALLBACK_MAIL = '002_b56f44378bdd4e88.txt';
