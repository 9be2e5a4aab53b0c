"""Other encoders than wav2vec 2.0's base: each class, small and of random numbers, learns a language for two steps."""

from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from datasets import Dataset
from safetensors.torch import save_file
from transformers import (
    SeamlessM4TFeatureExtractor,
    Wav2Vec2BertConfig,
    Wav2Vec2BertForCTC,
    Wav2Vec2BertProcessor,
    Wav2Vec2FeatureExtractor,
)

from asr_helpers import InputError, audio, training
from asr_helpers.inference import load_recogniser
from asr_helpers.models import build_model, check_adapter, load_feature_extractor
from asr_helpers.preprocessing import build_processor, encode_text, writing_of
from asr_helpers.sources import source

TEXTS = ["가방", "나무", "다리", "가나다"]
# As XLS-R and MMS are: layer norm, and an attention mask.
LAYER_NORM = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
MASKED = Wav2Vec2FeatureExtractor(return_attention_mask=True)


def rows(count):
    return Dataset.from_list(
        [
            {"audio": {"bytes": tiny.clip(number), "path": f"{number}.wav"}, "transcription": TEXTS[number % 4]}
            for number in range(count)
        ]
    )


def write_encoder(folder, **config):
    tiny.write_checkpoint(folder, **LAYER_NORM, **config)
    for name in ("processor_config.json", "tokenizer_config.json", "vocab.json"):
        (folder / name).unlink()  # such checkpoints have no tokenizer
    MASKED.save_pretrained(folder)
    return folder


def test_an_encoder_of_xls_rs_kind_learns_a_language(tmp_path):
    checkpoint = write_encoder(tmp_path / "checkpoint")
    extractor = load_feature_extractor(checkpoint)
    assert extractor.return_attention_mask
    processor = build_processor(TEXTS, language="ko", feature_extractor=extractor)
    chosen = replace(source("demo"), checkpoint=str(checkpoint), recipe=tiny.RECIPE)
    result = training.fine_tune(chosen, rows(8), rows(2), processor, tmp_path / "out", max_steps=2, bf16=False)
    assert (result.steps, result.fresh_head, result.metric) == (2, True, "cer")
    recogniser = load_recogniser(tmp_path / "out")
    assert writing_of(recogniser.processor).unit == "jamo"
    assert recogniser.model.config.do_stable_layer_norm
    assert "language: ko\n" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_what_says_nothing_of_how_it_hears_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="does not say how it hears"):
        load_feature_extractor(tmp_path)
    with pytest.raises(InputError, match="no checkpoint in"):
        load_feature_extractor(tmp_path / "missing")


def is_adapters(name):
    return "adapter_layer" in name or name.startswith("lm_head")


@pytest.fixture
def adapted(tmp_path):
    """A checkpoint of MMS's kind, with the adapters of two languages, and a processor for one of them."""
    processor = build_processor(TEXTS, language="ko", feature_extractor=MASKED)
    size = {"vocab_size": len(processor.tokenizer), "adapter_attn_dim": 16}
    checkpoint = tiny.write_checkpoint(tmp_path / "mms", head=True, **LAYER_NORM, **size)
    processor.save_pretrained(checkpoint)
    model = build_model(str(checkpoint), processor)
    for number, language in enumerate(("kor", "jpn")):
        torch.manual_seed(number)
        tensors = {name: torch.randn_like(one) for name, one in model.state_dict().items() if is_adapters(name)}
        save_file(tensors, checkpoint / f"adapter.{language}.safetensors")
    return checkpoint, processor


def test_an_adapter_is_the_languages_or_it_is_refused(adapted):
    checkpoint, processor = adapted
    model = build_model(str(checkpoint), processor)
    with pytest.raises(InputError, match=r"is not that of the adapter for 'kor': call model.load_adapter\('kor'\)"):
        check_adapter(model, checkpoint, "kor")
    model.load_adapter("kor")
    check_adapter(model, checkpoint, "kor")
    with pytest.raises(InputError, match="is not that of the adapter for 'jpn'"):
        check_adapter(model, checkpoint, "jpn")
    with pytest.raises(InputError, match="has no adapter for 'ara': it has jpn, kor"):
        check_adapter(model, checkpoint, "ara")


def test_an_adapter_alone_learns(adapted, tmp_path):
    checkpoint, processor = adapted
    model = build_model(str(checkpoint), processor)
    model.load_adapter("kor")
    check_adapter(model, checkpoint, "kor")
    model.init_adapter_layers()  # a new adapter for a new language
    for name, parameter in model.named_parameters():
        parameter.requires_grad = is_adapters(name)
    before = {name: one.clone() for name, one in model.state_dict().items()}
    args = training.training_arguments(
        tmp_path / "out", tiny.RECIPE, max_steps=2, bf16=False, eval_strategy="no", save_strategy="no",
        load_best_model_at_end=False,
    )  # fmt: skip
    training.build_trainer(model, processor, rows(8), rows(2), tiny.RECIPE, args).train()
    changed = {name for name, one in model.state_dict().items() if not torch.equal(one, before[name])}
    assert {"lm_head.weight", "lm_head.bias"} <= changed
    assert any("adapter_layer" in name for name in changed)
    assert all(map(is_adapters, changed))


def test_w2v_bert_learns_from_our_labels():
    """Its sound is features, not samples, which `prepare_dataset` and the collator do not make: `load_processor` says
    so of such a checkpoint. Vocabulary and labels are ours.
    """
    processor = build_processor(TEXTS, language="ko", feature_extractor=SeamlessM4TFeatureExtractor())
    assert isinstance(processor, Wav2Vec2BertProcessor)
    torch.manual_seed(0)
    config = Wav2Vec2BertConfig(
        vocab_size=len(processor.tokenizer), pad_token_id=processor.tokenizer.pad_token_id, hidden_size=16,
        num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_depthwise_kernel_size=3,
        ctc_loss_reduction="mean", layerdrop=0.0, add_adapter=False, apply_spec_augment=False, hidden_dropout=0.0,
        attention_dropout=0.0, activation_dropout=0.0, feat_proj_dropout=0.0, final_dropout=0.0,
    )  # fmt: skip
    model = Wav2Vec2BertForCTC(config).train()
    waveform = audio.load({"bytes": tiny.clip(0, 1.0), "path": None}, 16_000)
    inputs = processor.feature_extractor(waveform, sampling_rate=16_000, return_tensors="pt")
    labels = torch.tensor([encode_text("가나다", processor)])
    optimizer, losses = torch.optim.AdamW(model.parameters(), lr=1e-2), []
    for _ in range(3):
        found = model(**inputs, labels=labels)
        losses.append(found.loss.item())
        optimizer.zero_grad()
        found.loss.backward()
        optimizer.step()
    frames = found.logits.shape[1]
    assert 45 <= frames <= 50, "a frame is 20 ms: an adapter layer would have halved them"
    assert np.isfinite(losses).all()
    assert losses[2] < losses[0]
