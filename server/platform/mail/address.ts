/** `Name <address>` as operators write it. */
import addressparser from "nodemailer/lib/addressparser";
import { AppError } from "../../core/errors";
import type { Address } from "./mailer";

/** Reads one address with or without a name. @throws AppError INVALID_VALUE when it is none, or several. */
export function parseAddress(text: string): Address {
  const [first, ...more] = addressparser(text);
  if (first === undefined || more.length > 0 || !("address" in first) || !first.address) {
    throw new AppError("INVALID_VALUE", `'${text}' is not one mail address, such as Shop <shop@example.com>`);
  }
  return first.name ? { address: first.address, name: first.name } : { address: first.address };
}
