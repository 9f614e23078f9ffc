// The barest window for the preview: no preload, and images drawn on the spot for the lab-image: scheme.

const { app, BrowserWindow, protocol } = require('electron')

protocol.registerSchemesAsPrivileged([{ scheme: 'lab-image', privileges: { standard: true, secure: true } }])
app.whenReady().then(() => {
  protocol.handle('lab-image', (request) => {
    const seed = Number(new URL(request.url).pathname.at(-1))
    const hue = (seed * 67) % 360
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64">
      <rect width="64" height="64" fill="hsl(${hue} 30% 70%)"/>
      <circle cx="${18 + seed * 5}" cy="28" r="12" fill="hsl(${hue + 140} 60% 45%)"/>
      <rect x="34" y="${30 - seed * 3}" width="18" height="22" fill="hsl(${hue + 220} 55% 40%)"/></svg>`
    return new Response(svg, { headers: { 'content-type': 'image/svg+xml' } })
  })
  const window = new BrowserWindow({
    width: 1280,
    height: 800,
    useContentSize: true,
    show: true,
    webPreferences: { sandbox: false },
  })
  void window.loadURL('about:blank')
})
