/**
 * The other instances, as capabilities see them: messages to all of them, what each holds, and which are gone. An
 * instance alone says nothing to anybody.
 */

import type { Bus } from "../../platform/bus";

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

/** Characters of one message about what is held. */
const stateLength = 200_000;

/** What goes over the bus: a word of a share, or a part of everything that a share holds. */
type Message =
  | { readonly kind: string; readonly word: Word }
  | {
      readonly kind: string;
      readonly words: readonly Word[];
      readonly first: boolean;
      readonly last: boolean;
    };

/** The others on a bus. */
export function createCluster(bus: Bus): Cluster {
  const shares = new Map<string, Share>();
  /** What came of everything that another one holds, until its last part. */
  const coming = new Map<string, Word[]>();

  const tellAll = (share: Share, to: string): void => {
    if (!share.state) return;
    let words: Word[] = [];
    let length = 0;
    let first = true;
    const flush = (last: boolean): void => {
      bus.publish({ kind: share.kind, words, first, last } satisfies Message, to);
      [words, length, first] = [[], 0, false];
    };
    for (const word of share.state(bus.isOldest(to))) {
      words.push(word);
      length += JSON.stringify(word).length;
      if (length > stateLength) flush(false);
    }
    flush(true);
  };

  const receive = (message: Message, from: string): void => {
    const share = shares.get(message.kind);
    if (!share) return;
    if ("word" in message) return share.receive(message.word, from);
    const key = `${from} ${message.kind}`;
    const words = message.first ? [] : coming.get(key);
    // Its beginning was missed: the bus asks for all of it again.
    if (!words) return;
    words.push(...message.words);
    if (message.last) {
      coming.delete(key);
      share.replace?.(words, from);
    } else coming.set(key, words);
  };

  bus.listen({
    onMessage: (message, from) => receive(message as Message, from),
    onCome: (instance) => {
      for (const share of shares.values()) tellAll(share, instance);
    },
    onGone: (instance) => {
      for (const key of coming.keys()) if (key.startsWith(instance)) coming.delete(key);
      for (const share of shares.values()) share.gone?.(instance);
    },
  });
  return {
    id: bus.id,
    join: (share) => void shares.set(share.kind, share),
    tell: (kind, word) => bus.publish({ kind, word } satisfies Message),
    others: () => bus.others().length,
    close: bus.close,
  };
}

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
