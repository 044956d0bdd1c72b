import type { EngineContext, StepContext } from '../engine-context.ts';
import {
  type AssignmentChange,
  type AssignmentView,
  createAssignment,
  deleteAssignment,
  listAssignments,
  updateAssignment,
} from './assignment-service.ts';
import { beginLogin, type Callback, finishLogin, type LoginBegun, type LoginReport } from './login-flow.ts';
import { deleteToken, enableToken, listTokens, type TokenView } from './token-service.ts';

/** What people do about owners, bound to real parts: the API and the page go through it. */
export interface OwnerService {
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

export const createOwnerService = (engine: EngineContext): OwnerService => ({
  beginLogin: (options) => beginLogin(engine, options),
  finishLogin: (callback) => finishLogin(engine, callback, CONTEXT),
  listTokens: () => listTokens(engine),
  deleteToken: (id) => deleteToken(engine, id),
  enableToken: (id, enabled) => enableToken(engine, id, enabled),
  listAssignments: () => listAssignments(engine),
  createAssignment: (wanted) => createAssignment(engine, wanted),
  updateAssignment: (id, change) => updateAssignment(engine, id, change),
  deleteAssignment: (id) => deleteAssignment(engine, id),
});
