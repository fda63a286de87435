"""The REST interface: sandboxes and snapshots. Both generations of its paths."""

from __future__ import annotations

import os
import urllib.parse
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.network import network_of, nothing_else
from vibekit_jupyter.local_sandbox.rpc import answer, unary
from vibekit_jupyter.local_sandbox.shapes import mapping, number, text, texts, whole
from vibekit_jupyter.local_sandbox.store import SandboxRecord

if TYPE_CHECKING:
    from vibekit_jupyter.local_sandbox.sandbox import Sandbox
    from vibekit_jupyter.local_sandbox.sandboxes import Sandboxes
    from vibekit_jupyter.local_sandbox.store import SnapshotRecord

__all__ = ["Control"]

ENVD_VERSION = "0.6.8"
CLIENT_ID = "local"
DEFAULT_SECONDS = 300
CONFINEMENT_KEY = "vibekit_confinement"
LOST_KEY = "vibekit_processes_lost"
LARGEST_PAGE = 100
LARGEST_BODY = 2**20
# What a request to make a sandbox may hold. All are secure here, and no less can be had; the SDK
# itself starts what mcp tells, by a command.
CREATION = {
    *("templateID", "timeout", "autoPause", "autoPauseMemory", "autoResume", "secure", "mcp"),
    *("allow_internet_access", "network", "metadata", "envVars"),
}


class Control:
    """Handlers of the REST interface.

    Parameters
    ----------
    domain
        What the SDK builds a port's host name from: ``localhost:PORT``.
    """

    def __init__(self, sandboxes: Sandboxes, domain: str) -> None:
        self.sandboxes = sandboxes
        self.domain = domain

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, old and new."""
        one = "/sandboxes/{id}"
        found = [
            web.get(one, self.info),
            web.delete(one, self.kill),
            web.post(f"{one}/timeout", self.set_timeout),
            web.post(f"{one}/pause", self.pause),
            web.post(f"{one}/resume", self.resume),
            web.post(f"{one}/refreshes", self.refresh),
            web.get(f"{one}/metrics", self.metrics),
            web.put(f"{one}/network", self.set_network),
            web.post(f"{one}/snapshots", self.snapshot),
            web.post(f"{one}/fork", self.fork),
            web.get("/snapshots", self.list_snapshots),
            web.delete("/templates/{id}", self.delete_snapshot),
        ]
        for prefix in ("", "/v2"):
            found += [
                web.post(f"{prefix}/sandboxes", self.create),
                web.get(f"{prefix}/sandboxes", self.list),
                web.post(f"{prefix}{one}/connect", self.connect),
            ]
        return found

    # -- life ---------------------------------------------------------------------------------

    async def create(self, request: web.Request) -> web.Response:
        """Create a sandbox."""
        body = await _body(request)
        nothing_else(body, CREATION)
        internet = body.get("allow_internet_access")
        record = SandboxRecord(
            id=self.sandboxes.store.new_id(),
            template=text(body.get("templateID"), "templateID")[:200] or "base",
            metadata=texts(body.get("metadata"), "metadata"),
            envs=_variables(body.get("envVars")),
            on_timeout="pause" if body.get("autoPause") else "kill",
            timeout_memory=body.get("autoPauseMemory") is not False,
            auto_resume=bool(mapping(body.get("autoResume"), "autoResume").get("enabled")),
            internet=internet if isinstance(internet, bool) else None,
            network=network_of(body.get("network")),
        )
        timeout = _seconds(body, DEFAULT_SECONDS)
        sandbox = await self.sandboxes.create(record, timeout)
        return answer(self._sandbox(sandbox), status=201)

    async def connect(self, request: web.Request) -> web.Response:
        """Resume a sandbox, or lengthen its time where it runs."""
        sandbox = self.sandboxes.get(request.match_info["id"])
        body = await _body(request)
        memory = body.get("memory") is not False
        seconds = _seconds(body, DEFAULT_SECONDS)
        resumed = await self.sandboxes.resume(sandbox, seconds, memory=memory)
        return answer(self._sandbox(sandbox), status=201 if resumed else 200)

    async def resume(self, request: web.Request) -> web.Response:
        """Resume a paused sandbox (older clients)."""
        sandbox = self.sandboxes.get(request.match_info["id"])
        if sandbox.record.state == "running":
            raise ProtocolError("conflict", f"Sandbox {sandbox.id} is already running")
        body = await _body(request)
        await self.sandboxes.resume(sandbox, _seconds(body, DEFAULT_SECONDS))
        return answer(self._sandbox(sandbox), status=201)

    async def pause(self, request: web.Request) -> web.Response:
        """Pause a sandbox."""
        sandbox = self.sandboxes.get(request.match_info["id"])
        body = await _body(request)
        await self.sandboxes.pause(sandbox, memory=body.get("memory") is not False)
        return web.Response(status=204)

    async def kill(self, request: web.Request) -> web.Response:
        """Kill a sandbox."""
        await self.sandboxes.kill(self.sandboxes.get(request.match_info["id"]))
        return web.Response(status=204)

    async def set_timeout(self, request: web.Request) -> web.Response:
        """Set the time left."""
        sandbox = self.sandboxes.get(request.match_info["id"])
        self.sandboxes.set_timeout(sandbox, _seconds(await _body(request), DEFAULT_SECONDS))
        return web.Response(status=204)

    async def refresh(self, request: web.Request) -> web.Response:
        """Lengthen the time left (older clients)."""
        sandbox = self.sandboxes.get(request.match_info["id"])
        duration = number((await _body(request)).get("duration"), "duration", 60)
        await self.sandboxes.resume(sandbox, duration)
        return web.Response(status=204)

    async def set_network(self, request: web.Request) -> web.Response:
        """Change what the sandbox may reach."""
        sandbox = self.sandboxes.get(request.match_info["id"])
        await self.sandboxes.set_network(sandbox, network_of(await _body(request)))
        return web.Response(status=204)

    # -- looking ------------------------------------------------------------------------------

    async def info(self, request: web.Request) -> web.Response:
        """Describe one sandbox."""
        sandbox = self.sandboxes.get(request.match_info["id"])
        record = sandbox.record
        level = {CONFINEMENT_KEY: self.sandboxes.confinement.level}
        detail = {
            **self._listed(sandbox),
            # An unmodified SDK has no other place to show it. A list has what was given alone.
            "metadata": _metadata(record) | level,
            "envdAccessToken": record.token,
            "domain": self.domain,
            "allowInternetAccess": record.internet,
            "lifecycle": {"autoResume": record.auto_resume, "onTimeout": record.on_timeout},
        }
        if record.network:
            detail["network"] = record.network
        if record.state == "paused":
            detail["pauseMode"] = "full" if record.memory else "filesystem"
        return answer(detail)

    async def list(self, request: web.Request) -> web.Response:
        """List sandboxes, newest first, page by page."""
        query = request.query
        wanted = _metadata_filter(query.get("metadata", ""))
        states = {part for value in query.getall("state", []) for part in value.split(",")}
        after = _moment(query.get("startedAfter"))
        found = [
            sandbox
            for sandbox in self.sandboxes.all.values()
            if wanted.items() <= _metadata(sandbox.record).items()
            and (not states or sandbox.record.state in states)
            and sandbox.record.started_at >= after
            and query.get("template") in {None, sandbox.record.template}
        ]
        found.sort(
            key=lambda sandbox: (sandbox.record.started_at, sandbox.id),
            reverse=query.get("order", "desc") != "asc",
        )
        page, headers = _page(found, query.get("limit"), query.get("nextToken"))
        return answer([self._listed(sandbox) for sandbox in page], headers=headers)

    async def metrics(self, request: web.Request) -> web.Response:
        """Return what a sandbox used, between ``start`` and ``end`` (Unix seconds)."""
        sandbox = self.sandboxes.get(request.match_info["id"])
        if sandbox.running:
            await self.sandboxes.sample(sandbox)
        start = number(request.query.get("start"), "start", 0)
        end = number(request.query.get("end"), "end", float(2**53))
        limits = self.sandboxes.confinement.limits
        return answer(
            [
                {
                    "timestamp": _iso(sample["at"]),
                    "timestampUnix": int(sample["at"]),
                    "cpuCount": _cpus(),
                    "cpuUsedPct": round(sample["percent"], 2),
                    "memUsed": sample["memory"],
                    "memTotal": limits.memory_mib * 1024 * 1024,
                    "memCache": 0,
                    "diskUsed": sample["disk"],
                    "diskTotal": limits.disk_mib * 1024 * 1024,
                }
                for sample in sandbox.samples
                if int(start) <= sample["at"] and int(sample["at"]) <= end
            ]
        )

    # -- copies -------------------------------------------------------------------------------

    async def fork(self, request: web.Request) -> web.Response:
        """Fork a sandbox, ``count`` times."""
        sandbox = self.sandboxes.get(request.match_info["id"])
        body = await _body(request)
        results: list[dict[str, Any]] = []
        for _copy in range(max(1, min(whole(body.get("count"), "count", 1), 20))):
            try:
                fork = await self.sandboxes.fork(sandbox, _seconds(body, DEFAULT_SECONDS))
                results.append({"sandbox": self._sandbox(fork)})
            except ProtocolError as error:
                results.append({"error": {"code": error.status, "message": error.message}})
        return answer(results, status=201)

    async def snapshot(self, request: web.Request) -> web.Response:
        """Make a snapshot."""
        sandbox = self.sandboxes.get(request.match_info["id"])
        name = text((await _body(request)).get("name"), "name")[:200]
        snapshot = await self.sandboxes.snapshot(sandbox, name)
        return answer(_snapshot(snapshot), status=201)

    async def list_snapshots(self, request: web.Request) -> web.Response:
        """List snapshots, newest first, page by page."""
        query = request.query
        found = [
            snapshot
            for snapshot in self.sandboxes.snapshots.values()
            if query.get("sandboxID") in {None, snapshot.sandbox}
            and query.get("name") in {None, snapshot.name, snapshot.id}
        ]
        found.sort(key=lambda snapshot: (snapshot.created_at, snapshot.id), reverse=True)
        page, headers = _page(found, query.get("limit"), query.get("nextToken"))
        return answer([_snapshot(snapshot) for snapshot in page], headers=headers)

    async def delete_snapshot(self, request: web.Request) -> web.Response:
        """Delete a snapshot."""
        await self.sandboxes.delete_snapshot(request.match_info["id"])
        return web.Response(status=204)

    # -- shapes -------------------------------------------------------------------------------

    def _sandbox(self, sandbox: Sandbox) -> dict[str, Any]:
        return {
            "sandboxID": sandbox.id,
            "templateID": sandbox.record.template,
            "clientID": CLIENT_ID,
            "envdVersion": ENVD_VERSION,
            "envdAccessToken": sandbox.record.token,
            "trafficAccessToken": sandbox.record.traffic_token,
            "domain": self.domain,
        }

    def _listed(self, sandbox: Sandbox) -> dict[str, Any]:
        limits = self.sandboxes.confinement.limits
        return {
            "sandboxID": sandbox.id,
            "templateID": sandbox.record.template,
            "clientID": CLIENT_ID,
            "envdVersion": ENVD_VERSION,
            "startedAt": _iso(sandbox.record.started_at),
            "endAt": _iso(sandbox.record.end_at),
            "state": sandbox.record.state,
            "cpuCount": _cpus(),
            "memoryMB": limits.memory_mib,
            "diskSizeMB": limits.disk_mib,
            "metadata": _metadata(sandbox.record),
        }


def _metadata(record: SandboxRecord) -> dict[str, str]:
    return record.metadata | ({LOST_KEY: "true"} if record.lost else {})


def _snapshot(snapshot: SnapshotRecord) -> dict[str, Any]:
    return {
        "snapshotID": f"{snapshot.id}:default",
        "names": [f"local/{snapshot.name}:default"] if snapshot.name else [],
    }


async def _body(request: web.Request) -> dict[str, Any]:
    return await unary(request, LARGEST_BODY)


def _seconds(body: dict[str, Any], default: float) -> float:
    return number(body.get("timeout"), "timeout", default)


def _variables(value: Any) -> dict[str, str]:
    found = texts(value, "envVars")
    if any("=" in name for name in found):
        raise ProtocolError("invalid_argument", "a variable's name cannot hold =")
    return found


def _metadata_filter(text: str) -> dict[str, str]:
    # The SDK quotes each key and value, and then the whole once more.
    return {
        urllib.parse.unquote_plus(key): urllib.parse.unquote_plus(value)
        for key, value in urllib.parse.parse_qsl(text, keep_blank_values=True)
    }


def _page(
    found: list[Any], limit: str | None, token: str | None
) -> tuple[list[Any], dict[str, str]]:
    try:
        start, size = int(token or 0), max(1, min(int(limit or LARGEST_PAGE), LARGEST_PAGE))
    except ValueError as error:
        raise ProtocolError("invalid_argument", "limit and nextToken must be numbers") from error
    start = max(0, start)
    more = start + size < len(found)
    return found[start : start + size], {"x-next-token": str(start + size)} if more else {}


def _moment(text: str | None) -> float:
    if not text:
        return 0.0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ProtocolError("invalid_argument", "startedAfter must be a time") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _iso(moment: float) -> str:
    # What a client reads here it may send back as startedAfter: no rounding up.
    return datetime.fromtimestamp(int(moment * 1000) / 1000, UTC).isoformat()


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
