// Threads without a runtime: one job at a time, cut into tasks that whoever is awake takes by a ticket. The thread that asks
// takes tasks too, so a helper that sleeps late costs nothing but its help. The ticket carries the job's number: a helper
// that read an older job can no longer take a task, and a job's words do not change before its last task is done.
// The ticket is sealed while the words of the next job are written, so that no late helper takes a task of half a job.

struct pool {
  i32 job; // number of the newest job; helpers wait on this word
  i32 sleeping; // helpers that wait
  i32 done; // tasks finished; the asking thread waits on this word
  i32 may_wait; // whether the asking thread is allowed to block
  unsigned long long ticket; // job number in the upper half, next task in the lower
  i32 op, tasks;
  const void *args;
  i32 failed; // set by a helper that died: its task is never done
};

#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_SEQ_CST)
#define SEALED 0x7fffffffu
#define SPINS 4000 // about 10 us, a tenth of what waking a sleeping thread can take

static void run_task(i32 op, const void *args, i32 task, float *scratch);

static void take_tasks(struct pool *p, i32 job, float *scratch) {
  for (;;) {
    unsigned long long ticket = LOAD(p->ticket);
    const i32 op = LOAD(p->op), tasks = LOAD(p->tasks);
    const void *args = LOAD(p->args);
    if ((i32)(ticket >> 32) != job || (i32)(u32)ticket >= tasks) return;
    if (!__atomic_compare_exchange_n(&p->ticket, &ticket, ticket + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) continue;
    run_task(op, args, (i32)(u32)ticket, scratch);
    if (__atomic_add_fetch(&p->done, 1, __ATOMIC_SEQ_CST) == tasks) __builtin_wasm_memory_atomic_notify(&p->done, 1);
  }
}

/** Runs a job to its end, or stops with a trap when a helper has died of one. */
void EXPORT(run)(struct pool *p, i32 op, const void *args, i32 tasks, i32 helpers, float *scratch) {
  if (helpers == 0 || tasks == 1) {
    for (i32 t = 0; t < tasks; t++) run_task(op, args, t, scratch);
    return;
  }
  const i32 job = p->job + 1;
  const unsigned long long first = (unsigned long long)(u32)job << 32;
  __atomic_store_n(&p->ticket, first | SEALED, __ATOMIC_SEQ_CST);
  __atomic_store_n(&p->op, op, __ATOMIC_SEQ_CST);
  __atomic_store_n(&p->tasks, tasks, __ATOMIC_SEQ_CST);
  __atomic_store_n(&p->args, args, __ATOMIC_SEQ_CST);
  __atomic_store_n(&p->done, 0, __ATOMIC_SEQ_CST);
  __atomic_store_n(&p->ticket, first, __ATOMIC_SEQ_CST);
  __atomic_store_n(&p->job, job, __ATOMIC_SEQ_CST);
  if (LOAD(p->sleeping)) __builtin_wasm_memory_atomic_notify(&p->job, min(helpers, tasks - 1));
  take_tasks(p, job, scratch);
  for (i32 spins = 0;; spins++) {
    const i32 done = LOAD(p->done);
    if (done == tasks) return;
    if (LOAD(p->failed)) __builtin_trap();
    if (spins > SPINS && p->may_wait) __builtin_wasm_memory_atomic_wait32(&p->done, done, 1000000);
  }
}

/** What a helper thread does for ever. */
void EXPORT(help)(struct pool *p, float *scratch) {
  i32 last = 0;
  for (i32 spins = 0;; spins++) {
    const i32 job = LOAD(p->job);
    if (job != last) {
      last = job;
      spins = 0;
      take_tasks(p, job, scratch);
    } else if (spins > SPINS) {
      __atomic_add_fetch(&p->sleeping, 1, __ATOMIC_SEQ_CST);
      __builtin_wasm_memory_atomic_wait32(&p->job, last, -1);
      __atomic_sub_fetch(&p->sleeping, 1, __ATOMIC_SEQ_CST);
    }
  }
}
