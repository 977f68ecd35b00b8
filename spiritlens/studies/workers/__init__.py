"""Many workers for one study: processes of this machine, or jobs of SLURM, through one package, submitit.

A *worker* makes one shard of the study (`spiritlens.studies.shard`) in a process of its own. What is queued, started,
requeued or dead is the engine's to know: here work is only handed over, and the same command hands it over again.

1. **Hand over.** Each shard is a `StudyJob`, a small value with the names of model and facts; on SLURM they are the
   jobs of an array. A job that is preempted, or whose time is up, is requeued by submitit, and its shard goes on.
2. **Join.** After all shards are done, one `StudyJob` of the whole finds every trace finished, joins them, and writes
   the comparison and the page. Of this machine's workers that is the process that started them, which waits for them;
   on SLURM it is a last job, which depends on the array, and which SLURM drops where a job of the array fails.

Modules: `settings` (how many workers, and of what), `job` (what a worker does), `handing_over` (submitit).
"""
