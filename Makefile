# cniwire: `make run` shows it, `make test` proves it.
# Neither needs root; both need only what .ci/needs names.

DESTDIR =
PREFIX  = /usr/local
BINDIR  = /opt/cni/bin
# Debian's interpreter first: it is fast, and PyInstaller finds its shared library.
PYTHON := $(shell for p in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PEER    = /usr/lib/cni
PLUGINS = bridge host-local portmap loopback static tuning bandwidth firewall
SOURCES = $(wildcard conf/* bin/*) $(shell find core plugins ipam launcher -name '*.py')
LAB     = .venv/bin/cniwire lab --
PYTEST  = .venv/bin/python -m pytest
# Tests mostly wait for the kernel. Each worker lives in a lab of its own, so that modules of tests do not
# disturb each other.
JOBS    = 4
# In a lab everybody is root: temporary folders are told apart by who one is outside.
export PYTEST_DEBUG_TEMPROOT := $(or $(TMPDIR),/tmp)/cniwire-$(shell id -u)
WORKERS = --dist loadfile --tx '$(JOBS)*popen//python=$(LAB) .venv/bin/python'
SUITE   = mkdir -p $(PYTEST_DEBUG_TEMPROOT) && .ci/untouched $(LAB) $(PYTEST) --quiet $(WORKERS)
ARGS    =

.NOTPARALLEL:
.PHONY: help run test needs test-source test-bundle test-runtimes test-systems lint bundle dist dist-twice import-budget
.PHONY: forms release bench profile test-kubernetes docs man
.PHONY: torture-crash torture-faults torture-power torture-model torture-upgrade fuzz soak checklist install uninstall clean

help:            ## say what can be made
	@sed -n 's/^\([a-z-]*\): .*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: .venv/ready ## the demo: two wired containers in a private fake host
	$(LAB) .venv/bin/python -m launcher.demo

test: needs lint test-source test-bundle ## lint, then the whole suite against the source tree and the bundle

needs:           ## name the system packages that `make test` misses, before anything runs
	@PYTHON=$(PYTHON) .ci/needs run bundle test

test-source: .venv/ready ## all tests but lint against the source tree; JOBS=4, ARGS='-k words -x'
	@.ci/needs test
	$(SUITE) --plugins=source --ignore=tests/quality --ignore=tests/runtimes $(ARGS)

test-bundle: .venv/ready bundle ## golden, kernel and end-to-end tests against the bundle
	@.ci/needs test
	$(SUITE) --plugins=bundle tests/golden tests/kernel tests/e2e $(ARGS)

test-runtimes: .venv/runtimes bundle ## runtimes of the distribution, unmodified, on our executables alone
	@.ci/needs test runtimes
	$(SUITE) --plugins=bundle tests/runtimes $(ARGS)

test-kubernetes: .venv/kubernetes ## conf/kubernetes against the published schemas, by kustomize and by Helm itself
	$(PYTEST) --quiet -rs tests/unit/test_kubernetes_manifests.py $(ARGS)

test-systems:    ## as root: all of it on fresh Debian, into docs/systems/; ARGS='--steps run trixie'
	.ci/systems $(ARGS)

lint: .venv/docs ## ruff, mypy --strict, layers, import budget, the site and the man pages
	@mkdir -p $(PYTEST_DEBUG_TEMPROOT)
	$(PYTEST) --quiet tests/quality $(ARGS)

docs: .venv/docs ## the site of docs/, in build/docs/: no network is needed to read it
	NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build

man: .venv/ready ## the man pages, in dist/man/
	.venv/bin/python -m manual.man dist/man

bundle: dist/cniwire/cniwire ## the standalone executables, in dist/cniwire/

dist/cniwire/cniwire: bundle.spec $(wildcard bundle/*.* conf/*/* conf/*/*/*) $(SOURCES) tests/quality/import_budget.txt .venv/ready
	@PYTHON=.venv/bin/python .ci/needs bundle
	rm -rf build/bundle
	.venv/bin/python -X no_debug_ranges -m PyInstaller --noconfirm --log-level WARN \
		--workpath build/work --distpath build/bundle bundle.spec
	.venv/bin/python -X no_debug_ranges -m bundle.build build/bundle/cniwire dist/cniwire

STATIC = dist/static/$(shell uname -m)

dist: .venv/ready ## one static file for all plugins, in dist/static/: any libc, no Python; takes minutes
	@PYTHON=.venv/bin/python .ci/needs dist
	.venv/bin/python -m bundle.static.build build/static/$(notdir $(STATIC)) $(STATIC)

dist-twice: dist ## make it once more in another folder: the same bytes
	.venv/bin/python -m bundle.static.build build/again/$(notdir $(STATIC)) build/again/dist
	diff -r $(STATIC) build/again/dist && sha256sum $(STATIC)/cniwire-plugins

forms: .venv/ready bundle ## of what make dist and make bundle left, all that is published: dist/release/
	@PYTHON=.venv/bin/python .ci/needs bundle forms
	.venv/bin/python -m bundle.release.build dist/release

release: .venv/ready ## refuse unless version, CHANGELOG, texts and tag agree; then dist, bundle and forms
	.venv/bin/python -m bundle.release.agreement
	$(MAKE) dist bundle forms

import-budget: .venv/ready ## write anew which modules each verb loads
	@mkdir -p build
	$(LAB) .venv/bin/python -m tests.quality.test_import_budget > build/import_budget.txt
	mv build/import_budget.txt tests/quality/import_budget.txt

bench: .venv/ready bundle ## ours against PEER=/usr/lib/cni, into bench-results/; ARGS=--short, ARGS=--help
	@.ci/needs test
	.ci/untouched $(LAB) .venv/bin/python -m tests.bench --peer $(PEER) $(ARGS)

profile: .venv/ready bundle ## where the time of one ADD goes; ARGS='--verb DEL'
	@.ci/needs test
	.ci/untouched $(LAB) .venv/bin/python -m tests.bench.profile $(ARGS)

torture-crash: .venv/ready ## kill -9 at every system call that changes anything; ARGS=--short, ARGS=--help
	@.ci/needs test
	.ci/untouched $(LAB) .venv/bin/python -m tests.torture.crash $(ARGS)

torture-faults: .venv/ready ## every system call and netlink request fails in turn; ARGS=--short, ARGS=--help
	@.ci/needs test
	.ci/untouched $(LAB) .venv/bin/python -m tests.torture.faults $(ARGS)

torture-power: .venv/ready ## the power fails at any point of host-local's work; ARGS=--short, --without-fsync
	@.ci/needs test
	.ci/untouched $(LAB) .venv/bin/python -m tests.torture.power $(ARGS)

torture-model: .venv/ready ## random calls, deaths, reboots against a model; ARGS=--short, ARGS=--help
	@.ci/needs test
	.ci/untouched $(LAB) .venv/bin/python -m tests.torture.model $(ARGS)

torture-upgrade: .venv/ready bundle ## 1,000 ADDs and DELs while upgrade and rollback alternate; ARGS=--short
	@.ci/needs test
	.ci/untouched $(LAB) .venv/bin/python -m tests.torture.upgrade $(ARGS)

fuzz: .venv/ready ## a million random inputs; ARGS=--short, ARGS='--target files --first 4711 --inputs 1'
	@.ci/needs test
	.ci/untouched $(LAB) .venv/bin/python -m tests.torture.fuzz $(ARGS)

soak: .venv/ready ## an hour of random load, then all is as at the start; ARGS='--minutes 5', ARGS=--short
	@.ci/needs test
	.ci/untouched $(LAB) .venv/bin/python -m tests.torture.soak $(ARGS)

checklist: .venv/ready ## which test covers which line of the conformance checklist
	@.venv/bin/python -m tests.checklist

install: dist/cniwire/cniwire ## DESTDIR= PREFIX=/usr/local BINDIR=/opt/cni/bin: the bundle, links in BINDIR
	@$(PYTHON) -B -m bundle.install dist/cniwire --destdir '$(DESTDIR)' --prefix '$(PREFIX)' --bindir '$(BINDIR)'

uninstall:       ## DESTDIR= PREFIX=/usr/local: take that away, and bring back what it replaced; KEEP=cniwire
	@$(PYTHON) -B -m bundle.install --destdir '$(DESTDIR)' --prefix '$(PREFIX)' --bindir '$(BINDIR)' $(if $(KEEP),--keep)

clean:           ## all that make made
	rm -rf .venv build dist bench-results *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/ready: pyproject.toml
	@PYTHON=$(PYTHON) .ci/needs run
	test -x .venv/bin/pip || $(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.venv/kubernetes: .venv/ready
	.venv/bin/pip install --quiet --disable-pip-version-check --editable '.[dev,kubernetes]'
	@touch $@

.venv/runtimes: .venv/ready
	.venv/bin/pip install --quiet --disable-pip-version-check --editable '.[dev,runtimes]'
	@touch $@

.venv/docs: .venv/ready
	.venv/bin/pip install --quiet --disable-pip-version-check --editable '.[dev,docs]'
	@touch $@
