export { openFeed, type FeedOptions } from "./feed";
export { type Link, LinkError, type LinkEvents } from "./link";
export { connectSocket } from "./socketLink";
export { connectUrl } from "./urlLink";
