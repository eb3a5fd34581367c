# Each target calls one Python module; `make` alone lists them.
# Variables are given on the command line (make run NODES=2) and reach the module as environment.

.DEFAULT_GOAL := help
.PHONY: help run stop token key shop import knowledge gaps rehearse hot fetch finetune test lint \
	eval eval-cache load bench manifests pin-digests dashboards prometheus setup clean
MAKEFLAGS += --no-print-directory

# The first that exists and is new enough; 3.11 first, since that is what we test with.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
WITH = $(or $(PYTHON),$(error Xiaoer needs Python 3.11 or newer with its venv module, and none \
	is on the PATH. Install one (Debian, Ubuntu: apt install python3.11-venv), or name it: make \
	PYTHON=/path/to/python3.11)) -m deploy.local.bootstrap --venv $(VENV)
# A command beside the services: it finds what they find.
LOCALLY = $(WITH) app -- -m deploy.local with -- -m
# Where no model is served here, the packages that serve one are not needed.
RUNTIME = $(if $(MODEL_URL),app,run)

DATA_DIR ?= data
SHOP ?= demo
CUSTOMER ?= alice
PROFILE ?= cpu-demo
export DATA_DIR PROFILE

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start everything, first setting up what is missing; Ctrl-C stops it
	@$(WITH) $(RUNTIME) -- -m deploy.local run

stop: ## stop what `make run` started in another terminal
	@$(WITH) app -- -m deploy.local stop

token: ## print a customer's token: make -s token CUSTOMER=alice
	@$(WITH) app -- -m deploy.local token '$(CUSTOMER)'

key: ## print the demo shop's key: make -s key
	@$(WITH) app -- -m deploy.local key

shop: ## shops' keys and token rules: ARGS="add-key demo"; alone it says what there is
	@SHOP_SECRETS_FILE='$(or $(SHOP_SECRETS_FILE),$(DATA_DIR)/secrets/shops.json)' \
		$(WITH) app -- -m services.gateway.identity $(ARGS)

import: ## load a shop's CSV files: SHOP=… PRODUCTS=… ORDERS=… ITEMS=…
	@$(LOCALLY) services.tools.importer --shop '$(SHOP)' $(if $(PRODUCTS),--products '$(PRODUCTS)') \
		$(if $(ORDERS),--orders '$(ORDERS)') $(if $(ITEMS),--items '$(ITEMS)')

knowledge: ## load a shop's documents (Markdown, HTML, PDF, DOCX, CSV): DIR=… SHOP=…
	@$(LOCALLY) services.gateway.knowledge load '$(DIR)' --shop '$(SHOP)'

gaps: ## what customers asked and the documents do not hold, most asked first
	@$(LOCALLY) services.gateway.knowledge gaps --shop '$(SHOP)'

hot: ## the most asked questions with their hit rates, and why others are never cached
	@$(LOCALLY) services.gateway.answers hot --shop '$(SHOP)'

rehearse: ## replay a shop's past questions (CSV) before it goes live: FILE=… SHOP=… URL=… ARGS=…
	@SHOP_KEY="$${SHOP_KEY:-$$($(WITH) app -- -m deploy.local key)}" \
		$(LOCALLY) services.gateway.rehearsal '$(FILE)' --shop '$(SHOP)' $(if $(URL),--gateway '$(URL)') $(ARGS)

fetch: ## fetch a profile's model, resumable and checked: PROFILE=edge-gpu
	@$(WITH) run -- -m services.inference fetch '$(PROFILE)'

finetune: ## make the demonstration model's adapter anew (hours on two cores)
	@# Freed memory is kept for the next step; asking the system for it anew took a third of the time.
	@MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=17179869184 $(WITH) dev -- -m services.inference.demo finetune

test: ## every test, the end-to-end ones included (ARGS=… for pytest)
	@$(WITH) dev -- -m pytest $(ARGS)

lint: ## ruff, mypy --strict, import contracts, bandit, secrets, known vulnerabilities
	@$(WITH) dev -- -m deploy.local.lint

eval: ## golden dialogues against the running gateway (URL=… ARGS=…), then rails, lies, handoff, retrieval
	@$(WITH) dev -- -m tests.eval --url '$(or $(URL),http://127.0.0.1:$(or $(GATEWAY_PORT),8080))' $(ARGS); \
		golden=$$?; $(WITH) dev -- -m tests.eval.judged test; judged=$$?; \
		$(WITH) dev -- -m tests.eval.knowledge test --model use-multilingual-3 && \
		[ $$golden -eq 0 ] && exit $$judged

eval-cache: ## which questions the answer cache takes for one: false hits and hit rates
	@$(WITH) dev -- -m tests.eval.cache $(or $(ARGS),test)

load: ## Locust against the running gateway: URL=…
	@$(WITH) dev -- -m tests.load $(if $(URL),--url '$(URL)') $(ARGS)

bench: ## what the gateway adds to a model call
	@$(WITH) dev -- -m tests.load.bench $(ARGS)

manifests: ## build and check every Kubernetes overlay and combination (ARGS=--quick)
	@$(WITH) app -- -m deploy.manifests $(ARGS)

pin-digests: ## ask the registries for the base images' digests
	@$(WITH) app -- -m deploy.manifests pin-digests

dashboards: ## write Grafana's dashboards anew from their code
	@$(WITH) dev -- -m deploy.grafana

prometheus: ## watch what `make run` started: http://127.0.0.1:9090 (needs prometheus installed)
	@prometheus --config.file=deploy/prometheus/prometheus.yaml --storage.tsdb.path='$(DATA_DIR)/prometheus' \
		--storage.tsdb.retention.time=40d --web.listen-address=127.0.0.1:9090

setup: ## only install what `make run` needs
	@$(WITH) $(RUNTIME)

clean: ## remove the environment, caches and reports; the data folder stays
	@rm -rf '$(VENV)' build reports .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
