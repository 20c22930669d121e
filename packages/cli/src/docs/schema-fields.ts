import { z } from 'zod';

export interface SchemaField {
  path: string;
  /** What it may be: `text, 1 to 200`, `one of a, b`. */
  type: string;
  required: boolean;
}

interface JsonSchema {
  type?: string;
  const?: unknown;
  enum?: unknown[];
  format?: string;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  default?: unknown;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  additionalProperties?: JsonSchema | boolean;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
}

/** The fields that a sender may write, one line each: `dataDirs[].member`. */
export function fieldsOf(schema: z.ZodType): SchemaField[] {
  return fields(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema, '');
}

function fields(schema: JsonSchema, prefix: string): SchemaField[] {
  const { properties = {}, required = [] } = schema;
  return Object.entries(properties).flatMap(([name, inner]) =>
    below(inner, `${prefix}${name}`, required.includes(name)),
  );
}

function below(schema: JsonSchema, path: string, required: boolean): SchemaField[] {
  const variants = schema.oneOf ?? schema.anyOf;
  if (variants?.some(({ properties }) => properties !== undefined) === true) {
    // What differs by variant is told together: each line says what it may be there.
    return [
      { path, type: `one of ${variants.length} forms`, required },
      ...merged(variants.flatMap((variant) => fields(variant, `${path}.`))),
    ];
  }
  if (schema.type === 'array' && schema.items !== undefined) {
    const inner = below(schema.items, `${path}[]`, required);
    return inner.length > 1 ? inner.filter(({ path: name }) => name !== `${path}[]`) : inner;
  }
  if (schema.properties !== undefined) {
    return [{ path, type: `object${shownDefault(schema)}`, required }, ...fields(schema, `${path}.`)];
  }
  if (typeof schema.additionalProperties === 'object') return below(schema.additionalProperties, `${path}.*`, required);
  return [{ path, type: typeOf(schema), required }];
}

function merged(found: readonly SchemaField[]): SchemaField[] {
  const byPath = new Map<string, SchemaField>();
  for (const field of found) {
    const known = byPath.get(field.path);
    const types = [...new Set([...(known?.type.split(' or ') ?? []), field.type])];
    byPath.set(field.path, { path: field.path, type: types.join(' or '), required: false });
  }
  return [...byPath.values()];
}

function typeOf(schema: JsonSchema): string {
  return `${plainType(schema)}${shownDefault(schema)}`;
}

function plainType(schema: JsonSchema): string {
  const variants = schema.oneOf ?? schema.anyOf;
  if (variants !== undefined) return [...new Set(variants.map(plainType))].join(' or ');
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  if (schema.format === 'date-time') return 'time, ISO 8601 in UTC';
  switch (schema.type) {
    case 'string':
      return `text${range(schema.minLength, schema.maxLength)}`;
    case 'integer':
      return `whole number${range(schema.minimum, schema.maximum)}`;
    case 'number':
      return `number${range(schema.minimum, schema.maximum)}`;
    case 'boolean':
      return 'true or false';
    case undefined:
      return 'anything';
    default:
      return schema.type;
  }
}

/** 2^53 - 1 is no limit that anybody chose. */
function range(from: number | undefined, to: number | undefined): string {
  const low = from === undefined || from <= Number.MIN_SAFE_INTEGER ? undefined : from;
  const high = to === undefined || to >= Number.MAX_SAFE_INTEGER ? undefined : to;
  if (low === undefined && high === undefined) return '';
  if (high === undefined) return `, from ${low}`;
  return low === undefined ? `, to ${high}` : `, ${low} to ${high}`;
}

function shownDefault({ default: value }: JsonSchema): string {
  return value === undefined || (typeof value === 'object' && value !== null)
    ? ''
    : `; default \`${JSON.stringify(value)}\``;
}
