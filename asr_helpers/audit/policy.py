"""01  What a training leaves out, and what can measure: the audit's word, followed alike by Python and the commands.

Conventions: under torchrun or accelerate each process looks at its share of the rows.
"""

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import InputError
from . import Audit, apply, audit_splits

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict
    from transformers import ProcessorMixin


def audit_here(
    splits: "Mapping[str, Dataset]", processor: "ProcessorMixin", folder: str | Path | None = None
) -> dict[str, Audit]:
    """Audits splits on this machine's processors; with a folder, the ranks share the work and keep what they found.

    Args:
        splits: by name.
        processor: of the model that will hear them.
        folder: as in `audit.audit_splits`.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))  # under torchrun, so many of us do the same on this machine
    rank, world_size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    shared = {"rank": rank, "world_size": world_size} if folder else {}
    # The progress that it shows is the same in all of them.
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere) if rank else nullcontext():
        return audit_splits(splits, processor, processes=max(cores // here, 1), folder=folder, **shared)


def totals(audits: Mapping[str, Audit]) -> dict[str, dict[str, float]]:
    """`Audit.totals` of several splits together."""
    parts = [found.totals for found in audits.values()]
    return {action: {key: sum(part[action][key] for part in parts) for key in of} for action, of in parts[0].items()}


def reasons(audits: Mapping[str, Audit]) -> str:
    """What was found how often, in words; "" for nothing."""
    counts = Counter(finding.reason for part in audits.values() for finding in part.findings)
    return ", ".join(f"{count} {reason}" for reason, count in counts.most_common())


def trainable(
    splits: "DatasetDict", processor: "ProcessorMixin", folder: str | Path | None = None, strict: bool = False
) -> "tuple[DatasetDict, list[dict[str, Any]], str]":
    """Audits all splits, and leaves out of train and validation what would harm a training.

    Args:
        splits: with train and validation.
        processor: of the model that will be trained.
        folder: keeps what was found, as in `audit.audit_splits`.
        strict: take no finding at all.

    Returns:
        The splits; a dict for each row set aside, with its split; and what was found, in words.

    Raises:
        InputError: no row is left, or `strict` and there is a finding.
    """
    audits = audit_here(splits, processor, folder)
    found = reasons(audits)
    if strict and found:
        raise InputError(f"The audit found {found}: see `asr-helpers audit`, and mend the rows or leave out --strict.")
    kept, aside = {**splits}, []
    for name in ("train", "validation"):
        kept[name], gone = apply(splits[name], audits[name])
        if not len(kept[name]):
            raise InputError(f"No row of {name} is left to train with; the audit found {found}.")
        aside += [{"split": name, **row} for row in gone]
    return type(splits)(kept), aside, found


def measurable(rows: "Dataset", split: str, processor: "ProcessorMixin") -> "tuple[Dataset, list[dict[str, Any]], str]":
    """Audits a split that is to measure a recogniser, and leaves out what cannot.

    Args:
        rows: the split's.
        split: its name, for messages.
        processor: the recogniser's.

    Returns:
        The rows that stay; a dict for each one left out, as of `audit.apply`; and what was found, in words.

    Raises:
        InputError: no row is left.
    """
    audits = audit_here({split: rows}, processor)
    found = reasons(audits)
    kept, aside = apply(rows, audits[split])
    if not len(kept):
        raise InputError(f"No row of {split} is left to measure with; the audit found {found}.")
    return kept, aside, found
