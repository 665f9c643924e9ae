/** What became of a list of JSON texts, as pieces of the old list and new rows between them. Pure; parses nothing. */

/** `[start, count]` rows of the old list as they were, or the text of a row that is not among them. */
export type Piece = readonly [start: number, count: number] | string;

/** Pieces that, put together in order, are the new list. One that stayed as it was is one piece. */
export function differenceOf(before: readonly string[], after: readonly string[]): readonly Piece[] {
  const pieces: Piece[] = [];
  let places: ReadonlyMap<string, number> | null = null;
  let start = 0;
  let count = 0;
  const end = (): void => {
    if (count > 0) pieces.push([start, count]);
    count = 0;
  };
  for (const row of after) {
    const next = start + count;
    if (before[next] === row) {
      count++;
      continue;
    }
    // Most rows follow the one before them: only where one does not are they looked up.
    places ??= placesOf(before);
    const place = places.get(row);
    end();
    if (place === undefined) pieces.push(row);
    else start = place;
    if (place !== undefined) count = 1;
    // What follows a changed row is most often what followed it before.
    else start = next + 1;
  }
  end();
  return pieces;
}

function placesOf(rows: readonly string[]): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  rows.forEach((row, place) => places.set(row, place));
  return places;
}

/** True for the difference of a list that stayed as it was. */
export function isSame(before: readonly string[], pieces: readonly Piece[]): boolean {
  if (before.length === 0) return pieces.length === 0;
  const [only] = pieces;
  return pieces.length === 1 && typeof only === "object" && only[0] === 0 && only[1] === before.length;
}

/** The new list, with the very strings of the old one, so that what did not change is kept once. */
export function applyPieces(before: readonly string[], pieces: readonly Piece[]): readonly string[] {
  return pieces.flatMap((piece) =>
    typeof piece === "string" ? [piece] : before.slice(piece[0], piece[0] + piece[1]),
  );
}

/** As JSON text: rows are objects, and kept pieces lists of two numbers. */
export function encodePieces(pieces: readonly Piece[]): string {
  return `[${pieces.map((piece) => (typeof piece === "string" ? piece : `[${piece[0]},${piece[1]}]`)).join(",")}]`;
}
