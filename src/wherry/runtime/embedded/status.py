"""Records as the CRI's statuses.  Pure."""

from wherry.runtime.embedded.records import ContainerRecord, SandboxRecord
from wherry.runtime.interface import ContainerState, ContainerStatus, SandboxStatus


def state(record: ContainerRecord) -> ContainerState:
    if record.finished_at:
        return ContainerState.EXITED
    return ContainerState.RUNNING if record.started_at else ContainerState.CREATED


def of_container(record: ContainerRecord) -> ContainerStatus:
    return ContainerStatus(
        id=record.id,
        sandbox_id=record.sandbox_id,
        config=record.config,
        state=state(record),
        created_at=record.created_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        exit_code=record.exit_code,
        reason=record.reason,
        message=record.message,
        image=record.image_name,
        image_ref=record.image_ref,
        image_id=record.image_id,
        pid=record.init.pid,
        log_path=record.log_path,
        user=record.user,
    )


def of_sandbox(record: SandboxRecord) -> SandboxStatus:
    ips = (record.ip,) if record.ip else ()
    return SandboxStatus(record.id, record.config, record.state, record.created_at, ips, record.pause.pid)
