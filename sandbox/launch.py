"""Runs a command that ends with its parent, under another account if wanted: launch.py SIGNAL PARENT ACCOUNT COMMAND...

A script of its own (`python -I -S`): what Popen's preexec_fn does between fork and exec can hang once threads exist.
"""

import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG = 1


def become(account: str) -> None:
    """Give up root for an account for good.

    Raises:
        KeyError: the machine has no such account.
    """
    entry = pwd.getpwnam(account)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def end_with(parent: int, number: int) -> None:
    """Ask the kernel to send this process a signal when the parent thread ends, and end now if it has already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def main(arguments: list[str]) -> None:
    """Become the account ("-" keeps the own one), tie to the parent, then become the command."""
    name, parent, account, *command = arguments
    if account != "-":
        become(account)
    # After the change of account, which clears it.
    end_with(int(parent), signal.Signals[name])
    os.execvp(command[0], command)  # noqa: S606 - to become the command without a shell is this script's purpose


if __name__ == "__main__":
    main(sys.argv[1:])
