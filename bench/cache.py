"""Where peers are installed: an environment of their own under build/, never in our lock."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from bench.ground import ROOT, Ground

CACHE = ROOT / "build" / "bench-cache"


async def sh(*command: str | Path, cwd: Path | None = None) -> None:
    child = await asyncio.create_subprocess_exec(
        *map(str, command), cwd=cwd,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(child.communicate(), 600)
    if child.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {out.decode()[-1500:]}")


async def venv(ground: Ground, name: str, *packages: str) -> Path:
    """A virtual environment with these packages; answers its bin directory."""
    folder = CACHE / name
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != " ".join(packages):
        ground.tell(f"installing {', '.join(packages)} into {folder.relative_to(ROOT)}")
        await sh(sys.executable, "-m", "venv", "--clear", folder)
        await sh(folder / "bin/pip", "install", "-q", "--disable-pip-version-check", *packages)
        stamp.write_text(" ".join(packages))
    return folder / "bin"


async def npm(ground: Ground, name: str, package: str) -> Path:
    """A folder with this npm package; answers the folder. No install scripts run."""
    folder = CACHE / name
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != package:
        ground.tell(f"installing {package} into {folder.relative_to(ROOT)}")
        folder.mkdir(parents=True, exist_ok=True)
        await sh("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", package,
                 cwd=folder)  # fmt: skip
        stamp.write_text(package)
    return folder
