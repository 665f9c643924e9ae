/** The names of the filter operators, for the builder's steps. */
export { type OperatorName, operatorNames } from "@baasix/types";
