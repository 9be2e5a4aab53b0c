"""What every measurement needs: the machine's name, its memory, a file for its result."""

import json
import os
import platform
import re
import resource
import sys
from pathlib import Path
from typing import Any


def machine() -> str:
    """The processor, its cores, and what multiplies on it."""
    import torch

    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{os.cpu_count()} cores of {model}, {device}, torch {torch.__version__}"


def peak_memory() -> int:
    """This process's largest resident set so far, bytes.

    Where Linux tells it, not `ru_maxrss`: there a process begins with the peak of the one that started it.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) * 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1_024)


def write_json(path: Path, result: Any) -> None:
    """Writes a result as a whole or not at all: a command that is stopped leaves the file that was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)
