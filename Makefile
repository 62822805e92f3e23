# Everything runs in .venv, which is created by the first target that needs it. `make help` lists the targets.
PYTHON ?= python3
PIP_ARGS ?=
ARGS ?=
BIN := .venv/bin
.DEFAULT_GOAL := help
comma := ,
space := $() $()
DYNEX := $(notdir $(basename $(wildcard conf/experiment/dynex_*.yaml)))
HX_TUTORIAL := hxtorch_yin_yang hxtorch_yin_yang_sim
HX_TUNED := $(filter-out $(HX_TUTORIAL),$(notdir $(basename $(wildcard conf/experiment/hxtorch_yin_yang*.yaml))))
# Controls with one seed only, like the experiments that they are compared with.
CONTROLS_ONE := controls_lava_emulated controls_qcnn_all_product controls_qcnn_all_ring
CONTROLS := $(filter-out controls_lava_cv controls_nest controls_eventprop $(CONTROLS_ONE),$(notdir $(basename $(wildcard conf/experiment/controls_*.yaml))))
CONTROLLED := $(filter-out dynex_pixels_lr dynex_qrbm_moved dynex_qrbm_hybrid,$(DYNEX)) lava_nmnist_best lava_nmnist_best_mock lava_nmnist_best_float qutrunk_mnist_01_best qutrunk_mnist_01_shots
MATRIX := $(foreach m,$(notdir $(basename $(wildcard conf/matrix/*.yaml))),$(foreach d,mnist nmnist yin_yang,matrix_$(m)_$(d)))
NEST := $(filter-out nest_eprop_nmnist_emulated nest_eprop_nmnist_emulated_best nest_eprop_nmnist_reference,$(notdir $(basename $(wildcard conf/experiment/nest_*.yaml))))
TUTORIALS := $(filter-out %_emulated %_emulated_best %_emulated_longer,$(notdir $(basename $(foreach t,dynex hxtorch lava qutrunk nest,$(wildcard conf/experiment/$(t)_*.yaml)))))
SCALE ?= paper
FUZZ_SECONDS ?= 1800
# A smoke run only shows that an experiment runs: one seed is enough.
seeds = $(if $(filter smoke,$(SCALE)),0,$(subst $(space),$(comma),$(1)))
FRAMEWORKS := norse snntorch spikingjelly sinabs rockpool
.PHONY: help run test lint types check bench bench-gpu bench-counts bench-mesh fuzz ablation runs records tables again report readme schema table-matrix table-camera table-emulated table-dynex table-hxtorch table-lava table-eventprop table-qutrunk table-nest mutate table-controls table-chips $(FRAMEWORKS:%=conform-%) table-chip-seeds bench-kills bench-vendors clean

help: ## list the targets
	@grep -hE '^([a-z-]+|.*conform-%):.*##' $(MAKEFILE_LIST) | sed 's/^.*conform-%.*##/conform-norse: ##/' | awk -F ':.*## ' '{printf "  make %-16s  %s\n", $$1, $$2}'

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, " + sys.executable + " is " + sys.version.split()[0] + ". Set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	@touch $@

# A stamp is written only after pip has succeeded, so an interrupted installation is repeated.
.venv/installed: .venv/made pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -e .
	@touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -e '.[dev]'
	@touch $@

run: .venv/installed ## install the package, train and test the QRBM on MNIST (ARGS="seed=1 ..." adds overrides)
	$(BIN)/neurobench run model=qrbm backend=sim $(ARGS)

test: .venv/installed-dev ## install everything needed, run the tests (ARGS="-k name" selects some)
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

lint: .venv/installed-dev ## check errors and format with ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-dev ## check types with mypy
	$(BIN)/mypy

check: lint types test ## lint, types and tests

mutate: .venv/installed-dev ## mutation tests of the modules that compute results: the tests must detect every mutant (ARGS=metrics/paired.py for one)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.mutation.mutate $(ARGS)

# Each framework has a separate environment: their packages may conflict with each other or with those in .venv.
.frameworks/%/installed:
	$(PYTHON) -m venv .frameworks/$*
	.frameworks/$*/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) torch nir nirtorch $*
	@touch $@

$(FRAMEWORKS:%=conform-%): conform-%: .venv/installed-dev .frameworks/%/installed ## check NIR graphs in norse; likewise conform-snntorch, -spikingjelly, -sinabs, -rockpool
	$(BIN)/neurobench conform $* --to outputs/readme/CONFORMANCE.md

fuzz: .venv/installed-dev ## half an hour of random words on the command line: each gives a plan or an error message, never a traceback
	@end=$$(($$(date +%s) + $(FUZZ_SECONDS))); seed=0; while [ $$(date +%s) -lt $$end ]; do seed=$$((seed + 1)); \
	echo "seed $$seed"; NEUROBENCH_FUZZ=1 $(BIN)/python -m pytest -q -p no:xdist tests/config/test_fuzz.py --hypothesis-seed=$$seed || exit 1; done

bench: .venv/installed-dev ## benchmarks of speed, as ratios to other libraries measured in the same run
	$(BIN)/python tests/bench/bench_cli.py
	$(BIN)/python tests/bench/bench_startup.py
	$(BIN)/python tests/bench/bench_compile.py
	$(BIN)/python tests/bench/bench_terminal.py
	$(BIN)/python tests/bench/bench_report.py
	$(BIN)/python tests/bench/bench_sweep.py
	$(BIN)/python tests/bench/bench_yin_yang.py
	$(BIN)/python tests/bench/bench_kernels.py
	$(BIN)/python tests/bench/bench_qrbm.py
	$(BIN)/python tests/bench/bench_readout.py
	$(BIN)/python tests/bench/bench_samplers.py
	$(BIN)/python tests/bench/bench_hxtorch.py
	$(BIN)/python tests/bench/bench_camera.py
	-$(MAKE) --no-print-directory .venv/peers/qcnn
	-$(MAKE) --no-print-directory .venv/peers/qutrunk
	$(BIN)/python tests/bench/bench_qcnn.py
	$(BIN)/python tests/bench/bench_aer.py
	-$(MAKE) --no-print-directory .venv/peers/slayer
	$(BIN)/python tests/bench/bench_slayer.py
	$(BIN)/python tests/bench/bench_convolution.py
	-$(MAKE) --no-print-directory .venv/peers/nest
	$(BIN)/python tests/bench/bench_eprop.py
	-$(MAKE) --no-print-directory bench-counts

bench-kills: .venv/installed-dev ## kill a run 50 times while its jobs are queued: no job may be lost or paid for twice
	$(BIN)/python tests/bench/bench_kills.py

bench-vendors: .venv/installed ## compare NEST with engine=exact, and Qiskit's snapshot of Marrakesh with this package's
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -e '.[qiskit,nest]'
	$(BIN)/python tests/bench/bench_nest.py
	$(BIN)/python tests/bench/bench_marrakesh.py

bench-gpu: .venv/installed-dev ## on a machine with CUDA: run the tests marked gpu, time every path against the CPU and its peers, write a table (ARGS=--profile)
	-@$(MAKE) --no-print-directory .venv/peers/slayer
	$(BIN)/python tests/bench/bench_gpu.py outputs/gpu --page outputs/readme/GPU.md $(ARGS)

bench-counts: .venv/installed-dev ## compare operation counts of small networks and trained models with those of PyPI's neurobench
	-$(MAKE) --no-print-directory .venv/peers/neurobench
	$(BIN)/python tests/bench/bench_counts.py

bench-mesh: .venv/installed-dev ## compare joules and seconds of the architecture model of Loihi with those of SANA-FE, on three networks
	-$(MAKE) --no-print-directory .venv/peers/sanafe
	$(BIN)/python tests/bench/bench_mesh.py

RECORDS := outputs/readme/records.jsonl
tables: .venv/installed ## write the tables of RESULTS.md and README.md from the records of runs: one second, seven after a change of YAML or code; runs nothing
	@for file in outputs/readme/RESULTS.md README.md; do \
	$(BIN)/neurobench table all --records $(RECORDS) --into $$file || [ $$? = 3 ] || exit 1; done # exit code 3: a row is marked OUT

records: .venv/installed ## add the finished runs in outputs to outputs/readme/records.jsonl
	$(BIN)/neurobench table all --record $(RECORDS)

readme: .venv/installed ## update the records from finished runs, then the tables from the records
	$(MAKE) --no-print-directory records
	$(MAKE) --no-print-directory tables

again: .venv/installed-dev ## rerun one row of each table with the command that it prints, compare it with its record (ARGS=dynex: one table)
	$(BIN)/python tests/bench/again.py $(ARGS)

runs: .venv/installed-dev ## run the experiments of the five tutorials and of EventProp, print their tables (SCALE=smoke: the tutorials', under three minutes, never a result); a failure does not stop the others
ifeq ($(SCALE),smoke)
	$(BIN)/neurobench sweep scale=smoke experiment=$(subst $(space),$(comma),$(TUTORIALS))
	$(BIN)/neurobench table all
else
	$(MAKE) --keep-going --no-print-directory table-dynex table-hxtorch table-lava table-qutrunk table-nest table-eventprop
endif

report: .venv/installed ## write every run, table and figure into one HTML page: outputs/report.html
	$(BIN)/neurobench report

schema: .venv/installed ## write conf/schema.json, with which editors complete and check the YAML files
	$(BIN)/neurobench schema > conf/schema.json

ablation: .venv/installed-dev ## measure the effect of the annealer and of its errors on the QRBM: tables and figures, half an hour
	$(BIN)/python tests/bench/bench_qrbm_ablation.py

# Finished runs are not repeated; a row outside its band makes the target fail with exit code 3.
table-dynex: .venv/installed-dev ## the Dynex tutorial, tuned presets and baselines: published | measured | band | verdict
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2) experiment=$(subst $(space),$(comma),$(DYNEX))
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4 5 6 7 8 9 10 11) experiment=dynex_qrbm # more seeds for a two-sample test
	$(if $(filter paper,$(SCALE)),$(BIN)/python tests/bench/bench_samplers.py) # energies that all samplers reach on one problem in equal time
	$(BIN)/neurobench table dynex

table-hxtorch: .venv/installed ## the BrainScaleS-2 tutorial on ten seeds and chips, tuned presets on five
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4 5 6 7 8 9) experiment=$(subst $(space),$(comma),$(HX_TUTORIAL))
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4) experiment=$(subst $(space),$(comma),$(HX_TUNED))
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=hxtorch_mnist
	$(BIN)/neurobench table hxtorch

table-eventprop: .venv/installed ## EventProp on Yin-Yang over ten seeds, a quarter of an hour on one core
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4 5 6 7 8 9) experiment=eventprop_yin_yang
	$(BIN)/neurobench table eventprop

table-lava: .venv/installed-dev ## the lava-dl tutorial by epoch, a tuned preset in integers, on the emulated chip and in floats, five folds
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2) experiment=lava_nmnist_best,lava_nmnist_best_mock,lava_nmnist_best_float,lava_nmnist_conv
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4) experiment=lava_nmnist_cv,lava_nmnist_conv_cv
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=lava_nmnist
	$(BIN)/neurobench table lava

table-qutrunk: .venv/installed-dev ## the QuTrunk tutorial by epoch and with its errors corrected, ten digits, emulated Heron, classical heads
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4) experiment=qutrunk_mnist_01_best,qutrunk_mnist_01_shots,qutrunk_mnist_01_mock
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4) experiment=qutrunk_ten_digits,qutrunk_ten_digits_4
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2) experiment=qutrunk_mnist_01
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=qutrunk_ten_digits_mock,qutrunk_all_digits
	$(BIN)/neurobench table qutrunk

table-nest: .venv/installed ## NEST's e-prop tutorial by iteration, the fast engines, the emulated chip and its floating-point reference
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,1 2 3 4 5) experiment=$(subst $(space),$(comma),$(NEST))
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=nest_eprop_nmnist_reference # one seed: nothing in it is random
	$(BIN)/neurobench table nest

# One trained network on a hundred layouts of each packaged chip: outputs/chips
table-chips: .venv/installed-dev ## effect of each quantum processor on the ten-digit network, over 100 layouts: table and figure
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=qutrunk_ten_digits
	$(BIN)/python tests/bench/bench_chips.py qutrunk_ten_digits $(if $(filter smoke,$(SCALE)),5,100)

# One trained network on a hundred copies of each chip, with faults and analog errors drawn by chip_seed: outputs/chips
table-chip-seeds: .venv/installed-dev ## effect of 100 copies of BrainScaleS-2 (one minute) and of each annealer (a quarter of an hour with ARGS=annealer_trainings) on a trained network: tables and figures
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=hxtorch_yin_yang_best
	$(BIN)/python tests/bench/bench_chip_seeds.py $(if $(filter smoke,$(SCALE)),2,100) bss2_copies annealer_copies $(ARGS)

# All five models on MNIST, emulated N-MNIST and Yin-Yang, on both backends; exit code 3 if a cell is below its sanity line.
table-matrix: SCALE = quick
table-matrix: .venv/installed-dev ## the matrix of models and data sets at quick scale, 7 minutes on two cores (SCALE=paper: 70 minutes on one core): accuracy, time, operations, device cost
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=$(subst $(space),$(comma),$(MATRIX)) backend=sim,mock
	$(BIN)/neurobench matrix --scale $(SCALE)

# Finished runs are not repeated. The controls' settings were tuned by `neurobench tune`, as their YAML files state.
table-controls: .venv/installed-dev ## compare controls with their models, on the same seeds and samples; complete after `make runs table-emulated`, which runs the other models
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2) experiment=$(subst $(space),$(comma),$(CONTROLS) $(CONTROLLED))
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2) experiment=matrix_slayer_nmnist,matrix_eprop_nmnist backend=sim
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4) experiment=lava_nmnist_cv,controls_lava_cv
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4 5) experiment=controls_nest,nest_eprop_nmnist_best
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4 5 6 7 8 9) experiment=controls_eventprop
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=$(subst $(space),$(comma),$(CONTROLS_ONE))
	$(BIN)/neurobench table controls

table-camera: .venv/installed ## two networks trained on emulated recordings, tested on real ones; emulated recordings compared with real ones
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=camera_to_real,camera_to_real_mlp
	$(BIN)/neurobench table camera
	$(BIN)/neurobench data camera --figure outputs/camera.png

table-emulated: .venv/installed-dev ## SLAYER (four hours) and e-prop trained on 54,000 emulated recordings, tested on emulated and real ones
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=lava_nmnist_emulated,lava_nmnist_emulated_conv,lava_nmnist_emulated_saccades,nest_eprop_nmnist_emulated
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2) experiment=nest_eprop_nmnist_emulated_best
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=lava_nmnist_emulated_longer # resumes from the first run
	$(BIN)/neurobench table lava; $(BIN)/neurobench table nest

.venv/peers/qutrunk: PIP_ARGS += --ignore-requires-python # declares Python 3.10 as its newest, but runs on newer ones

# Libraries for comparison in benchmarks, outside the package's environment; `--no-deps`: torch and numpy are those of .venv.
.venv/peers/%: tests/bench/peers/%.txt .venv/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --no-deps --upgrade --target $@ -r $<
	@touch $@

clean: ## remove the environment and caches; runs in outputs/ stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache build *.egg-info
