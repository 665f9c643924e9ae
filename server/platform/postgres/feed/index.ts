export { openFeed, type FeedOptions } from "./feed";
