import type { EngineContext, StepContext } from '../engine-context.ts';
import {
  type AssignmentChange,
  type AssignmentView,
  createAssignment,
  deleteAssignment,
  listAssignments,
  updateAssignment,
} from './assignment-service.ts';
import { type Callback, finishLogin, type LoginReport, startLogin, type StartedLogin } from './login-flow.ts';
import { deleteToken, enableToken, listTokens, type TokenView } from './token-service.ts';

/** What people can do about owners, for the API and the page. */
export interface OwnerService {
  startLogin(options?: { readonly collectors?: readonly string[] | undefined }): Promise<StartedLogin>;
  finishLogin(callback: Callback): Promise<LoginReport>;
  listTokens(): Promise<TokenView[]>;
  deleteToken(id: number): Promise<{ revoked: boolean }>;
  enableToken(id: number, enabled: boolean): Promise<void>;
  listAssignments(): Promise<AssignmentView[]>;
  createAssignment(wanted: Parameters<typeof createAssignment>[1]): Promise<AssignmentView>;
  updateAssignment(id: number, change: AssignmentChange): Promise<AssignmentView>;
  deleteAssignment(id: number): Promise<void>;
}

/** A person waits for each answer. */
const INTERACTIVE_STEP: StepContext = { priority: 1 };

export const createOwnerService = (engine: EngineContext): OwnerService => ({
  startLogin: (options) => startLogin(engine, options),
  finishLogin: (callback) => finishLogin(engine, callback, INTERACTIVE_STEP),
  listTokens: () => listTokens(engine),
  deleteToken: (id) => deleteToken(engine, id),
  enableToken: (id, enabled) => enableToken(engine, id, enabled),
  listAssignments: () => listAssignments(engine),
  createAssignment: (wanted) => createAssignment(engine, wanted),
  updateAssignment: (id, change) => updateAssignment(engine, id, change),
  deleteAssignment: (id) => deleteAssignment(engine, id),
});
