import { parseSync } from '@swc/core';

/** A small change of a source file, which a test should notice. */
export interface Mutant {
  readonly line: number;
  /** What kind of change it is. */
  readonly kind: string;
  /** The bytes of the file that are replaced. */
  readonly start: number;
  readonly end: number;
  readonly original: string;
  readonly replacement: string;
}

/** A node of SWC's syntax tree. */
interface Node {
  readonly type: string;
  readonly span: { readonly start: number; readonly end: number };
  readonly [field: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && 'span' in value;

const OPERATORS: Readonly<Record<string, string>> = {
  '===': '!==',
  '!==': '===',
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  '&&': '||',
  '||': '&&',
};

const KINDS: Readonly<Record<string, string>> = { '+': 'arithmetic', '-': 'arithmetic', '*': 'arithmetic' };

const kindOfOperator = (operator: string): string => {
  if (operator === '&&' || operator === '||') return 'logic';
  return KINDS[operator] ?? (operator === '/' || operator === '%' ? 'arithmetic' : 'comparison');
};

/** Statements that end a function or a turn of a loop early. */
const EXITS = new Set(['ReturnStatement', 'ThrowStatement', 'ContinueStatement', 'BreakStatement']);

/** Calls that no test has to notice, or that cannot be left out. */
const UNTESTED_CALL = /^(?:super\b|(?:\w+\.)*log\.)/;

/** Changes of SQL: the pattern in a text, and what it becomes. */
const SQL_CHANGES: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/ AND /g, ' OR '],
  [/ OR /g, ' AND '],
  [/ = /g, ' <> '],
  [/ <> /g, ' = '],
  [/ < /g, ' <= '],
  [/ > /g, ' >= '],
  [/ <= /g, ' < '],
  [/ >= /g, ' > '],
  [/ IS NOT NULL/g, ' IS NULL'],
  [/ IS NULL/g, ' IS NOT NULL'],
  [/NOT EXISTS/g, 'EXISTS'],
  [/\bmax\(/g, 'min('],
  [/\bmin\(/g, 'max('],
  [/ DESC\b/g, ''],
];

const SQL = /\b(?:SELECT|UPDATE|INSERT|DELETE|WHERE)\b/;

/** All mutants of a source file, in order. Types are left out, since they do not exist when the code runs. */
export function findMutants(source: string): Mutant[] {
  return new MutantFinder(source).find();
}

class MutantFinder {
  private readonly bytes: Buffer;
  /** SWC counts bytes from the first one that it has ever parsed in this process. */
  private readonly base: number;
  private readonly module: Node;
  private readonly mutants: Mutant[] = [];

  constructor(source: string) {
    this.bytes = Buffer.from(source);
    const module = parseSync(`;${source}`, { syntax: 'typescript', target: 'es2022' }) as unknown as Node;
    this.module = module;
    this.base = (module['body'] as readonly Node[])[0]!.span.start + 1;
  }

  find(): Mutant[] {
    for (const child of childrenOf(this.module)) this.visit(child);
    return this.mutants.toSorted((a, b) => a.start - b.start || a.end - b.end);
  }

  private textOf({ span }: Node): string {
    return this.bytes.subarray(span.start - this.base, span.end - this.base).toString('utf8');
  }

  private add(kind: string, { span }: Pick<Node, 'span'>, replacement: string): void {
    this.addBytes(kind, span.start - this.base, span.end - this.base, replacement);
  }

  private addBytes(kind: string, start: number, end: number, replacement: string): void {
    const original = this.bytes.subarray(start, end).toString('utf8');
    const line = this.bytes.subarray(0, start).toString('utf8').split('\n').length;
    this.mutants.push({ line, kind, start, end, original, replacement });
  }

  private visit(node: Node): void {
    if (node.type.startsWith('Ts') && !isNode(node['expression'])) return; // a type
    if (node.type === 'ImportDeclaration') return;
    this.mutate(node);
    for (const child of childrenOf(node)) this.visit(child);
  }

  private mutate(node: Node): void {
    switch (node.type) {
      case 'BinaryExpression':
        return this.mutateOperator(node);
      case 'BooleanLiteral':
        return this.add('boolean', node, String(!(node['value'] as boolean)));
      case 'UnaryExpression':
        if (node['operator'] === '!') this.add('negation', node, this.textOf(node['argument'] as Node));
        return;
      case 'IfStatement':
        return this.mutateIf(node);
      case 'ConditionalExpression':
        return this.negate(node['test'] as Node);
      case 'ExpressionStatement':
        return this.removeCall(node);
      case 'StringLiteral':
      case 'TemplateElement':
        return this.mutateSql(node);
      default:
    }
  }

  private mutateOperator(node: Node): void {
    const operator = node['operator'] as string;
    const [left, right] = [node['left'] as Node, node['right'] as Node];
    if (operator === '??') return this.add('default', node, this.textOf(left));
    const replacement = OPERATORS[operator];
    const isText = [left, right].some(({ type }) => type === 'StringLiteral' || type === 'TemplateLiteral');
    if (replacement === undefined || (isText && operator === '+')) return;
    const from = left.span.end - this.base;
    const between = this.bytes.subarray(from, right.span.start - this.base).toString('utf8');
    const at = from + Buffer.byteLength(between.slice(0, between.indexOf(operator)));
    this.addBytes(kindOfOperator(operator), at, at + operator.length, replacement);
  }

  private mutateIf(node: Node): void {
    const test = node['test'] as Node;
    const consequent = node['consequent'] as Node;
    const statements =
      consequent.type === 'BlockStatement' ? (consequent['stmts'] as readonly Node[]) : [consequent];
    const isExit = EXITS.has(statements.at(-1)?.type ?? '') && !isNode(node['alternate']);
    if (isExit) this.add('exit removed', test, 'false');
    this.negate(test);
  }

  private negate(test: Node): void {
    const isMutatedAnyway =
      test.type === 'UnaryExpression' || ['===', '!=='].includes(test['operator'] as string);
    if (!isMutatedAnyway) this.add('condition', test, `!(${this.textOf(test)})`);
  }

  /** Calls for their effect. A call for its result is part of a statement of another kind. */
  private removeCall(node: Node): void {
    let expression = node['expression'] as Node;
    if (expression.type === 'AwaitExpression') expression = expression['argument'] as Node;
    if (expression.type === 'CallExpression' && !UNTESTED_CALL.test(this.textOf(expression)))
      this.add('call removed', node, ';');
  }

  private mutateSql(node: Node): void {
    const text = this.textOf(node);
    if (!SQL.test(text) && !(node.type === 'TemplateElement' && / AND | = /.test(text))) return;
    for (const [pattern, replacement] of SQL_CHANGES)
      for (const match of text.matchAll(pattern)) {
        const start = node.span.start - this.base + Buffer.byteLength(text.slice(0, match.index));
        this.addBytes('sql', start, start + Buffer.byteLength(match[0]), replacement);
      }
  }
}

function childrenOf(node: Node): Node[] {
  // An argument of a call is wrapped in an object without a type.
  const unwrap = (value: unknown): Node[] => {
    if (Array.isArray(value)) return value.flatMap(unwrap);
    if (isNode(value)) return [value];
    if (typeof value !== 'object' || value === null) return [];
    return Object.values(value).flatMap(unwrap);
  };
  return Object.entries(node)
    .filter(([field]) => field !== 'span')
    .flatMap(([, value]) => unwrap(value));
}
