// Starts the window. jitless comes first: it must run before any schema is made.

import './lab/jitless.ts'
import './style/tokens.css'
import './style/base.css'
import { createApp } from 'vue'
import App from './App.vue'
import { followAddress } from './lab/route.ts'

followAddress()
createApp(App).mount('#app')
