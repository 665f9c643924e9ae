export { openFeed, type FeedOptions } from "./feed";
export { type Link, LinkError, type LinkEvents } from "./link";
export { type LogSettings, readLogSettings } from "./settings";
export { connectSocket } from "./socketLink";
export { connectUrl } from "./urlLink";
