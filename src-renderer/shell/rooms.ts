// The rooms of the window in the order of their keys (Ctrl+1 …), and what each is for.

import { Activity, Boxes, Columns3, Database, FlaskConical, Scale, Stethoscope } from '@lucide/vue'
import type { Component } from 'vue'
import type { Room } from '../lab/route.ts'

export const rooms: readonly { readonly room: Room; readonly label: string; readonly about: string; readonly icon: Component }[] =
  [
    { room: 'study', label: 'Study', about: 'Compare what SFT and DPO make of one vision encoder', icon: FlaskConical },
    { room: 'compare', label: 'Compare', about: 'Which encoder sees better, by how much, and why', icon: Columns3 },
    { room: 'runs', label: 'Runs', about: 'Every training, live and past', icon: Activity },
    { room: 'models', label: 'Models', about: 'Look into models, ask them, train from them, take them out', icon: Boxes },
    { room: 'data', label: 'Data', about: 'Images, conversations and preference pairs', icon: Database },
    { room: 'labelling', label: 'Labelling', about: 'Judge pairs of answers, and how far the labels can be trusted', icon: Scale },
    { room: 'doctor', label: 'Doctor', about: 'What this machine offers, and what is missing', icon: Stethoscope },
  ]
