"""What "demo", "hub" and a folder mean, and what chooses between them."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from asr_helpers import AsrError, loading, models, preprocessing
from asr_helpers.sources import source

LOCALES = "cs-CZ de-DE en-AU en-GB en-US es-ES fr-FR it-IT ko-KR nl-NL pl-PL pt-PT ru-RU zh-CN".split()


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    monkeypatch.delenv("ASR_SOURCE", raising=False)
    monkeypatch.delenv("ASR_LOCALE", raising=False)
    monkeypatch.delenv("ASR_OUTPUTS", raising=False)


def test_the_default_is_the_demo():
    assert source() == source("demo")
    assert source().name == "demo"


def test_the_environment_chooses_and_an_argument_overrules_it(monkeypatch):
    monkeypatch.setenv("ASR_SOURCE", "hub")
    assert source().name == "hub"
    assert source("demo").name == "demo"


def test_an_empty_environment_variable_is_none(monkeypatch):
    monkeypatch.setenv("ASR_SOURCE", "")
    assert source().name == "demo"


def test_the_demo_rides_in_the_package():
    demo = source("demo")
    package = Path(__import__("asr_helpers").__file__).parent
    for folder in (demo.dataset, demo.checkpoint, demo.fine_tuned, source("demo", "ja-JP").processor):
        assert Path(folder).is_absolute(), "it is found from any working directory"
        assert Path(folder).is_relative_to(package)
        assert Path(folder).is_dir()
    assert demo.dataset_revision is None


def test_the_hub_is_the_guides_dataset_and_checkpoint_pinned():
    hub = source("hub")
    assert (hub.dataset, hub.locale, hub.checkpoint) == ("PolyAI/minds14", "en-US", "facebook/wav2vec2-base")
    assert re.fullmatch("[0-9a-f]{40}", hub.dataset_revision)


@pytest.mark.parametrize("locale", LOCALES)
def test_the_hub_takes_any_locale_and_changes_nothing_else(locale):
    hub = source("hub", locale)
    assert hub.locale == locale
    assert dataclasses.replace(hub, locale="en-US") == source("hub")


@pytest.mark.parametrize("locale", ["ar-SA", "ja-JP", "ko-KR"])
def test_another_locale_of_the_demo_has_rows_vocabulary_and_recogniser_of_its_own(locale, monkeypatch):
    demo, english = source("demo", locale), source("demo")
    own = {"locale": locale, "vocabulary": demo.processor, "fine_tuned": demo.fine_tuned}
    assert demo == dataclasses.replace(english, **own)
    assert demo.output_dir == Path(f"outputs/demo-{locale}-recogniser"), "English is not trained over"
    assert demo.recogniser == demo.fine_tuned == f"./{demo.output_dir}", "who wants to hear it trains it first"
    with pytest.raises(AsrError, match=f"no checkpoint in '{demo.recogniser}': check the name, or train one into it"):
        models.load_processor(demo.recogniser)
    monkeypatch.setenv("ASR_LOCALE", locale)
    assert source() == source("demo") == demo
    assert source("demo", "en-US").locale == "en-US", "an argument overrules it"


def test_the_environments_locale_is_the_hubs_as_well_and_no_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("ASR_LOCALE", "de-DE")
    assert source("hub").locale == "de-DE"
    assert source(tmp_path).locale is None
    with pytest.raises(AsrError, match="no locale 'de-DE': it has ar-SA, en-US, ja-JP, ko-KR"):
        source()


@pytest.mark.parametrize("locale", ["ar-SA", "ja-JP", "ko-KR"])
def test_a_locales_vocabulary_is_made_of_its_training_rows_alone(locale):
    demo = source("demo", locale)
    processor, texts = models.load_processor(demo.processor), loading.load_splits(demo)["train"]["transcription"]
    extractor = models.load_feature_extractor(demo.checkpoint)
    again = preprocessing.build_processor(texts, locale, feature_extractor=extractor)
    assert processor.tokenizer.get_vocab() == again.tokenizer.get_vocab()
    assert preprocessing.writing_of(processor) == preprocessing.writing_of(again)
    assert processor.feature_extractor.to_dict() == again.feature_extractor.to_dict()


def test_an_empty_locale_in_the_environment_is_none(monkeypatch):
    monkeypatch.setenv("ASR_LOCALE", "")
    assert source().locale == "en-US"


def test_the_demo_names_the_locales_it_has():
    assert source("demo", "en-US") == source("demo")
    with pytest.raises(AsrError, match=r"no locale 'de-DE': it has .*en-US"):
        source("demo", "de-DE")


@pytest.mark.parametrize("form", [str, Path])
def test_a_folder_becomes_a_source_that_starts_from_the_demos_recogniser(tmp_path, form):
    mine = source(form(tmp_path))
    assert (mine.name, mine.dataset, mine.locale, mine.dataset_revision) == (str(tmp_path), str(tmp_path), None, None)
    assert mine.checkpoint == mine.fine_tuned == source("demo").fine_tuned
    assert mine.recipe is None, "it follows from the checkpoint and the hours of sound"


def test_a_folder_has_no_locales(tmp_path):
    with pytest.raises(AsrError, match="no locales: leave out 'en-US'"):
        source(tmp_path, "en-US")


def test_the_environment_may_name_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ASR_SOURCE", str(tmp_path))
    assert source().dataset == str(tmp_path)


@pytest.mark.parametrize("name", ["radio", "Demo", "demo ", "no/such/folder"])
def test_an_unknown_source_is_refused_in_one_sentence_that_names_it(name):
    with pytest.raises(AsrError) as caught:
        source(name)
    assert repr(name) in str(caught.value)
    assert "'demo', 'hub', or a folder" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_table_is_no_source(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("file_name,transcription\n")
    with pytest.raises(AsrError, match=r"notes\.txt"):
        loading.load_splits(source(file))


@pytest.mark.parametrize("name", ["mine.zip", "mine.tar.gz", "MINE.TGZ", "mine.7z"])
def test_an_archive_is_to_be_unpacked(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(AsrError, match=rf"'{tmp_path / name}' is an archive: unpack it, and name the folder\."):
        source(tmp_path / name)


def test_training_goes_to_outputs_or_where_the_environment_says(tmp_path, monkeypatch):
    assert source("demo").output_dir == Path("outputs/demo-recogniser")
    assert source("hub").output_dir == Path("outputs/hub-recogniser")
    monkeypatch.setenv("ASR_OUTPUTS", str(tmp_path))
    assert source("demo").output_dir == tmp_path / "demo-recogniser"


def test_a_folders_training_is_named_after_its_last_part(tmp_path):
    folder = tmp_path / "my-recordings"
    folder.mkdir()
    named = source(folder).output_dir
    assert (named.parent, named.name[:14], named.name[-11:]) == (Path("outputs"), "my-recordings-", "-recogniser")
    assert source(f"{folder}/.").output_dir == named, "the same folder by another name"


def test_two_folders_of_one_name_have_two_recognisers(tmp_path):
    for place in ("mine", "yours"):
        (tmp_path / place / "my-recordings").mkdir(parents=True)
    one, other = (source(tmp_path / place / "my-recordings").output_dir for place in ("mine", "yours"))
    assert one != other


def test_what_the_reader_trains_takes_the_fine_tuned_ones_place(tmp_path, monkeypatch):
    monkeypatch.setenv("ASR_OUTPUTS", str(tmp_path))
    demo = source("demo")
    assert demo.recogniser == demo.fine_tuned
    demo.output_dir.mkdir()  # a training that has begun and not finished
    assert demo.recogniser == demo.fine_tuned
    (demo.output_dir / "config.json").write_text("{}")
    assert demo.recogniser == str(tmp_path / "demo-recogniser")
    assert source("hub").recogniser == source("hub").fine_tuned, "another source's training does not count"


def test_sources_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        source("demo").checkpoint = None


@pytest.mark.parametrize("module", ["sources", "audio", "loading", "preprocessing"])
def test_importing_a_stage_is_quick(module):
    heavy = "{'torch', 'transformers', 'datasets', 'evaluate', 'matplotlib'}"
    code = f"import sys, asr_helpers.{module}; print(*({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
