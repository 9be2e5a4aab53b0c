"""05  A fresh head is fitted alone, before it is trained together with its encoder.

Conventions: frames are what the encoder makes of a clip, (T, H); the head is one linear layer from a frame to a score
for each token.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import AsrError
from .models import onednn_disabled
from .preprocessing import prepare_dataset

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset
    from transformers import ProcessorMixin, Wav2Vec2ForCTC

MOST_SECONDS = 1_800.0  # of sound are listened to: their frames lie in memory
CLIPS, RATE = 16, 2e-2  # in a step; AdamW's peak rate


def fit_head(
    model: "Wav2Vec2ForCTC", rows: "Dataset | IterableDataset", processor: "ProcessorMixin", steps: int, seed: int = 0
) -> None:
    """Teaches a fresh head to write what the encoder hears, and leaves the encoder as it is.

    What a head of random numbers asks of an encoder would undo what it knows; a fitted one asks for little. Each clip,
    up to half an hour of sound in all, goes through the encoder once, so that hundreds of steps of the head take
    seconds. The same seed gives the same head.

    Args:
        model: with a fresh `lm_head`; changed in place.
        rows: to train on, each with `audio`, undecoded, and `transcription`. One that cannot be heard is passed over.
        steps: how often the head learns from 16 clips.

    Source:
        A. Kumar and others, "Fine-tuning can distort pretrained features and underperform out-of-distribution", 2022
        (https://arxiv.org/abs/2202.10054).
    """
    import torch
    from datasets import Dataset

    shuffled = rows.shuffle(seed=seed) if isinstance(rows, Dataset) else rows
    training = model.training
    clips = _frames(model.eval(), shuffled, processor)
    model.train(training)
    if not clips:
        return
    head, blank = model.lm_head, int(model.config.pad_token_id or 0)
    optimizer = torch.optim.AdamW(head.parameters(), lr=RATE)
    falling = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (0.1 * steps), 1.0) * (1 - step / steps)
    )
    random = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        chosen = [clips[i] for i in torch.randperm(len(clips), generator=random)[:CLIPS].tolist()]
        frames = torch.nn.utils.rnn.pad_sequence([frames for frames, _ in chosen], batch_first=True)  # (B, T, H)
        loss = torch.nn.functional.ctc_loss(
            head(frames.to(model.device)).log_softmax(-1).transpose(0, 1),  # (T, B, V)
            torch.cat([labels for _, labels in chosen]),
            torch.tensor([len(frames) for frames, _ in chosen]),
            torch.tensor([len(labels) for _, labels in chosen]),
            blank=blank,
            zero_infinity=True,
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
    optimizer.zero_grad()


def _frames(model: "Wav2Vec2ForCTC", rows: Iterable[dict[str, Any]], processor: "ProcessorMixin") -> list[Any]:
    """Pairs of a clip's frames, (T, H), and its labels, (L,)."""
    import torch

    rate, seconds, found = processor.feature_extractor.sampling_rate, 0.0, []
    with torch.no_grad(), onednn_disabled():
        for row in rows:
            try:
                prepared = prepare_dataset(row, processor)
            except AsrError:
                continue
            values = torch.tensor(prepared["input_values"], device=model.device)  # (num_samples,)
            seconds += len(values) / rate
            if seconds > MOST_SECONDS:
                break
            found.append((model.base_model(values[None]).last_hidden_state[0].cpu(), torch.tensor(prepared["labels"])))
    return found
