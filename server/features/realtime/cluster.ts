/**
 * The other instances, as capabilities see them: messages to all of them, what each holds, and which are gone. An
 * instance alone says nothing to anybody.
 */

/** A JSON value that a capability understands. Instances of one version speak to each other; others are not understood. */
export type Word = { readonly [key: string]: unknown };

/** What a capability shares. `kind` is the name under which it is told of what others share. */
export type Share = {
  readonly kind: string;
  /** A message of another instance. */
  readonly receive: (word: Word, from: string) => void;
  /** Everything that this instance holds, for one that has come. `all`: what is common to all, too. */
  readonly state?: (all: boolean) => Iterable<Word>;
  /** Everything that another one holds: what it told before counts no more. */
  readonly replace?: (words: readonly Word[], from: string) => void;
  /** The instance is gone, with everything that it held. */
  readonly gone?: (instance: string) => void;
};

export type Cluster = {
  /** This instance. */
  readonly id: string;
  readonly join: (share: Share) => void;
  /** Tells the others, in order; nothing while there are none. */
  readonly tell: (kind: string, word: Word) => void;
  /** How many others live. */
  readonly others: () => number;
  /** Says goodbye. */
  readonly close: () => Promise<void>;
};

/** An instance that knows of no others. */
export function aloneCluster(): Cluster {
  return {
    id: crypto.randomUUID(),
    join: () => {},
    tell: () => {},
    others: () => 0,
    close: () => Promise.resolve(),
  };
}
