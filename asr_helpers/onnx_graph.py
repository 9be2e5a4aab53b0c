"""09  A recogniser's model as one graph, for ONNX: from samples to log probabilities, whatever the clips' lengths.

Conventions: B clips are padded to (B, num_samples); `lengths`, (B,), says how many samples of each are its own. A model
whose first convolution has a group norm, as wav2vec2-base does, averages over all it is given, padding too. Here it
averages over a clip's own frames, so that a clip in a batch is heard as it is alone.
"""

import copy

import torch
from torch import nn
from transformers import Wav2Vec2ForCTC


class MaskedGroupNorm(nn.Module):
    """The group norm of a first convolution, one channel a group, over each clip's own frames.

    Args:
        norm: the group norm to take the place of.
        kernel, stride: of its convolution.
    """

    lengths: torch.Tensor  # (B,) samples: set before each pass

    def __init__(self, norm: nn.GroupNorm, kernel: int, stride: int):
        super().__init__()
        self.norm, self.kernel, self.stride = norm, kernel, stride

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(B, channels, frames) of the same shape; the frames of padding are 0 before scale and shift."""
        frames = torch.div(self.lengths - self.kernel, self.stride, rounding_mode="floor") + 1
        own = (torch.arange(hidden.shape[-1], device=hidden.device) < frames[:, None])[:, None].to(hidden.dtype)
        count = frames[:, None, None].to(hidden.dtype)
        centred = (hidden - (hidden * own).sum(-1, keepdim=True) / count) * own
        variance = (centred * centred).sum(-1, keepdim=True) / count
        scaled = centred * torch.rsqrt(variance + self.norm.eps)
        return scaled * self.norm.weight[:, None] + self.norm.bias[:, None]


class Graph(nn.Module):
    """What is exported: a copy of a model, from samples in [-1, 1] to log probabilities.

    Args:
        model: Wav2Vec2 or its like, with a CTC head.
        normalise: bring each clip to mean 0 and variance 1 first, as its feature extractor's `do_normalize` says.
    """

    def __init__(self, model: Wav2Vec2ForCTC, normalise: bool):
        super().__init__()
        # No deepcopy: its parametrised convolution would share a class with the model's, and lose it for both.
        self.model = type(model)(copy.deepcopy(model.config)).eval()
        self.model.load_state_dict(model.state_dict())
        self.normalise = normalise
        self.masked: MaskedGroupNorm | None = None
        first = self.model.base_model.feature_extractor.conv_layers[0]
        if isinstance(getattr(first, "layer_norm", None), nn.GroupNorm):
            self.masked = MaskedGroupNorm(first.layer_norm, first.conv.kernel_size[0], first.conv.stride[0])
            first.layer_norm = self.masked
        for module in self.model.modules():  # the positional convolution's weights as they are, no more as a product
            if nn.utils.parametrize.is_parametrized(module, "weight"):
                nn.utils.parametrize.remove_parametrizations(module, "weight")

    def forward(self, input_values: torch.Tensor, input_lengths: torch.Tensor) -> torch.Tensor:
        """(B, frames, vocabulary) of (B, num_samples) and (B,); a length above num_samples counts as num_samples."""
        size = input_values.shape[1]
        lengths = input_lengths.clamp(max=size)
        own = torch.arange(size) < lengths[:, None]
        values = input_values
        if self.normalise:
            weights, count = own.to(values.dtype), lengths[:, None].to(values.dtype)
            centred = (values - (values * weights).sum(-1, keepdim=True) / count) * weights
            values = centred * torch.rsqrt((centred * centred).sum(-1, keepdim=True) / count + 1e-7)
        if self.masked:
            self.masked.lengths = lengths
        mask = own.long().expand(input_values.shape[0], -1)
        return self.model(values, attention_mask=mask).logits.log_softmax(-1)
