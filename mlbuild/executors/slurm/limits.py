"""Slurm's words for a limit that a job has met, of its account or of its quality of service. Blind to what it is."""

from __future__ import annotations

import re

LIMIT = re.compile(
    r"(?P<whose>Assoc|QOS)(?P<how>Grp|Max)(?P<what>Cpu|CPU|GRES|Mem|Memory|Node|Jobs|Billing|Wall|WallDuration)"
    r"(?P<run>Run)?(?P<minutes>Minutes)?(?P<each>PerJob|PerNode|PerUser)?(Limit)?"
)
WHOSE = {"Assoc": "your account", "QOS": "your qos"}
THINGS = {
    "Cpu": "many CPUs",
    "CPU": "many CPUs",
    "GRES": "many GPUs",
    "Mem": "much memory",
    "Memory": "much memory",
    "Node": "many nodes",
    "Billing": "much",
}


def is_of_job(reason: str) -> bool:
    """Whether the job itself asks for more than any may, so that it waits for ever."""
    limit = LIMIT.fullmatch(reason)
    return limit is not None and limit["each"] in ("PerJob", "PerNode")


def words(reason: str) -> str:
    """What a reason for which a job waits means; empty of one that is no limit."""
    limit = LIMIT.fullmatch(reason)
    if limit is None:
        return ""
    whose, what = WHOSE[limit["whose"]], limit["what"]
    much = "much time" if limit["minutes"] or what.startswith("Wall") else THINGS.get(what, "")
    if is_of_job(reason):
        return f"it asks for more{much.removeprefix('many').removeprefix('much')} than {whose} allows a job"
    if what == "Jobs":
        who, may = ("you run", f"{whose} allows") if limit["each"] else (f"{whose} runs", "it may")
        return f"{who} as many jobs as {may}"
    if much == "much time" and not limit["run"]:
        return f"{whose} has used up its time"
    who, may = ("you use", f"{whose} allows") if limit["each"] else (f"{whose} uses", "it may")
    return f"{who} as {much} as {may}"
