/** Operands whose values were taken out of the query: what of a reading is bound, and what decides the SQL. */
import type { Split, WrittenReader } from "../holes";
import type { Operand } from "../planned";
import type { OperandContext, OperandType, Reading } from "./operator";

/** Reads an operand as its type does. Every operator has it: which texts it binds shows in what it read. */
export function operandReader(type: OperandType, context: OperandContext): WrittenReader<Reading> {
  return { read: (operand) => type.read(operand, context), split, join };
}

/** The form holds all of a reading but its texts. Where it is more than texts and their types, it stays as it is. */
function split({ operands, choice, onNull, test }: Reading): Split | null {
  const texts: string[] = [];
  let form = `${choice ?? ""}|${test ?? ""}|${onNull ?? false}`;
  for (const operand of operands) {
    if (operand.kind !== "param" || operand.param.kind !== "value" || operand.param.text === null)
      return null;
    form += `|${operand.cast}`;
    texts.push(operand.param.text);
  }
  return { form, texts };
}

const join: WrittenReader<Reading>["join"] = (reading, params) => ({
  ...reading,
  operands: reading.operands.map((operand, i): Operand => {
    const param = params[i];
    return operand.kind === "param" && param ? { ...operand, param } : operand;
  }),
});
