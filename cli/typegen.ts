/** Definitions → TypeScript, pure: the same schemas give the same text, in alphabetical order. */
import type { FieldDefinition, SchemaDefinition, SchemaRecord, ValidationRules } from "@baasix/types";
import { singular } from "pluralize";
import { inBrackets, protocolNames, wireType } from "./wire-types";

const head = [
  '// Written by "baasix generate". Do not edit: run it again after a schema change.',
  "// Values have the types of the wire: BigInt and Decimal are strings (every digit is kept), dates are ISO 8601 strings.",
  "",
].join("\n");

/** A property of a generated interface. */
type Member = {
  readonly name: string;
  readonly type: string;
  readonly optional: boolean;
  readonly comment: readonly string[];
};

/**
 * Writes one interface per collection, the map `BaasixCollections` (for `createBaasix<BaasixCollections>()`) and
 * the union `CollectionName`. System collections (`baasix_…`) are written when another one refers to them.
 * Relations are optional members, because an answer holds them only when `fields` asks for them.
 */
export function generateTypes(schemas: readonly SchemaRecord[]): string {
  const known = new Map(schemas.map(({ collectionName, schema }) => [collectionName, schema]));
  const names = [...reachable(known)].toSorted(byName);
  const interfaces = interfaceNames(names);
  const bodies = names.map((name) => writeInterface(name, known, interfaces));
  const map = names.map((name) => `  ${propertyName(name)}: ${interfaces.get(name)};`).join("\n");
  const used = protocolNames.filter((name) =>
    bodies.some((body) => new RegExp(`\\b${name}\\b[ <;]`).test(body)),
  );
  return [
    head,
    ...(used.length === 0 ? [] : [`import type { ${used.join(", ")} } from "@baasix/sdk";\n`]),
    ...bodies,
    `/** Every collection by its name, for createBaasix<BaasixCollections>({ url }). */\nexport interface BaasixCollections {\n${map}\n}\n`,
    `/** The name of a collection. */\nexport type CollectionName = keyof BaasixCollections;\n`,
  ].join("\n");
}

/** All collections of the user, and the system collections they lead to. */
function reachable(known: ReadonlyMap<string, SchemaDefinition>): Set<string> {
  const seen = new Set<string>();
  const visit = (name: string) => {
    const definition = known.get(name);
    if (definition === undefined || seen.has(name)) return;
    seen.add(name);
    for (const { target } of relationsOf(definition)) visit(target);
  };
  for (const name of known.keys()) if (!name.startsWith("baasix_")) visit(name);
  return seen;
}

/** Names in the singular and PascalCase; a second collection that would get the same name gets a number. */
function interfaceNames(names: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set(["BaasixCollections", "CollectionName", ...protocolNames]);
  const result = new Map<string, string>();
  for (const name of names) {
    const base = interfaceName(name);
    let candidate = base;
    for (let n = 2; taken.has(candidate); n++) candidate = `${base}${n}`;
    taken.add(candidate);
    result.set(name, candidate);
  }
  return result;
}

/** What one item is called: `blog_posts` → `BlogPost`; what cannot begin an identifier gets an underscore. */
export function interfaceName(collection: string): string {
  const words = singular(collection)
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "");
  const joined = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
  return /^\p{L}/u.test(joined) ? joined : `_${joined}`;
}

function writeInterface(
  name: string,
  known: ReadonlyMap<string, SchemaDefinition>,
  interfaces: ReadonlyMap<string, string>,
): string {
  const definition = known.get(name);
  if (definition === undefined) return "";
  const comment = definition.description ? writeComment([definition.description], "") : "";
  const members = membersOf(definition, known, interfaces)
    .map(
      (member) =>
        `${writeComment(member.comment, "  ")}  ${propertyName(member.name)}${member.optional ? "?" : ""}: ${member.type};\n`,
    )
    .join("");
  return `${comment}export interface ${interfaces.get(name)} {\n${members}}\n`;
}

function membersOf(
  definition: SchemaDefinition,
  known: ReadonlyMap<string, SchemaDefinition>,
  interfaces: ReadonlyMap<string, string>,
): readonly Member[] {
  const members = new Map<string, Member>();
  const put = (member: Member) => {
    if (!members.has(member.name)) members.set(member.name, member);
  };
  for (const [name, field] of Object.entries(definition.fields)) {
    if (field.type !== undefined && field.hidden !== true) put(columnMember(name, field));
  }
  for (const relation of relationsOf(definition)) {
    if (relation.key !== null) put(keyMember(relation.key, relation, known));
    const target = interfaces.get(relation.target) ?? "{ [field: string]: unknown }";
    const type = relation.many ? `${inBrackets(target)}[]` : `${target} | null`;
    put({ name: relation.name, type, optional: true, comment: describe(relation.field) });
  }
  for (const name of managedColumns(definition)) {
    const type = name === "createdAt" || name === "updatedAt" ? "string" : "string | null";
    put({ name, type, optional: false, comment: [] });
  }
  return [...members.values()];
}

function columnMember(name: string, field: FieldDefinition): Member {
  const nullable = field.primaryKey !== true && field.allowNull !== false;
  const type = wireType(field.type ?? "", field.values);
  return {
    name,
    type: nullable && type !== "unknown" ? `${type.includes(" & ") ? `(${type})` : type} | null` : type,
    optional: false,
    comment: [...describe(field), ...ruleTags(field.validate)],
  };
}

/** The column that holds a relation's key, when the definition does not list it itself. It has the type of the target's key. */
function keyMember(name: string, relation: RelationOf, known: ReadonlyMap<string, SchemaDefinition>): Member {
  const fields = Object.entries(known.get(relation.target)?.fields ?? {});
  const key = fields.find(([field, { primaryKey }]) =>
    relation.field.targetKey === undefined ? primaryKey === true : field === relation.field.targetKey,
  );
  const type = key === undefined ? "string" : wireType(key[1].type ?? "", key[1].values);
  return {
    name,
    type: relation.field.allowNull === false ? type : `${type} | null`,
    optional: false,
    comment: [],
  };
}

/** A relation as the definition spells it. `key` is the column that holds the key, on the side that has one. */
type RelationOf = {
  readonly name: string;
  readonly target: string;
  readonly many: boolean;
  readonly key: string | null;
  readonly field: FieldDefinition;
};

function relationsOf(definition: SchemaDefinition): readonly RelationOf[] {
  const declared = Object.entries(definition.fields).flatMap(([name, field]): readonly RelationOf[] => {
    if (field.relType === undefined || field.target === undefined) return [];
    const many = field.relType === "HasMany";
    // With a type of its own the field is the key's column, and the relation stands under `as`.
    if (field.type !== undefined)
      return [{ name: field.as ?? name, target: field.target, many, key: name, field }];
    const key = field.relType === "BelongsTo" ? (field.foreignKey ?? `${name}_Id`) : null;
    return [{ name, target: field.target, many, key, field }];
  });
  if (definition.usertrack !== true) return declared;
  const user = { target: "baasix_User", many: false, field: {} };
  return [
    ...declared,
    { ...user, name: "userCreated", key: "userCreated_Id" },
    { ...user, name: "userUpdated", key: "userUpdated_Id" },
  ];
}

function managedColumns(definition: SchemaDefinition): readonly string[] {
  return [
    ...(definition.timestamps === false ? [] : ["createdAt", "updatedAt"]),
    ...(definition.paranoid === true ? ["deletedAt"] : []),
  ];
}

function describe(field: FieldDefinition): readonly string[] {
  const text = field.description ?? field.comment;
  return [
    ...(text === undefined || text === "" ? [] : [text]),
    ...(field.immutable === true ? ["Set once."] : []),
  ];
}

function ruleTags(rules: ValidationRules = {}): readonly string[] {
  const tags: readonly (readonly [string, unknown])[] = [
    ["minimum", rules.min],
    ["maximum", rules.max],
    ["minLength", rules.len?.[0] ?? (rules.notEmpty === true ? 1 : undefined)],
    ["maxLength", rules.len?.[1]],
    ["format", rules.isEmail === true ? "email" : rules.isUrl === true ? "uri" : undefined],
    ["pattern", rules.is ?? rules.matches],
  ];
  return tags.filter(([, value]) => value !== undefined).map(([tag, value]) => `@${tag} ${String(value)}`);
}

function writeComment(lines: readonly string[], indent: string): string {
  // A description is the user's text: it must not be able to close the comment.
  const safe = lines.flatMap((line) => line.replaceAll("*/", "*\\/").split(/\r?\n/));
  if (safe.length === 0) return "";
  if (safe.length === 1) return `${indent}/** ${safe[0]} */\n`;
  return `${indent}/**\n${safe.map((line) => `${indent} * ${line}\n`).join("")}${indent} */\n`;
}

function propertyName(name: string): string {
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? name : JSON.stringify(name);
}

function byName(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
