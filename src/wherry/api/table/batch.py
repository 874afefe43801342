"""Rows of batch: work that ends.  CronJob is served as v1beta1 too, for the manifests of older notes."""

from __future__ import annotations

from dataclasses import replace

from wherry.api import selectable
from wherry.api.printers import batch
from wherry.api.resource import Resource, Version
from wherry.api.strategy import cronjob as cronjob_strategy
from wherry.api.strategy import job as job_strategy
from wherry.api.table.rows import old, schema_name, served, status

GROUP = "batch"

CRON_JOB = Resource(
    "cronjobs", "CronJob", GROUP,
    (
        Version("v1", schema_name(GROUP, "v1", "CronJob")),
        # v1beta1 has v1's fields, so it shares its schema and needs no converter.
        old("batch/v1beta1", "CronJob", "batch/v1", "v1.21", "v1.25", orphans=True),
    ),
    short_names=("cj",), categories=("all",), subresources=(status("CronJob"),), printer=batch.CRON_JOB,
    strategy=cronjob_strategy.CRON_JOB,
)
LEFT_BEHIND = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)
JOB = Resource(
    "jobs", "Job", GROUP, (replace(served(GROUP, "Job")[0], orphans=True, orphans_warning=LEFT_BEHIND),), categories=("all",),
    subresources=(status("Job"),),
    selectable_fields=selectable.JOB, printer=batch.JOB, strategy=job_strategy.JOB,
)

ROWS = (CRON_JOB, JOB)
