// The window's only way to main: a question by name, answered with a value or thrown as the LabError that main had.
// Nothing is checked here: main checks what it is asked, and its answers are trusted.

import { toRaw } from 'vue'
import type { z } from 'zod'
import { fromFailure } from '../../src-main/domain/errors.ts'
import type { Announcement, EventName, events } from '../../src-preload/contract/events.ts'
import type { OperationName, Output, Question } from '../../src-preload/contract/operations.ts'

/** The input may be left out where the contract says that there is none. */
export type Asked<Name extends OperationName> =
  undefined extends Question<Name> ? [input?: Question<Name>] : [input: Question<Name>]

/** @throws LabError with main's code, message and details */
export async function ask<Name extends OperationName>(name: Name, ...[input]: Asked<Name>): Promise<Output<Name>> {
  const reply = await window.lab.ask(name, cloneable(input))
  if (!reply.ok) throw fromFailure(reply.failure)
  return reply.value as Output<Name>
}

/**
 * Where a dropped file or folder lies; main then takes it as chosen by the person. null: it lies nowhere.
 * @throws LabError with main's code, message and details
 */
export async function pathOfDropped(file: File): Promise<string | null> {
  const reply = await window.lab.drop(file)
  if (!reply.ok) throw fromFailure(reply.failure)
  return reply.value?.path ?? null
}

/** What an announcement of that name carries. */
export type Announced<Name extends EventName> = z.output<(typeof events)[Name]>

const listeners = new Set<(announcement: Announcement) => void>()
let isSubscribed = false

/** Calls `listener` for every announcement of that name until the returned function is called. */
export function subscribe<Name extends EventName>(name: Name, listener: (value: Announced<Name>) => void): () => void {
  // One subscription at the bridge serves the whole window, however many charts are on the page.
  if (!isSubscribed) window.lab.subscribe((announcement) => listeners.forEach((each) => each(announcement)))
  isSubscribed = true
  const each = (announcement: Announcement) => {
    if (announcement.name === name) listener(announcement.value as Announced<Name>)
  }
  listeners.add(each)
  return () => listeners.delete(each)
}

/** Vue's proxies cannot be cloned across the bridge, at any depth. */
function cloneable(value: unknown): unknown {
  const raw = toRaw(value)
  if (Array.isArray(raw)) return raw.map(cloneable)
  if (typeof raw !== 'object' || raw === null || ArrayBuffer.isView(raw)) return raw
  return Object.fromEntries(Object.entries(raw).map(([key, each]) => [key, cloneable(each)]))
}
