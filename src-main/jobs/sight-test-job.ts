// The job that writes the built-in sight test; its parts are in sight-test/.

export { writeSightTest as runSightTestJob } from './sight-test/write.ts'
