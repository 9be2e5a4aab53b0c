"""A fresh head that is fitted alone."""

import copy

import pytest
import torch
from transformers import HubertConfig, HubertForCTC, WavLMConfig, WavLMForCTC

from asr_helpers import loading, models
from asr_helpers.heads import fit_head
from asr_helpers.inference import Recogniser
from asr_helpers.sources import source


def fitted(rows, processor, seed=0):
    model = models.build_model(source("demo").checkpoint, processor, 0, fresh_head=True)
    before = copy.deepcopy(model.state_dict())
    fit_head(model, rows, processor, steps=150, seed=seed)
    return model, before


def test_a_head_alone_learns_to_write_and_the_encoder_stays_as_it_is():
    demo = source("demo")
    processor = models.load_processor(demo.checkpoint)
    rows = loading.load_splits(demo)["train"].select(range(24))
    model, before = fitted(rows, processor)
    changed = {name for name, weights in model.state_dict().items() if not torch.equal(weights, before[name])}
    assert changed == {"lm_head.weight", "lm_head.bias"}
    assert not model.training  # as it was
    text = Recogniser(model.eval(), processor).transcribe(rows[0]["audio"]).text
    assert len(set(text.split()) & set(rows[0]["transcription"].upper().split())) > 2
    again, _ = fitted(rows, processor)
    assert torch.equal(again.lm_head.weight, model.lm_head.weight)


def test_rows_that_cannot_be_heard_are_passed_over():
    demo = source("demo")
    processor = models.load_processor(demo.checkpoint)
    good = loading.load_splits(demo)["train"][0]
    model, before = fitted([{"audio": {"bytes": b"RIFF", "path": "a.wav"}, "transcription": "HELLO"}], processor)
    assert torch.equal(model.lm_head.weight, before["lm_head.weight"])  # nothing to learn from
    model, before = fitted([good], processor)
    assert not torch.equal(model.lm_head.weight, before["lm_head.weight"])


@pytest.mark.parametrize(("configuration", "kind"), [(HubertConfig, HubertForCTC), (WavLMConfig, WavLMForCTC)])
def test_the_heads_of_other_encoders_are_fitted_too(configuration, kind):
    demo = source("demo")
    processor = models.load_processor(demo.checkpoint)
    rows = loading.load_splits(demo)["train"].select(range(2))
    torch.manual_seed(0)
    model = kind(
        configuration(
            vocab_size=32, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
            conv_dim=(16,) * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, pad_token_id=0,
        )
    )  # fmt: skip
    before = copy.deepcopy(model.state_dict())
    fit_head(model, rows, processor, steps=3)
    changed = {name for name, weights in model.state_dict().items() if not torch.equal(weights, before[name])}
    assert changed == {"lm_head.weight", "lm_head.bias"}
