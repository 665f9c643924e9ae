/** The body of an answer whose text may be long. */

/**
 * From this many characters on, Bun 1.4 sends what was awaited without gathering it: each piece of each header is a
 * system call of its own, some fifty an answer (oven-sh/bun pull request 41341). Of a stream it gathers them.
 */
const ungathered = 15_000;

/**
 * A text as the body of an answer; a long one as a stream that gives it whole, and so without a Content-Length.
 * Three bytes a character at most: a text of other than Latin letters may be sent piece by piece from a third on.
 */
export function textBody(text: string): BodyInit {
  if (text.length < ungathered) return text;
  const whole: Bun.DirectUnderlyingSource<string> = {
    type: "direct",
    pull(controller) {
      controller.write(text);
      controller.close();
    },
  };
  // The DOM's types, which come with React's, know no direct streams.
  return new ReadableStream(whole as unknown as UnderlyingDefaultSource);
}
