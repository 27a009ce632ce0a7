"""Turns into a command once this network namespace has its cable: `cage.py OTHER_END OURS COMMAND…`.

Only the standard library, so that it starts in a few milliseconds.
"""

import os
import subprocess
import sys
import time

LAID_WITHIN_S = 30.0
LOOK_EVERY_S = 0.02


def main() -> None:
    other_end, ours, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    last = time.monotonic() + LAID_WITHIN_S
    while subprocess.run(["ip", "link", "show", "cage"], capture_output=True, check=False).returncode:
        if time.monotonic() > last:
            sys.exit("no cable was laid")
        time.sleep(LOOK_EVERY_S)
    for arguments in (
        ("link", "set", "lo", "up"),
        ("addr", "add", f"{ours}/30", "dev", "cage"),
        ("link", "set", "cage", "up"),
        ("route", "add", "default", "via", other_end),
    ):
        subprocess.run(["ip", *arguments], check=True)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
