"""What of a tool call a person is asked about where only risky calls are: ``--approve risky``.

It goes by the words that stand there, and rather asks once too often: a command that only names
``rm`` is asked about. It does not see what a program does that a command starts, so the sandbox is
the boundary, and not this.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.agents.places import HOME, absolute

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DELETES", "HIDES", "NETWORK", "OUTSIDE", "RULES", "command_risks", "path_risks"]

NETWORK: Final = "reach the network"
DELETES: Final = "delete or take back"
OUTSIDE: Final = "change what is outside /home/user and /tmp"
RULES: Final = "act as another user, or on other processes"
HIDES: Final = "hide what they run"

# What may be written without being outside.
INSIDE: Final = (HOME, "/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  # of the sandbox
NOWHERE: Final = ("/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/fd/")

_START: Final = r"(?<![\w-])"
_END: Final = r"(?![\w-])"


def _words(*words: str) -> re.Pattern[str]:
    return re.compile(f"{_START}(?:{'|'.join(words)}){_END}", re.IGNORECASE)


def _first(name: str) -> str:
    """Return a pattern of all up to a name that stands in a command, the first one there.

    To look from each name anew would take time in proportion to the square of what stands there.
    """
    return rf"(?:(?!{name})[^;&|\n])*{name}"


def _given(name: str, *then: str) -> re.Pattern[str]:
    """Return a pattern of a program that is given one of these somewhere in its command."""
    program = _first(f"{_START}(?:{name}){_END}")
    given = rf"[^;&|\n]*?\s(?:{'|'.join(then)}){_END}"
    return re.compile(rf"(?:^|[;&|\n]){program}{given}", re.IGNORECASE)


_GIT: Final = _first(f"{_START}git{_END}")
_BRANCH: Final = _first(rf"\sbranch{_END}")
_FLAGS: Final = r"(?:\s+-\S+)*\s+"
_RISKS: Final = {
    NETWORK: (
        re.compile(r"[a-z][a-z0-9+.-]{0,30}://(?!(?:localhost|127\.0\.0\.1)\b)", re.IGNORECASE),
        re.compile(r"\bgit@|/dev/(?:tcp|udp)/"),
        _words(
            *("curl", "wget", "aria2c", "ssh", "scp", "sftp", "rsync", "ftp", "telnet", "nc"),
            *("ncat", "netcat", "socat", "dig", "nslookup", "ping", "rclone", "docker"),
            *("podman", "kubectl", "helm", "terraform", "aws", "gcloud", "gsutil", "az", "gh"),
            *("glab", "apt", "apt-get", "dnf", "yum", "apk", "brew", "conda", "mamba", "uvx"),
            *("npx", "sendmail"),
        ),
        _words(rf"(?:pip[\d.]*|pipx){_FLAGS}(?:install|download|wheel|index)"),
        _words(rf"uv{_FLAGS}(?:pip|add|sync|tool|run|lock|python|publish)"),
        _words(
            rf"(?:npm|pnpm|yarn|bun|cargo|gem|go|poetry|twine|hf|huggingface-cli){_FLAGS}"
            r"(?:install|i|ci|add|update|upgrade|get|fetch|download|upload|publish|push|login|exec)"
        ),
        _given(
            *("git", "push", "pull", "fetch", "clone", "ls-remote", "submodule", "remote", "lfs")
        ),
        _words(
            *("requests", "urllib[23]?", "httpx2?", "aiohttp", "socket", "smtplib", "ftplib"),
            *("paramiko", "boto3", "fetch\\(", "http\\.client", "snapshot_download"),
        ),
    ),
    DELETES: (
        _words("rm", "shred", "unlink", "wipefs", "srm", r"mkfs(?:\.\w+)?", "dd", "truncate"),
        re.compile(r"\s-{1,2}delete\b"),
        _given(
            *("git", "clean", "reset", "restore", "checkout", "rm", "stash", "gc", "prune"),
            *("filter-branch", "-f", "--force", "--delete"),
        ),
        re.compile(rf"(?:^|[;&|\n]){_GIT}{_BRANCH}[^;&|\n]*?\s-D{_END}", re.IGNORECASE),
        _words("rmtree", r"os\.(?:remove|unlink|removedirs|rmdir)", r"\w*\.unlink"),
        _words(r"drop\s+(?:table|database|schema|view|index)", r"delete\s+from", r"truncate\s+\w+"),
    ),
    RULES: (
        _words("sudo", "su", "doas", "runuser", "setpriv", "unshare", "nsenter", "chroot", "mount"),
        _words("kill", "pkill", "killall", "systemctl", "crontab", "shutdown"),
        _words("reboot", "useradd", "usermod", "passwd", "chown", "setcap", "sysctl", "iptables"),
    ),
    HIDES: (
        _words("eval", r"exec\s*\(", r"eval\s*\(", r"compile\s*\(", "__import__", "importlib"),
        _given("base(?:64|32)", "-d", "-D", "--decode"),
        _given("xxd", r"-\w*r\w*"),
        _words("b64decode", "fromhex", "unhexlify", r"openssl\s+enc"),
        re.compile(r"\|\s*(?:\S{0,200}/)?(?:(?:ba|da|z|k)?sh|python[\d.]*|perl|ruby)\b"),
        re.compile(r"\$'[^']*\\[xu0-7]"),
        # A program whose name is put together when it runs.
        re.compile(
            r"(?:^|[;&|({`\n]|\$\()[ \t]*(?:\w{1,100}=\S{0,200}[ \t]+){0,20}[\"']?(?:\$[\w{(]|`)"
        ),
    ),
}
_WRITERS: Final = _words(
    *("cp", "mv", "ln", "install", "tee", "touch", "mkdir", "rmdir", "chmod", "chgrp", "cd"),
    *("pushd", "tar", "unzip", "patch", "chattr", "setfacl", "mkfifo", "mknod", "split", "cpio"),
    *("pip", "make", "open", "Path"),
)
_IN_PLACE: Final = (_given("sed", r"-\w*i\w*"), _given("perl", r"-\w*i"))
_REDIRECT: Final = re.compile(r">{1,2}\s*(?:[|&]\s*)?([^\s>]+)")
# A path that leads out: from the root, from another one's home, or upwards.
_PATHS: Final = re.compile(
    r"(?:(?<=[\s=:,'\"(<>])|^)(?:/|~\w|\.\.(?:/|$|\s)|\$\{?OLDPWD)[^\s;&|)'\"]*"
)
_QUOTES: Final = re.compile(r"[\\\"'](?=\S)|(?<=\S)[\\\"']")


def command_risks(command: str) -> frozenset[str]:
    """Return what may be risky about a command."""
    # A name is the same name with quotes and backslashes in it.
    spellings = (command, _QUOTES.sub("", command))
    found = {
        risk
        for risk, patterns in _RISKS.items()
        if any(pattern.search(text) for pattern in patterns for text in spellings)
    }
    if any(_leads_out(text) for text in spellings):
        found.add(OUTSIDE)
    return frozenset(found)


def path_risks(path: str) -> frozenset[str]:
    """Return what may be risky about a change of a file."""
    return frozenset() if _is_inside(posixpath.normpath(absolute(path))) else frozenset({OUTSIDE})


def _leads_out(text: str) -> bool:
    targets = [match[1] for match in _REDIRECT.finditer(text)]
    if any(_is_out(target) for target in targets):
        return True
    writes = any(pattern.search(text) for pattern in (_WRITERS, *_IN_PLACE))
    return writes and any(_is_out(path) for path in _out_paths(text))


def _out_paths(text: str) -> Iterable[str]:
    return (match[0] for match in _PATHS.finditer(text))


def _is_out(path: str) -> bool:
    path = path.strip("\"'")
    if path.startswith(NOWHERE) or path.isdigit():
        return False
    if path.startswith(("..", "$OLDPWD", "${OLDPWD")) or re.match(r"~\w", path):
        return True
    return path.startswith("/") and not _is_inside(posixpath.normpath(path))


def _is_inside(path: str) -> bool:
    path = re.sub("^//+", "/", path)
    return any(path == folder or path.startswith(f"{folder}/") for folder in INSIDE)
