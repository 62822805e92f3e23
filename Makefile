# Everything runs in .venv, which the first target that needs it makes. `make help` lists the targets.
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
# Of one seed, as what they are held against.
CONTROLS_ONE := controls_lava_emulated controls_qcnn_all_product controls_qcnn_all_ring
CONTROLS := $(filter-out controls_lava_cv controls_nest controls_eventprop $(CONTROLS_ONE),$(notdir $(basename $(wildcard conf/experiment/controls_*.yaml))))
CONTROLLED := $(filter-out dynex_pixels_lr dynex_qrbm_moved dynex_qrbm_hybrid,$(DYNEX)) lava_nmnist_best lava_nmnist_best_mock lava_nmnist_best_float qutrunk_mnist_01_best qutrunk_mnist_01_shots
MATRIX := $(foreach m,$(notdir $(basename $(wildcard conf/matrix/*.yaml))),$(foreach d,mnist nmnist yin_yang,matrix_$(m)_$(d)))
NEST := $(filter-out nest_eprop_nmnist_emulated nest_eprop_nmnist_emulated_best nest_eprop_nmnist_reference,$(notdir $(basename $(wildcard conf/experiment/nest_*.yaml))))
TUTORIALS := $(filter-out %_emulated %_emulated_best %_emulated_longer,$(notdir $(basename $(foreach t,dynex hxtorch lava qutrunk nest,$(wildcard conf/experiment/$(t)_*.yaml)))))
SCALE ?= paper
FUZZ_SECONDS ?= 1800
# A smoke run shows that it runs: one seed does.
seeds = $(if $(filter smoke,$(SCALE)),0,$(subst $(space),$(comma),$(1)))
FRAMEWORKS := norse snntorch spikingjelly sinabs rockpool
.PHONY: help run test lint types check bench bench-gpu bench-counts bench-mesh fuzz ablation runs records tables again report readme schema table-matrix table-camera table-emulated table-dynex table-hxtorch table-lava table-eventprop table-qutrunk table-nest mutate table-controls table-chips $(FRAMEWORKS:%=conform-%) table-chip-seeds bench-kills bench-vendors clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, " + sys.executable + " is " + sys.version.split()[0] + ". Set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	@touch $@

# A stamp is written only after pip has succeeded, so an interrupted install is taken up again.
.venv/installed: .venv/made pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -e .
	@touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -e '.[dev]'
	@touch $@

run: .venv/installed ## install what is needed, train and test the QRBM on MNIST (ARGS="seed=1 ..." for more)
	$(BIN)/neurobench run model=qrbm backend=sim $(ARGS)

test: .venv/installed-dev ## install what is needed, run the tests (ARGS="-k name" for some)
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

lint: .venv/installed-dev ## ruff: errors and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-dev ## mypy
	$(BIN)/mypy

check: lint types test ## all of the above

mutate: .venv/installed-dev ## do the tests notice? modules that decide figures, changed in one place each (ARGS=metrics/paired.py for one)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.mutation.mutate $(ARGS)

# Each framework in an environment of its own: their packages need not agree with each other or with ours.
.frameworks/%/installed:
	$(PYTHON) -m venv .frameworks/$*
	.frameworks/$*/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) torch nir nirtorch $*
	@touch $@

$(FRAMEWORKS:%=conform-%): conform-%: .venv/installed-dev .frameworks/%/installed ## NIR graphs in norse, snntorch, spikingjelly, sinabs, rockpool
	$(BIN)/neurobench conform $* --to outputs/readme/CONFORMANCE.md

fuzz: .venv/installed-dev ## half an hour of odd words on the command line: a plan or a sentence, never a traceback
	@end=$$(($$(date +%s) + $(FUZZ_SECONDS))); seed=0; while [ $$(date +%s) -lt $$end ]; do seed=$$((seed + 1)); \
	echo "seed $$seed"; NEUROBENCH_FUZZ=1 $(BIN)/python -m pytest -q -p no:xdist tests/config/test_fuzz.py --hypothesis-seed=$$seed || exit 1; done

bench: .venv/installed-dev ## speed, as ratios measured side by side in one run
	$(BIN)/python tests/bench/bench_cli.py
	$(BIN)/python tests/bench/bench_startup.py
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

bench-kills: .venv/installed-dev ## kill a run 50 times while its jobs are queued: none is lost, none is paid for twice
	$(BIN)/python tests/bench/bench_kills.py

bench-vendors: .venv/installed ## NEST beside engine=exact, and Marrakesh by Qiskit's snapshot beside ours
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -e '.[qiskit,nest]'
	$(BIN)/python tests/bench/bench_nest.py
	$(BIN)/python tests/bench/bench_marrakesh.py

bench-gpu: .venv/installed-dev ## on a machine with CUDA: the tests marked gpu, every path on the GPU beside the CPU and its peers; a table (ARGS=--profile)
	-@$(MAKE) --no-print-directory .venv/peers/slayer
	$(BIN)/python tests/bench/bench_gpu.py outputs/gpu $(ARGS)
	@if [ -f outputs/gpu/GPU.md ]; then cp outputs/gpu/GPU.md outputs/readme/GPU.md; fi

bench-counts: .venv/installed-dev ## operation counts of small networks and trained models beside those of PyPI's neurobench
	-$(MAKE) --no-print-directory .venv/peers/neurobench
	$(BIN)/python tests/bench/bench_counts.py

bench-mesh: .venv/installed-dev ## joules and seconds of the architecture model of Loihi beside those of SANA-FE, on three networks
	-$(MAKE) --no-print-directory .venv/peers/sanafe
	$(BIN)/python tests/bench/bench_mesh.py

RECORDS := outputs/readme/records.jsonl
tables: .venv/installed ## the tables of RESULTS.md and README.md, from the records of runs: one second, seven after a change of YAML or code; nothing is run
	@for file in outputs/readme/RESULTS.md README.md; do \
	$(BIN)/neurobench table all --records $(RECORDS) --into $$file || [ $$? = 3 ] || exit 1; done # 3: a row is OUT, and says so

records: .venv/installed ## the finished runs in outputs, added to outputs/readme/records.jsonl
	$(BIN)/neurobench table all --record $(RECORDS)

readme: .venv/installed ## both: finished runs into the records, the records into the tables
	$(MAKE) --no-print-directory records
	$(MAKE) --no-print-directory tables

again: .venv/installed-dev ## one row of each table run again from the command that it prints, held against its record (ARGS=dynex: one table)
	$(BIN)/python tests/bench/again.py $(ARGS)

runs: .venv/installed-dev ## run what the tables need (SCALE=smoke: under three minutes, never a result); one that fails does not stop the others
ifeq ($(SCALE),smoke)
	$(BIN)/neurobench sweep scale=smoke experiment=$(subst $(space),$(comma),$(TUTORIALS))
	$(BIN)/neurobench table all
else
	$(MAKE) --keep-going --no-print-directory table-dynex table-hxtorch table-lava table-qutrunk table-nest table-eventprop
endif

report: .venv/installed ## every run, table and figure in one HTML page: outputs/report.html
	$(BIN)/neurobench report

schema: .venv/installed ## conf/schema.json, by which editors complete and check the YAML files
	$(BIN)/neurobench schema > conf/schema.json

ablation: .venv/installed-dev ## what the annealer is worth to the QRBM, and what its errors cost: tables and figures, half an hour
	$(BIN)/python tests/bench/bench_qrbm_ablation.py

# Finished runs are not run again; a row outside its band makes the target fail with exit code 3.
table-dynex: .venv/installed-dev ## the Dynex tutorial, our recipes and baselines: published | measured | band | verdict
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2) experiment=$(subst $(space),$(comma),$(DYNEX))
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4 5 6 7 8 9 10 11) experiment=dynex_qrbm # for a test of two samples
	$(if $(filter paper,$(SCALE)),$(BIN)/python tests/bench/bench_samplers.py) # energies of every sampler on one problem in equal time
	$(BIN)/neurobench table dynex

table-hxtorch: .venv/installed ## the BrainScaleS-2 tutorial on ten seeds and chips, tuned presets on five
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4 5 6 7 8 9) experiment=$(subst $(space),$(comma),$(HX_TUTORIAL))
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4) experiment=$(subst $(space),$(comma),$(HX_TUNED))
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=hxtorch_mnist
	$(BIN)/neurobench table hxtorch

table-eventprop: .venv/installed ## EventProp on Yin-Yang over ten seeds, a quarter of an hour of one core
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4 5 6 7 8 9) experiment=eventprop_yin_yang
	$(BIN)/neurobench table eventprop

table-lava: .venv/installed-dev ## the lava-dl tutorial by epoch, our recipe in integers, on the emulated chip and in floats, five folds
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2) experiment=lava_nmnist_best,lava_nmnist_best_mock,lava_nmnist_best_float,lava_nmnist_conv
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4) experiment=lava_nmnist_cv,lava_nmnist_conv_cv
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=lava_nmnist
	$(BIN)/neurobench table lava

table-qutrunk: .venv/installed-dev ## the QuTrunk tutorial by epoch and without its faults, ten digits, emulated Heron, classical heads
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4) experiment=qutrunk_mnist_01_best,qutrunk_mnist_01_shots,qutrunk_mnist_01_mock
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4) experiment=qutrunk_ten_digits,qutrunk_ten_digits_4
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2) experiment=qutrunk_mnist_01
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=qutrunk_ten_digits_mock,qutrunk_all_digits
	$(BIN)/neurobench table qutrunk

table-nest: .venv/installed ## NEST's e-prop tutorial by iteration, the fast engines, the emulated chip and what it is measured by
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,1 2 3 4 5) experiment=$(subst $(space),$(comma),$(NEST))
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=nest_eprop_nmnist_reference # nothing in it is drawn
	$(BIN)/neurobench table nest

# One trained network on a hundred layouts of each chip that ships: outputs/chips
table-chips: .venv/installed-dev ## what each quantum processor costs the ten-digit network, over 100 layouts: table and figure
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=qutrunk_ten_digits
	$(BIN)/python tests/bench/bench_chips.py qutrunk_ten_digits $(if $(filter smoke,$(SCALE)),5,100)

# One trained network on a hundred copies of each chip, their faults and analog errors drawn by chip_seed: outputs/chips
table-chip-seeds: .venv/installed-dev ## what 100 copies of BrainScaleS-2 (one minute) and of each annealer (a quarter of an hour with ARGS=annealer_trainings) do to a trained network: tables and figures
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=hxtorch_yin_yang_best
	$(BIN)/python tests/bench/bench_chip_seeds.py $(if $(filter smoke,$(SCALE)),2,100) bss2_copies annealer_copies $(ARGS)

# All five models on MNIST, emulated N-MNIST and Yin-Yang, on both backends; a cell below its sanity line: exit code 3.
table-matrix: SCALE = quick
table-matrix: .venv/installed-dev ## the matrix at quick scale, 7 minutes on two cores (SCALE=paper: 70 minutes of one core): accuracy, time, operations, device cost
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=$(subst $(space),$(comma),$(MATRIX)) backend=sim,mock
	$(BIN)/neurobench matrix --scale $(SCALE)

# Finished runs are not run again. The controls' settings were found by `neurobench tune`, as their YAML files say.
table-controls: .venv/installed-dev ## controls against their models, same seeds and samples; complete after `make runs table-emulated`, which runs the other models
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2) experiment=$(subst $(space),$(comma),$(CONTROLS) $(CONTROLLED))
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2) experiment=matrix_slayer_nmnist,matrix_eprop_nmnist backend=sim
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4) experiment=lava_nmnist_cv,controls_lava_cv
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4 5) experiment=controls_nest,nest_eprop_nmnist_best
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2 3 4 5 6 7 8 9) experiment=controls_eventprop
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=$(subst $(space),$(comma),$(CONTROLS_ONE))
	$(BIN)/neurobench table controls

table-camera: .venv/installed ## two networks trained on emulated recordings, tested on real ones; emulated held against real
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=camera_to_real,camera_to_real_mlp
	$(BIN)/neurobench table camera
	$(BIN)/neurobench data camera --figure outputs/camera.png

table-emulated: .venv/installed-dev ## SLAYER (four hours) and e-prop trained on 54,000 emulated recordings, tested on emulated and on real ones
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=lava_nmnist_emulated,lava_nmnist_emulated_conv,lava_nmnist_emulated_saccades,nest_eprop_nmnist_emulated
	$(BIN)/neurobench sweep scale=$(SCALE) seed=$(call seeds,0 1 2) experiment=nest_eprop_nmnist_emulated_best
	$(BIN)/neurobench sweep scale=$(SCALE) experiment=lava_nmnist_emulated_longer # goes on from the first
	$(BIN)/neurobench table lava; $(BIN)/neurobench table nest

.venv/peers/qutrunk: PIP_ARGS += --ignore-requires-python # it names Python 3.10 as its newest, and runs on newer ones

# What a bench runs beside us, out of the way of what we ship: `--no-deps`, torch and numpy are those of .venv.
.venv/peers/%: tests/bench/peers/%.txt .venv/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --no-deps --upgrade --target $@ -r $<
	@touch $@

clean: ## remove the environment and caches; runs in outputs/ stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache build *.egg-info
