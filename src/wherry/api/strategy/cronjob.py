"""CronJobs."""

from __future__ import annotations

import re
from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.job import drop_alpha_fields, name_warnings, spec_warnings
from wherry.api.strategy.job_spec import validate_job_spec
from wherry.api.strategy.pod.defaults import default_template
from wherry.api.strategy.rules import Causes, not_negative, one_of
from wherry.api.strategy.workload import fill, spec_of
from wherry.apimachinery import cron
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import invalid, not_supported, required

Dict = dict[str, Any]
_ZONE_PART = re.compile(r"[A-Za-z._0-9+-]{1,14}", re.ASCII)
POLICIES = ("Allow", "Forbid", "Replace")
MAX_NAME = 52  # a Job's name is the CronJob's, "-" and ten digits


def default(obj: Dict) -> None:
    spec = spec_of(obj)
    if not spec.get("concurrencyPolicy"):
        spec["concurrencyPolicy"] = "Allow"
    fill(spec, suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1, jobTemplate={})
    fill(spec["jobTemplate"], metadata={}, spec={})
    default_template(spec["jobTemplate"]["spec"])


def prepare_for_create(obj: Dict) -> None:
    obj["status"] = {}
    drop_alpha_fields(obj["spec"]["jobTemplate"]["spec"], {})


def prepare_for_update(obj: Dict, old: Dict) -> None:
    drop_alpha_fields(obj["spec"]["jobTemplate"]["spec"], old["spec"]["jobTemplate"]["spec"])


def _schedule(spec: Dict, errs: Causes) -> None:
    schedule = spec.get("schedule") or ""
    if not schedule:
        errs.append(required("spec.schedule"))
        return
    try:
        cron.check(schedule)
    except ValueError as error:
        errs.append(invalid("spec.schedule", schedule, str(error)))
    if cron.has_time_zone(schedule):
        errs.append(invalid("spec.schedule", schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"))


def _time_zone(zone: str | None, errs: Causes) -> None:
    if zone is None:
        return
    if zone == "":
        errs.append(invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string"))
        return
    if any(part in (".", "..") or part.startswith("-") or _ZONE_PART.fullmatch(part) is None for part in zone.split("/")):
        errs.append(invalid("spec.timeZone", zone, f"unknown time zone {zone}"))
        return
    if zone.lower() == "local":
        words = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        errs.append(invalid("spec.timeZone", zone, words))
    if zone != "Local" and not cron.knows_zone(zone):
        errs.append(invalid("spec.timeZone", zone, f"unknown time zone {zone}"))


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    _schedule(spec, errs)
    not_negative(spec.get("startingDeadlineSeconds"), "spec.startingDeadlineSeconds", errs)
    _time_zone(spec.get("timeZone"), errs)
    one_of(spec.get("concurrencyPolicy"), POLICIES, "spec.concurrencyPolicy", errs)
    template, path = spec.get("jobTemplate") or {}, "spec.jobTemplate"
    job = template.get("spec") or {}
    validate_job_spec(job, f"{path}.spec", errs)
    if job.get("selector") is not None:
        errs.append(invalid(f"{path}.spec.selector", job["selector"], "`selector` will be auto-generated"))
    if job.get("manualSelector"):
        errs.append(not_supported(f"{path}.spec.manualSelector", True, ("nil", "false")))
    for name in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        not_negative(spec.get(name), f"spec.{name}", errs)
    return errs


def validate_create(obj: Dict) -> list[Cause]:
    name = (obj.get("metadata") or {}).get("name") or ""
    if len(name) <= MAX_NAME:
        return []
    return [invalid("metadata.name", name, f"must be no more than {MAX_NAME} characters")]


def warnings(obj: Dict) -> list[str]:
    template = (obj.get("spec") or {}).get("jobTemplate") or {}
    return spec_warnings(template.get("spec") or {}, "spec.jobTemplate.spec")


CRON_JOB = Strategy(
    default=default, prepare_for_create=prepare_for_create, prepare_for_update=prepare_for_update, validate=validate,
    validate_create=validate_create, warnings=warnings, warnings_on_create=name_warnings,
)
