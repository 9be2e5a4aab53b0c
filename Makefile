# Each of these works as the first command on a fresh clone: it makes .venv, installs, and runs.
#   make demo         notebooks 00 to 09, from a sound file to a fine-tuned recogniser
#   make lab          the notebooks in JupyterLab
#   make test         lint, unit tests, docstring examples, every notebook cell and every exercise's solution
#   make test-colab   the tests again, with the versions Google Colab ships
#   make test-browser the notebooks and their views in JupyterLab, and the site, in a real browser
#   make site         the series and the package's reference as pages, in outputs/site
#   make soak         the audit over 50,000 damaged files: no crash, no hang
#   make soak-training  30 kills, each resumed, batches for 10 million clips, a corpus half full of bad rows, and the
#                     notebooks in Arabic, Japanese and Korean
#   make bench        the guide's way and ours side by side: some minutes to an hour; BENCH_ARGS="--only padding" chooses
#   make setup        only the first two steps
#   make lint         ruff, mypy, the layers (import-linter) and the notebooks' house rules
#   make editions     write the notebooks and README in Japanese, Korean and Arabic anew
#   make notebooks    run the notebooks again and write their outputs; NAMES="05 06" chooses

PYTHON ?= python3
# What pytest runs; empty means everything. For example: make test PYTEST_ARGS="tests/test_audio.py -k rate"
PYTEST_ARGS ?=
NAMES ?=
BENCH_ARGS ?=

.PHONY: setup demo lab test test-colab test-browser site soak soak-training bench lint notebooks editions
.DEFAULT_GOAL := setup

TOO_OLD = Python 3.11 or newer is needed, and $(PYTHON) is older. Name another: make PYTHON=python3.11
CHECK_PYTHON = @$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(TOO_OLD)"; exit 1; }

CHECK_CODE = .venv/bin/ruff check && .venv/bin/mypy && .venv/bin/lint-imports

setup: .venv/.installed
demo: setup
	.venv/bin/python -m asr_helpers demo

lab: setup
	.venv/bin/jupyter lab --notebook-dir=notebooks

lint: setup
	$(CHECK_CODE)
	.venv/bin/python tools/notebooks.py check
	.venv/bin/python tools/editions.py check

test: setup
	$(CHECK_CODE)
	.venv/bin/python -m pytest $(PYTEST_ARGS)

test-colab: .venv-colab/.installed
	.venv-colab/bin/python -m pytest $(PYTEST_ARGS)

test-browser: .venv/.browser-installed .venv/.site-installed
	@.venv/bin/python tests/browser/chromium.py
	.venv/bin/python -m pytest tests/browser $(PYTEST_ARGS)

site: .venv/.site-installed
	.venv/bin/python site/build.py

soak-training: setup
	.venv/bin/python -m pytest -m soak tests $(PYTEST_ARGS)

soak: setup
	ASR_SOAK=50000 .venv/bin/python -m pytest -s tests/test_audit.py -k mutated $(PYTEST_ARGS)

bench: setup
	.venv/bin/python -m benchmarks $(BENCH_ARGS)

notebooks: setup
	.venv/bin/python tools/notebooks.py execute $(NAMES)
	.venv/bin/python tools/editions.py build $(NAMES)

editions: setup
	.venv/bin/python tools/editions.py extract
	.venv/bin/python tools/editions.py build

# Made again when what they are made from changes. -e: an edit in asr_helpers/ needs no new install.
.venv/.installed: pyproject.toml constraints.txt
	$(CHECK_PYTHON)
	test -x .venv/bin/pip || $(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[notebooks,onnx,vad,test,lint]"
	@touch $@

.venv/.browser-installed: .venv/.installed
	@.venv/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[notebooks,onnx,vad,test,browser]" || \
		{ echo "the browser tests need the Python package playwright, and pip could not install it"; exit 1; }
	@touch $@

.venv/.site-installed: .venv/.installed
	@.venv/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[notebooks,onnx,vad,test,site]" || \
		{ echo "the site needs Sphinx, and pip could not install it"; exit 1; }
	@touch $@

.venv-colab/.installed: pyproject.toml constraints-colab.txt
	$(CHECK_PYTHON)
	test -x .venv-colab/bin/pip || $(PYTHON) -m venv .venv-colab
	.venv-colab/bin/python -m pip install --quiet --constraint constraints-colab.txt --editable ".[onnx,vad,test]"
	@touch $@
