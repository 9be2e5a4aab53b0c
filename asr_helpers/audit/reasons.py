"""What the parts of the audit share: the reasons, and what is known of a row."""

from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning"]
Action = Literal["keep", "repair", "set aside"]

# What is done about each reason. An error is always set aside, a warning never.
REASONS: dict[str, Action] = {
    # the file
    "outside-folder": "set aside",
    "missing-file": "set aside",
    "empty-file": "set aside",
    "unreadable": "set aside",
    "no-samples": "set aside",
    "truncated": "set aside",
    "wrong-extension": "keep",  # files are read by their content
    # the sound
    "not-finite": "set aside",
    "silence": "set aside",
    "low-level": "repair",  # the feature extractor brings every clip to variance 1 …
    "dc-offset": "repair",  # … and to mean 0; where it does not, both are kept as they are
    "over-full-scale": "repair",
    "clipping": "keep",
    "several-channels": "repair",  # their mean is taken
    "channels-differ": "set aside",
    "wrong-sampling-rate": "set aside",
    "mixed-sampling-rates": "repair",  # every clip is resampled to the model's rate
    "narrow-band": "keep",
    "too-short": "set aside",
    "shorter-than-mask": "set aside",
    "too-long": "set aside",
    # the transcript
    "transcript-missing": "set aside",
    "transcript-empty": "set aside",
    "transcript-no-letters": "set aside",
    "outside-vocabulary": "keep",
    "mostly-outside-vocabulary": "set aside",
    "digits": "keep",
    "symbols": "keep",
    "not-nfc": "repair",
    "invisible-characters": "repair",
    "bidirectional-controls": "repair",
    "look-alike-letters": "repair",
    "mixed-scripts": "keep",
    # the two together
    "labels-exceed-frames": "set aside",
    "speech-rate": "keep",
    # a row among the others
    "duplicate-audio": "keep",
    "conflicting-transcripts": "set aside",
    "duplicate-text": "keep",
    "no-word-spaces": "keep",
    "vowel-marks-in-some-rows": "keep",
    "clip-in-two-splits": "set aside",
    "speaker-in-two-splits": "keep",
}
# What the feature extractor undoes where it normalises, as wav2vec 2.0's do.
NORMALISED_AWAY = {"low-level", "dc-offset", "over-full-scale"}
# What `text.repair_text` mends.
MENDED = {"not-nfc", "invisible-characters", "bidirectional-controls", "look-alike-letters"}


@dataclass(frozen=True)
class Model:
    """What of a model decides whether a row suits it."""

    sampling_rate: int = 16_000
    characters: frozenset[str] | None = None


@dataclass
class Row:
    """What is known of a row; `problems` maps a reason to its message."""

    file: str
    text: str = ""  # as the model would learn it
    problems: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    sampling_rate: int = 0
    digest: str = ""
    outside: frozenset[str] = frozenset()
    unspaced: bool = False
    vowels: str = ""  # of an Arabic or Hebrew text: whether it has "some" vowel marks, or "none"

    @property
    def words(self) -> str:
        """The text without what two writers may write differently."""
        return "".join(filter(str.isalnum, self.text.casefold()))
