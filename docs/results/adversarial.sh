#!/usr/bin/env bash
# Nine prototypical networks, trained clean, by adversarial querying (AQ) and by adversarial support
# (AS), three seeds each, 6,000 gradient evaluations each; then one audit of all, and the comparison.
#
#   bash docs/results/adversarial.sh glyphs
#   bash docs/results/adversarial.sh omniglot --set dataset.name=omniglot --set dataset.root=PATH
set -euo pipefail
data=$1
shift

clean=(--set protocol.ways=10 --set iterations=6000 --set validation.every=1200 --set validation.episodes=100)
for seed in 0 1 2; do
    for way in equal aq as; do
        name=protonet-$data-$way-$seed
        if [ $way = equal ]; then from=(protonet-glyphs "${clean[@]}"); else from=("protonet-glyphs-$way"); fi
        metarobust train "${from[@]}" "$@" --set seed=$seed --set "name=$name"
    done
done
metarobust audit docs/results/adversarial.yaml --set "name=adversarial-$data" --set "$(
    python3 -c "
import sys
runs = [f'protonet-{sys.argv[1]}-{way}-{seed}' for way in ('equal', 'aq', 'as') for seed in (0, 1, 2)]
print('learners=' + str([f'runs/{run}/{run}.safetensors' for run in runs]))" "$data"
)" "$@"
metarobust compare "runs/adversarial-$data"
