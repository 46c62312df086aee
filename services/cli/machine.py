"""What `veche up` asks of the machine: a data directory of its own, a free port, a disk with room.

Each refusal says what to do about it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path

from services.core.errors import Misconfigured
from services.core.settings import Local
from services.embedded.child import NOTE, answers, end_leftovers, free_ports, held

LEAST_FREE_BYTES = 300 * 1024 * 1024


@contextmanager
def taken(local: Local, logs: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Holds the data directory against a second `veche up`, with leftovers of an earlier one ended.

    Raises Misconfigured where the directory, the port or the disk will not do.
    """
    data = local.data_dir
    try:
        data.mkdir(parents=True, exist_ok=True)
    except (PermissionError, FileNotFoundError, NotADirectoryError, FileExistsError) as error:
        raise Misconfigured(
            f"{data} cannot be a data directory ({error.strerror}): "
            f"set VECHE_DATA_DIR to one that you may write to"
        ) from None
    with held(data, "veche up"):
        end_leftovers(logs.glob(f"*{NOTE}"), say)
        if not _is_free(local.port):
            raise Misconfigured(
                f"port {local.port} is taken by another program: stop that one, "
                f"or choose another port: VECHE_PORT={local.port + 1} make up"
            )
        free = shutil.disk_usage(data).free
        if free < LEAST_FREE_BYTES:
            raise Misconfigured(
                f"the disk of {data} has {free >> 20} MB free and veche needs "
                f"{LEAST_FREE_BYTES >> 20}: free some space, or set VECHE_DATA_DIR elsewhere"
            )
        yield


def explained(error: Exception, local: Local) -> Exception:
    """A full disk in the words of someone who can do something about it."""
    if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT):
        return Misconfigured(
            f"the disk of {local.data_dir} is full: free some space, "
            f"or set VECHE_DATA_DIR to another disk"
        )
    return error


def _is_free(port: int) -> bool:
    return not answers(port) and free_ports(1, [port]) == [port]
