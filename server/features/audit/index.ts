export { removeOldEntries } from "./retention";
