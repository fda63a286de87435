"""Ways in which a command's processes lose what marks them as its own."""

from __future__ import annotations

__all__ = ["WAYS"]

# Each leaves "sleep" running, of a length that is its own.
WAYS = {
    "in front": "{sleep}",
    "in the background": "{sleep} & wait",
    "without an environment": "env -i {sleep} & wait",
    "by exec -c": "(exec -c {sleep}) & wait",
    "after unset": "(unset VIBEKIT_RUN; {sleep}) & wait",
    "in a session of its own": "setsid {sleep} & wait",
    "forked twice": "(setsid env -i {sleep} > /dev/null 2>&1 < /dev/null &) ; sleep 60",
    "by nohup": "(nohup env -i {sleep} > /dev/null 2>&1 < /dev/null &) ; sleep 60",
    "by python": "python3 -c \"import subprocess as s; s.Popen('{sleep}'.split(), env={{}}, "
    'close_fds=True, start_new_session=True, stdout=-3, stderr=-3, stdin=-3)"; sleep 60',
    "by sudo": "sudo env -i {sleep} & wait",
}
