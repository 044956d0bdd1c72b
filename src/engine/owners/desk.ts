import type { Ports, StepContext } from '../ports.ts';
import {
  type AssignmentChange,
  type AssignmentView,
  createAssignment,
  deleteAssignment,
  listAssignments,
  updateAssignment,
} from './assignments.ts';
import { beginLogin, type Callback, finishLogin, type LoginBegun, type LoginReport } from './login.ts';
import { deleteToken, enableToken, listTokens, type TokenView } from './tokens.ts';

/** What people do about owners, bound to real parts: the API and the page go through it. */
export interface Desk {
  beginLogin(options?: { readonly collectors?: readonly string[] | undefined }): Promise<LoginBegun>;
  finishLogin(callback: Callback): Promise<LoginReport>;
  listTokens(): Promise<TokenView[]>;
  deleteToken(id: number): Promise<{ revoked: boolean }>;
  enableToken(id: number, enabled: boolean): Promise<void>;
  listAssignments(): Promise<AssignmentView[]>;
  createAssignment(wanted: Parameters<typeof createAssignment>[1]): Promise<AssignmentView>;
  updateAssignment(id: number, change: AssignmentChange): Promise<AssignmentView>;
  deleteAssignment(id: number): Promise<void>;
}

/** Somebody waits for each answer. */
const CONTEXT: StepContext = { priority: 1 };

export const ownersDesk = (ports: Ports): Desk => ({
  beginLogin: (options) => beginLogin(ports, options),
  finishLogin: (callback) => finishLogin(ports, callback, CONTEXT),
  listTokens: () => listTokens(ports),
  deleteToken: (id) => deleteToken(ports, id),
  enableToken: (id, enabled) => enableToken(ports, id, enabled),
  listAssignments: () => listAssignments(ports),
  createAssignment: (wanted) => createAssignment(ports, wanted),
  updateAssignment: (id, change) => updateAssignment(ports, id, change),
  deleteAssignment: (id) => deleteAssignment(ports, id),
});
