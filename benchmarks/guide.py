"""The guide's way: the Hugging Face "Automatic speech recognition" task guide's own steps.

Written from its published recipe. Only what today's versions force is changed:

- `datasets.Audio` decodes with torchcodec and FFmpeg, which need not be there: `prepare` decodes with soundfile and
  resamples with soxr, as the column would have.
- `group_by_length=True` is gone. Its successor sorts nothing here, as notebook 03 shows, so batches are random.
- `fp16` needs a GPU: the precision is the benchmark's.
- `evaluate.load("wer")` needs the network: `word_error_rate` counts as that metric does, pair by pair.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

BATCH_SIZE = 8
LEARNING_RATE = 1e-5
WARMUP_STEPS = 500


def prepare(rows, processor, cache: Path):
    """`dataset.map(prepare_dataset)`: every clip's input values are computed and written to disk as floats.

    Args:
        rows: `audio` undecoded, and `transcription`.
        cache: the folder that gets them.
    """
    from datasets import Features, Sequence, Value

    from asr_helpers import audio

    rate = processor.feature_extractor.sampling_rate

    def prepare_dataset(row):
        values = processor(audio.load(row["audio"], rate), sampling_rate=rate).input_values[0]
        return {
            "input_values": values,
            "labels": processor.tokenizer(row["transcription"].upper()).input_ids,
            "input_length": len(values),
        }

    features = Features(
        {"input_values": Sequence(Value("float32")), "labels": Sequence(Value("int64")), "input_length": Value("int64")}
    )
    return rows.map(
        prepare_dataset,
        remove_columns=rows.column_names,
        features=features,
        cache_file_name=str(cache / "prepared.arrow"),
    )


def collate(examples, processor, pad_to_multiple_of: int | None = None):
    """Its `DataCollatorCTCWithPadding`: sound and labels are padded apart, the labels' padding becomes -100.

    Args:
        pad_to_multiple_of: samples; the guide has None.
    """
    sound = [{"input_values": example["input_values"]} for example in examples]
    batch = processor.feature_extractor.pad(sound, pad_to_multiple_of=pad_to_multiple_of, return_tensors="pt")
    labels = processor.tokenizer.pad([{"input_ids": example["labels"]} for example in examples], return_tensors="pt")
    batch["labels"] = labels["input_ids"].masked_fill(labels["attention_mask"].ne(1), -100)
    return batch


def trainer(model, processor, train, evaluation, folder: Path, **arguments: Any):
    """A `Trainer` with the guide's arguments; `arguments` change or add some, under their own names."""
    import torch
    from transformers import Trainer, TrainingArguments

    from asr_helpers.preprocessing import vocabulary

    characters = vocabulary(processor)

    def compute_metrics(prediction):
        ids = prediction.predictions.argmax(axis=-1)
        labels = np.where(prediction.label_ids == -100, processor.tokenizer.pad_token_id, prediction.label_ids)
        hypotheses = processor.batch_decode(ids)
        references = processor.batch_decode(labels, group_tokens=False)
        # Its text keeps what the vocabulary lacks as <unk>: neither side is asked to write that.
        references = ["".join(letter for letter in text if letter in characters) for text in references]
        return {"wer": word_error_rate(references, hypotheses)}

    arguments = {
        "output_dir": str(folder),
        "per_device_train_batch_size": BATCH_SIZE,
        "gradient_accumulation_steps": 2,
        "learning_rate": LEARNING_RATE,
        "warmup_steps": WARMUP_STEPS,
        "gradient_checkpointing": True,
        "per_device_eval_batch_size": BATCH_SIZE,
        "use_cpu": not torch.cuda.is_available(),
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    } | arguments
    return Trainer(
        model=model,
        args=TrainingArguments(**arguments),
        train_dataset=train,
        eval_dataset=evaluation,
        processing_class=processor,
        data_collator=partial(collate, processor=processor),
        compute_metrics=compute_metrics,
    )


def word_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """WER as the `wer` metric of `evaluate` counts it: jiwer is asked once for each pair."""
    import jiwer

    errors = words = 0
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        counts = jiwer.process_words(reference, hypothesis)
        errors += counts.substitutions + counts.deletions + counts.insertions
        words += counts.substitutions + counts.deletions + counts.hits
    return errors / words
