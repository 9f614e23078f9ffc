// Models as things to look into and to ask: a folder before it is used, and a checkpoint after it was trained. Questions and
// answers are kept; the picture that a question is about is copied into the project, so that it can still be shown.

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { extname, join, resolve } from 'node:path'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent } from '../domain/job.ts'
import { PICTURE_EXTENSIONS, type AnswerToken, type AnswerView, type ModelAnswer, type ModelFolder, type ModelInspection, type ModelQuestion } from '../domain/model-view.ts'
import type { Parts } from './parts.ts'
import type { RunService } from './runs.ts'
import { createStopRequest, endingOf, type StopRequest } from './stop-request.ts'

export interface Question {
  /** A run's id, or a model's folder. */
  readonly model: string
  /** SHA-256 of an image of the project, or of one that was kept by `keepPicture`; null: a question without one. */
  readonly image: string | null
  readonly question: ModelQuestion
}

export type ModelService = ReturnType<typeof createModelService>

export function createModelService({ store, project, runner, queue, now, newId, announce }: Parts, runs: RunService) {
  const pictures = join(project, 'asked')
  /** What has come of answers that are under way, and how they are stopped. */
  const underWay = new Map<string, { readonly stop: StopRequest; readonly ended: Promise<AnswerView>; text: string; readonly tokens: AnswerToken[] }>()

  /** Absolute; null: no image of that hash is known. */
  function pictureFile(sha256: string): string | null {
    const image = store.datasets.findImage(sha256)
    if (image !== null) return resolve(project, image.path)
    return PICTURE_EXTENSIONS.map((extension) => join(pictures, `${sha256}.${extension}`)).find((file) => existsSync(file)) ?? null
  }

  /** @throws LabError 'invalid-input' for a name that does not end like a picture's */
  async function keepPicture(name: string, bytes: Uint8Array): Promise<string> {
    const extension = extname(name).slice(1).toLowerCase()
    if (!PICTURE_EXTENSIONS.some((each) => each === extension))
      throw new LabError('invalid-input', `${name}: expected a picture (${PICTURE_EXTENSIONS.join(', ')}), found ${extension === '' ? 'no ending' : `.${extension}`}; convert it to PNG`, { name })
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    if (pictureFile(sha256) !== null) return sha256
    await mkdir(pictures, { recursive: true })
    const [partial, file] = [join(pictures, `.${sha256}.partial`), join(pictures, `${sha256}.${extension}`)]
    await writeFile(partial, bytes, { flush: true })
    await rename(partial, file)
    return sha256
  }

  /** Begins to ask; the answer's row, and what is under way, tell how far it is. @throws LabError 'not-found' */
  function start({ model, image, question }: Question, observe: (event: JobEvent) => void = () => {}): string {
    const checkpoint = runs.modelFolder(model)
    const picture = image === null ? null : pictureFile(image)
    if (image !== null && picture === null) throw new LabError('not-found', `there is no image ${image} in this project; choose the picture again`, { image })
    const id = newId('answer')
    const stop = createStopRequest()
    const state = { stop, text: '', tokens: [] as AnswerToken[] }
    const changed = () => announce({ name: 'answer.changed', value: { answerId: id } })
    store.modelAnswers.insert({ id, model, image, question, status: 'waiting', createdAtMs: now() })
    const work = async (): Promise<ModelAnswer | null> => {
      if (stop.signal.aborted) throw new LabError('cancelled', 'stopped before it began')
      store.modelAnswers.begin(id)
      changed()
      let answer: ModelAnswer | null = null
      for await (const event of runner({ kind: 'ask', checkpoint, image: picture, question }, stop.signal, { backend: store.settings.get().backend })) {
        if (event.kind === 'text') state.text += event.piece
        if (event.kind === 'token') state.tokens.push(event.token)
        if (event.kind === 'answered') answer = event.answer
        observe(event)
        if (event.kind === 'text' || event.kind === 'token') changed()
      }
      if (answer === null) throw new LabError('internal', 'the model ended without an answer')
      return answer
    }
    const ended = (async () => {
      let answer: ModelAnswer | null = null
      let failure: AnswerView['failure'] = null
      let status: AnswerView['status'] = 'finished'
      try {
        await queue.add(async () => void (answer = await work()))
      } catch (thrown) {
        const ending = endingOf(thrown, stop)
        status = ending.status === 'failed' ? 'failed' : 'stopped'
        if (ending.status === 'failed') failure = ending.failure
      }
      store.modelAnswers.end({ id, status, text: state.text, tokens: state.tokens, ended: (answer as ModelAnswer | null)?.ended ?? null, failure })
      underWay.delete(id)
      changed()
      return store.modelAnswers.find(id)!
    })()
    underWay.set(id, Object.assign(state, { ended }))
    changed()
    return id
  }

  /** @throws LabError 'not-found' */
  function answer(answerId: string): AnswerView {
    const row = store.modelAnswers.find(answerId)
    if (row === null) throw new LabError('not-found', `there is no answer "${answerId}"`, { answerId })
    const live = underWay.get(answerId)
    return live === undefined ? row : { ...row, text: live.text, tokens: [...live.tokens] }
  }

  return {
    /**
     * Looks into a model without loading it, and remembers its folder.
     * @param model  a run's id, or a folder
     * @throws LabError 'not-found', 'invalid-input', 'corrupt-artifact' when it is no model folder of any kind
     */
    async inspect(model: string, signal: AbortSignalLike = { aborted: false }): Promise<ModelInspection> {
      const isRun = store.runs.find(model) !== null
      const folder = isRun ? runs.modelFolder(model) : model
      for await (const event of runner({ kind: 'inspect', folder }, signal)) {
        if (event.kind !== 'inspection') continue
        const { inspection } = event
        const parameters = inspection.modules.reduce((sum, each) => sum + each.parameters, 0)
        if (!isRun) store.modelFolders.put({ folder, kind: inspection.kind, modelType: inspection.modelType, parameters, bytes: inspection.bytes, usedAtMs: now() })
        return inspection
      }
      throw new LabError('internal', 'the inspection ended without a finding')
    },
    /** Folders that were looked into, the newest first. */
    folders: (): readonly ModelFolder[] => store.modelFolders.list().map((each) => ({ ...each, isThere: existsSync(each.folder) })),
    /** Leaves the folder where it is. */
    forget: (folder: string): void => store.modelFolders.delete(folder),

    keepPicture,
    /** @throws LabError 'invalid-input' for what is no picture, and the system's error when it cannot be read */
    keepPictureFile: async (path: string): Promise<string> => keepPicture(path, await readFile(path)),
    pictureFile,

    start,
    answer,
    /** Newest first; `model` null: of all models. */
    answers: (model: string | null, limit: number): readonly AnswerView[] => store.modelAnswers.newest(model, limit).map(({ id }) => answer(id)),
    /** What has come is kept. @throws LabError 'not-found', 'conflict' when it has ended */
    stopAnswer(answerId: string): void {
      const { status } = answer(answerId)
      const live = underWay.get(answerId)
      if (live === undefined) throw new LabError('conflict', `the answer is ${status}: there is nothing to stop`, { answerId })
      live.stop.ask('cancel')
    },
    deleteAnswer(answerId: string): void {
      if (underWay.has(answerId)) throw new LabError('conflict', 'the answer is under way: stop it first', { answerId })
      store.modelAnswers.delete(answerId)
      announce({ name: 'answer.changed', value: { answerId } })
    },
    /** Resolves when the answer is no longer waiting or coming. */
    answerEnded: async (answerId: string): Promise<AnswerView> => underWay.get(answerId)?.ended ?? answer(answerId),
    stopAll(): void {
      for (const { stop } of underWay.values()) stop.ask('cancel')
    },
    /** Answers that a process left behind when it died. For the only writer, at its start. */
    recover(): void {
      const failure = { code: 'process-died', message: 'the lab was closed while the model answered; ask again', details: {} } as const
      for (const id of store.modelAnswers.underWay()) store.modelAnswers.end({ ...answer(id), status: 'failed', failure })
    },
  }
}
