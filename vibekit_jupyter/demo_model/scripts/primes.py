"""The quickstart: write primes.py, and later make it print more."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from vibekit_jupyter.demo_model.counts import COUNT, read_count
from vibekit_jupyter.demo_model.scripts.script import (
    FILE,
    Script,
    edit,
    read,
    report,
    run,
    write,
)

if TYPE_CHECKING:
    from vibekit_jupyter.demo_model.replay import Plan, Turn

__all__ = ["SCRIPTS"]

MOST = 10_000
PROGRAM = '''"""Print the first prime numbers."""

from itertools import count, islice, takewhile

COUNT = {count}


def primes():
    """Yield the prime numbers, in order."""
    found = []
    for number in count(2):
        divisors = takewhile(lambda prime: prime * prime <= number, found)
        if all(number % prime for prime in divisors):
            found.append(number)
            yield number


print(*islice(primes(), COUNT))
'''


def write_primes(_turn: Turn, match: re.Match[str]) -> Plan:
    """Write the program, and run it where that is asked for."""
    path, count = match["file"], read_count(match["count"])
    if count is None or count > MOST:
        return f"I print at most {MOST} primes; ask for fewer."
    then = ", and run it" if match["run"] else ""
    written = yield from write(
        path,
        PROGRAM.format(count=count),
        f"I write {path} to print the first {count} primes{then}.",
    )
    if not written.ok:
        return f"I could not write {path}: {written.text}"
    if not match["run"]:
        return f"I wrote {path}. It prints the first {count} primes; I did not run it."
    command = _command(path)
    return f"I wrote {path}. {report(command, (yield from run(command)))}"


def change_count(turn: Turn, match: re.Match[str]) -> Plan:
    """Change how many primes the program prints, in whatever state it is now."""
    count = read_count(match["count"])
    if count is None or count > MOST:
        return f"I print at most {MOST} primes; ask for fewer."
    path = next((path for path in turn.written_files() if path.endswith(".py")), "primes.py")
    found = yield from read(path, f"I look at {path} first.")
    line = re.search(r"COUNT = (\d+)", found.text)
    if found.missing:
        done = yield from write(path, PROGRAM.format(count=count))
        did = f"There was no {path} in this session, so I wrote it anew."
    elif not found.ok:
        return f"I could not read {path}: {found.text}"
    elif line is None:
        return f"{path} is not the program that I know, so I left it as it is."
    elif int(line[1]) == count:
        done, did = found, f"{path} prints {count} already, so I changed nothing."
    else:
        done = yield from edit(path, line[0], f"COUNT = {count}")
        did = f"I changed {path} to print {count}."
    if not done.ok:
        return f"I could not change {path}: {done.text}"
    command = _command(path)
    return f"{did} {report(command, (yield from run(command)))}"


def _command(path: str) -> str:
    return f"python3 {shlex.quote(path)}"


_AND_RUN = r"(?P<run>,? (?:and |then )+(?:run|execute) it(?: again)?)?"

SCRIPTS = (
    Script(
        rf"(?:write|create|make) (?:a (?:file|program|script) )?{FILE} (?:that|which|to) "
        rf"prints?(?: out)? the first (?P<count>{COUNT}) primes?(?: numbers?)?{_AND_RUN}",
        write_primes,
        "Write primes.py that prints the first ten primes, and run it",
    ),
    Script(
        rf"(?:make|let|have) it print(?: out)? (?:the first )?(?P<count>{COUNT})"
        rf"(?: of them| primes?(?: numbers?)?)?(?: instead)?{_AND_RUN}",
        change_count,
        "Now make it print twenty",
    ),
)
