"""Jobs and CronJobs."""

from __future__ import annotations

from wherry.api.printers.duration import between_text
from wherry.api.printers.text import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    NONE,
    SELECTOR,
    age,
    column,
    containers,
    deleting,
    has_condition,
    name,
    part,
    selector_text,
    true_text,
)
from wherry.api.resource import Age, Cell, Object, Printer


def _status(job: Object) -> str:
    for type in ("Complete", "Failed"):
        if has_condition(job, type):
            return type
    if deleting(job):
        return "Terminating"
    return next((type for type in ("Suspended", "FailureTarget") if has_condition(job, type)), "Running")


def _completions(job: Object) -> str:
    spec, succeeded = part(job, "spec"), part(job, "status").get("succeeded", 0)
    if spec.get("completions") is not None:
        return f"{succeeded}/{spec['completions']}"
    parallelism = spec.get("parallelism") or 0
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _duration(job: Object) -> Cell:
    status = part(job, "status")
    start, end = status.get("startTime"), status.get("completionTime")
    if not start:
        return ""
    return between_text(start, end) if end else Age(start)


def _job(job: Object) -> list[Cell]:
    spec = part(job, "spec")
    return [
        name(job), _status(job), _completions(job), _duration(job), age(job), *containers(part(spec, "template")),
        selector_text(spec.get("selector")),
    ]


def _cron_job(cron: Object) -> list[Cell]:
    spec, status = part(cron, "spec"), part(cron, "status")
    job = part(spec, "jobTemplate", "spec")
    last = status.get("lastScheduleTime")
    return [
        name(cron), spec.get("schedule", ""), spec.get("timeZone") or NONE, true_text(spec.get("suspend")),
        len(status.get("active") or ()), Age(last) if last else NONE, age(cron), *containers(part(job, "template")),
        selector_text(job.get("selector")),
    ]


JOB = Printer(
    (
        NAME, column("Status", "What the Job does."), column("Completions", "Pods that succeeded, of those wanted."),
        column("Duration", "How long it took, or takes so far."), AGE, CONTAINERS, IMAGES, SELECTOR,
    ),
    _job,
)
CRON_JOB = Printer(
    (
        NAME, column("Schedule", "When it runs, in cron's words."), column("Timezone", "Whose clock the schedule follows."),
        column("Suspend", "Whether it starts no Jobs.", "boolean"), column("Active", "Jobs that run.", "integer"),
        column("Last Schedule", "How long ago it last started a Job."), AGE, CONTAINERS, IMAGES, SELECTOR,
    ),
    _cron_job,
)
