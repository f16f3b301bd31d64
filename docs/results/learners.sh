#!/usr/bin/env bash
# Every learner, trained in the four ways of configs/train, and the table of docs/results.md.
# About three hours on two CPU cores; a run that is there is not repeated.
#
#   bash docs/results/learners.sh
set -euo pipefail
export OMP_NUM_THREADS=1

basename --suffix=.yaml --multiple configs/train/*-glyphs*.yaml |
    xargs --max-procs=2 -I{} metarobust train {}
metarobust ls checkpoints runs
