"""03  Batches that are changed on their way to the model, so that it hears more than was recorded.

Conventions: B is the batch size, T the longest clip's number of samples.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def change_speed(
    batch: dict[str, "torch.Tensor"], speed: float, pad_to_multiple_of: int | None = None
) -> dict[str, "torch.Tensor"]:
    """A batch played faster or slower, its pitch with it, as a tape would be.

    Args:
        batch: from the collator: `input_values`, (B, T), its `labels`, and `attention_mask` where there is one.
        speed: 1.1 makes the sound a tenth faster.
        pad_to_multiple_of: samples, as in the collator.

    Returns:
        The batch with (B, about T / speed) samples; its labels are the same.

    >>> import torch
    >>> change_speed({"input_values": torch.zeros(2, 16_000)}, 1.25)["input_values"].shape
    torch.Size([2, 12800])
    """
    import soxr
    import torch

    waveforms = batch["input_values"]
    values = torch.from_numpy(soxr.resample(waveforms.cpu().T.numpy(), speed, 1.0)).T  # (B, T / speed)
    if pad_to_multiple_of:
        values = torch.nn.functional.pad(values, (0, -values.shape[1] % pad_to_multiple_of))
    changed = {**batch, "input_values": values.contiguous().to(waveforms.device)}
    if "attention_mask" in batch:
        lengths = batch["attention_mask"].sum(dim=1, keepdim=True).div(speed).round()  # (B, 1)
        places = torch.arange(values.shape[1], device=lengths.device)
        changed["attention_mask"] = (places < lengths).to(batch["attention_mask"].dtype)
    return changed
