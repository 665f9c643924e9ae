export { transactionRoutes, type TransactionParts } from "./routes";
