// The README that lies beside every written sight test: what the files are, how they came to be, and whose graphics
// they use. It is also what marks the folder as complete.

import type { SightTest } from '../../domain/job.ts'
import { CLASSES, WORDS } from './vocabulary.ts'

export function sightTestReadme({ seed, imageSize, scenes, pairs }: SightTest): string {
  return `# Sight test

Scenes with exact ground truth, made by Pivot Lab's built-in generator. Nothing in them was photographed or downloaded.

| setting | value |
|---|---|
| seed | ${seed} |
| image size | ${imageSize} × ${imageSize} pixels |
| scenes | ${scenes.train} train, ${scenes.validation} validation, ${scenes.test} test |
| preference pairs | ${pairs.train} from train scenes, ${pairs.test} from test scenes |

The same settings give the same bytes. Scene number i of a split is the same however many scenes there are; no layout
occurs in two splits.

## Files

| file | format | content |
|---|---|---|
| \`images/<split>/NNNNNN.png\` | PNG, 8-bit RGB | one scene |
| \`captions.json\`, \`captions-heldout.json\` | LLaVA JSON | one caption for each train scene, each test scene |
| \`instructions.json\` | LLaVA JSON | one conversation for each train scene: four to six questions |
| \`texts.json\` | LLaVA JSON | the same after the scene's caption: what a language model from nothing reads, without the image |
| \`preferences.jsonl\`, \`preferences-heldout.jsonl\` | JSON lines (1) | pairs about train scenes, about test scenes |
| \`questions.jsonl\`, \`questions-validation.jsonl\` | JSON lines (2) | questions about test scenes, about validation scenes |
| \`objects.json\` | COCO | box and mask (uncompressed run lengths) of the visible part of every object, all splits |

(1) image, prompt, chosen, rejected, group, category, region. (2) image, question, answer, group, category, region.

\`region\` lists boxes [x, y, width, height] of what decides the answer; it is empty where no place does (an absent object,
the background). In \`objects.json\`, images also carry \`background\` and \`sign\`; annotations carry \`depth\` (0 is the back),
\`whole_bbox\` (as if nothing stood in front), \`visibility\` and \`color\` (of painted objects).

A rejected answer is a near miss: it differs from the chosen one in exactly the deciding detail (a count off by one, the
opposite relation, another color, a class of the same kind that is not in the scene, a word that differs in one letter).
Answers are balanced within every wording, and of two answers each is the right one equally often, so that nothing is to
be gained without looking. Questions that want a sentence end in "Answer in a sentence."; all others want a word.

Groups: general (presence, naming, color, background, pattern), text (the printed word and its letters), vision-centric
(count, relation, size, depth), knowledge (what a thing is or does; the picture only says which thing).

${CLASSES.length} object classes: ${CLASSES.map(({ name }) => name).join(', ')}.
${WORDS.length} printed words: ${WORDS.join(', ')}.

## License

Graphics: Twemoji (https://github.com/jdecked/twemoji), copyright Twitter, Inc and other contributors, licensed under
CC-BY 4.0 (https://creativecommons.org/licenses/by/4.0/); some are recolored, all are resized and composed into scenes.
Lettering: DejaVu Sans Condensed Bold, free license, see the DejaVu fonts project. Scenes and texts: CC-BY 4.0.
`
}
