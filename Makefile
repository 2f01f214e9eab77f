# All real work is in `python -m labkit`; Windows, which has no make, calls that directly.
PYTHON ?= python3
LAB ?= 03-dropout

.PHONY: book test lowest mutants lab full clean
book:   ; @$(PYTHON) -m labkit book
test:   ; @$(PYTHON) -m labkit test
lowest: ; @$(PYTHON) -m labkit lowest
mutants: ; @$(PYTHON) -m labkit mutants
lab:    ; @$(PYTHON) -m labkit notebooks $(LAB)
full:   ; @.venv/bin/labkit run $(LAB) --budget full
clean:  ; @$(PYTHON) -m labkit clean
