/** Bodies of requests as the API's description shows them. */
import { z } from "zod";

/**
 * The body of a route for its `detail`. The JSON Schema is made when the description is first asked for: those of all
 * routes would take a twentieth of a start.
 */
export function jsonBody(shape: z.ZodType) {
  let made: object | undefined;
  const content = {
    get schema(): object {
      return (made ??= z.toJSONSchema(shape, { io: "input" }));
    },
  };
  return { requestBody: { content: { "application/json": content } } };
}
